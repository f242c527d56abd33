"""What a signal is called: the name that it was given, or the one under which it stands in its module.

That is looked up in the modules that are loaded, and runs none of their code: one that would load itself, or a part of
itself, when it is asked for a name is not asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, ModuleType

from csignals._introspection.attributes import Memo, attribute, module_of_class, namespace_of, namespace_of_module
from csignals._typing import Any

Path = tuple[str, ...]  # of names, from a module's global down

_places = Memo()  # those that were found: the dotted name, the module's, and the path in it


def name_of(signal: Any) -> str | None:
    """Return what a signal is called, be it csignals' or Django's, or None.

    That is the name it was given, or else the dotted one of the module's global, or the attribute of one of its
    classes, that is the signal: where it is defined, if others have imported it. A name that was found is kept. While
    there is none, each call looks for one, which takes milliseconds. Thread-safe.
    """
    return names_of([signal])[0]


def names_of(signals: Iterable[Any]) -> list[str | None]:
    """Return what each of several signals is called, after one look through the modules for all of them."""
    signals = list(signals)
    _look_for(signal for signal in signals if _known_name(signal) is None)
    return [_known_name(signal) for signal in signals]


def place_of(signal: Any) -> tuple[str, Path] | None:
    """Return the name of the module where a signal stands, and the path to it there, whatever it is called; or None."""
    if _places.get(signal) is None:
        _look_for([signal])
    found = _places.get(signal)
    return None if found is None else found[1:]


def label_of(signal: Any) -> str:
    """Return a signal's name; for one without a name, its class and address."""
    return labels_of([signal])[id(signal)]


def labels_of(signals: Iterable[Any]) -> dict[int, str]:
    """Return what to call several signals, by their ids, after one look through the modules for all of them."""
    distinct = list({id(signal): signal for signal in signals}.values())
    names = zip(distinct, names_of(distinct), strict=True)
    return {id(signal): name or f"{type(signal).__qualname__} at {id(signal):#x}" for signal, name in names}


def _known_name(signal: Any) -> str | None:
    given = attribute(signal, "_csignals_name")
    if isinstance(given, str):
        return given
    found = _places.get(signal)
    return None if found is None else found[0]


def _look_for(signals: Iterable[Any]) -> None:
    """Note where signals stand, as far as they are found, after one look through the modules for all of them."""
    unknown = {id(signal): signal for signal in signals}
    if unknown:
        for number, places in _find(unknown).items():
            place = _best(places)
            _places.keep(unknown[number], (str(place), place.module, place.path))


# --- Where a signal is found ---------------------------------------------------------------------------------


class _Place:
    """A module's global, or an attribute of a class in it, that is the signal."""

    def __init__(self, module: str, namespace: dict[str, Any], path: Path) -> None:
        self.module = module
        self.namespace = namespace  # the module's
        self.path = path

    def __str__(self) -> str:
        return ".".join(map(str, (self.module, *self.path)))


def _find(wanted: Mapping[int, Any]) -> dict[int, list[_Place]]:
    """Return where objects are found, by their ids."""
    places: dict[int, list[_Place]] = {}
    seen: set[int] = set()
    # Copies, as other threads may import meanwhile.
    for key, module in sys.modules.copy().items():
        if not issubclass(type(module), ModuleType):
            continue
        namespace = namespace_of_module(module)
        if namespace is None or id(namespace) in seen:  # a module that is known by another name as well
            continue
        seen.add(id(namespace))
        name = namespace.get("__name__")
        if type(name) is not str or sys.modules.get(name) is not module:
            name = key
        for number, path in _walk(namespace, name, (), wanted, seen):
            places.setdefault(number, []).append(_Place(name, namespace, path))
    return places


def _walk(
    namespace: Mapping[str, Any], module: str, path: Path, wanted: Mapping[int, Any], seen: set[int]
) -> Iterator[tuple[int, Path]]:
    """Look through a namespace, and through those of the classes in it that are of this module."""
    for name, value in namespace.copy().items():  # type: ignore[attr-defined]  # a dict, or a view of one
        if id(value) in wanted:
            yield id(value), (*path, name)
        elif issubclass(type(value), type) and module_of_class(value) == module and id(value) not in seen:
            seen.add(id(value))
            yield from _walk(namespace_of(value), module, (*path, name), wanted, seen)


# --- Which of several places defines it ----------------------------------------------------------------------

MADE, ASSIGNED, IMPORTED = 2, 1, 0


def _best(places: list[_Place]) -> _Place:
    """Return the place where a signal is defined, or else the first, as far as the modules' code is there."""
    best, best_source = places[0], IMPORTED
    if len(places) > 1:
        # To read a module's code takes time. But most often the first is the one, as it was imported before the others.
        for place in places:
            source = _source(place)
            if source > best_source:
                best, best_source = place, source
                if source == MADE:
                    break
    return best


def _source(place: _Place) -> int:
    """Return how what is in a place came there, as its module's code says."""
    try:
        spec: Any = place.namespace["__spec__"]
        before = set(_operations_before(spec.loader.get_code(spec.name), place.path))
    except Exception:  # a loader's; or there is no code
        return IMPORTED
    if not before or any(operation.startswith("IMPORT") for operation in before):
        return IMPORTED
    return MADE if all(operation.startswith("CALL") for operation in before) else ASSIGNED


def _operations_before(code: CodeType, path: Path) -> Iterator[str]:
    """Return what comes before each place in a module's code that assigns to a name, or to that in a class."""
    name, *rest = path
    inner = _inner_codes(code)
    if rest:
        for each in inner:
            if each.co_name == name:
                yield from _operations_before(each, tuple(rest))
    else:
        yield from _stores(code, name, "STORE_NAME")
        while inner:
            each = inner.pop()
            yield from _stores(each, name, "STORE_GLOBAL")
            inner += _inner_codes(each)


def _inner_codes(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if type(const) is CodeType]


def _stores(code: CodeType, name: str, store: str) -> Iterator[str]:
    if name in code.co_names:
        import dis

        previous = ""
        for instruction in dis.get_instructions(code):
            if instruction.opname == store and instruction.argval == name:
                yield previous
            if instruction.opname != "EXTENDED_ARG":
                previous = instruction.opname
