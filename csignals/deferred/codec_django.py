"""How Django's objects travel to another process: models, rows, app configs, lazy objects, and values of fields.

A row travels as its model's label, its primary key in the form of Django's serializers, and its database. All rows of
a message are fetched again with one query for each model and database. Nothing here imports Django before a message or
an argument needs it.
"""

from __future__ import annotations

import functools
import json
import operator
import sys
from collections.abc import Hashable, Iterable, Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

from csignals._introspection.attributes import Memo
from csignals._introspection.naming import dotted_name
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
    UnknownModelError,
    checked_list,
    checked_text,
    make,
    short,
    shown,
    single,
    travels_as,
)

#: The most digits of a Decimal as primary key: Django would write out all those of 1E+1000000000.
MAX_KEY_DIGITS = 1000

_CONTAINERS = list, dict  # of JSON

#: How many rows with a JSON primary key a query fetches: databases limit the depth of its condition.
MAX_JSON_KEYS = 100

#: How many rows with a JSON primary key a message may have, as their queries are slow.
MAX_JSON_ROWS = 2_000

_labels = Memo()  # of models


def find_kind(value: Any) -> Kind | None:
    """Return the kind of one of Django's objects, or None for other values."""
    cls = type(value)
    model = _class_of_django("db.models.base", "Model")
    if issubclass(cls, type):
        return MODEL if issubclass(value, model) else None
    if issubclass(cls, model):
        return ROW
    for module, name, kind in _OTHERS:
        if issubclass(cls, _class_of_django(module, name)):
            return kind
    return None


def _class_of_django(module: str, name: str) -> Any:
    """Return a class of Django's, or an empty tuple, of which nothing is a subclass, if its module is not loaded."""
    return getattr(sys.modules.get(f"django.{module}"), name, ())


# --- Models --------------------------------------------------------------------------------------------------


def _encode_model(model: Any) -> str:
    return _labels.get(model) or _new_label(model)


def _new_label(model: Any) -> str:
    from django.apps import apps

    meta = model._meta
    label: str = meta.label
    found = apps.all_models.get(meta.app_label, {}).get(meta.model_name)
    if found is not model:
        is_of_apps = meta.apps is apps
        # A migration's model has apps of its own. Django's apps do not know a model yet while it is being made.
        is_known = not is_of_apps if found is not None else is_of_apps and not apps.ready
        if not is_known:
            raise UnknownModelError(f"{dotted_name(model)} is not the model that Django's apps know as {label}")
    if found is not None:
        _labels.keep(model, label)
    return label


def _loaded_apps() -> Any:
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    if apps is None or not apps.models_ready:
        raise NotThereError("Django's models are not loaded here")
    return apps


def _find_model(label: Any) -> Any:
    if type(label) is not str or label.count(".") != 1:
        raise MalformedError(f"not a label of a model: {shown(label)}")
    try:
        return _loaded_apps().get_model(label)
    except LookupError as error:
        raise NotThereError(str(error)) from None


def _find_app(label: Any) -> Any:
    if type(label) is not str:
        raise MalformedError(f"not a label of an app: {shown(label)}")
    try:
        return _loaded_apps().get_app_config(label)
    except LookupError as error:
        raise NotThereError(f"{error!s:.200}") from None


def is_before_migrations(signal: Any, sender: Any) -> bool:
    """Return whether Django makes a send while its tables, and so those of a task backend, may not exist yet."""
    for module, name in _EARLY_SIGNALS:
        if signal is getattr(sys.modules.get(f"django.{module}"), name, None):
            return True
    if not issubclass(type(sender), type) or not issubclass(sender, _class_of_django("db.models.base", "Model")):
        return False
    return sender._meta.apps is not getattr(sys.modules.get("django.apps"), "apps", None)


_EARLY_SIGNALS = (
    ("db.models.signals", "class_prepared"),
    ("db.models.signals", "pre_migrate"),
    ("db.backends.signals", "connection_created"),
)


# --- Rows ----------------------------------------------------------------------------------------------------


