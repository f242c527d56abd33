"""Which functions may be deferred: those that a worker finds under their name, also if compiled or decorated."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from types import MethodType, ModuleType
from typing import Any
from weakref import getweakrefs

from csignals._introspection.attributes import Known, attribute, is_function, namespace_of_module
from csignals._introspection.naming import describe, layers
from csignals.deferred.import_paths import declared_path, resolve
from csignals.listing import RUNS, signal_classes
from csignals.signals import parameters_of

_NOT_FUNCTIONS: dict[type, str] = {
    type: "a class",
    MethodType: "a bound method, whose object a worker does not have",
    staticmethod: "a staticmethod: write @staticmethod above @deferred",
    classmethod: "a classmethod, whose class a worker would not pass",
}


def checked_path(function: Any) -> str:
    """Return a function's import path. Raises TypeError, with the reason, for an object that may not be deferred."""
    if not callable(function):
        raise TypeError(f"deferred() takes a function of a module, not {function!r:.200}")
    name = describe(function).name
    for cls, kind in _NOT_FUNCTIONS.items():
        if issubclass(type(function), cls):
            raise TypeError(f"deferred() takes a function of a module, but {name} is {kind}")
    if type(attribute(function, "__qualname__")) is not str:
        raise TypeError(f"deferred() takes a function of a module, but {name} has no name in a module")
    return declared_path(function)


def leads_back(path: str, function: Any) -> bool:
    """Return whether a function's name in its module stands for the function, or for what decorators made of it."""
    try:
        return any(each is function for each in layers(resolve(path)))
    except LookupError:
        return False


def is_plain(function: Any) -> bool:
    """Return whether a function was written under its own name, so that nothing else can have taken the name."""
    return is_function(function) and attribute(function, "__wrapped__") is None


def checked_parameters(name: str, function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Return the arguments that a receiver names, and those of them without a default. Raises TypeError."""
    try:
        parameters = parameters_of(function)
    except ValueError:
        raise TypeError(f"{name} has no signature that Python can read, so its arguments are not known") from None
    kinds = {parameter.kind for parameter in parameters.values()}
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        raise TypeError(f"{name} takes positional arguments, which a signal does not send")
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        raise TypeError(f"{name} does not accept keyword arguments (**kwargs), as receivers must")
    if next(iter(parameters)) in ("self", "cls"):
        raise TypeError(f"{name} is a method, and a worker would not know its object")
    named = [
        each
        for each, parameter in parameters.items()
        if each not in ("signal", "sender")
        and parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    return named, [each for each in named if parameters[each].default is inspect.Parameter.empty]


def check_order(decorator: str, function: Any) -> None:
    """Raise TypeError if a decorator stands above @receiver, or above another decorator of this package."""
    name = describe(function).name
    before = attribute(function, RUNS)
    if before is not None:
        raise TypeError(
            f"@{decorator} cannot decorate {name}, which already runs {before}. Use @on_commit or @deferred, and once: "
            "a deferred receiver waits for the commit as well"
        )
    if any(map(is_connected, layers(function))):
        raise TypeError(
            f"@{decorator} must stand below @receiver, but {name} is already connected, as it is without @{decorator}. "
            f"Write @receiver(...) above @{decorator}"
        )


def is_connected(function: Any) -> bool:
    """Return whether a function is a receiver already.

    A signal that holds it weakly is found by the weak reference. One that holds it strongly is found if the module
    of the function has the signal, or the module of the signal, as a global, or if that module is called ``signals``.
    """
    for reference in getweakrefs(function):
        if type(reference) is Known:  # of a memo. To look for what refers to it takes milliseconds
            continue
        for entry in gc.get_referrers(reference):
            if type(entry) is tuple and len(entry) > 1 and entry[1] is reference and type(entry[0]) is tuple:
                return True
    return any(
        type(entry) is tuple and len(entry) > 1 and entry[1] is function
        for signal in _signals_near(attribute(function, "__module__"))
        for entry in list(signal.receivers or ())
    )


def _signals_near(module: Any) -> Iterator[Any]:
    """Yield the signals that are globals of a module, of a module that is a global of this one, or of ``*.signals``."""
    found = sys.modules.get(module) if type(module) is str else None
    if not issubclass(type(found), ModuleType):
        return
    classes = signal_classes()  # once, as modules have thousands of globals
    own = list(namespace_of_module(found).values())
    modules = [each for name, each in list(sys.modules.items()) if name.endswith(".signals")]
    modules += [each for each in own if issubclass(type(each), ModuleType)]
    others = [list(namespace_of_module(each).values()) for each in modules if issubclass(type(each), ModuleType)]
    for values in (own, *others):
        yield from (each for each in values if issubclass(type(each), classes))
