"""Declared receivers: what a send makes of one (a message for a task backend), and what a worker reads of a message."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from csignals._introspection.attributes import Memo, module_of_class
from csignals._introspection.naming import dotted_name
from csignals.deferred import codec, codec_django, codec_models, codec_values
from csignals.deferred.codec import (
    CannotTravelError,
    Decoder,
    Encoder,
    MalformedError,
    NotThereError,
    RowIsGoneError,
    UnknownModelError,
)
from csignals.deferred.commits import call_after, database_of, identity_of, transactions
from csignals.deferred.configuration import Backend, Configuration, Options, current, has_settings, own_configuration
from csignals.deferred.functions import checked_parameters, checked_path, is_plain, leads_back
from csignals.deferred.worker_modules import is_settled
from csignals.signals import is_async_receiver

logger = logging.getLogger("csignals.deferred")

codec.add_exact(codec_values.EXACT)
codec.add_kinds(codec_django.KINDS, codec_django.find_kind)
codec.add_kinds(codec_values.KINDS, codec_values.find_kind)

VERSION = 1  # of messages

#: What happens to a call if a row is gone: the values of `missing`.
DROP, RAISE, NONE = MISSING = "drop", "raise", "none"


def _json_writer() -> Callable[[Any], str]:
    """Return a function that writes JSON as ``json`` does, but makes its C encoder once instead of for each message."""
    encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
    make = json.encoder.c_make_encoder  # type: ignore[attr-defined]  # None where `json` has no C encoder
    if make is None:
        return encoder.encode
    quote = json.encoder.encode_basestring_ascii
    write = make(None, encoder.default, quote, None, ":", ",", False, False, False)
    return lambda value: "".join(write(value, 0))


WAY_OUT = (
    "Leave it out of the receiver's signature, or send the part that the receiver needs, or give its class to "
    "csignals.deferred.register_type()."
)
OWN_ROW = "-"  # in place of an encoded sender: a model of the task backend
MAX_LOGGED = 10_000  # characters of a message
MAX_WARNINGS = 50  # of a receiver: what they name comes from messages, too
MAX_SUBJECT = 200  # characters

declared: dict[str, DeferredReceiver] = {}  # by the names that messages may have
_dump = _json_writer()
_logged: dict[str, set[str]] = {}  # the subjects of the warnings, by receiver

#: Whether a task backend is taking a message. What it sends meanwhile, as for a row that it saves, makes no message:
#: the backend would take that one by another such send, and so on.
handing_over: ContextVar[bool] = ContextVar("handing_over", default=False)


def warn_once(receiver: str, subject: str, text: str, *args: object) -> None:
    """Log a warning, once for each receiver and subject."""
    subjects = _logged.setdefault(receiver, set())
    subject = subject[:MAX_SUBJECT]
    if subject not in subjects and len(subjects) < MAX_WARNINGS:
        subjects.add(subject)
        logger.warning(text, *args)


def module_root(sender: Any) -> str:
    """Return the package of a sender that is a class."""
    module = module_of_class(sender) if isinstance(sender, type) else None
    return module.partition(".")[0] if type(module) is str else ""


class Head(NamedTuple):
    """What the messages of a signal to a receiver have in common."""

    text: str  # the beginning of a message
    roots: tuple[str, ...]  # the modules that each worker has which can read it
    senders: Memo  # the encoded senders that are classes


class DeferredReceiver:
    """A receiver that workers call."""

    def __init__(
        self,
        function: Any,
        options: Options,
        *,
        missing: str = DROP,
        on_commit: bool | None = None,
        using: str | None = None,
        once_per: str | None = None,
        robust: bool = False,
        backend: Backend | str | None = None,
    ) -> None:
        self.name = checked_path(function)
        self.function = function
        self.call = _called_from_sync(function) if is_async_receiver(function) else function
        self.options = options
        self.missing = missing
        self._on_commit = on_commit
        self._using = using
        self._once_per = once_per
        self._robust = robust
        # Now, as workers must know the backend's task, and send nothing.
        self.own_configuration = own_configuration(backend)
        self._own_packages: frozenset[str] = frozenset()  # of the task backend
        self._heads = Memo()  # by signal
        self._prepared: tuple[Any, Any] = None, None  # a configuration, and what its backend made of the options
        self._named, self._required = checked_parameters(self.name, function)
        self._takes_what_can_travel = not self._named
        self.is_found = is_plain(function)  # whether workers find it, as far as is known

    # --- At the sender ---

    def enqueue(self, signal: Any, sender: Any, named: dict[str, Any]) -> None:
        if handing_over.get():
            warn_once(self.name, "task backend", "%s is not called for what its task backend sends", self.name)
            return
        if not self.is_found:
            self._check_that_workers_find_it()
        configuration, prepared = self._prepare()
        head = self._heads.get(signal) or self._new_head(signal)
        encoder = Encoder(head.roots)
        message = self._message(head, encoder, sender, named)
        if message is None:
            return
        waits = configuration.on_commit if self._on_commit is None or configuration.is_inline else self._on_commit
        connections = transactions(self._databases(encoder, named)) if waits and has_settings() else []
        if not connections:
            self._hand_over(configuration.backend, message, prepared, signal, sender)
        else:
            once = None if self._once_per is None else (self.name, identity_of(self._once_per, named))
            call = self._call_at_commit(configuration.backend, message, prepared, signal, sender)
            call_after(connections, call, once=once)

    def _check_that_workers_find_it(self) -> None:
        if declared[self.name].function is not self.function:
            raise TypeError(f"another deferred receiver is now called {self.name}, and workers would call that one")
        self.is_found = leads_back(self.name, self.function)
        if not self.is_found:
            raise TypeError(f"{self.name} is another object than this receiver, and workers would not find this one")

    def _call_at_commit(
        self, backend: Backend, message: str, prepared: Any, signal: Any, sender: Any
    ) -> Callable[[], None]:
        @functools.wraps(self.function, updated=())  # Django logs its name
        def at_commit() -> None:
            try:
                self._hand_over(backend, message, prepared, signal, sender)
            except Exception:
                logger.exception(
                    "A call of %s is lost, as the task backend did not take it after the commit: %.*s",
                    self.name,
                    MAX_LOGGED,
                    message,
                )
                if not self._robust:
                    raise

        return at_commit

    def _databases(self, encoder: Encoder, named: dict[str, Any]) -> frozenset[str]:
        """Return the databases whose transactions a message waits for."""
        if self._using is not None:
            return frozenset({self._using})
        return encoder.databases | {database_of(named)}

    def _hand_over(self, backend: Backend, message: str, prepared: Any, signal: Any, sender: Any) -> None:
        """Give a message to a task backend, whose tables the migrations may not have made yet."""
        token = handing_over.set(True)
        try:
            backend.enqueue(message, prepared)
        except Exception as error:
            if not codec_models.is_before_migrations(signal, sender):
                raise
            text = "%s is not called for what migrations send, as the task backend did not take its message: %s"
            warn_once(self.name, "migrations", text, self.name, codec.short(error))
        finally:
            handing_over.reset(token)

    def _message(self, head: Head, encoder: Encoder, sender: Any, named: dict[str, Any]) -> str | None:
        """Return the message for a worker, or None for a send that makes none. Raises TypeError."""
        sent_by = head.senders.get(sender) or self._write_sender(head, encoder, sender)
        if sent_by == OWN_ROW:
            return None
        travelling = self._travelling(encoder, named)
        if travelling is None:  # it would name a row that no worker has
            return None
        return f'{head.text},"sender":{sent_by},"named":{_dump(travelling)}}}'

    def _travelling(self, encoder: Encoder, named: dict[str, Any]) -> dict[str, Any] | None:
        if self._takes_what_can_travel:
            return self._all_travelling(encoder, named)
        travelling = {}
        for name in self._named:
            if name not in named:
                if name in self._required:
                    raise TypeError(f"{self.name}() is missing the argument {name!r}, which was not sent")
                continue
            value = named[name]
            try:
                travelling[name] = encoder.encode(value)
            except UnknownModelError as error:
                subject = f"{name}: {error}"
                if self.missing == NONE:
                    warn_once(self.name, subject, "The argument %r of %s is None: %s", name, self.name, error)
                    travelling[name] = None
                elif name in self._required:
                    warn_once(self.name, subject, "Dropped calls of %s: %s", self.name, error)
                    return None
                else:
                    warn_once(self.name, subject, "The argument %r of %s is left out: %s", name, self.name, error)
            except CannotTravelError as error:
                raise self._refusal(f"the argument {name!r}", error, WAY_OUT) from None
        return travelling

    def _all_travelling(self, encoder: Encoder, named: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments that can travel, for a receiver that names none."""
        travelling = {}
        for name, value in named.items():
            before = encoder.mark()
            try:
                travelling[name] = encoder.encode(value)
            except CannotTravelError as error:
                encoder.reset(before)
                self._note_left_out(name, error)
        return travelling

    def _note_left_out(self, name: str, error: Exception) -> None:
        warn_once(self.name, f"left out: {name}", "The argument %.100r of %s is left out: %s", name, self.name, error)

    def _new_head(self, signal: Any) -> Head:
        """Return the head of messages, and keep it for as long as the signal lives."""
        try:
            encoded = codec.encode(signal)
        except CannotTravelError as error:
            raise self._refusal(
                "the signal", error, "Make it a global of a module, or an attribute of a class in one."
            ) from None
        content = {"csignals": VERSION, "receiver": self.name, "signal": encoded}
        modules = [path.partition(":")[0] for path in (self.name, encoded[codec.VALUE])]
        head = Head(_dump(content)[:-1], tuple(modules), Memo())
        self._heads.keep(signal, head)
        return head

    def _write_sender(self, head: Head, encoder: Encoder, sender: Any) -> str:
        """Return the encoded sender. A sender that cannot travel is None: no send fails on account of its sender."""
        if module_root(sender) in self._own_packages:
            warn_once(self.name, "own task", "%s is not called for the rows of its task backend", self.name)
            written = OWN_ROW
        else:
            try:
                written = _dump(encoder.encode(sender))
            except CannotTravelError as error:
                self._note_no_sender(dotted_name(sender if isinstance(sender, type) else type(sender)), error)
                written = "null"
        if isinstance(sender, type) and is_settled():
            head.senders.keep(sender, written)
        return written

    def _note_no_sender(self, sender: object, error: Exception) -> None:
        warn_once(self.name, f"sender: {sender}", "%s is called with None as the sender: %s", self.name, error)

    def _refusal(self, what: str, error: Exception, way_out: str) -> CannotTravelError:
        return CannotTravelError(f"{what} cannot travel to the worker that is to call {self.name}: {error}. {way_out}")

    def _prepare(self) -> tuple[Configuration, Any]:
        """Return the configuration to use, and what its backend has prepared of this receiver's options."""
        configuration = current(self.own_configuration)
        prepared = self._prepared
        if prepared[0] is not configuration:
            prepared = self._prepared = configuration, configuration.backend.prepare(self.options)
            own_packages: frozenset[str] = getattr(configuration.backend, "own_packages", frozenset())
            if own_packages != self._own_packages:
                self._own_packages, self._heads = own_packages, Memo()
        return prepared

    # --- At the worker ---

    def arguments(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return those of a message's arguments that the receiver takes. Raises MalformedError if one is missing.

        The sender may run another release of the project, whose receiver takes more.
        """
        if missing := [name for name in self._required if name not in named]:
            raise MalformedError(f"arguments of {self.name} are missing: {', '.join(missing)}")
        if self._takes_what_can_travel:
            return {name: value for name, value in named.items() if name not in ("signal", "sender")}
        return {name: named[name] for name in self._named if name in named}

    def decode_sender(self, decoder: Decoder, encoded: Any) -> Any:
        """Return the sender, or None for one that this process does not have."""
        try:
            return decoder.decode(encoded)
        except NotThereError as error:
            self._note_no_sender(codec.shown(encoded), error)
            return None

    def decode_arguments(self, decoder: Decoder, named: dict[str, Any]) -> dict[str, Any] | None:
        """Return the arguments of a call, or None if it is dropped for a row that is gone."""
        decoded = {}
        for name, encoded in named.items():
            try:
                decoded[name] = decoder.decode(encoded)
            except NotThereError as error:
                if self._takes_what_can_travel:
                    self._note_left_out(name, error)
                elif not isinstance(error, RowIsGoneError) or self.missing == RAISE:
                    raise
                elif self.missing == NONE:
                    decoded[name] = None
                elif name in self._required:
                    logger.warning("Dropped a call of %s: %s", self.name, error)
                    return None
                else:
                    logger.warning("The argument %r of %s is left out: %s", name, self.name, error)
        return decoded


def _called_from_sync(function: Callable[..., Any]) -> Callable[..., Any]:
    from asgiref.sync import async_to_sync

    call: Callable[..., Any] = async_to_sync(function)
    return call
