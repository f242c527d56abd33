"""Receivers that run after the commit (``on_commit``), or in another process (``deferred``).

Which engine brings a message to a worker, _engine_choice.py knows; csignals.engines has an adapter for each. What
travels in a message, _references.py says.
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

from csignals import _references
from csignals._blocks import TRACES, here, references_to_open_ones, traces
from csignals._engine_choice import Configuration, Engine, Options, configure, current, has_settings, own_configuration
from csignals._import_names import is_signal, written_name
from csignals._names import Memo, describe, dotted_name, is_function
from csignals._references import CannotTravelError, MalformedError, NotThereError, RowIsGoneError, decode, encode
from csignals.listing import RUNS
from csignals.signal import is_async_receiver, parameters_of
from csignals.tracing import Send

__all__ = ["Engine", "Options", "Refused", "configure", "deferred", "on_commit", "reference", "run"]

logger = logging.getLogger("csignals.deferred")

VERSION = 1  # of messages

F = TypeVar("F", bound=Callable[..., Any])


class Refused(ValueError):  # noqa: N818  # it says what happened to a message
    """A worker was given a message that no deferred receiver of its own code is meant by, or that is none at all."""


# --- After the commit ----------------------------------------------------------------------------------------


@overload
def on_commit(receiver: F) -> F: ...


@overload
def on_commit(*, using: str | None = None, robust: bool = False) -> Callable[[F], F]: ...


def on_commit(receiver: Any = None, *, using: str | None = None, robust: bool = False) -> Any:
    """Have a receiver of Django's signals run after the transaction commits, or at once outside of one.

    Its response to the send is None. After a rollback, also one to a savepoint, it is not called at all. It is the
    transaction of the database `using`; by default that which the send names itself (model signals do), or else the
    default one. A failure reaches whoever commits, and keeps what was to come after it from being called; with
    ``robust=True`` it is logged. As ``django.db.transaction.on_commit``, which is what calls it.

    Raises TypeError for an async receiver, and for what is not callable.
    """
    if receiver is None:
        return functools.partial(on_commit, using=using, robust=robust)
    if not callable(receiver):
        raise TypeError(f"on_commit() takes a receiver, not {receiver!r}: on_commit(using=...) has the database")
    if is_async_receiver(receiver):
        raise TypeError(f"on_commit() takes a sync receiver, and {describe(receiver).name} is async")

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
    engine: Engine | str | None = None,
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
    engine: Engine | str | None = None,
) -> Any:
    """Have a worker process call a receiver: the send hands it over to a task engine, and its response is None.

    The receiver is called with the signal, the sender, and those named arguments that its signature names; one that
    names none gets, as its ``**kwargs``, all that can travel. JSON's values, tuples, sets, dates and times, Decimal
    and UUID travel by value; a saved row as its model, primary key and database, from which the worker fetches it
    anew; a class and a signal by the name under which they stand in a module that the worker has loaded. `reference`
    teaches others. A row that is deleted is gone when the worker comes: receivers of ``post_delete`` cannot have it.
    Under Django, what is sent in a transaction is handed over once that commits: that of the database that the send
    names as ``using``, or of the default one. With ``on_commit=False`` it is at once, also within a transaction.

    It is called at least once, and maybe more often, in no promised order, if the task backend loses no message: Celery
    with RabbitMQ and ``django-tasks-db`` lose none. With Celery on Redis, a worker that is killed can lose the one
    message that it is just taking, and Redis itself can lose messages when it stops or crashes.

    `queue`, `priority`, `delay` and `expires` (seconds, or a timedelta) and `retries` (after any exception of the
    receiver's) are the engine's. Where a row is gone when the worker looks for it, the call is dropped, which the
    logger ``csignals.deferred`` says; with ``missing="raise"`` the task fails. The engine is the one given here, or
    else the one of `configure`, or of Django's setting ``CSIGNALS["DEFERRED"]``.

    Raises TypeError for what a worker could not find by its name: a lambda, a local function, a bound method, or
    anything that is no function; for one that takes no ``**kwargs``; and for what is no engine. Raises ValueError for
    another `missing`. The send raises TypeError for an argument that cannot travel and for an option that the engine
    does not have, LookupError if there is no engine, and whatever the engine raises. Thread-safe.
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
            engine=engine,
        )
    options = Options(queue, priority, _seconds(delay), retries, _seconds(expires))
    declared = _Deferred(receiver, options, missing, on_commit, engine)
    before = _declared.get(declared.name)
    if before is not None and before.function is receiver and before.raises_if_missing != declared.raises_if_missing:
        raise TypeError(f"{declared.name} is declared with another missing= already, and a worker could not tell which")
    _declared[declared.name] = declared

    @functools.wraps(receiver, updated=())  # what is noted on an async function is not true of this one
    def enqueue(*, signal: Any, sender: Any, **named: Any) -> None:
        declared.enqueue(signal, sender, named)

    setattr(enqueue, RUNS, "deferred")
    return enqueue


