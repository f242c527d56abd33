"""The names of signals: the name that a signal was given, or the dotted name of the place where it is found.

A place is a global of a loaded module, or an attribute of a class in one. Looking for places runs none of the modules'
code: a module or an object that loads itself lazily stays unloaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType, ModuleType

from csignals._introspection.attributes import Memo, attribute, module_of_class, namespace_of, namespace_of_module
from csignals._typing import Any

Path = tuple[str, ...]  # of names, from a module's global down
Place = tuple[str, str, Path]  # the dotted name, the module's name, and the path in the module

_places = Memo()  # of the signals that were found


def name_of(signal: Any) -> str | None:
    """Return the name of a signal of csignals or of Django, or None.

    That is the name that the signal was given, or else the dotted name of the place where it is found. A signal may be
    found in several modules, as others import it. Then the module that made the signal wins, which only signals of
    csignals note; then a module called ``signals``; then the first module in ``sys.modules``, which was loaded first;
    ``__main__`` comes last. A name that was found is kept. While there is none, each call looks for it, which takes
    milliseconds. Thread-safe.
    """
    return names_of([signal])[0]


def names_of(signals: Iterable[Any]) -> list[str | None]:
    """Return the names of several signals, after one search for all of them."""
    signals = list(signals)
    _look_for(signal for signal in signals if _known_name(signal) is None)
    return [_known_name(signal) for signal in signals]


def place_of(signal: Any) -> tuple[str, Path] | None:
    """Return the module in which a signal is found, and the path to it there, or None. A given name plays no part."""
    if _places.get(signal) is None:
        _look_for([signal])
    found = _places.get(signal)
    return None if found is None else found[1:]


def label_of(signal: Any) -> str:
    """Return a signal's name, or its class and address if it has no name."""
    return labels_of([signal])[id(signal)]


def labels_of(signals: Iterable[Any]) -> dict[int, str]:
    """Return the labels of several signals, by the signals' ids, after one search for all of them."""
    distinct = list({id(signal): signal for signal in signals}.values())
    names = zip(distinct, names_of(distinct), strict=True)
    return {id(signal): name or f"{type(signal).__qualname__} at {id(signal):#x}" for signal, name in names}


def making_module() -> str | None:
    """Return the name of the module that makes the object whose ``__init__`` calls this function, or None.

    That is the module of the first caller that is not an ``__init__``: an object is often made in another module than
    the one that defines its class.
    """
    try:
        frame: FrameType | None = sys._getframe(2)
    except ValueError:  # the caller is compiled, and so is the whole program
        return None
    while frame is not None and frame.f_code.co_name == "__init__":
        frame = frame.f_back
    name: Any = None if frame is None else frame.f_globals.get("__name__")
    return name if type(name) is str else None


def _known_name(signal: Any) -> str | None:
    given = attribute(signal, "_csignals_name")
    if isinstance(given, str):
        return given
    found = _places.get(signal)
    return None if found is None else found[0]


def _look_for(signals: Iterable[Any]) -> None:
    """Keep the places of those signals that are found, after one search for all of them."""
    wanted = {id(signal): signal for signal in signals}
    if wanted:
        for number, places in _find(wanted).items():
            _places.keep(wanted[number], _best(wanted[number], places))


def _best(signal: Any, places: list[Place]) -> Place:
    """Return the place that gives the signal its name: see `name_of`."""
    maker = attribute(signal, "_csignals_module")

    def rank(place: Place) -> tuple[bool, bool, bool]:
        module = place[1]
        return module != maker, module.rpartition(".")[2] != "signals", module == "__main__"

    return min(places, key=rank)


def _find(wanted: Mapping[int, Any]) -> dict[int, list[Place]]:
    """Return the places of objects, by the objects' ids, in the order of ``sys.modules``."""
    places: dict[int, list[Place]] = {}
    seen: set[int] = set()
    # Copies, as other threads may import meanwhile.
    for key, module in sys.modules.copy().items():
        if not issubclass(type(module), ModuleType):
            continue
        namespace = namespace_of_module(module)
        if namespace is None or id(namespace) in seen:  # a module may have several names
            continue
        seen.add(id(namespace))
        name = namespace.get("__name__")
        if type(name) is not str or sys.modules.get(name) is not module:
            name = str(key)
        for number, path in _walk(namespace, name, (), wanted, seen):
            places.setdefault(number, []).append((".".join(map(str, (name, *path))), name, path))
    return places


def _walk(
    namespace: Mapping[str, Any], module: str, path: Path, wanted: Mapping[int, Any], seen: set[int]
) -> Iterator[tuple[int, Path]]:
    """Yield the ids and paths of the objects that are in a namespace, or in a class there which its module defines."""
    for name, value in namespace.copy().items():  # type: ignore[attr-defined]  # a dict, or a view of one
        if id(value) in wanted:
            yield id(value), (*path, name)
        elif issubclass(type(value), type) and module_of_class(value) == module and id(value) not in seen:
            seen.add(id(value))
            yield from _walk(namespace_of(value), module, (*path, name), wanted, seen)
