"""Keeps one csignals in the process where its modules are removed from ``sys.modules`` and imported again.

The compiled module is loaded once in a process and goes on with the package that it was imported by first, so that a
second package would disagree with it. In Python alone, the second package is independent of the first.
"""

import sys
from types import ModuleType

from csignals._typing import Any


def keep_first_import(package: Any, compiled: ModuleType) -> None:
    """Put the package that was imported first, and its modules, back into ``sys.modules``.

    The import system returns what it finds there after a module's code has run.
    """
    first = vars(compiled).get("package")
    if hasattr(first, "__version__"):  # or its import failed
        sys.modules.update(_modules_of(first))
    else:
        vars(compiled)["package"] = package


def _modules_of(package: Any) -> dict[str, ModuleType]:
    """Return a package and the modules of it that were imported, by name."""
    found = {package.__name__: package}
    for each in list(vars(package).values()):
        if type(each) is ModuleType and each.__name__.startswith(f"{package.__name__}."):
            found |= _modules_of(each)
    return found
