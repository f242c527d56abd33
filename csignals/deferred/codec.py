"""How arguments travel to another process: as JSON, in which objects that JSON does not have are tagged.

This module has the rules for all values, and the limits. codec_values.py has the kinds of Python's own values, and
codec_django.py those of Django's. Reading a message imports nothing that the message names, and runs no code but the
decoders that this process has registered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from csignals._introspection.naming import dotted_name, object_name
from csignals.deferred.import_paths import import_path, is_signal, resolve
from csignals.deferred.worker_modules import is_certain

#: The types that JSON has.
PLAIN = frozenset((str, int, bool, type(None)))

#: How deep lists, dicts and tagged values may be nested in each other.
MAX_DEPTH = 100

#: How many members all sets and dicts of a message may have. JSON's own objects do not count: their keys are strings,
#: whose hashes nobody can choose. Of other keys, a sender could choose those that keep a worker busy for minutes.
MAX_MEMBERS = 10_000

#: How many lists, dicts and tagged values a message may have: a megabyte has room for half a million.
MAX_CONTAINERS = 100_000

#: How many members of a set, or keys of a dict, may have the same hash. Real ones hardly ever have.
MAX_SAME_HASH = 100

#: The longest text of a value that is read as anything but text.
MAX_TEXT = 10_000

#: The most bits of an int: Python reads at most 4,300 digits.
MAX_INT_BITS = 14_000

#: The longest part of an error's text.
MAX_ERROR = 200

#: In a message, an object with these two keys is a tagged value: the tag of its kind, and the encoded value.
KIND, VALUE = "$", "v"


class CannotTravelError(TypeError):
    """A value cannot travel: JSON does not have its type, and no kind is known for it."""


class UnknownModelError(CannotTravelError):
    """A model, or a row of a model, that exists in no other process: a migration's, or one of another app registry."""


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
    encode: Callable[[Any, Encoder], Any]
    decode: Callable[[Any, Decoder], Any]


class Encoder:
    """Encodes the values of one message. Classes travel if workers are certain to have one of the modules `roots`."""

    _depth = _members = _containers = 0
    databases: frozenset[str] = frozenset()  # in which the rows are

    def __init__(self, roots: Iterable[str] | None = None) -> None:
        self._roots = roots

    def encode(self, value: Any) -> Any:
        """Return a value in the form that JSON can write. Raises CannotTravelError."""
        cls = type(value)
        if cls in PLAIN:
            if cls is int and value.bit_length() > MAX_INT_BITS:
                raise CannotTravelError("it has thousands of digits")
            return value
        if cls is float and isfinite(value):
            return value
        if self._depth == MAX_DEPTH:
            raise CannotTravelError(f"it is nested more than {MAX_DEPTH} deep, or in itself")
        self._containers += 1
        if self._containers > MAX_CONTAINERS:
            raise CannotTravelError(f"there are more than {MAX_CONTAINERS:,} lists, dicts and other objects")
        self._depth += 1
        try:
            if cls is list:
                return [self.encode(each) for each in value]
            if cls is dict and KIND not in value and all(type(key) is str for key in value):
                return {key: self.encode(each) for key, each in value.items()}
            kind = _exact.get(cls) or _kind_by_base(value)
            encoded = kind.encode(value, self)
            return encoded if kind.tag is None else {KIND: kind.tag, VALUE: encoded}
        finally:
            self._depth -= 1

    def class_path(self, cls: type) -> str:
        """Return the import path of a class. Raises CannotTravelError unless workers are certain to have it."""
        path = _path_of(cls)
        module = path.partition(":")[0]
        if self._roots is not None and not is_certain(module, self._roots):
            raise CannotTravelError(
                f"a worker may not have loaded the module {module} of {dotted_name(cls)}, unless the module of the "
                "receiver imports it"
            )
        return path

    def check_hashed(self, what: str, members: Any) -> None:
        self._members += len(members)
        _check_hashed(what, members, self._members, CannotTravelError)

    def mark(self) -> tuple[frozenset[str], int, int]:
        """Return what `reset` takes to forget the values that are encoded from now on."""
        return self.databases, self._members, self._containers

    def reset(self, mark: tuple[frozenset[str], int, int]) -> None:
        self.databases, self._members, self._containers = mark


