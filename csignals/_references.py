"""What travels to another process: JSON's values, and references, by which a worker finds the rest again.

A row of a model travels as its model, primary key and database; a class and a signal by the name under which they
stand in their module. Whoever reads a message imports nothing that it names, but for the data of a time zone, and runs
nobody's code but the decoders that were declared in its own.
"""

from __future__ import annotations

import datetime
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from csignals._import_names import import_name, is_signal, look_up
from csignals._names import Memo, dotted_name, object_name

#: What JSON has for itself. No subclasses: an Enum's member or a SafeString would come back as something else.
PLAIN = frozenset((str, int, bool, type(None)))

#: How deep lists, dicts and references may be nested in each other.
DEEPEST = 100

#: How many members of a set, or keys of a dict, may be in the way of others, as their hashes are the same. A sender has
#: next to none, and who makes them up could keep a worker busy for hours.
MOST_OF_SAME_HASH = 100

#: The digits of a Decimal as primary key: Django would write all those of 1E+1000000000 out.
LONGEST_KEY = 1000

#: The bits of an int: Python reads no more than 4,300 digits.
LONGEST_INT = 14_000

#: In a message, an object with these two keys is a reference: of which kind, and what is known of it.
KIND, VALUE = "$", "v"


class CannotTravelError(TypeError):
    """A value that JSON does not have, and that no reference is known for."""


class MalformedError(ValueError):
    """A message that no sender can have made."""


class NotThereError(LookupError):
    """What a reference names is not there, in the process that reads it."""


class RowIsGoneError(NotThereError):
    """A row is not there any more, or not yet."""


@dataclass(frozen=True)
class Kind:
    """A kind of reference: how what JSON can write is made of a value, and the value of that again."""

    tag: str
    encode: Callable[[Any, int], Any]
    decode: Callable[[Any, int], Any]


def encode(value: Any, depth: int = DEEPEST) -> Any:
    """Return what JSON can write of a value. Raises CannotTravelError."""
    cls = type(value)
    if cls in PLAIN:
        if cls is int and value.bit_length() > LONGEST_INT:
            raise CannotTravelError("it has thousands of digits")
        return value
    if depth == 0:
        raise CannotTravelError(f"it is nested more than {DEEPEST} deep, or in itself")
    depth -= 1
    if cls is list:
        return [encode(each, depth) for each in value]
    if cls is dict and KIND not in value and all(type(key) is str for key in value):
        return {key: encode(each, depth) for key, each in value.items()}
    if cls is float and math.isfinite(value):
        return value
    kind = _exact.get(cls) or _kind_by_base(value)
    if kind is None:
        return encode(_unwrapped(value), depth)
    return {KIND: kind.tag, VALUE: kind.encode(value, depth)}


def decode(encoded: Any, depth: int = DEEPEST) -> Any:
    """Return what was encoded. Raises MalformedError, or NotThereError for what is not to be found."""
    cls = type(encoded)
    if cls is not list and cls is not dict:
        return encoded
    if depth == 0:
        raise MalformedError(f"nested more than {DEEPEST} deep")
    depth -= 1
    if cls is list:
        return [decode(each, depth) for each in encoded]
    if KIND not in encoded:
        return {key: decode(each, depth) for key, each in encoded.items()}
    tag = encoded[KIND]
    kind = _by_tag.get(tag) if type(tag) is str else None
    if kind is None or encoded.keys() != {KIND, VALUE}:
        raise MalformedError(f"no such kind of reference: {tag!r:.100}")
    return kind.decode(encoded[VALUE], depth)


