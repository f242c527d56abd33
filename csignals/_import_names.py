"""The names by which another process finds classes, functions and signals: ``module:path``, of a module that it has.

Only modules that are loaded are looked through, and only what stands in them and in their classes: no name has
anything imported, or anybody's code run.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from csignals._names import (
    Memo,
    attribute,
    dotted_name,
    module_of_class,
    namespace_of,
    namespace_of_module,
    object_name,
)
from csignals._signal_names import label_of, place_of
from csignals.listing import signal_classes

_known = Memo()


def is_signal(value: Any) -> bool:
    return issubclass(type(value), signal_classes())


def import_name(target: Any) -> str:
    """Return the name of a class, function or signal. Raises TypeError for what is not found by any, and says why."""
    name: str | None = _known.get(target)
    if name is None:
        name = _new_name(target)
        _known.keep(target, name)
    return name


def look_up(name: str) -> Any:
    """Return what has a name. Raises LookupError."""
    module, _, path = name.partition(":")
    loaded: Any = sys.modules.get(module)
    if not issubclass(type(loaded), ModuleType):
        raise LookupError(f"{name:.200}: that module is not loaded here")
    namespace = namespace_of_module(loaded)
    for part in path.split("."):
        if part not in namespace:
            raise LookupError(f"{name:.200}: nothing stands there")
        found = namespace[part]
        namespace = namespace_of(found) if issubclass(type(found), type) else {}
    return found


def written_name(target: Any) -> str:
    """Return the name that a class or a function says it has. Raises TypeError if others cannot have it by that."""
    is_class = issubclass(type(target), type)
    module = module_of_class(target) if is_class else attribute(target, "__module__")
    path = type.__dict__["__qualname__"].__get__(target) if is_class else attribute(target, "__qualname__")
    called = dotted_name(target) or object_name(target)
    if type(module) is not str or type(path) is not str:
        raise TypeError(f"{called} has no name of its own in a module")
    if "<" in path:
        raise TypeError(f"{called} is a lambda or local to a function, where no other process finds it")
    return _joined(module, path, called)


def _new_name(target: Any) -> str:
    if is_signal(target):
        place = place_of(target)
        if place is None:
            raise TypeError(f"{label_of(target)} is no module's global, by whose name another process could find it")
        module, path = place
        return _joined(module, ".".join(path), label_of(target))
    name = written_name(target)
    try:
        found = look_up(name)
    except LookupError:
        found = None
    if found is not target:
        raise TypeError(f"{name} is not what stands under that name")
    return name


def _joined(module: str, path: str, called: str) -> str:
    if module == "__main__":
        raise TypeError(f"{called} is in the program that is run, and not in a module that another process has")
    return f"{module}:{path}"
