"""Import paths, by which another process finds classes, functions and signals: ``module:path``.

Resolving one looks only into modules that are loaded, and into the classes in them. It imports nothing and runs no
code.
"""

from __future__ import annotations

import sys
import types
from types import ModuleType
from typing import Any

from csignals._introspection.attributes import (
    Memo,
    attribute,
    module_of_class,
    namespace_of,
    namespace_of_module,
    qualname_of_class,
)
from csignals._introspection.naming import dotted_name, object_name
from csignals._introspection.signal_names import label_of, place_of
from csignals.listing import signal_classes

_known = Memo()


def is_signal(value: Any) -> bool:
    return issubclass(type(value), signal_classes())


def import_path(target: Any) -> str:
    """Return the import path of a class, function or signal. Raises TypeError, with the reason, if it has none."""
    name: str | None = _known.get(target)
    if name is None:
        name = _new_path(target)
        _known.keep(target, name)
    return name


def resolve(name: str) -> Any:
    """Return the object at an import path. Raises LookupError."""
    module, _, path = name.partition(":")
    loaded: Any = sys.modules.get(module)
    if not issubclass(type(loaded), ModuleType):
        raise LookupError(f"{name:.200}: this process has not loaded that module")
    found, namespace = loaded, namespace_of_module(loaded)
    for part in path.split("."):
        if part not in namespace:
            raise LookupError(f"{name:.200}: the module has no such object")
        found = namespace[part]
        namespace = namespace_of(found) if issubclass(type(found), type) else {}
    return found


def declared_path(target: Any) -> str:
    """Return the import path that a class or function claims. Raises TypeError if no other process could use it."""
    is_class = issubclass(type(target), type)
    module = module_of_class(target) if is_class else attribute(target, "__module__")
    path = qualname_of_class(target) if is_class else attribute(target, "__qualname__")
    called = dotted_name(target) or object_name(target)
    if type(module) is not str or type(path) is not str:
        raise TypeError(f"{called} has no name in a module")
    if "<" in path:
        raise TypeError(f"{called} is a lambda or local to a function: no other process can find it")
    return _joined(module, path, called)


def _new_path(target: Any) -> str:
    if is_signal(target):
        place = place_of(target)
        if place is None:
            raise TypeError(f"{label_of(target)} is not a global of a module, so that no other process can find it")
        module, path = place
        return _joined(module, ".".join(path), label_of(target))
    name = declared_path(target)
    if _found_at(name) is not target:
        for each, value in vars(types).items():
            if value is target:
                return f"types:{each}"  # such as NoneType
        raise TypeError(f"{name} is another object than this one")
    return name


def _found_at(name: str) -> Any:
    try:
        return resolve(name)
    except LookupError:
        return None


def _joined(module: str, path: str, called: str) -> str:
    if module == "__main__":
        raise TypeError(f"{called} is in the module __main__, which another process does not have")
    return f"{module}:{path}"
