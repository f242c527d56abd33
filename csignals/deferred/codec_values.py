"""How Python's own values travel to another process, and values of classes that a module declares.

Those are the members of an enum, named tuples and dataclasses. They are made again without a call of the class, so that
no message runs code: what ``__init__`` or ``__post_init__`` does besides setting fields is lost.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from enum import Enum, EnumMeta, Flag
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from csignals._introspection.attributes import module_of_class
from csignals.deferred.codec import (
    MAX_MEMBERS,
    CannotTravelError,
    Decoder,
    Encoder,
    Kind,
    MalformedError,
    NotThereError,
    checked_list,
    find_class,
    make,
    shown,
    single,
    travels_as,
)

# --- Collections ---------------------------------------------------------------------------------------------


def _collection(cls: Any) -> Kind:
    what = cls.__name__
    is_hashed = cls is not tuple

    def encode_items(items: Any, encoder: Encoder) -> Any:
        if is_hashed:
            encoder.check_hashed(what, items)
        return [encoder.encode(each) for each in items]

    def decode_items(encoded: Any, decoder: Decoder) -> Any:
        decoded = [decoder.decode(each) for each in checked_list(what, encoded)]
        if is_hashed:
            decoder.check_hashed(what, decoded)
        return cls(decoded)

    return Kind(what, encode_items, decode_items)


def _encode_pairs(value: dict[Any, Any], encoder: Encoder) -> list[list[Any]]:
    encoder.check_hashed("dict", value)
    return [[encoder.encode(key), encoder.encode(each)] for key, each in value.items()]


def _decode_pairs(encoded: Any, decoder: Decoder) -> dict[Any, Any]:
    pairs = [checked_list("pair", pair, 2) for pair in checked_list("dict", encoded)]
    decoded = [(decoder.decode(key), decoder.decode(value)) for key, value in pairs]
    decoder.check_hashed("dict", [key for key, _ in decoded])
    return dict(decoded)


def _mapping(cls: Any) -> Kind:
    return Kind(cls.__name__, _encode_pairs, lambda encoded, decoder: cls(_decode_pairs(encoded, decoder)))


#: A default factory is called by whatever reads the dict, so it is one of these. Any other is lost.
_FACTORIES = {each.__name__: each for each in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)}


def _encode_defaultdict(value: defaultdict[Any, Any], encoder: Encoder) -> list[Any]:
    factory: Any = value.default_factory
    name = getattr(factory, "__name__", "")
    return [name if _FACTORIES.get(name) is factory else None, _encode_pairs(value, encoder)]


def _decode_defaultdict(encoded: Any, decoder: Decoder) -> Any:
    name, pairs = checked_list("defaultdict", encoded, 2)
    factory = _FACTORIES.get(name) if type(name) is str else None
    return defaultdict(factory, _decode_pairs(pairs, decoder))


def _encode_deque(value: deque[Any], encoder: Encoder) -> list[Any]:
    return [[encoder.encode(each) for each in value], value.maxlen]


def _decode_deque(encoded: Any, decoder: Decoder) -> Any:
    items, length = checked_list("deque", encoded, 2)
    decoded = [decoder.decode(each) for each in checked_list("deque", items)]
    return make("deque", lambda length: deque(decoded, length), length)


# --- Times ---------------------------------------------------------------------------------------------------


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
        return time.replace(fold=fold) if zone is None else time.replace(tzinfo=_zone(zone), fold=fold)

    return single(cls.__name__, encode_time, decode_time)


@lru_cache(maxsize=2_000)  # more than there are; zoneinfo itself keeps eight, and reads the others from disk each time
def _zone(key: Any) -> ZoneInfo:
    if type(key) is not str or len(key) > 100:  # of a long one, zoneinfo raises a RecursionError
        raise MalformedError(f"not a time zone: {shown(key)}")
    return ZoneInfo(key)


# --- Values of classes that a module declares ----------------------------------------------------------------


def _encode_member(value: Any, encoder: Encoder) -> list[Any]:
    cls = type(value)
    if cls.__members__.get(value._name_) is value:
        return [encoder.class_path(cls), value._name_]
    return [encoder.class_path(cls), None, encoder.encode(value._value_)]  # several members of a Flag


def _decode_member(encoded: Any, decoder: Decoder) -> Any:
    if len(checked_list("member of an enum", encoded)) not in (2, 3):
        raise MalformedError(f"not a member of an enum: {shown(encoded)}")
    path, name, *value = encoded
    cls = find_class(path)
    if not issubclass(type(cls), EnumMeta):
        raise MalformedError(f"{shown(path)} is not an enum")
    if value:
        number = decoder.decode(value[0])
        if type(number) is not int or not issubclass(cls, Flag):
            raise MalformedError(f"not members of a flag: {shown(encoded)}")
        # The class keeps each combination for ever.
        if number not in cls._value2member_map_ and len(cls._value2member_map_) >= MAX_MEMBERS:
            raise MalformedError(f"more than {MAX_MEMBERS:,} combinations of members of {path:.200}")
        return make("member of an enum", cls, number)
    if type(name) is not str or name not in cls.__members__:
        raise NotThereError(f"{shown(path)} has no member {shown(name)}")
    return cls.__members__[name]


def _encode_named_tuple(value: Any, encoder: Encoder) -> list[Any]:
    return [encoder.class_path(type(value)), [encoder.encode(each) for each in value]]


def _decode_named_tuple(encoded: Any, decoder: Decoder) -> Any:
    path, items = checked_list("named tuple", encoded, 2)
    cls = find_class(path)
    if not _is_named_tuple(cls):
        raise MalformedError(f"{shown(path)} is not a named tuple")
    return tuple.__new__(cls, [decoder.decode(each) for each in checked_list("named tuple", items, len(cls._fields))])


def _is_named_tuple(cls: Any) -> bool:
    return issubclass(cls, tuple) and type(getattr(cls, "_fields", None)) is tuple


def _encode_dataclass(value: Any, encoder: Encoder) -> list[Any]:
    cls = type(value)
    try:
        object.__new__(cls)
    except TypeError as error:  # such as an exception, or a dict
        raise CannotTravelError(f"it could not be made without a call of its class: {error}") from None
    fields = {name: encoder.encode(getattr(value, name)) for name in _fields_of(cls) if hasattr(value, name)}
    return [encoder.class_path(cls), fields]


def _decode_dataclass(encoded: Any, decoder: Decoder) -> Any:
    path, fields = checked_list("dataclass", encoded, 2)
    cls = find_class(path)
    if not _is_dataclass(cls) or type(fields) is not dict or not fields.keys() <= _fields_of(cls):
        raise MalformedError(f"not a dataclass with these fields: {shown(path)}")
    value = make("dataclass", object.__new__, cls)
    for name, each in fields.items():
        object.__setattr__(value, name, decoder.decode(each))
    return value


def _is_dataclass(cls: type) -> bool:
    return type(cls.__dict__.get("__dataclass_fields__")) is dict


def _fields_of(cls: Any) -> set[str]:
    """Return the names of a dataclass's fields, without its class variables and init-only variables."""
    import dataclasses

    return {field.name for field in dataclasses.fields(cls)}


