"""What things are called: receivers and where they are written, and senders. Signals are in _signal_names.py.

Nothing here runs anybody's ``__repr__`` or ``__str__``: a model instance's may ask the database. Nor a
``__getattr__``, or what ``isinstance`` may run: an object that is lazy stays so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, GetSetDescriptorType, MethodType, ModuleType
from weakref import ref

from csignals._typing import Any


class Description:
    """A receiver's dotted name, and the file and line where it is written, as far as it says."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str | None, line: int | None) -> None:
        self.name = name
        self.file = file
        self.line = line


class Known(ref):  # type: ignore[type-arg]  # subscribing it takes an import
    """A memo's reference to an object, which knows its id also after its death."""

    __slots__ = ("number",)

    number: int


class Memo:
    """What is known of objects, for as long as they live."""

    def __init__(self, after_death: Callable[[], object] | None = None) -> None:
        self.known: dict[int, Any] = {}  # by id
        self._references: dict[int, Known] = {}  # which forget it before the id is used again

        def forget(reference: Known) -> None:
            self._forget(reference.number)
            if after_death is not None:
                after_death()

        self._forget_dead = forget

    def get(self, target: object) -> Any:
        return self.known.get(id(target))

    def keep(self, target: Any, value: Any) -> Any:
        """Keep what is known of an object, unless another thread came first, and return what is kept.

        Nothing is kept of an object that has no weak references.
        """
        try:
            reference = Known(target, self._forget_dead)
        except TypeError:
            return value
        reference.number = number = id(target)
        self._references[number] = reference
        return self.known.setdefault(number, value)

    def forget(self, target: object) -> None:
        self._forget(id(target))

    def _forget(self, number: int) -> None:
        self.known.pop(number, None)
        self._references.pop(number, None)


descriptions = Memo()  # of functions, and whatever else receivers are
class_names = Memo()  # what classes and their instances are called: two strings


def describe(receiver: Any) -> Description:
    """Return what a receiver is called and where it is written. Raises nothing."""
    target = receiver
    while issubclass(type(target), MethodType):  # as Nuitka's are
        target = target.__func__
    description: Description | None = descriptions.get(target)
    if description is None:
        description = _new_description(target)
        descriptions.keep(target, description)
    return description


def _new_description(target: Any) -> Description:
    # Even so, a class may have somebody's property where a name should be.
    try:
        name = _name_of_receiver(target)
    except Exception:
        name = object_name(target)
    try:
        *_, function = layers(target)
        code = attribute(function, "__code__")
    except Exception:
        code = None
    # In PyPy, functions that are built in have code, too.
    is_known = type(code) is CodeType and not code.co_filename.startswith("<builtin>")
    return Description(name, code.co_filename if is_known else None, code.co_firstlineno if is_known else None)


def layers(target: Any) -> Iterator[Any]:
    """Yield a receiver, then what is below its decorators, partials, and methods, down to what somebody wrote."""
    for _ in range(100):  # as it may go round in a circle
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


def is_function(target: Any) -> bool:
    """Return whether this is a function written in Python, one that Cython or Nuitka compiled too."""
    return _is_function_class(type(target))


def _is_function_class(cls: type) -> bool:
    return type(in_class(cls, "__code__")) is GetSetDescriptorType


def _name_of_receiver(target: Any) -> str:
    if issubclass(type(target), functools.partial):
        return f"functools.partial({describe(target.func).name})"
    return dotted_name(target) or object_name(target)


def describe_sender(sender: Any) -> str | None:
    """Return what a sender is called; None for None. Raises nothing.

    A class and a function by the dotted name, a string as it is, all else by its class.
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
    return issubclass(cls, (BuiltinFunctionType, MethodType)) or _is_function_class(cls)


def dotted_name(target: Any) -> str | None:
    """Return the name under which a class, a function, or what passes for one, was defined; None if it has none."""
    if issubclass(type(target), type):
        module, name = module_of_class(target), _qualname_of_class(target)
    else:
        module, name = attribute(target, "__module__"), attribute(target, "__qualname__")
        if module is None and type(target) is BuiltinFunctionType:  # a method written in C, of an object or a class
            owner: Any = target.__self__
            module = module_of_class(owner if issubclass(type(owner), type) else type(owner))
    if type(name) is not str:
        return None
    return f"{module}.{name}" if type(module) is str and module != "builtins" else name


def object_name(target: Any) -> str:
    """Return a name for what has none of its own."""
    return f"{dotted_name(type(target))} object"


def attribute(target: Any, name: str) -> Any:
    """Return an attribute that an object or its class has, or None: not one that its ``__getattr__`` makes up."""
    if in_class(type(target), name) is not None:
        return getattr(target, name, None)
    try:
        # Not its __dict__, which may be a property of its class: that of an object of wrapt's is another object's.
        return object.__getattribute__(target, name)
    except AttributeError:
        return None


def in_class(cls: type, name: str) -> Any:
    """Return what stands under a name in the namespace of a class or of one of its bases, or None."""
    for base in _bases_of(cls):
        namespace = namespace_of(base)
        if name in namespace:
            return namespace[name]
    return None


def module_of_class(cls: type) -> Any:
    """Return the name of the module in which a class was defined; None if it was made outside of any."""
    try:
        return _module_of_class(cls)
    except AttributeError:
        return None


# Whatever a metaclass has under these names.
_bases_of = vars(type)["__mro__"].__get__
_module_of_class = vars(type)["__module__"].__get__
_qualname_of_class = vars(type)["__qualname__"].__get__
namespace_of = vars(type)["__dict__"].__get__

# Whatever a module does when it is asked for that.
namespace_of_module = vars(ModuleType)["__dict__"].__get__
