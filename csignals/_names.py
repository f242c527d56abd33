"""What things are called: receivers and where they are written, senders, signals.

Nothing here runs anybody's ``__repr__`` or ``__str__``: a model instance's may ask the database.
"""

from __future__ import annotations

import functools
import types
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Description:
    """A receiver's dotted name, and the file and line where it is written, as far as it says."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str | None, line: int | None) -> None:
        self.name = name
        self.file = file
        self.line = line


descriptions: dict[int, Description] = {}      # by the id of a function, or of whatever else the receiver is
_references: dict[int, ref[Any]] = {}           # which forget a description when its id is free again


def describe(receiver: Any) -> Description:
    """Return what a receiver is called and where it is written. Raises nothing."""
    target = receiver.__func__ if type(receiver) is types.MethodType else receiver
    number = id(target)
    description = descriptions.get(number)
    if description is None:
        description = _new_description(target)
        try:
            _references[number] = ref(target, lambda _: _forget(number))
        except TypeError:       # it cannot tell when it is gone
            return description
        descriptions[number] = description
    return description


def _forget(number: int) -> None:
    descriptions.pop(number, None)
    _references.pop(number, None)


def _new_description(target: Any) -> Description:
    try:
        function = _function_of(target)
        code = getattr(function, "__code__", None)
        if isinstance(code, types.CodeType):
            return Description(_name_of_receiver(target), code.co_filename, code.co_firstlineno)
        return Description(_name_of_receiver(target), None, None)
    except Exception:   # of somebody's __getattr__
        return Description(dotted_name(type(target)) + " object", None, None)


def _function_of(target: Any) -> Any:
    """Return the function that somebody wrote, below its decorators, partials, and methods."""
    for _ in range(100):    # as it may go round in a circle
        if isinstance(target, functools.partial):
            target = target.func
        elif isinstance(target, types.MethodType):
            target = target.__func__
        elif "__wrapped__" in getattr(target, "__dict__", ()):
            target = target.__wrapped__
        elif isinstance(target, (types.FunctionType, type)):
            break
        else:
            call = getattr(type(target), "__call__", None)   # noqa: B004  # the function it is, not whether there is one
            if not isinstance(call, types.FunctionType):
                break
            target = call
    return target


def _name_of_receiver(target: Any) -> str:
    if isinstance(target, functools.partial):
        return f"functools.partial({describe(target.func).name})"
    if isinstance(target, types.MethodType):
        target = target.__func__
    if isinstance(getattr(target, "__qualname__", None), str):
        return dotted_name(target)
    return dotted_name(type(target)) + " object"


def dotted_name(target: Any) -> str:
    """Return the name under which a class or a function was defined."""
    module = getattr(target, "__module__", None)
    is_elsewhere = isinstance(module, str) and module != "builtins"
    return f"{module}.{target.__qualname__}" if is_elsewhere else str(target.__qualname__)


def describe_sender(sender: Any) -> str | None:
    """Return what a sender is called: a class by its dotted name, a string as it is, all else by its class."""
    if sender is None:
        return None
    if isinstance(sender, type):
        return dotted_name(sender)
    if type(sender) is str:
        return sender
    return dotted_name(type(sender)) + " object"