def reference(cls: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> None:
    """Let the instances of a class, and of those that inherit from it, travel to workers.

    `encode` is given an instance, and returns something that can travel; `decode` makes of that the instance that the
    receiver gets. To be called in the code of both, senders and workers. Raises TypeError for what is no class, and
    for one that does not stand in a module.
    """
    if not isinstance(cls, type):
        raise TypeError(f"reference() takes a class, not {dotted_name(type(cls))}")
    _references.learn(cls, encode, decode)


# --- At the sender -------------------------------------------------------------------------------------------


class _Deferred:
    """A receiver that was declared to be called by workers."""

    def __init__(
        self, function: Any, options: Options, missing: str, on_commit: bool | None, engine: Engine | str | None
    ) -> None:
        if not is_function(function):
            raise TypeError(f"deferred() takes a function of a module, not {describe(function).name}")
        if missing not in ("drop", "raise"):
            raise ValueError(f"missing is 'drop' or 'raise', not {missing!r}")
        self.name = written_name(function)
        self.function = function
        self.call = _called_from_sync(function) if is_async_receiver(function) else function
        self.options = options
        self.raises_if_missing = missing == "raise"
        self._on_commit = on_commit
        # Now, as workers have to know of it, which send nothing.
        self._own_configuration = own_configuration(engine)
        self._heads = Memo()  # of messages, by signal
        self._prepared: tuple[Any, Any] = None, None  # a configuration, and what its engine made of the options
        parameters = parameters_of(function)
        kinds = {parameter.kind for parameter in parameters.values()}
        if inspect.Parameter.POSITIONAL_ONLY in kinds:
            raise TypeError(f"{self.name} takes positional arguments, which a signal does not send")
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            raise TypeError(f"{self.name} does not accept keyword arguments (**kwargs), as receivers must")
        if next(iter(parameters)) in ("self", "cls"):
            raise TypeError(f"{self.name} is a method, and a worker would not know of which object")
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
            raise TypeError(f"another deferred receiver is called {self.name} by now, and workers would call that one")
        configuration, prepared = self._prepare()
        message = self.message(signal, sender, named)
        waits = configuration.on_commit if self._on_commit is None or configuration.is_inline else self._on_commit
        connection = _in_transaction(named) if waits else None
        if connection is None:
            configuration.engine.enqueue(message, prepared)
        else:
            connection.on_commit(functools.partial(configuration.engine.enqueue, message, prepared))

    def message(self, signal: Any, sender: Any, named: dict[str, Any]) -> str:
        """Return what a worker is to be told. Raises TypeError for what cannot travel."""
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
        """Return how a message begins, and keep it for as long as there is that signal."""
        way_out = "Keep it in a module, as a global or in a class of one."
        encoded = self._encode("the signal", signal, way_out)
        content = {"csignals": VERSION, "receiver": self.name, "signal": encoded}
        head = _dump(content)[:-1]
        self._heads.keep(signal, head)
        return head

    def _write_sender(self, sender: Any) -> str:
        way_out = "Connect it for the senders that can, or teach csignals.deferred.reference() their class."
        written = _dump(self._encode("the sender", sender, way_out))
        if isinstance(sender, type):
            _written_classes.keep(sender, written)
        return written

    def arguments(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return of a message's arguments those to be decoded. Raises MalformedError if one is missing.

        A sender of another release may name more in its signature, and that is left out.
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
        """Return which engine to use, and what it has made of this receiver's options."""
        configuration = current(self._own_configuration)
        prepared = self._prepared
        if prepared[0] is not configuration:
            prepared = self._prepared = configuration, configuration.engine.prepare(self.options)
        return prepared


WAY_OUT = (
    "Have the receiver not name it in its signature, or send what it needs of it, or teach "
    "csignals.deferred.reference() its class."
)
_written_classes = Memo()  # that send
_declared: dict[str, _Deferred] = {}  # by the names under which messages may ask for them
_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def _database_of(named: dict[str, Any]) -> str:
    """Return the alias of the database that a send names as ``using``, or else of the default one."""
    from django.db import DEFAULT_DB_ALIAS, connections

    using = named.get("using")
    return using if isinstance(using, str) and using in connections.settings else DEFAULT_DB_ALIAS


def _in_transaction(named: dict[str, Any]) -> Any:
    """Return Django's connection to the database of a send, if what is sent waits for its commit."""
    database = sys.modules.get("django.db")
    if database is None or not has_settings():
        return None
    connection = database.connections[_database_of(named)]
    # Where there is no connection there is no transaction; Django would open one to find out. One whose commits are
    # made by hand is asked as well: it refuses.
    is_by_hand = connection.connection is not None and not connection.autocommit
    return connection if connection.in_atomic_block or is_by_hand else None


def _seconds(time: float | timedelta | None) -> float | None:
    return time.total_seconds() if isinstance(time, timedelta) else time


# --- At the worker -------------------------------------------------------------------------------------------


def run(message: str) -> None:
    """Call the deferred receiver that a message is for. To be called by engines, in a worker.

    Raises Refused for a message that is none, or that names what this worker's code does not have; and whatever comes
    of fetching its rows, and of the receiver. A receiver is called only if it was declared ``deferred`` in a module
    that is loaded. Thread-safe.
    """
    try:
        declared, content = _read(message)
        signal, sender = decode(content["signal"]), decode(content["sender"])
        if not is_signal(signal):
            raise MalformedError(f"not a signal, but {dotted_name(type(signal))}")
        named = {name: decode(value) for name, value in declared.arguments(content["named"]).items()}
    except RowIsGoneError as gone:
        if declared.raises_if_missing:
            raise
        logger.warning("Dropped a call of %s: %s", declared.name, gone)
    except (MalformedError, NotThereError) as error:
        raise Refused(f"refused a message: {error}") from error
    else:
        _call(declared.call, signal, sender, named)


def _read(message: Any) -> tuple[_Deferred, dict[str, Any]]:
    """Return the receiver that a message is for, and what it says. Raises MalformedError, or NotThereError."""
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
        raise NotThereError(f"no receiver {name:.200} is declared deferred here, in the modules that are loaded")
    return declared, content


def _call(function: Callable[..., Any], signal: Any, sender: Any, named: dict[str, Any]) -> None:
    """Call a receiver, and record that where a trace is in force."""
    recording = references_to_open_ones(here.get()[TRACES] + traces.everywhere)
    if not recording:
        function(signal=signal, sender=sender, **named)
        return
    record = Send(signal, sender, recording)
    try:
        record.call_sync(function, sender, named)
    finally:
        record.close()


def _called_from_sync(function: Callable[..., Any]) -> Callable[..., Any]:
    from asgiref.sync import async_to_sync

    call: Callable[..., Any] = async_to_sync(function)
    return call
