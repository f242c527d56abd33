"""Prints the type hints of all public functions and classes as JSON. test_annotations.py runs it as a program."""

import importlib
import json
import pkgutil
import sys
import typing
from types import FunctionType, ModuleType

from django.conf import settings

import csignals

#: Modules of programs. Users do not import them.
PROGRAMS = "csignals.__main__", "csignals.compare", "csignals.django.management"
EXTRAS = "celery", "django_tasks"


def public_modules():
    """Yield the public modules. Modules whose extra is not installed are left out."""
    yield csignals
    for name in [each.name for each in pkgutil.walk_packages(csignals.__path__, "csignals.")]:
        if not name.startswith(PROGRAMS) and "._" not in name:
            try:
                yield importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name not in EXTRAS:
                    raise


def is_ours(value):
    return str(getattr(value, "__module__", None)).startswith("csignals")


def public_objects():
    """Return the public functions, classes and methods by name."""
    found = {}
    for module in public_modules():
        for name in {*vars(module), *getattr(module, "__all__", ())}:
            value = getattr(module, name)
            # Modules import the implementation's base classes in order to derive public classes from them.
            is_private = "._dispatch" in str(getattr(value, "__module__", None)) and module is not csignals
            if not name.startswith("_") and is_ours(value) and not is_private and not isinstance(value, ModuleType):
                found[f"{module.__name__}.{name}"] = value
    for name, value in list(found.items()):
        for cls in getattr(value, "__mro__", ()):
            if is_ours(cls):
                found.update({f"{name}.{key}": method for key, method in methods(cls)})
    return {name: found[name] for name in sorted(found) if isinstance(found[name], (type, FunctionType))}


def methods(cls):
    for name, value in vars(cls).items():
        if isinstance(value, property):
            yield f"{name} (property)", value.fget
        else:
            yield name, value.__func__ if isinstance(value, (classmethod, staticmethod)) else value


def hints(value):
    try:
        return {name: repr(hint) for name, hint in typing.get_type_hints(value, include_extras=True).items()}
    except Exception as error:
        return repr(error)


if __name__ == "__main__":
    settings.configure(TASKS={"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}})
    json.dump({name: hints(value) for name, value in public_objects().items()}, sys.stdout)
