"""Receivers that run after the commit (``on_commit``), or in another process (``deferred``).

configuration.py chooses the task backend that brings a message to a worker; backends has an adapter for each. codec.py
and codec_django.py write and read the arguments in a message.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, overload

from csignals._introspection.attributes import Memo, is_function
from csignals._introspection.naming import describe, dotted_name
from csignals._scopes import traces
from csignals.deferred import codec, codec_django
from csignals.deferred.codec import CannotTravelError, MalformedError, NotThereError, RowIsGoneError, decode, encode
from csignals.deferred.configuration import (
    Backend,
    Configuration,
    Options,
    configure,
    current,
    has_settings,
    own_configuration,
)
from csignals.deferred.import_paths import declared_path, is_signal
from csignals.listing import RUNS
from csignals.signals import is_async_receiver, parameters_of
from csignals.tracing.records import SendRecord

__all__ = ["Backend", "MessageRejected", "Options", "configure", "deferred", "on_commit", "register_type", "run"]

codec.add_kinds(codec_django.KINDS, codec_django.find_kind)

logger = logging.getLogger("csignals.deferred")

VERSION = 1  # of messages

F = TypeVar("F", bound=Callable[..., Any])


class MessageRejected(ValueError):  # noqa: N818  # it says what happened to a message
    """The message is malformed, or names no receiver declared in this process."""


# --- After the commit ----------------------------------------------------------------------------------------


@overload
def on_commit(receiver: F) -> F: ...


@overload
def on_commit(*, using: str | None = None, robust: bool = False) -> Callable[[F], F]: ...


def on_commit(receiver: Any = None, *, using: str | None = None, robust: bool = False) -> Any:
    """Call a receiver of Django's signals after the transaction commits, or at once outside of a transaction.

    Its response to the send is None. After a rollback, also one to a savepoint, the receiver is not called. The
    transaction is that of the database `using`; by default of the database that the send names as ``using`` (model
    signals do), or else the default one. An exception of the receiver propagates to the code that commits, and the
    functions registered after it are not called; with ``robust=True`` it is logged. As
    ``django.db.transaction.on_commit``, which calls it.

    Raises TypeError for an async receiver, and for an object that is not callable.
    """
    if receiver is None:
        return functools.partial(on_commit, using=using, robust=robust)
    if not callable(receiver):
        raise TypeError(f"on_commit() takes a receiver, not {receiver!r}: name a database by on_commit(using=...)")
    if is_async_receiver(receiver):
        raise TypeError(f"on_commit() takes a sync receiver, but {describe(receiver).name} is async")

    @functools.wraps(receiver)
    def after_commit(*args: Any, **named: Any) -> None:
        from django.db import transaction

        @functools.wraps(receiver)  # Django logs its name
        def call() -> None:
            receiver(*args, **named)

        transaction.on_commit(call, using=using or _database_of(named), robust=robust)

    setattr(after_commit, RUNS, "after the commit")
    return after_commit


# --- In another process --------------------------------------------------------------------------------------


@overload
def deferred(receiver: F) -> F: ...


@overload
def deferred(
    *,
    queue: str | None = None,
    priority: int | None = None,
    delay: float | timedelta | None = None,
    retries: int | None = None,
    expires: float | timedelta | None = None,
    missing: str = "drop",
    on_commit: bool | None = None,
    backend: Backend | str | None = None,
) -> Callable[[F], F]: ...


def deferred(
    receiver: Any = None,
    *,
    queue: str | None = None,
    priority: int | None = None,
    delay: float | timedelta | None = None,
    retries: int | None = None,
    expires: float | timedelta | None = None,
    missing: str = "drop",
    on_commit: bool | None = None,
    backend: Backend | str | None = None,
) -> Any:
    """Have a worker process call a receiver: a send gives a message to a task backend, and the response is None.

    The worker calls the receiver with the signal, the sender, and those named arguments that its signature names; a
    receiver that names none gets all arguments that can travel as its ``**kwargs``. JSON's values, tuples, sets, dates
    and times, Decimal and UUID travel by value; a saved row travels as its model, primary key and database, and the
    worker fetches it again; a class and a signal travel by their import path, in a module that the worker has loaded.
    `register_type` adds others. A deleted row no longer exists when the worker fetches it, so receivers of
    ``post_delete`` cannot name it. Under Django, the message of a send in a transaction is handed over when the
    transaction commits: the transaction of the database that the send names as ``using``, or of the default one. With
    ``on_commit=False`` it is handed over at once.

    The receiver is called at least once, maybe more often, and in no promised order, if the task backend loses no
    message: Celery with RabbitMQ and ``django-tasks-db`` lose none. With Celery on Redis, a worker that is killed can
    lose the one message that it is just taking, and Redis itself can lose messages when it stops or crashes.

    The task backend handles `queue`, `priority`, `delay` and `expires` (seconds, or a timedelta) and `retries` (after
    any exception of the receiver). If a row does not exist when the worker fetches it, the call is dropped, and the
    logger ``csignals.deferred`` says so; with ``missing="raise"`` the task fails. `backend` is as in `configure`; by
    default it is the backend of `configure`, or of Django's setting ``CSIGNALS["DEFERRED"]``.

    Raises TypeError for a receiver that a worker could not find by its import path (a lambda, a local function, a bound
    method, an object that is not a function), for one that takes no ``**kwargs``, and for an object that is not a task
    backend. Raises ValueError for another `missing`. The send raises TypeError for an argument that cannot travel and
    for an option that the backend does not support, LookupError if there is no backend, and what the backend raises.
    Thread-safe.
    """
    if receiver is None:
        return functools.partial(
            deferred,
            queue=queue,
            priority=priority,
            delay=delay,
            retries=retries,
            expires=expires,
            missing=missing,
            on_commit=on_commit,
            backend=backend,
        )
    options = Options(queue, priority, _seconds(delay), retries, _seconds(expires))
    declared = _Deferred(receiver, options, missing, on_commit, backend)
    before = _declared.get(declared.name)
    if before is not None and before.function is receiver and before.raises_if_missing != declared.raises_if_missing:
        raise TypeError(f"{declared.name} is already declared with another missing=, and a worker could not tell which")
    _declared[declared.name] = declared

    @functools.wraps(receiver, updated=())  # an async function's marks are not true of this one
    def enqueue(*, signal: Any, sender: Any, **named: Any) -> None:
        declared.enqueue(signal, sender, named)

    setattr(enqueue, RUNS, "deferred")
    return enqueue


def register_type(cls: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
    """Let the instances of a class and of its subclasses travel to workers.

    `encode` is called with an instance and returns a value that can travel; `decode` is called with that value and
    returns the instance for the receiver. Call this in code that both senders and workers import. Raises TypeError for
    an object that is not a class, and for a class that is not a global of a module.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register_type() takes a class, not {dotted_name(type(cls))}")
    codec.register_type(cls, encode, decode)


