"""How Django's objects travel to another process: models, rows, app configs, and lazy objects.

A row travels as its model's label, primary key and database, and is fetched again. Nothing here imports Django before a
message or an argument needs it.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

from csignals._introspection.attributes import Memo
from csignals._introspection.naming import dotted_name
from csignals.deferred.codec import (
    CannotTravelError,
    Kind,
    MalformedError,
    NotThereError,
    RowIsGoneError,
    checked_list,
    decode,
    encode,
    is_plain_value,
    is_registered,
    make,
    single,
)

#: The most digits of a Decimal as primary key: Django would write out all those of 1E+1000000000.
MAX_KEY_DIGITS = 1000

_labels = Memo()  # of models


def find_kind(value: Any) -> Kind | None:
    """Return the kind of one of Django's objects, or None for other values."""
    cls = type(value)
    model = _class_of_django("db.models.base", "Model")
    if issubclass(cls, type):
        return MODEL if issubclass(value, model) else None
    if issubclass(cls, model):
        return ROW
    if issubclass(cls, _class_of_django("apps.config", "AppConfig")):
        return APP
    if issubclass(cls, _class_of_django("utils.functional", "LazyObject")):
        return LAZY
    return None


def _class_of_django(module: str, name: str) -> Any:
    """Return a class of Django's, or an empty tuple, of which nothing is a subclass, if its module is not loaded."""
    return getattr(sys.modules.get(f"django.{module}"), name, ())


def _encode_lazy(value: Any, depth: int) -> Any:
    from django.utils.functional import empty

    if value._wrapped is empty:
        value._setup()
    return encode(value._wrapped, depth)


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
        raise CannotTravelError(f"{dotted_name(model)} is not the model that Django's apps know as {label}")
    _labels.keep(model, label)
    return label


def _loaded_apps() -> Any:
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    if apps is None or not apps.models_ready:
        raise NotThereError("Django's models are not loaded here")
    return apps


def _find_model(label: Any) -> Any:
    if type(label) is not str or label.count(".") != 1:
        raise MalformedError(f"not a label of a model: {label!r:.100}")
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
    label, pk, database = checked_list("row", encoded, 3)
    model = _find_model(label)

    from django.core.exceptions import ValidationError
    from django.db import connections

    if database is not None and (type(database) is not str or database not in connections.settings):
        raise MalformedError(f"not a database: {database!r:.100}")
    key = decode(pk, depth)
    for part in key if type(key) is tuple else [key]:
        _check_key(part)
    try:
        rows = make("primary key", lambda key: model._base_manager.using(database).filter(pk=key), key)
    except ValidationError as error:
        raise MalformedError(f"not a primary key: {key!r:.100} ({error})") from error
    try:
        return rows.get()
    except model.DoesNotExist:
        where = f"in the database {database or 'of its model'}"
        raise RowIsGoneError(f"{label} {pk!r:.100} is not there, {where}") from None


def _check_key(part: Any) -> None:
    """Raise MalformedError unless a value may be part of a primary key: Django would call methods of a class or row."""
    if not (is_plain_value(part) or is_registered(part)) or (
        type(part) is Decimal and abs(part.adjusted()) > MAX_KEY_DIGITS
    ):
        raise MalformedError(f"not a primary key: {part!r:.100}")


MODEL = single("model", _encode_model, _find_model)
ROW = Kind("row", _encode_row, _find_row)
APP = single("app", lambda app: app.label, lambda label: _loaded_apps().get_app_config(label))
LAZY = Kind(None, _encode_lazy, lambda encoded, depth: decode(encoded, depth))
KINDS = MODEL, ROW, APP
