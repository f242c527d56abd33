"""How arguments travel to another process: as JSON, in which objects that JSON does not have are tagged.

A class or a signal travels by its import path, and is looked up again. Django's objects are in codec_django.py. Reading
a message imports nothing that the message names, except the data of a time zone, and runs no code but the decoders that
this process has registered.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from csignals._introspection.naming import dotted_name, object_name
from csignals.deferred.import_paths import import_path, is_signal, resolve

#: The types that JSON has. Not their subclasses: an Enum's member or a SafeString would come back as another type.
PLAIN = frozenset((str, int, bool, type(None)))

#: How deep lists, dicts and tagged values may be nested in each other.
MAX_DEPTH = 100

#: How many members of a set, or keys of a dict, may have the same hash. Real ones hardly ever have; made-up ones could
#: keep a worker busy for hours.
MAX_SAME_HASH = 100

#: The most bits of an int: Python reads at most 4,300 digits.
MAX_INT_BITS = 14_000

#: In a message, an object with these two keys is a tagged value: the tag of its kind, and the encoded value.
KIND, VALUE = "$", "v"


class CannotTravelError(TypeError):
    """A value cannot travel: JSON does not have its type, and no kind is known for it."""


class MalformedError(ValueError):
    """A message that no sender can have made."""


class NotThereError(LookupError):
    """An object that a message names does not exist in the process that reads it."""


class RowIsGoneError(NotThereError):
    """A row does not exist any more, or not yet."""


@dataclass(frozen=True)
class Kind:
    """A kind of tagged value: how to encode it for JSON, and how to decode it.

    A value of a kind without a tag travels as another value.
    """

    tag: str | None
    encode: Callable[[Any, int], Any]
    decode: Callable[[Any, int], Any]


def encode(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a value in the form that JSON can write. Raises CannotTravelError."""
    cls = type(value)
    if cls in PLAIN:
        if cls is int and value.bit_length() > MAX_INT_BITS:
            raise CannotTravelError("it has thousands of digits")
        return value
    if depth == 0:
        raise CannotTravelError(f"it is nested more than {MAX_DEPTH} deep, or in itself")
    depth -= 1
    if cls is list:
        return [encode(each, depth) for each in value]
    if cls is dict and KIND not in value and all(type(key) is str for key in value):
        return {key: encode(each, depth) for key, each in value.items()}
    if cls is float and math.isfinite(value):
        return value
    kind = _exact.get(cls) or _kind_by_base(value)
    encoded = kind.encode(value, depth)
    return encoded if kind.tag is None else {KIND: kind.tag, VALUE: encoded}


def decode(encoded: Any, depth: int = MAX_DEPTH) -> Any:
    """Return the value that was encoded. Raises MalformedError, or NotThereError for an object that is not found."""
    cls = type(encoded)
    if cls is not list and cls is not dict:
        return encoded
    if depth == 0:
        raise MalformedError(f"nested more than {MAX_DEPTH} deep")
    depth -= 1
    if cls is list:
        return [decode(each, depth) for each in encoded]
    if KIND not in encoded:
        return {key: decode(each, depth) for key, each in encoded.items()}
    tag = encoded[KIND]
    kind = _by_tag.get(tag) if type(tag) is str else None
    if kind is None or encoded.keys() != {KIND, VALUE}:
        raise MalformedError(f"unknown kind of value: {tag!r:.100}")
    return kind.decode(encoded[VALUE], depth)