# --- At the sender -------------------------------------------------------------------------------------------


class _Deferred:
    """A receiver that workers call."""

    def __init__(
        self, function: Any, options: Options, missing: str, on_commit: bool | None, backend: Backend | str | None
    ) -> None:
        if not is_function(function):
            raise TypeError(f"deferred() takes a function of a module, not {describe(function).name}")
        if missing not in ("drop", "raise"):
            raise ValueError(f"missing is 'drop' or 'raise', not {missing!r}")
        self.name = declared_path(function)
        self.function = function
        self.call = _called_from_sync(function) if is_async_receiver(function) else function
        self.options = options
        self.raises_if_missing = missing == "raise"
        self._on_commit = on_commit
        # Now, as workers must know the backend's task, and send nothing.
        self._own_configuration = own_configuration(backend)
        self._heads = Memo()  # of messages, by signal
        self._prepared: tuple[Any, Any] = None, None  # a configuration, and what its backend made of the options
        parameters = parameters_of(function)
        kinds = {parameter.kind for parameter in parameters.values()}
        if inspect.Parameter.POSITIONAL_ONLY in kinds:
            raise TypeError(f"{self.name} takes positional arguments, which a signal does not send")
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            raise TypeError(f"{self.name} does not accept keyword arguments (**kwargs), as receivers must")
        if next(iter(parameters)) in ("self", "cls"):
            raise TypeError(f"{self.name} is a method, and a worker would not know its object")
        self._named = [
            name
            for name, parameter in parameters.items()
            if name not in ("signal", "sender")
            and parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        ]
        self._required = [name for name in self._named if parameters[name].default is inspect.Parameter.empty]
        self._takes_what_can_travel = not self._named

    def enqueue(self, signal: Any, sender: Any, named: dict[str, Any]) -> None:
        if _declared[self.name].function is not self.function:
            raise TypeError(f"another deferred receiver is now called {self.name}, and workers would call that one")
        configuration, prepared = self._prepare()
        message = self.message(signal, sender, named)
        waits = configuration.on_commit if self._on_commit is None or configuration.is_inline else self._on_commit
        connection = _in_transaction(named) if waits else None
        if connection is None:
            configuration.backend.enqueue(message, prepared)
        else:
            connection.on_commit(functools.partial(configuration.backend.enqueue, message, prepared))

    def message(self, signal: Any, sender: Any, named: dict[str, Any]) -> str:
        """Return the message for a worker. Raises TypeError for an argument that cannot travel."""
        travelling = {}
        if self._takes_what_can_travel:
            for name, value in named.items():
                with contextlib.suppress(CannotTravelError):
                    travelling[name] = encode(value)
        else:
            for name in self._named:
                if name in named:
                    travelling[name] = self._encode(f"the argument {name!r}", named[name], WAY_OUT)
                elif name in self._required:
                    raise TypeError(f"{self.name}() is missing the argument {name!r}, which was not sent")
        head = self._heads.get(signal) or self._new_head(signal)
        sent_by = _written_classes.get(sender) or self._write_sender(sender)
        return f'{head},"sender":{sent_by},"named":{_dump(travelling)}}}'

    def _new_head(self, signal: Any) -> str:
        """Return the beginning of a message, and keep it for as long as the signal lives."""
        way_out = "Make it a global of a module, or an attribute of a class in one."
        encoded = self._encode("the signal", signal, way_out)
        content = {"csignals": VERSION, "receiver": self.name, "signal": encoded}
        head = _dump(content)[:-1]
        self._heads.keep(signal, head)
        return head

    def _write_sender(self, sender: Any) -> str:
        way_out = "Connect it for the senders that can, or give their class to csignals.deferred.register_type()."
        written = _dump(self._encode("the sender", sender, way_out))
        if isinstance(sender, type):
            _written_classes.keep(sender, written)
        return written

    def arguments(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return those of a message's arguments that the receiver takes. Raises MalformedError if one is missing.

        The sender may run another release of the project, whose receiver takes more.
        """
        if missing := [name for name in self._required if name not in named]:
            raise MalformedError(f"arguments of {self.name} are missing: {', '.join(missing)}")
        if self._takes_what_can_travel:
            return {name: value for name, value in named.items() if name not in ("signal", "sender")}
        return {name: named[name] for name in self._named if name in named}

    def _encode(self, what: str, value: Any, way_out: str) -> Any:
        try:
            return encode(value)
        except CannotTravelError as error:
            why = f"{what} cannot travel to the worker that is to call {self.name}: {error}"
            raise CannotTravelError(f"{why}. {way_out}") from None

    def _prepare(self) -> tuple[Configuration, Any]:
        """Return the configuration to use, and what its backend has prepared of this receiver's options."""
        configuration = current(self._own_configuration)
        prepared = self._prepared
        if prepared[0] is not configuration:
            prepared = self._prepared = configuration, configuration.backend.prepare(self.options)
        return prepared


WAY_OUT = (
    "Leave it out of the receiver's signature, or send the part that the receiver needs, or give its class to "
    "csignals.deferred.register_type()."
)
_written_classes = Memo()  # the senders that are classes, as a message has them
_declared: dict[str, _Deferred] = {}  # by the names that messages may have
_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def _database_of(named: dict[str, Any]) -> str:
    """Return the alias of the database that a send names as ``using``, or of the default one."""
    from django.db import DEFAULT_DB_ALIAS, connections

    using = named.get("using")
    return using if isinstance(using, str) and using in connections.settings else DEFAULT_DB_ALIAS


def _in_transaction(named: dict[str, Any]) -> Any:
    """Return Django's connection to the database of a send, if its message has to wait for a commit."""
    database = sys.modules.get("django.db")
    if database is None or not has_settings():
        return None
    connection = database.connections[_database_of(named)]
    # Without an open connection there is no transaction, and asking Django would open one. With autocommit off,
    # Django's on_commit() raises an error, which is right.
    is_by_hand = connection.connection is not None and not connection.autocommit
    return connection if connection.in_atomic_block or is_by_hand else None


def _seconds(time: float | timedelta | None) -> float | None:
    return time.total_seconds() if isinstance(time, timedelta) else time


# --- At the worker -------------------------------------------------------------------------------------------


def run(message: str) -> None:
    """Call the deferred receiver that a message names. Task backends call this in a worker.

    Raises MessageRejected for a message that is malformed or names an object that this process does not have; and what
    fetching a row and the receiver raise. A receiver is called only if it was declared ``deferred`` in a module that is
    loaded. Thread-safe.
    """
    declared = None
    try:
        declared, content = _read(message)
        signal, sender = decode(content["signal"]), decode(content["sender"])
        if not is_signal(signal):
            raise MalformedError(f"not a signal, but {dotted_name(type(signal))}")
        named = {name: decode(value) for name, value in declared.arguments(content["named"]).items()}
    except RowIsGoneError as gone:
        if declared is None or declared.raises_if_missing:
            raise
        logger.warning("Dropped a call of %s: %s", declared.name, gone)
    except (MalformedError, NotThereError) as error:
        raise MessageRejected(f"rejected a message: {error}") from error
    else:
        _call(declared.call, signal, sender, named)


def _read(message: Any) -> tuple[_Deferred, dict[str, Any]]:
    """Return the receiver that a message names, and its content. Raises MalformedError or NotThereError."""
    if not isinstance(message, str):
        raise MalformedError(f"not a string, but {dotted_name(type(message))}")
    try:
        content = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON ({error})") from None
    if not isinstance(content, dict) or content.get("csignals") != VERSION:
        raise MalformedError(f"not a message of csignals {VERSION}: {message:.100}")
    name, named = content.get("receiver"), content.get("named")
    if not isinstance(name, str) or not isinstance(named, dict) or not {"signal", "sender"} <= content.keys():
        raise MalformedError(f"not a whole message: {message:.100}")
    declared = _declared.get(name)
    if declared is None:
        raise NotThereError(f"no module that is loaded here declares a deferred receiver {name:.200}")
    return declared, content


def _call(function: Callable[..., Any], signal: Any, sender: Any, named: dict[str, Any]) -> None:
    """Call a receiver, and record that where a trace is active."""
    recording = traces.active_references()
    if not recording:
        function(signal=signal, sender=sender, **named)
        return
    record = SendRecord(signal, sender, recording)
    try:
        record.call_sync(function, sender, named)
    finally:
        record.close()


def _called_from_sync(function: Callable[..., Any]) -> Callable[..., Any]:
    from asgiref.sync import async_to_sync

    call: Callable[..., Any] = async_to_sync(function)
    return call
