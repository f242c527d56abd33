"""Which modules a worker is certain to have loaded: those that the modules it must have loaded import.

A class travels by its import path, and a worker imports nothing because a message names it. So a class travels only if
its module is one of these, whatever else the sender's process has loaded. Tests then see what a worker would see.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from csignals._introspection.attributes import Memo, attribute, is_function, module_of_class, namespace_of_module
from csignals.deferred.configuration import has_settings

#: In every process. Classes such as NoneType and FunctionType have their import path in `types`.
ALWAYS = frozenset({"builtins", "types"})

_known = Memo()  # sets of names, by module
_of_apps: frozenset[str] | None = None


def is_certain(module: str, roots: Iterable[str]) -> bool:
    """Return whether each process that has loaded the modules `roots`, and Django's apps, has loaded a module."""
    return (
        module in ALWAYS
        or any(module in modules_with(root) for root in roots)
        or module in modules_with(__name__)
        or module in _modules_of_apps()
    )


def is_settled() -> bool:
    """Return whether what a worker has loaded is known, as no app of a Django project is being loaded."""
    apps = getattr(sys.modules.get("django.apps"), "apps", None) if has_settings() else None
    return apps is None or bool(apps.ready)


def modules_with(root: str) -> frozenset[str]:
    """Return the names of a loaded module, of those that it imports, and of those that these import."""
    module = sys.modules.get(root)
    known: frozenset[str] | None = _known.get(module)
    if known is None:
        known = _reached([root])
        if is_settled():
            _known.keep(module, known)
    return known


def _modules_of_apps() -> frozenset[str]:
    """Return the modules that the apps of a Django project load."""
    global _of_apps
    if _of_apps is not None:
        return _of_apps
    apps = getattr(sys.modules.get("django.apps"), "apps", None) if has_settings() else None
    if apps is None or not apps.apps_ready:
        return frozenset()
    found = _reached(
        each.__name__ if type(each) is ModuleType else type(config).__module__
        for config in apps.get_app_configs()
        for each in (config, config.module, config.models_module)
    )
    if apps.ready:
        _of_apps = found
    return found


def _reached(roots: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        module: Any = sys.modules.get(name)
        if name not in found and issubclass(type(module), ModuleType):
            found.add(name)
            todo += _imported_by(name, module)
    return frozenset(found)


def _imported_by(name: str, module: ModuleType) -> set[str]:
    """Return the modules that a module must have loaded, to judge by its globals."""
    names = {name.rpartition(".")[0]}
    for value in list(namespace_of_module(module).values()):
        cls = type(value)
        if issubclass(cls, ModuleType):
            imported = attribute(value, "__name__")
            # A package gets each of its modules as a global, whatever code imported that module.
            if type(imported) is str and not imported.startswith(f"{name}."):
                names.add(imported)
            continue
        defined_in = attribute(value, "__module__") if is_function(value) else None
        names.update(
            each for each in (module_of_class(value if issubclass(cls, type) else cls), defined_in) if type(each) is str
        )
    return names - {"", "__main__"}
