"""Names of receivers, with the file and line where they are written, and of senders. Signals are in signal_names.py.

Nothing here calls a ``__repr__``, ``__str__`` or ``__getattr__``: a model instance's may query the database.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, MethodType

from csignals._introspection.attributes import (
    Memo,
    attribute,
    in_class,
    is_function,
    is_function_class,
    module_of_class,
    qualname_of_class,
)
from csignals._typing import Any


class Description:
    """A receiver's dotted name, and the file and line where it is written, if that is known."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str | None, line: int | None) -> None:
        self.name = name
        self.file = file
        self.line = line


descriptions = Memo()  # of receivers: a `Description`
class_names = Memo()  # of classes: their name and that of their instances


def describe(receiver: Any) -> Description:
    """Return a receiver's name and the place where it is written. Raises nothing."""
    target = receiver
    while issubclass(type(target), MethodType):  # as Nuitka's are
        target = target.__func__
    description: Description | None = descriptions.get(target)
    if description is None:
        description = _new_description(target)
        descriptions.keep(target, description)
    return description


def _new_description(target: Any) -> Description:
    # A class may have a property of its own where a name should be.
    try:
        name = _name_of_receiver(target)
    except Exception:
        name = object_name(target)
    try:
        *_, function = layers(target)
        code = attribute(function, "__code__")
    except Exception:
        code = None
    # In PyPy, built-in functions have code too.
    if type(code) is CodeType and not code.co_filename.startswith("<builtin>"):
        return Description(name, code.co_filename, code.co_firstlineno)
    return Description(name, None, None)


def layers(target: Any) -> Iterator[Any]:
    """Yield a receiver, then what its decorators, partials and methods wrap, down to the function that was written."""
    for _ in range(100):  # they may form a circle
        yield target
        kind = type(target)
        if issubclass(kind, functools.partial):
            target = target.func
        elif issubclass(kind, MethodType):
            target = target.__func__
        elif issubclass(kind, type):
            target = type.__getattribute__(target, "__init__")
        elif (wrapped := attribute(target, "__wrapped__")) is not None:
            target = wrapped
        elif not is_function(target) and is_function(call := in_class(kind, "__call__")):
            target = call
        else:
            break


def _name_of_receiver(target: Any) -> str:
    if issubclass(type(target), functools.partial):
        return f"functools.partial({describe(target.func).name})"
    return dotted_name(target) or object_name(target)


def describe_sender(sender: Any) -> str | None:
    """Return the name of a sender; None for None. Raises nothing.

    The name of a class or function is its dotted name, a string is its own, and other objects are named by their class.
    """
    kind = type(sender)
    if sender is None:
        return None
    if issubclass(kind, str):
        return str.__str__(sender)
    cls = sender if issubclass(kind, type) else kind
    names: tuple[str, str] | None = class_names.get(cls)
    if names is None:
        if _names_its_instances(kind):
            return describe(sender).name
        names = dotted_name(cls) or object_name(cls), f"{dotted_name(cls)} object"
        if not issubclass(cls, str) and not _names_its_instances(cls):
            class_names.keep(cls, names)
    return names[cls is not sender]


def _names_its_instances(cls: type) -> bool:
    return issubclass(cls, (BuiltinFunctionType, MethodType)) or is_function_class(cls)


def dotted_name(target: Any) -> str | None:
    """Return the dotted name under which a class, function or the like was defined, or None if it has none."""
    if issubclass(type(target), type):
        module, name = module_of_class(target), qualname_of_class(target)
    else:
        module, name = attribute(target, "__module__"), attribute(target, "__qualname__")
        if module is None and type(target) is BuiltinFunctionType:  # a method written in C, of an object or a class
            owner: Any = target.__self__
            module = module_of_class(owner if issubclass(type(owner), type) else type(owner))
    if type(name) is not str:
        return None
    return f"{module}.{name}" if type(module) is str and module != "builtins" else name


def object_name(target: Any) -> str:
    """Return a name for an object that has none of its own: its class's."""
    return f"{dotted_name(type(target))} object"