def _encode_row(instance: Any, encoder: Encoder) -> list[Any]:
    label, pk = _encode_model(type(instance)), instance.pk
    if pk is None or instance._state.adding or (type(pk) is tuple and None in pk):
        raise CannotTravelError(f"this {label} is not saved, or deleted")
    database = instance._state.db
    if database is not None:
        encoder.databases.add(database)
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
    from django.core.exceptions import ValidationError
    from django.db.models import BinaryField, JSONField

    parts = [encoded] if len(fields) == 1 else checked_list("primary key", encoded, len(fields))
    key = []
    for field, part in zip(fields, parts, strict=True):
        if type(part) in _CONTAINERS and not isinstance(_target_of(field), JSONField):
            raise MalformedError(f"not a primary key: {shown(part)}")
        try:
            value = make("primary key", field.to_python, part)
        except ValidationError as error:
            raise MalformedError(f"not a primary key: {shown(part)} ({shown(error.messages)})") from None
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) <= MAX_KEY_DIGITS):
            raise MalformedError(f"not a primary key: {shown(part)}")
        if isinstance(_target_of(field), BinaryField) and not isinstance(value, bytes | memoryview):
            raise MalformedError(f"not a primary key: {shown(part)}")
        if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
            raise MalformedError(f"not a primary key: {shown(part)}")
        key.append(value)
    return key[0] if len(fields) == 1 else tuple(key)


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
            model = _find_model(label)
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
    from django.db.models import JSONField, Q

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
        part = texts[start : start + size]
        part_keys = [wanted[text] for text in part]
        if len(part) == 1:
            condition = Q(pk=part_keys[0])
        elif is_json:
            condition = functools.reduce(operator.or_, [Q(pk=key) for key in part_keys])
        else:
            condition = Q(pk__in=part_keys)
        rows = _rows(manager, condition)
        if len(part) == len(rows) == 1:
            found[part[0]] = rows[0]
            continue
        by_key = {_hashable(row.pk): row for row in rows}
        matched = {text: by_key[key] for text in part if (key := _hashable(wanted[text])) in by_key}
        # A field may write another key than it was given, as a rounded Decimal.
        others = [text for text in part if text not in matched]
        while others and len(matched) < len(rows):
            text = others.pop()
            matched.update((text, row) for row in _rows(manager, Q(pk=wanted[text])))
        found.update(matched)
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
        _find_model(label)
        where = f"in the database {database or 'of its model'}"
        raise RowIsGoneError(f"{label} {shown(key)} is not there, {where}")
    return row


# --- Other objects -------------------------------------------------------------------------------------------


def _unwrapped(value: Any) -> Any:
    from django.utils.functional import empty

    if value._wrapped is empty:
        value._setup()
    return value._wrapped


def _name_of_file(value: Any) -> str:
    if value and not value._committed:
        raise CannotTravelError(f"the file {value.name!r} is not in its storage yet")
    return value.name or ""


def _encode_lists(value: Any, encoder: Encoder) -> list[Any]:
    encoder.check_hashed("dict", value)
    return [[encoder.encode(key), encoder.encode(values)] for key, values in value.lists()]


def _decode_lists(encoded: Any, decoder: Decoder) -> dict[Any, list[Any]]:
    pairs = [checked_list("pair", pair, 2) for pair in checked_list("dict", encoded)]
    decoded = [(decoder.decode(key), decoder.decode(checked_list("list", values))) for key, values in pairs]
    decoder.check_hashed("dict", [key for key, _ in decoded])
    return dict(decoded)


def _decode_multi_value_dict(encoded: Any, decoder: Decoder) -> Any:
    from django.utils.datastructures import MultiValueDict

    return MultiValueDict(_decode_lists(encoded, decoder))


def _encode_query(value: Any, encoder: Encoder) -> list[Any]:
    return [value.encoding, value._mutable, _encode_lists(value, encoder)]


def _decode_query(encoded: Any, decoder: Decoder) -> Any:
    from django.http import QueryDict

    encoding, is_mutable, lists = checked_list("QueryDict", encoded, 3)
    if type(encoding) is not str or len(encoding) > 100 or type(is_mutable) is not bool:
        raise MalformedError(f"not a QueryDict: {shown(encoded)}")
    query = make("QueryDict", lambda encoding: QueryDict(mutable=True, encoding=encoding), encoding)
    for key, values in _decode_lists(lists, decoder).items():
        if any(type(each) is bytes for each in (key, *values)):
            # No QueryDict has bytes: it decodes them, which takes long for some encodings, and imports modules.
            raise MalformedError("not a QueryDict: it has bytes")
        make("QueryDict", lambda values, key=key: query.setlist(key, values), values)
    query._mutable = is_mutable
    return query


def _decode_anonymous(encoded: Any, decoder: Decoder) -> Any:
    anonymous = _class_of_django("contrib.auth.models", "AnonymousUser")
    if anonymous == ():
        raise NotThereError("django.contrib.auth.models is not loaded here")
    return anonymous()


MODEL = Kind("model", lambda model, encoder: _encode_model(model), lambda encoded, decoder: _find_model(encoded))
ROW = Kind("row", _encode_row, _find_row)
APP = single("app", lambda app: app.label, lambda label: _find_app(label))
ANONYMOUS = Kind("AnonymousUser", lambda value, encoder: None, _decode_anonymous)
QUERY = Kind("QueryDict", _encode_query, _decode_query)
MULTI_VALUE_DICT = Kind("MultiValueDict", _encode_lists, _decode_multi_value_dict)
KINDS = MODEL, ROW, APP, ANONYMOUS, QUERY, MULTI_VALUE_DICT

#: By class: its module in Django, and its name. The first one counts.
_OTHERS = (
    ("apps.config", "AppConfig", APP),
    ("utils.functional", "LazyObject", travels_as(_unwrapped)),
    ("utils.functional", "Promise", travels_as(str)),  # a lazy text: in the language of the send
    ("contrib.auth.models", "AnonymousUser", ANONYMOUS),
    ("http.request", "QueryDict", QUERY),
    ("utils.datastructures", "MultiValueDict", MULTI_VALUE_DICT),
    ("db.models.fields.files", "FieldFile", travels_as(_name_of_file)),
)
