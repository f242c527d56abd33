"""Receivers that run after the commit (``on_commit``), or in another process (``deferred``).

receivers.py turns a send into a message and back; commits.py waits for transactions; configuration.py chooses the task
backend that brings a message to a worker, and backends has an adapter for each. codec.py writes and reads arguments.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, overload

from csignals._introspection.naming import describe, dotted_name
from csignals._scopes import traces
from csignals.deferred import codec
from csignals.deferred.codec import Decoder, MalformedError, NotThereError, RowIsGoneError
from csignals.deferred.codec_rows import fetch_rows
from csignals.deferred.commits import ONCE_PER, call_after, database_of, databases_of_rows, identity_of, transactions
from csignals.deferred.configuration import Backend, Options, checked_options, configure
from csignals.deferred.functions import check_order
from csignals.deferred.import_paths import is_signal
from csignals.deferred.receivers import MISSING, VERSION, DeferredReceiver, handing_over
from csignals.deferred.receivers import declared as _declared
from csignals.deferred.task_info import TaskInfo
from csignals.listing import RUNS
from csignals.signals import is_async_receiver
from csignals.tracing.records import SendRecord

__all__ = [
    "Backend",
    "MessageRejected",
    "Options",
    "TaskInfo",
    "configure",
    "deferred",
    "on_commit",
    "register_type",
    "run",
]

F = TypeVar("F", bound=Callable[..., Any])


class MessageRejected(ValueError):  # noqa: N818  # it says what happened to a message
    """The message is malformed, or names no receiver declared in this process."""


# --- After the commit ----------------------------------------------------------------------------------------


@overload
def on_commit(receiver: F) -> F: ...


@overload
def on_commit(*, using: str | None = None, robust: bool = False, once_per: str | None = None) -> Callable[[F], F]: ...


def on_commit(
    receiver: Any = None, *, using: str | None = None, robust: bool = False, once_per: str | None = None
) -> Any:
    """Call a receiver of Django's signals after the transaction commits, or at once outside of a transaction.

    Its response to the send is None. After a rollback, also one to a savepoint, the receiver is not called. It waits
    for the transaction of the database that the send names as ``using`` (model signals do), or else of the default one,
    and for those of the databases of all rows among the arguments; with `using`, for that of this database alone. With
    ``once_per="instance"``, the sends of a transaction make one call for each ``instance``, and with
    ``once_per="transaction"`` one call: that of the last send. An exception of the receiver propagates to the code that
    commits, and the functions registered after it are not called; with ``robust=True`` it is logged. As
    ``django.db.transaction.on_commit``, which calls it.

    Raises TypeError for an async receiver, for an object that is not callable, and for a receiver that is connected
    already; ValueError for another `once_per`.
    """
    if receiver is None:
        return functools.partial(on_commit, using=using, robust=robust, once_per=once_per)
    if not callable(receiver):
        raise TypeError(f"on_commit() takes a receiver, not {receiver!r}: name a database by on_commit(using=...)")
    if is_async_receiver(receiver):
        raise TypeError(f"on_commit() takes a sync receiver, but {describe(receiver).name} is async")
    _check_once_per(once_per)
    check_order("on_commit", receiver)

    @functools.wraps(receiver)
    def after_commit(*args: Any, **named: Any) -> None:
        # Made now: its parent is the call that is under way, by which the send calls this function.
        recording = traces.active_references()
        record = SendRecord(named.get("signal"), named.get("sender"), recording) if recording else None

        @functools.wraps(receiver)  # Django logs its name
        def call() -> None:
            if record is None or args:
                receiver(*args, **named)
            else:
                _record_call(record, receiver, **named)

        databases = {using} if using else {database_of(named)} | databases_of_rows((*args, *named.values()))
        connections = transactions(databases)
        if connections:
            # A method is another receiver for each object.
            owner = id(args[0]) if args else None
            once = None if once_per is None else (after_commit, owner, identity_of(once_per, named))
            call_after(connections, call, robust=robust, once=once)
        else:
            from django.db import transaction

            transaction.on_commit(call, using=min(databases), robust=robust)  # which calls it at once

    setattr(after_commit, RUNS, "after the commit")
    return after_commit


def _check_once_per(once_per: str | None) -> None:
    if once_per is not None and once_per not in ONCE_PER:
        raise ValueError(f"once_per is 'instance' or 'transaction', not {once_per!r}")


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
    using: str | None = None,
    once_per: str | None = None,
    robust: bool = False,
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
    using: str | None = None,
    once_per: str | None = None,
    robust: bool = False,
    backend: Backend | str | None = None,
) -> Any:
    """Have a worker process call a receiver: a send gives a message to a task backend, and the response is None.

    The worker calls the receiver with the signal, the sender, and those named arguments that its signature names. A
    receiver that names none gets all arguments that can travel as its ``**kwargs``; those that cannot, or are gone when
    the worker comes, are left out and logged once. Values of Python and of Django's fields travel by value; a saved row
    travels as its model, primary key and database, and the worker fetches it again; a class and a signal travel by
    their import path, if the module of the receiver, or an app of the project, imports their module. `register_type`
    adds others. A sender that cannot travel is None for the receiver, and is logged once.

    Under Django, the message of a send in a transaction is handed over when the transaction commits, and not at all
    after a rollback: the transaction of the database that the send names as ``using``, or else of the default one, and
    those of the databases of all rows that travel; with `using`, that of this database alone. With ``on_commit=False``
    the message is handed over at once. With ``once_per="instance"``, the sends of a transaction make one call for each
    ``instance``, and with ``once_per="transaction"`` one call: that of the last send. If the backend does not take a
    message at the commit, that is logged with the message, and the exception propagates to the code that commits, and
    keeps later messages from being handed over; with ``robust=True`` it is only logged. As
    ``django.db.transaction.on_commit``.

    The receiver is called at least once, maybe more often, and in no promised order, if the task backend loses no
    message: Celery with RabbitMQ and ``django-tasks-db`` lose none. With Celery on Redis, a worker that is killed can
    lose the one message that it is just taking, and Redis itself can lose messages when it stops or crashes.

    The task backend handles `queue`, `priority`, `delay` and `expires` (seconds, or a timedelta) and `retries` (after
    any exception of the receiver). Django's Tasks have no `expires`, and `delay` and `retries` only on a backend that
    can run a task later. `missing` is what happens if a row is gone when the worker fetches it: with "drop",
    its argument is left out if it has a default, or else the call is dropped, and the logger ``csignals.deferred`` says
    so; with "none" its argument is None; with "raise" the task fails. `backend` is as in `configure`; by default it is
    the backend of `configure`, or of Django's setting ``CSIGNALS["DEFERRED"]``.

    Raises TypeError for a receiver that a worker could not find by its import path (a lambda, a local function, a bound
    method, an object without a name), for one that takes no ``**kwargs``, for one that is connected or deferred
    already, for an object that is not a task backend, and for an option of another type. Raises ValueError for another
    `missing` or `once_per`, and for an option out of range. The send raises TypeError for a named argument that cannot
    travel and for an option that the backend does not support, LookupError if there is no backend, and what the backend
    raises. Thread-safe.
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
            using=using,
            once_per=once_per,
            robust=robust,
            backend=backend,
        )
    if missing not in MISSING:
        raise ValueError(f"missing is 'drop', 'none' or 'raise', not {missing!r}")
    _check_once_per(once_per)
    if once_per is not None and on_commit is False:
        raise ValueError("once_per needs the commit, for which on_commit=False does not wait")
    check_order("deferred", receiver)
    declared = DeferredReceiver(
        receiver,
        checked_options(queue, priority, delay, retries, expires),
        missing=missing,
        on_commit=on_commit,
        using=using,
        once_per=once_per,
        robust=robust,
        backend=backend,
    )
    before = _declared.get(declared.name)
    if before is not None and before.function is receiver and before.missing != missing:
        raise TypeError(f"{declared.name} is already declared with another missing=, and a worker could not tell which")
    if before is not None and before.function is not receiver:
        before.is_found = False  # its next send finds out
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


