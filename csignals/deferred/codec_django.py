"""Which of Django's objects travel to another process, and how lazy objects, files, anonymous users and queries do.

Models are in codec_models.py, rows in codec_rows.py. Nothing here imports Django before a message or an argument needs
it.
"""

from __future__ import annotations

from typing import Any

from csignals.deferred.codec import (
    CannotTravelError,
    Decoder,
    Encoder,
    Kind,
    MalformedError,
    NotThereError,
    checked_list,
    make,
    shown,
    travels_as,
)
from csignals.deferred.codec_models import APP, MODEL, class_of_django
from csignals.deferred.codec_rows import ROW


def find_kind(value: Any) -> Kind | None:
    """Return the kind of one of Django's objects, or None for other values."""
    cls = type(value)
    model = class_of_django("db.models.base", "Model")
    if issubclass(cls, type):
        return MODEL if issubclass(value, model) else None
    if issubclass(cls, model):
        return ROW
    for module, name, kind in _OTHERS:
        if issubclass(cls, class_of_django(module, name)):
            return kind
    return None


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
    anonymous = class_of_django("contrib.auth.models", "AnonymousUser")
    if anonymous == ():
        raise NotThereError("django.contrib.auth.models is not loaded here")
    return anonymous()


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
