"""How rows travel to another process: by their models' labels, their primary keys, and their databases.

A primary key is in the form of Django's serializers. All rows of a message are fetched again with one query for each
model and database.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Hashable, Iterable, Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

from csignals.deferred.codec import (
    KIND,
    MAX_DEPTH,
    PLAIN,
    VALUE,
    CannotTravelError,
    Decoder,
    Encoder,
    Kind,
    MalformedError,
    NotThereError,
    RowIsGoneError,
    checked_list,
    checked_text,
    make,
    short,
    shown,
)
from csignals.deferred.codec_models import find_model, label_of

#: The most digits of a Decimal as primary key: Django would write out all those of 1E+1000000000.
MAX_KEY_DIGITS = 1000

#: How many rows with a JSON primary key a query fetches: databases limit the depth of its condition.
MAX_JSON_KEYS = 100

#: How many rows with a JSON primary key a message may have, as their queries are slow.
MAX_JSON_ROWS = 2_000

_CONTAINERS = list, dict  # of JSON


def _encode_row(instance: Any, encoder: Encoder) -> list[Any]:
    label, pk = label_of(type(instance)), instance.pk
    if pk is None or instance._state.adding or (type(pk) is tuple and None in pk):
        raise CannotTravelError(f"this {label} is not saved, or deleted")
    database = instance._state.db
    if database is not None:
        encoder.databases |= {database}
    fields = _key_fields(type(instance))
    keys = [_encode_key(field, instance) for field in fields]
    return [label, keys[0] if len(keys) == 1 else keys, database]


def _key_fields(model: Any) -> list[Any]:
    """Return the fields of a model's primary key: several if it is composite, from Django 5.2 on."""
    return list(getattr(model._meta, "pk_fields", None) or [model._meta.pk])


def _encode_key(field: Any, instance: Any) -> Any:
    """Return the value of a field of a primary key as Django's serializers write it."""
    value = field.value_from_object(instance)
    if isinstance(value, Enum):
        value = value.value
    value = field.to_python(value)
    if type(value) not in PLAIN:
        value = field.value_to_string(SimpleNamespace(**{field.attname: value}))
    return checked_text(value)


def _decode_key(fields: list[Any], encoded: Any) -> Any:
    """Return a primary key as Django's deserializers read it. Raises MalformedError."""
    if len(fields) == 1:
        return _decode_part(fields[0], encoded)
    return tuple(map(_decode_part, fields, checked_list("primary key", encoded, len(fields))))


def _decode_part(field: Any, encoded: Any) -> Any:
    """Return the value of one field of a primary key."""
    from django.core.exceptions import ValidationError
    from django.db.models import BinaryField, JSONField

    target = _target_of(field)
    value, reason, is_key = None, "", type(encoded) not in _CONTAINERS or isinstance(target, JSONField)
    if is_key:
        try:
            value = make("primary key", field.to_python, encoded)
        except ValidationError as error:
            is_key, reason = False, f" ({shown(error.messages)})"
    if is_key and isinstance(target, BinaryField):
        is_key = isinstance(value, bytes | memoryview)
    elif isinstance(value, Decimal):
        is_key = value.is_finite() and abs(value.adjusted()) <= MAX_KEY_DIGITS
    elif isinstance(value, str):
        is_key = "\0" not in value and _is_unicode(value)
    if not is_key:
        raise MalformedError(f"not a primary key: {shown(encoded)}{reason}")
    return value


def _target_of(field: Any) -> Any:
    """Return the field that a foreign key refers to, or the field itself."""
    while field.remote_field:
        field = field.target_field
    return field


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(encoded: Any) -> str:
    return json.dumps(encoded, sort_keys=True)


def fetch_rows(decoder: Decoder, values: Iterable[Any]) -> None:
    """Fetch the rows that encoded values refer to, for a decoder: one query for each model and database."""
    references: dict[tuple[str, str | None], dict[str, Any]] = {}
    for label, key, database in _references_in(values):
        if type(label) is not str or not (database is None or type(database) is str):
            raise MalformedError(f"not a row: {shown([label, key, database])}")
        _check_depth(key)
        references.setdefault((label, database), {})[_text(key)] = key
    for (label, database), keys in references.items():
        try:
            model = find_model(label)
        except NotThereError:
            continue  # so say the arguments that need it
        found = _fetch(model, database, keys)
        decoder.rows.update((_text([label, keys[text], database]), row) for text, row in found.items())