# --- At the worker -------------------------------------------------------------------------------------------


def run(message: str) -> None:
    """Call the deferred receiver that a message names. Task backends call this in a worker.

    Raises MessageRejected for a message that is malformed or names an object that this process does not have; and what
    fetching rows and the receiver raise. A receiver is called only if it was declared ``deferred`` in a module that is
    loaded. Thread-safe.
    """
    token = handing_over.set(False)  # a task backend may run a message while it takes it
    try:
        _run(message)
    finally:
        handing_over.reset(token)


def _run(message: Any) -> None:
    try:
        declared, content = _read(message)
        decoder = Decoder()
        encoded = declared.arguments(content["named"])
        signal = decoder.decode(content["signal"])
        if not is_signal(signal):
            raise MalformedError(f"not a signal, but {dotted_name(type(signal))}")
        fetch_rows(decoder, [content["sender"], *encoded.values()])
        sender = declared.decode_sender(decoder, content["sender"])
        named = declared.decode_arguments(decoder, encoded)
    except RowIsGoneError:  # with missing="raise"
        raise
    except (MalformedError, NotThereError) as error:
        raise MessageRejected(f"rejected a message: {error}") from None
    if named is not None:
        _call(declared.call, signal, sender, named)


def _read(message: Any) -> tuple[DeferredReceiver, dict[str, Any]]:
    """Return the receiver that a message names, and its content. Raises MalformedError or NotThereError."""
    if not isinstance(message, str):
        raise MalformedError(f"not a string, but {dotted_name(type(message))}")
    try:
        content = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON ({codec.short(error)})") from None
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
    if recording:
        _record_call(SendRecord(signal, sender, recording), function, signal=signal, sender=sender, **named)
    else:
        function(signal=signal, sender=sender, **named)


def _record_call(record: SendRecord, function: Callable[..., Any], /, signal: Any, sender: Any, **named: Any) -> None:
    try:
        record.call_sync(function, sender, named)
    finally:
        record.close()