def register_type(cls: type, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> None:
    """Have the instances of a class and of its subclasses travel as what `encode_` returns for them."""
    if cls in PLAIN or cls in _exact or cls is list:
        raise TypeError(f"{dotted_name(cls)} travels by value")
    tag = import_path(cls)
    kind = Kind(
        tag,
        lambda value, depth: encode(encode_(value), depth),
        lambda encoded, depth: decode_(decode(encoded, depth)),
    )
    _registered[cls] = _by_tag[tag] = kind


def _kind_by_base(value: Any) -> Kind:
    """Return the kind of a value whose class is not one of the built-in ones."""
    cls = type(value)
    for base in type.mro(cls):
        if base in _registered:
            return _registered[base]
    for find in _finders:
        if (kind := find(value)) is not None:
            return kind
    if issubclass(cls, type):
        return CLASS
    if is_signal(value):
        return SIGNAL
    raise CannotTravelError(
        f"{dotted_name(cls) or object_name(cls)} is not a JSON value, and no type that csignals.deferred knows"
    )


def is_plain_value(value: Any) -> bool:
    """Return whether a value travels by value and is neither a collection nor anything that others declared."""
    cls = type(value)
    return cls in PLAIN or (cls in _exact and cls not in COLLECTIONS)


def is_registered(value: Any) -> bool:
    """Return whether a value is an instance of a class that `register_type` was given."""
    return not _registered.keys().isdisjoint(type(value).__mro__)


# --- By value ------------------------------------------------------------------------------------------------


def single(tag: str, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> Kind:
    """Return a kind of values that contain no other values."""
    return Kind(tag, lambda value, depth: encode_(value), lambda encoded, depth: make(tag, decode_, encoded))


def make(what: str, build: Callable[..., Any], encoded: Any) -> Any:
    try:
        return build(encoded)
    except (MalformedError, NotThereError):
        raise
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, OSError) as error:
        raise MalformedError(f"not a {what}: {encoded!r:.100} ({type(error).__name__}: {error})") from error


def _collection(cls: Any) -> Kind:
    what = cls.__name__
    is_hashed = cls is not tuple

    def encode_items(items: Any, depth: int) -> Any:
        if is_hashed:
            _check_hashes(what, items, CannotTravelError)
        return [encode(each, depth) for each in items]

    def decode_items(items: Any, depth: int) -> Any:
        decoded = [decode(each, depth) for each in checked_list(what, items)]
        if is_hashed:
            make(what, lambda members: _check_hashes(what, members, MalformedError), decoded)
        return cls(decoded)

    return Kind(what, encode_items, decode_items)


def _encode_pairs(value: dict[Any, Any], depth: int) -> list[list[Any]]:
    _check_hashes("dict", value, CannotTravelError)
    return [[encode(key, depth), encode(each, depth)] for key, each in value.items()]


def _decode_pairs(pairs: Any, depth: int) -> dict[Any, Any]:
    decoded = [[decode(each, depth) for each in checked_list("pair", pair, 2)] for pair in checked_list("dict", pairs)]
    make("dict", lambda keys: _check_hashes("dict", keys, MalformedError), [key for key, _ in decoded])
    return dict(decoded)


def checked_list(what: str, encoded: Any, length: int | None = None) -> list[Any]:
    if type(encoded) is not list or (length is not None and len(encoded) != length):
        raise MalformedError(f"not a {what}: {encoded!r:.100}")
    return encoded


def _check_hashes(what: str, members: Iterable[Any], refusal: type[Exception]) -> None:
    if max(Counter(map(hash, members)).values(), default=0) > MAX_SAME_HASH:
        raise refusal(f"a {what} with more than {MAX_SAME_HASH} members that have the same hash")


def _time_kind(cls: Any) -> Kind:
    """Return the kind of a class with a time zone, which travels by its name, or else as its offset from UTC."""

    def encode_time(value: Any) -> Any:
        zone = value.tzinfo
        if isinstance(zone, ZoneInfo) and zone.key is not None:
            return [value.replace(tzinfo=None).isoformat(), zone.key, value.fold]
        if zone is not None and value.utcoffset() is None:
            raise CannotTravelError(f"its time zone {zone!r} has no name, and no offset from UTC without a date")
        return [value.isoformat(), None, 1] if value.fold else value.isoformat()

    def decode_time(encoded: Any) -> Any:
        if type(encoded) is not list:
            return cls.fromisoformat(encoded)
        text, zone, fold = encoded
        time = cls.fromisoformat(text)
        return time.replace(fold=fold) if zone is None else time.replace(tzinfo=ZoneInfo(zone), fold=fold)

    return single(cls.__name__, encode_time, decode_time)


_exact: dict[type, Kind] = {
    datetime.datetime: _time_kind(datetime.datetime),
    datetime.date: single("date", datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: _time_kind(datetime.time),
    datetime.timedelta: single(
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda encoded: datetime.timedelta(*encoded),
    ),
    Decimal: single("Decimal", str, Decimal),
    UUID: single("UUID", str, UUID),
    float: single("float", repr, float),  # the infinite ones, and NaN
    dict: Kind("dict", _encode_pairs, _decode_pairs),
    **{cls: _collection(cls) for cls in (tuple, set, frozenset)},
}
COLLECTIONS = frozenset((dict, tuple, set, frozenset))


# --- By name -------------------------------------------------------------------------------------------------


def _encode_name(target: Any) -> str:
    try:
        return import_path(target)
    except TypeError as error:
        raise CannotTravelError(str(error)) from None


def _find_by_name(is_wanted: Callable[[Any], bool], what: str) -> Callable[[Any], Any]:
    def find(name: Any) -> Any:
        if type(name) is not str:
            raise MalformedError(f"not the import path of a {what}: {name!r:.100}")
        try:
            found = resolve(name)
        except LookupError as error:
            raise NotThereError(f"{what} not found: {error}") from None
        if not is_wanted(found):
            raise MalformedError(f"{name:.200} is not a {what}")
        return found

    return find


CLASS = single("class", _encode_name, _find_by_name(lambda found: issubclass(type(found), type), "class"))
SIGNAL = single("signal", _encode_name, _find_by_name(is_signal, "signal"))
_registered: dict[type, Kind] = {}
_by_tag = {kind.tag: kind for kind in (*_exact.values(), CLASS, SIGNAL)}
_finders: list[Callable[[Any], Kind | None]] = []


def add_kinds(kinds: Iterable[Kind], find: Callable[[Any], Kind | None]) -> None:
    """Add kinds of values, and a function that returns the kind of a value, or None if it is not one of them."""
    _by_tag.update((kind.tag, kind) for kind in kinds)
    _finders.append(find)