def _check_depth(key: Any) -> None:
    level = [key]
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for value in level:
            inside += value if type(value) is list else value.values() if type(value) is dict else ()
        level = inside
    if level:
        raise MalformedError(f"a primary key that is nested more than {MAX_DEPTH} deep")


def _references_in(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the encoded rows in encoded values."""
    level = [value for value in values if type(value) in _CONTAINERS]
    for _ in range(MAX_DEPTH):  # the decoder raises an error for what is nested deeper
        inside: list[Any] = []
        for value in level:
            if type(value) is list:
                inside += value
            elif value.get(KIND) == ROW.tag and value.keys() == {KIND, VALUE}:
                yield checked_list("row", value[VALUE], 3)
            else:
                inside += value.values()
        level = [value for value in inside if type(value) in _CONTAINERS]


def _fetch(model: Any, database: str | None, keys: dict[str, Any]) -> dict[str, Any]:
    """Return the rows that exist, by the text of their encoded keys."""
    from django.db import connections
    from django.db.models import JSONField

    if database is not None and database not in connections.settings:
        raise MalformedError(f"not a database: {shown(database)}")
    fields = _key_fields(model)
    wanted = {text: _decode_key(fields, key) for text, key in keys.items()}
    is_json = any(isinstance(field, JSONField) for field in fields)
    if is_json and len(wanted) > MAX_JSON_ROWS:
        raise MalformedError(f"more than {MAX_JSON_ROWS:,} rows with a JSON primary key")
    if not is_json:  # a larger number is the key of no row, and SQLite would raise an error
        wanted = {text: key for text, key in wanted.items() if not _is_too_large(key)}
    manager = model._base_manager.using(database)
    size = MAX_JSON_KEYS if is_json else (connections[manager.db].features.max_query_params or len(wanted))
    size = max(size // len(fields), 1)
    found = {}
    texts = list(wanted)
    for start in range(0, len(texts), size):
        found.update(_fetch_part(manager, {text: wanted[text] for text in texts[start : start + size]}, is_json))
    return found


def _fetch_part(manager: Any, wanted: dict[str, Any], is_json: bool) -> dict[str, Any]:
    """Return those rows that one query can ask for, by the text of their encoded keys."""
    from django.db.models import Q

    if is_json or len(wanted) == 1:
        condition = functools.reduce(operator.or_, [Q(pk=key) for key in wanted.values()])
    else:
        condition = Q(pk__in=list(wanted.values()))
    rows = _rows(manager, condition)
    if len(wanted) == len(rows) == 1:
        return dict(zip(wanted, rows, strict=True))
    by_key = {_hashable(row.pk): row for row in rows}
    found = {text: by_key[key] for text, value in wanted.items() if (key := _hashable(value)) in by_key}
    # A field may write another key than it was given, as a rounded Decimal.
    others = [text for text in wanted if text not in found]
    while others and len(found) < len(rows):
        text = others.pop()
        found.update((text, row) for row in _rows(manager, Q(pk=wanted[text])))
    return found


def _rows(manager: Any, condition: Any) -> list[Any]:
    try:
        return list(manager.filter(condition))
    except OverflowError as error:  # a number or a date that the database does not have
        raise MalformedError(f"not a primary key: {short(error)}") from None


def _is_too_large(key: Any) -> bool:
    return any(type(part) is int and part.bit_length() > 63 for part in (key if type(key) is tuple else [key]))


def _hashable(key: Any) -> Hashable:
    if type(key) is tuple:
        return tuple(map(_hashable, key))
    return key if isinstance(key, Hashable) else _text(key)


def _find_row(encoded: Any, decoder: Decoder) -> Any:
    row = decoder.rows.get(_text(checked_list("row", encoded, 3)))
    if row is None:
        label, key, database = encoded
        find_model(label)
        where = f"in the database {database or 'of its model'}"
        raise RowIsGoneError(f"{label} {shown(key)} is not there, {where}")
    return row


ROW = Kind("row", _encode_row, _find_row)