def learn(cls: type, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> None:
    """Have the instances of a class, and of those that inherit from it, travel as what `encode_` makes of them."""
    if cls in PLAIN or cls in _exact or cls is list:
        raise TypeError(f"{dotted_name(cls)} travels by value")
    tag = import_name(cls)
    kind = Kind(
        tag,
        lambda value, depth: encode(encode_(value), depth),
        lambda encoded, depth: decode_(decode(encoded, depth)),
    )
    _taught[cls] = _by_tag[tag] = kind


def _kind_by_base(value: Any) -> Kind | None:
    """Return the kind of what is of no built-in type; None for what Django wraps, as it does ``request.user``."""
    cls = type(value)
    for base in type.mro(cls):
        if base in _taught:
            return _taught[base]
    model = _of_django("db.models.base", "Model")
    if issubclass(cls, type):
        return MODEL if issubclass(value, model) else CLASS
    if issubclass(cls, model):
        return ROW
    if is_signal(value):
        return SIGNAL
    if issubclass(cls, _of_django("apps.config", "AppConfig")):
        return APP
    if issubclass(cls, _of_django("utils.functional", "LazyObject")):
        return None
    raise CannotTravelError(f"{dotted_name(cls) or object_name(cls)} is not JSON's, and there is no reference to it")


def _of_django(module: str, name: str) -> Any:
    """Return a class of Django's, or nothing to inherit from where that module is not loaded."""
    return getattr(sys.modules.get(f"django.{module}"), name, ())


def _unwrapped(value: Any) -> Any:
    from django.utils.functional import empty

    if value._wrapped is empty:
        value._setup()
    return value._wrapped


# --- By value ------------------------------------------------------------------------------------------------


def _single(tag: str, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> Kind:
    """Return a kind in which nothing else is."""
    return Kind(tag, lambda value, depth: encode_(value), lambda encoded, depth: _made(tag, decode_, encoded))


def _made(what: str, make: Callable[..., Any], encoded: Any) -> Any:
    try:
        return make(encoded)
    except (MalformedError, NotThereError):
        raise
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, OSError) as error:
        raise MalformedError(f"no {what}: {encoded!r:.100} ({type(error).__name__}: {error})") from error


def _collection(cls: Any) -> Kind:
    what = cls.__name__
    is_hashed = cls is not tuple

    def encode_items(items: Any, depth: int) -> Any:
        if is_hashed:
            _check_hashes(what, items, CannotTravelError)
        return [encode(each, depth) for each in items]

    def decode_items(items: Any, depth: int) -> Any:
        decoded = [decode(each, depth) for each in _list(what, items)]
        if is_hashed:
            _made(what, lambda members: _check_hashes(what, members, MalformedError), decoded)
        return cls(decoded)

    return Kind(what, encode_items, decode_items)


def _encode_pairs(value: dict[Any, Any], depth: int) -> list[list[Any]]:
    _check_hashes("dict", value, CannotTravelError)
    return [[encode(key, depth), encode(each, depth)] for key, each in value.items()]


def _decode_pairs(pairs: Any, depth: int) -> dict[Any, Any]:
    decoded = [[decode(each, depth) for each in _list("pair", pair, 2)] for pair in _list("dict", pairs)]
    _made("dict", lambda keys: _check_hashes("dict", keys, MalformedError), [key for key, _ in decoded])
    return dict(decoded)


def _list(what: str, encoded: Any, length: int | None = None) -> list[Any]:
    if type(encoded) is not list or (length is not None and len(encoded) != length):
        raise MalformedError(f"no {what}: {encoded!r:.100}")
    return encoded


def _check_hashes(what: str, members: Iterable[Any], refusal: type[Exception]) -> None:
    if max(Counter(map(hash, members)).values(), default=0) > MOST_OF_SAME_HASH:
        raise refusal(f"a {what} with more than {MOST_OF_SAME_HASH} members of the same hash")


def _time_kind(cls: Any) -> Kind:
    """Return the kind of a class with a time zone. Zones travel by their names, others as their distance from UTC."""

    def encode_time(value: Any) -> Any:
        zone = value.tzinfo
        if isinstance(zone, ZoneInfo) and zone.key is not None:
            return [value.replace(tzinfo=None).isoformat(), zone.key, value.fold]
        if zone is not None and value.utcoffset() is None:
            raise CannotTravelError(f"its time zone {zone!r} has no name, and no distance from UTC without a date")
        return [value.isoformat(), None, 1] if value.fold else value.isoformat()

    def decode_time(encoded: Any) -> Any:
        if type(encoded) is not list:
            return cls.fromisoformat(encoded)
        text, zone, fold = encoded
        time = cls.fromisoformat(text)
        return time.replace(fold=fold) if zone is None else time.replace(tzinfo=ZoneInfo(zone), fold=fold)

    return _single(cls.__name__, encode_time, decode_time)


_exact: dict[type, Kind] = {
    datetime.datetime: _time_kind(datetime.datetime),
    datetime.date: _single("date", datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: _time_kind(datetime.time),
    datetime.timedelta: _single(
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda encoded: datetime.timedelta(*encoded),
    ),
    Decimal: _single("Decimal", str, Decimal),
    UUID: _single("UUID", str, UUID),
    float: _single("float", repr, float),  # the infinite ones, and NaN
    dict: Kind("dict", _encode_pairs, _decode_pairs),
    **{cls: _collection(cls) for cls in (tuple, set, frozenset)},
}
COLLECTIONS = frozenset((dict, tuple, set, frozenset))


# --- By name -------------------------------------------------------------------------------------------------


def _encode_name(target: Any) -> str:
    try:
        return import_name(target)
    except TypeError as error:
        raise CannotTravelError(str(error)) from None


def _find_by_name(is_wanted: Callable[[Any], bool], what: str) -> Callable[[Any], Any]:
    def find(name: Any) -> Any:
        if type(name) is not str:
            raise MalformedError(f"no name of a {what}: {name!r:.100}")
        try:
            found = look_up(name)
        except LookupError as error:
            raise NotThereError(f"no {what}: {error}") from None
        if not is_wanted(found):
            raise MalformedError(f"{name:.200} is no {what}")
        return found

    return find


_labels = Memo()  # of models


def _encode_model(model: Any) -> str:
    return _labels.get(model) or _new_label(model)


def _new_label(model: Any) -> str:
    from django.apps import apps

    label: str = model._meta.label
    try:
        found = apps.get_model(label)
    except LookupError:
        found = None
    if found is not model:
        raise CannotTravelError(f"{dotted_name(model)} is not the model that apps know as {label}")
    _labels.keep(model, label)
    return label


def _check_key(part: Any) -> None:
    """Refuse what is no part of a primary key. Of a class or a row, Django would call methods."""
    cls = type(part)
    is_value = cls in PLAIN or (cls in _exact and cls not in COLLECTIONS) or not _taught.keys().isdisjoint(cls.__mro__)
    if not is_value or (cls is Decimal and abs(part.adjusted()) > LONGEST_KEY):
        raise MalformedError(f"no primary key: {part!r:.100}")


def _loaded_apps() -> Any:
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    if apps is None or not apps.models_ready:
        raise NotThereError("Django's models are not loaded here")
    return apps


def _find_model(label: Any) -> Any:
    if type(label) is not str or label.count(".") != 1:
        raise MalformedError(f"no label of a model: {label!r:.100}")
    try:
        return _loaded_apps().get_model(label)
    except LookupError as error:
        raise NotThereError(str(error)) from None


def _encode_row(instance: Any, depth: int) -> list[Any]:
    pk = instance.pk
    if pk is None or instance._state.adding or (type(pk) is tuple and None in pk):
        raise CannotTravelError(f"this {instance._meta.label} is not saved, or deleted")
    return [_encode_model(type(instance)), encode(pk, depth), instance._state.db]


def _find_row(encoded: Any, depth: int) -> Any:
    label, pk, database = _list("row", encoded, 3)
    model = _find_model(label)

    from django.core.exceptions import ValidationError
    from django.db import connections

    if database is not None and (type(database) is not str or database not in connections.settings):
        raise MalformedError(f"no database: {database!r:.100}")
    key = decode(pk, depth)
    for part in key if type(key) is tuple else [key]:
        _check_key(part)
    try:
        rows = _made("primary key", lambda key: model._base_manager.using(database).filter(pk=key), key)
    except ValidationError as error:
        raise MalformedError(f"no primary key: {key!r:.100} ({error})") from error
    try:
        return rows.get()
    except model.DoesNotExist:
        where = f"in the database {database or 'of its model'}"
        raise RowIsGoneError(f"{label} {pk!r:.100} is not there, {where}") from None


CLASS = _single("class", _encode_name, _find_by_name(lambda found: issubclass(type(found), type), "class"))
SIGNAL = _single("signal", _encode_name, _find_by_name(is_signal, "signal"))
MODEL = _single("model", _encode_model, _find_model)
ROW = Kind("row", _encode_row, _find_row)
APP = _single("app", lambda app: app.label, lambda label: _loaded_apps().get_app_config(label))

_taught: dict[type, Kind] = {}
_by_tag = {kind.tag: kind for kind in (*_exact.values(), CLASS, SIGNAL, MODEL, ROW, APP)}
