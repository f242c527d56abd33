"""What travels to another process: JSON's values, and references, by which a worker finds the rest again.

A row of a model travels as its model, primary key and database; a class and a signal by the name under which they
stand in their module. Whoever reads a message imports nothing that it names, and runs nobody's code but the decoders
that were declared in its own.
"""

from __future__ import annotations

import datetime
import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from csignals._import_names import import_name, is_signal, look_up
from csignals._names import Memo, dotted_name, object_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: What JSON has for itself. No subclasses: an Enum's member or a SafeString would come back as something else.
PLAIN = frozenset((str, int, bool, type(None)))

#: How deep lists, dicts and references may be nested in each other.
DEEPEST = 100

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
    try:
        return kind.decode(encoded[VALUE], depth)
    except MalformedError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise MalformedError(f"no {tag}: {encoded[VALUE]!r:.100} ({type(error).__name__}: {error})") from error


def learn(cls: type, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> None:
    """Have the instances of a class, and of those that inherit from it, travel as what `encode_` makes of them."""
    tag = import_name(cls)
    kind = Kind(
        tag,
        lambda value, depth: encode(encode_(value), depth),
        lambda encoded, depth: decode_(decode(encoded, depth)),
    )
    _taught[cls] = _by_tag[tag] = kind


def _kind_by_base(value: Any) -> Kind:
    cls = type(value)
    for base in type.mro(cls):
        if base in _taught:
            return _taught[base]
    model = getattr(sys.modules.get("django.db.models.base"), "Model", None)
    if issubclass(cls, type):
        return MODEL if model is not None and issubclass(value, model) else CLASS
    if model is not None and issubclass(cls, model):
        return ROW
    if is_signal(value):
        return SIGNAL
    raise CannotTravelError(f"{dotted_name(cls) or object_name(cls)} is not JSON's, and there is no reference to it")


# --- By value ------------------------------------------------------------------------------------------------

def _single(tag: str, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> Kind:
    """Return a kind in which nothing else is."""
    return Kind(tag, lambda value, depth: encode_(value), lambda encoded, depth: decode_(encoded))


def _collection(cls: Callable[[Any], Any]) -> Kind:
    return Kind(
        cls.__name__,
        lambda items, depth: [encode(each, depth) for each in items],
        lambda items, depth: cls([decode(each, depth) for each in items]),
    )


_exact: dict[type, Kind] = {
    datetime.datetime: _single("datetime", datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.date: _single("date", datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.time: _single("time", datetime.time.isoformat, datetime.time.fromisoformat),
    datetime.timedelta: _single(
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda encoded: datetime.timedelta(*encoded),
    ),
    Decimal: _single("Decimal", str, Decimal),
    UUID: _single("UUID", str, UUID),
    float: _single("float", repr, float),       # the infinite ones, and NaN
    dict: Kind(
        "dict",
        lambda value, depth: [[encode(key, depth), encode(each, depth)] for key, each in value.items()],
        lambda pairs, depth: {decode(key, depth): decode(value, depth) for key, value in pairs},
    ),
    **{cls: _collection(cls) for cls in (tuple, set, frozenset)},
}


# --- By name -------------------------------------------------------------------------------------------------

def _encode_name(target: Any) -> str:
    try:
        return import_name(target)
    except TypeError as error:
        raise CannotTravelError(str(error)) from None


def _find_by_name(is_wanted: Callable[[Any], bool], what: str) -> Callable[[Any], Any]:
    def find(name: Any) -> Any:
        if type(name) is not str:
            raise MalformedError(f"no name of {what}: {name!r:.100}")
        try:
            found = look_up(name)
        except LookupError as error:
            raise NotThereError(f"no {what}: {error}") from None
        if not is_wanted(found):
            raise MalformedError(f"{name:.200} is not {what}")
        return found

    return find


_labels = Memo()    # of models


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


def _find_model(label: Any) -> Any:
    from django.apps import apps

    if type(label) is not str or label.count(".") != 1:
        raise MalformedError(f"no label of a model: {label!r:.100}")
    try:
        return apps.get_model(label)
    except LookupError as error:
        raise NotThereError(str(error)) from None


def _encode_row(instance: Any, depth: int) -> list[Any]:
    if instance.pk is None:
        raise CannotTravelError(f"this {instance._meta.label} has no primary key, as it is not saved, or deleted")
    return [_encode_model(type(instance)), encode(instance.pk, depth), instance._state.db]


def _find_row(encoded: Any, depth: int) -> Any:
    from django.core.exceptions import ValidationError
    from django.utils.connection import ConnectionDoesNotExist

    label, pk, database = encoded
    model = _find_model(label)
    try:
        return model._base_manager.using(database).get(pk=decode(pk, depth))
    except (ValidationError, ConnectionDoesNotExist) as error:
        raise MalformedError(f"no row: {encoded!r:.100} ({error})") from error
    except model.DoesNotExist:
        where = f"in the database {database or 'of its model'}"
        raise RowIsGoneError(f"{label} {pk!r:.100} is not there, {where}") from None


CLASS = _single("class", _encode_name, _find_by_name(lambda found: issubclass(type(found), type), "a class"))
SIGNAL = _single("signal", _encode_name, _find_by_name(is_signal, "a signal"))
MODEL = _single("model", _encode_model, _find_model)
ROW = Kind("row", _encode_row, _find_row)

_taught: dict[type, Kind] = {}
_by_tag = {kind.tag: kind for kind in (*_exact.values(), CLASS, SIGNAL, MODEL, ROW)}