MEMBER = Kind("enum", _encode_member, _decode_member)
NAMED_TUPLE = Kind("namedtuple", _encode_named_tuple, _decode_named_tuple)
DATACLASS = Kind("dataclass", _encode_dataclass, _decode_dataclass)


# --- All of them ---------------------------------------------------------------------------------------------

EXACT: dict[type, Kind] = {
    datetime.datetime: _time_kind(datetime.datetime),
    datetime.date: single("date", lambda value: value.isoformat(), datetime.date.fromisoformat),
    datetime.time: _time_kind(datetime.time),
    datetime.timedelta: single(
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda encoded: datetime.timedelta(*encoded),
    ),
    Decimal: single("Decimal", str, Decimal),
    UUID: single("UUID", str, UUID),
    float: single("float", repr, float),  # the infinite ones, and NaN
    range: single("range", lambda value: [value.start, value.stop, value.step], lambda encoded: range(*encoded)),
    dict: Kind("dict", _encode_pairs, _decode_pairs),
    OrderedDict: _mapping(OrderedDict),
    Counter: _mapping(Counter),
    defaultdict: Kind("defaultdict", _encode_defaultdict, _decode_defaultdict),
    deque: Kind("deque", _encode_deque, _decode_deque),
    **{cls: _collection(cls) for cls in (tuple, set, frozenset)},
    **{
        cls: single(cls.__name__, str, cls)
        for cls in (
            ipaddress.IPv4Address,
            ipaddress.IPv4Interface,
            ipaddress.IPv4Network,
            ipaddress.IPv6Address,
            ipaddress.IPv6Interface,
            ipaddress.IPv6Network,
            PurePosixPath,
            PureWindowsPath,
        )
    },
    type(Path()): single("Path", str, Path),
}


def _decode_bytes(cls: Any) -> Any:
    # Not by make(), which limits the length.
    def decode_bytes(encoded: Any, decoder: Decoder) -> Any:
        try:
            return cls(base64.b64decode(encoded, validate=True))
        except (TypeError, ValueError) as error:
            raise MalformedError(f"not {cls.__name__}: {error}") from None

    return decode_bytes


for _cls in bytes, bytearray:
    EXACT[_cls] = Kind(_cls.__name__, lambda value, encoder: base64.b64encode(value).decode(), _decode_bytes(_cls))
EXACT[memoryview] = travels_as(bytes)

#: Subclasses of these travel as the class itself.
_ANY_SUBCLASS: tuple[type, ...] = datetime.datetime, datetime.date, datetime.time, datetime.timedelta, Decimal, UUID
_BY_VALUE: tuple[type, ...] = int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset
_KNOWN = sys.stdlib_module_names | {"django"}
_KINDS_BY_VALUE = {cls: travels_as(cls) for cls in _BY_VALUE}
_KINDS_BY_VALUE[str] = travels_as(str.__str__)  # SafeString's own method returns the SafeString


def find_kind(value: Any) -> Kind | None:
    """Return the kind of a value of Python, or None for other values."""
    cls = type(value)
    if issubclass(cls, Enum):
        return MEMBER
    if _is_named_tuple(cls):
        return NAMED_TUPLE
    if _is_dataclass(cls):
        return DATACLASS
    for base in _ANY_SUBCLASS:
        if issubclass(cls, base):
            return EXACT[base]
    for base in _BY_VALUE:
        if issubclass(cls, base):
            return _KINDS_BY_VALUE[base] if _is_value_all(value) else None
    return None


def _is_value_all(value: Any) -> bool:
    """Return whether a value of a class of Python or Django, such as SafeString, has nothing besides its value."""
    module = module_of_class(type(value))
    is_known = type(module) is str and module.partition(".")[0] in _KNOWN
    return is_known and not getattr(value, "__dict__", None)


KINDS = MEMBER, NAMED_TUPLE, DATACLASS
