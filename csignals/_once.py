"""Sees to it that csignals has one state, where its modules were taken out of ``sys.modules`` and are imported again.

Compiled, the first import comes back whole, as a module of C is loaded once. In Python, the next is another package.
"""

import sys
from types import ModuleType

from csignals._typing import Any

TWICE = (
    "{} is imported a second time, while other modules of csignals go on with the first. Take all of csignals out of "
    "sys.modules or nothing of it, and do not reload its modules."
)


FIRST = {"csignals._once", "csignals._typing", "csignals._dispatch_c", "csignals._dispatch", "csignals._dispatch_py"}


def refuse_twice(name: str) -> None:
    """Raise ImportError if a module that keeps state is reloaded, or imported again beside the others."""
    if "csignals.signal" in sys.modules or hasattr(sys.modules["csignals"], "__version__"):
        raise ImportError(TWICE.format(name))


def refuse_reload(name: str, namespace: dict[str, Any]) -> None:
    """Raise ImportError if a module is reloaded of which others have what a reload would make anew."""
    if "_is_imported" in namespace:
        raise ImportError(TWICE.format(name))
    namespace["_is_imported"] = True


def refuse_without(name: str, first: str, *others: str) -> None:
    """Raise ImportError if a package is imported again with a new `first` module, beside others that have the old."""
    if first not in sys.modules and not sys.modules.keys().isdisjoint(others):
        raise ImportError(TWICE.format(name))


def refuse_others(name: str) -> None:
    """Raise ImportError if one of the modules that are imported first is imported after others."""
    if any(each.startswith("csignals.") and each not in FIRST for each in list(sys.modules)):
        raise ImportError(TWICE.format(name))


def settle(imported: list[ModuleType], package: ModuleType | None = None) -> None:
    """Put the package that was `imported` first back into ``sys.modules``, with its modules; or keep this one there.

    The import system takes from ``sys.modules`` what it gives, and not what it has just made.
    """
    if package is not None and not imported:
        imported.append(package)
    for first in imported:
        sys.modules.update(_modules_of(first))


def _modules_of(package: Any) -> dict[str, ModuleType]:
    """Return a package and what was imported of it, by name."""
    found = {package.__name__: package}
    for each in list(vars(package).values()):
        if type(each) is ModuleType and each.__name__.startswith(f"{package.__name__}."):
            found |= _modules_of(each)
    return found