class Decoder:
    """Decodes the values of one message."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}  # those that codec_rows.py has fetched
        self._depth = self._members = self._containers = 0

    def decode(self, encoded: Any) -> Any:
        """Return the value that was encoded. Raises MalformedError, or NotThereError for an object that is missing."""
        cls = type(encoded)
        if cls is not list and cls is not dict:
            return encoded
        if self._depth == MAX_DEPTH:
            raise MalformedError(f"nested more than {MAX_DEPTH} deep")
        self._containers += 1
        if self._containers > MAX_CONTAINERS:
            raise MalformedError(f"more than {MAX_CONTAINERS:,} lists, dicts and other objects")
        self._depth += 1
        try:
            if cls is list:
                return [self.decode(each) for each in encoded]
            if KIND not in encoded:
                return {key: self.decode(each) for key, each in encoded.items()}
            tag = encoded[KIND]
            kind = _by_tag.get(tag) if type(tag) is str else None
            if kind is None or encoded.keys() != {KIND, VALUE}:
                raise MalformedError(f"unknown kind of value: {shown(tag)}")
            return kind.decode(encoded[VALUE], self)
        finally:
            self._depth -= 1

    def check_hashed(self, what: str, members: Any) -> None:
        self._members += len(members)
        make(what, lambda each: _check_hashed(what, each, self._members, MalformedError), members)


def encode(value: Any) -> Any:
    """Encode a value as in a message of its own, for a worker that has loaded all modules of this process."""
    return Encoder().encode(value)


def decode(encoded: Any) -> Any:
    """Decode a value as in a message of its own, without rows."""
    return Decoder().decode(encoded)


def shown(value: Any) -> str:
    """Return a short text of a value, for errors."""
    text = repr(value[:MAX_ERROR] if type(value) is str else value)
    return text if len(text) <= MAX_ERROR else f"{text[:MAX_ERROR]}..."


def short(error: BaseException) -> str:
    """Return a short text of an error."""
    return f"{type(error).__name__}: {str(error)[:MAX_ERROR]}"


def make(what: str, build: Callable[..., Any], encoded: Any) -> Any:
    """Return what a function builds of an encoded value, whose errors become a MalformedError."""
    if type(encoded) is str and len(encoded) > MAX_TEXT:
        raise MalformedError(f"not a {what}, but a text of {len(encoded):,} characters")
    try:
        return build(encoded)
    except (MalformedError, NotThereError):
        raise
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, OSError, NotImplementedError) as error:
        raise MalformedError(f"not a {what}: {shown(encoded)} ({short(error)})") from None


def checked_list(what: str, encoded: Any, length: int | None = None) -> list[Any]:
    if type(encoded) is not list or (length is not None and len(encoded) != length):
        raise MalformedError(f"not a {what}: {shown(encoded)}")
    return encoded


def checked_text(encoded: Any) -> Any:
    """Return an encoded value. Raises CannotTravelError for a text that a worker would refuse."""
    if type(encoded) is str and len(encoded) > MAX_TEXT:
        raise CannotTravelError(f"its text is longer than {MAX_TEXT:,} characters")
    return encoded


def single(tag: str, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> Kind:
    """Return a kind of values that contain no other values."""
    return Kind(
        tag, lambda value, encoder: checked_text(encode_(value)), lambda encoded, decoder: make(tag, decode_, encoded)
    )


def travels_as(convert: Callable[[Any], Any]) -> Kind:
    """Return a kind of values that travel as what a function returns for them."""
    return Kind(None, lambda value, encoder: encoder.encode(convert(value)), _cannot_be_decoded)


def _cannot_be_decoded(encoded: Any, decoder: Decoder) -> NoReturn:
    raise MalformedError("a value without a tag")


def _check_hashed(what: str, members: Any, count: int, refusal: type[Exception]) -> None:
    if count > MAX_MEMBERS:
        raise refusal(f"sets and dicts with more than {MAX_MEMBERS:,} members together")
    if max(Counter(map(hash, members)).values(), default=0) > MAX_SAME_HASH:
        raise refusal(f"a {what} with more than {MAX_SAME_HASH} members that have the same hash")


# --- By name -------------------------------------------------------------------------------------------------


def _path_of(target: Any) -> str:
    try:
        return import_path(target)
    except TypeError as error:
        raise CannotTravelError(str(error)) from None


def find_by_name(what: str, name: Any, is_wanted: Callable[[Any], bool]) -> Any:
    """Return the object at an import path. Raises MalformedError, or NotThereError if this process does not have it."""
    if type(name) is not str:
        raise MalformedError(f"not the import path of a {what}: {shown(name)}")
    try:
        found = resolve(name)
    except LookupError as error:
        raise NotThereError(f"{what} not found: {error}") from None
    if not is_wanted(found):
        raise MalformedError(f"{shown(name)} is not a {what}")
    return found


def find_class(name: Any) -> Any:
    return find_by_name("class", name, lambda found: issubclass(type(found), type))


CLASS = Kind("class", lambda value, encoder: encoder.class_path(value), lambda encoded, decoder: find_class(encoded))
SIGNAL = Kind(
    "signal",
    lambda value, encoder: _path_of(value),
    lambda encoded, decoder: find_by_name("signal", encoded, is_signal),
)


# --- The kinds -----------------------------------------------------------------------------------------------

_exact: dict[type, Kind] = {}
_registered: dict[type, Kind] = {}
_finders: list[Callable[[Any], Kind | None]] = []
_by_tag: dict[Any, Kind] = {"class": CLASS, "signal": SIGNAL}


def add_exact(kinds: dict[type, Kind]) -> None:
    """Add kinds of the instances of a class, without those of its subclasses."""
    _exact.update(kinds)
    _by_tag.update((kind.tag, kind) for kind in kinds.values())


def add_kinds(kinds: Iterable[Kind], find: Callable[[Any], Kind | None]) -> None:
    """Add kinds of values, and a function that returns the kind of a value, or None if it is not one of them."""
    _by_tag.update((kind.tag, kind) for kind in kinds)
    _finders.append(find)


def register_type(cls: type, encode_: Callable[[Any], Any], decode_: Callable[[Any], Any]) -> None:
    """Have the instances of a class and of its subclasses travel as what `encode_` returns for them."""
    if cls in PLAIN or cls in _exact or cls is list:
        raise TypeError(f"{dotted_name(cls)} travels by value")
    tag = import_path(cls)
    kind = Kind(
        tag,
        lambda value, encoder: encoder.encode(encode_(value)),
        lambda encoded, decoder: decode_(decoder.decode(encoded)),
    )
    _registered[cls] = _by_tag[tag] = kind


def _kind_by_base(value: Any) -> Kind:
    """Return the kind of a value whose class is not one of the exact ones."""
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
