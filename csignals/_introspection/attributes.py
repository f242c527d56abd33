"""Look-ups that run nobody's code: attributes of objects, classes and modules; and a memo of values by object.

Nothing here calls a ``__getattr__``, or what ``isinstance`` may call: a lazy object is not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GetSetDescriptorType, ModuleType
from weakref import ref

from csignals._typing import Any


class Known(ref):  # type: ignore[type-arg]  # subscribing it takes an import
    """A memo's reference to an object. It knows the object's id after its death too."""

    __slots__ = ("number",)

    number: int


class Memo:
    """Values kept for objects by identity, for as long as the objects live. Thread-safe."""

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
        """Keep a value for an object unless another thread has kept one, and return the value that is kept.

        Nothing is kept for an object that has no weak references.
        """
        try:
            self._refer_to(target)
        except TypeError:
            return value
        return self.known.setdefault(id(target), value)

    def put(self, target: Any, value: Any) -> None:
        """Keep a value for an object in place of the one that is kept. Raises TypeError without weak references.

        Unlike `keep`, this works where memory is lacking: CPython 3.13's dict.setdefault() loses the MemoryError.
        """
        self._refer_to(target)
        self.known[id(target)] = value

    def _refer_to(self, target: Any) -> None:
        reference = Known(target, self._forget_dead)
        reference.number = number = id(target)
        self._references[number] = reference

    def living(self) -> list[Any]:
        """Return the objects for which a value is kept."""
        return [target for each in list(self._references.values()) if (target := each()) is not None]

    def forget(self, target: object) -> None:
        self._forget(id(target))

    def _forget(self, number: int) -> None:
        self.known.pop(number, None)
        self._references.pop(number, None)


def is_function(target: Any) -> bool:
    """Return whether this is a function written in Python, including functions that Cython or Nuitka compiled."""
    return is_function_class(type(target))


def is_function_class(cls: type) -> bool:
    return type(in_class(cls, "__code__")) is GetSetDescriptorType


def attribute(target: Any, name: str) -> Any:
    """Return an attribute that an object or its class has, or None. Its ``__getattr__`` is not asked."""
    if in_class(type(target), name) is not None:
        return getattr(target, name, None)
    try:
        # Not its __dict__, which may be a property of its class: for wrapt's proxies it is another object's.
        return object.__getattribute__(target, name)
    except AttributeError:
        return None


def in_class(cls: type, name: str) -> Any:
    """Return the value of a name in the namespace of a class or of its first base that has it, or None."""
    for base in _bases_of(cls):
        namespace = namespace_of(base)
        if name in namespace:
            return namespace[name]
    return None


def module_of_class(cls: type) -> Any:
    """Return the name of the module in which a class was defined, or None if it was made without one."""
    try:
        return _module_of_class(cls)
    except AttributeError:
        return None


# These work whatever a metaclass defines under the same names.
_bases_of = vars(type)["__mro__"].__get__
_module_of_class = vars(type)["__module__"].__get__
qualname_of_class = vars(type)["__qualname__"].__get__
namespace_of = vars(type)["__dict__"].__get__

# This works whatever the module's own __getattribute__ does.
namespace_of_module = vars(ModuleType)["__dict__"].__get__
