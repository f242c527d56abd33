"""The records of a trace that users read: sends, and the calls of receivers that they made.

The classes inherit from those of the implementation (`csignals._dispatch`), which fill them in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator

from csignals._dispatch import CallBase, SendBase, enter, leave
from csignals._dispatch.common import Receiver
from csignals._dispatch.hybrid import receiver_of
from csignals._introspection.signal_names import label_of
from csignals._typing import Any


class SendRecord(SendBase):
    """A send that reached receivers, as a trace recorded it."""

    __slots__ = ()

    signal: Any  #: The signal itself.
    parent: Call | None  #: The call of a receiver that made this send, if one did.
    #: The sender's name: a class's dotted name, a string itself, the class of any other object; or None.
    sender: str | None

    @property
    def name(self) -> str:
        """The signal's name; its class and address if it has no name. Finding it may take milliseconds."""
        return label_of(self.signal)

    def begin(self, receiver: Receiver, is_async: bool = False) -> Call:
        """Return the record of a call of a receiver that begins now."""
        return Call(self, receiver, is_async)

    def call_sync(self, receiver: Receiver, sender: object, named: dict[str, Any]) -> Any:
        """Call a receiver, record the call, and return or raise what the receiver does."""
        call = self.begin(receiver)
        before = enter(call)
        try:
            response = receiver(signal=self.signal, sender=sender, **named)
        except BaseException as error:
            call.end(error)
            raise
        finally:
            leave(before)
        call.end()
        return response

    def call_async(self, receiver: Receiver, sender: object, named: dict[str, Any]) -> Awaitable[Any]:
        """Call an async receiver, and return an awaitable that records the call."""
        call = self.begin(receiver_of(receiver), is_async=True)
        before = enter(call)
        try:
            return RecordedCoroutine(receiver(signal=self.signal, sender=sender, **named), call)
        except BaseException as error:
            call.end(error)
            raise
        finally:
            leave(before)


class Call(CallBase):
    """A call of a receiver, as a trace recorded it. Times are in ns, of ``time.perf_counter_ns``."""

    __slots__ = ()

    send: SendRecord  #: The send that made the call.
    is_async: bool  #: Whether the receiver was awaited.
    thread: int  #: The thread, by ``threading.get_ident()``.
    start_ns: int  #: When it began.
    end_ns: int  #: When it ended; 0 while it runs.
    nested_ns: int  #: How long at least one send that the receiver made was running.
    exception: str | None  #: The exception that it raised: its class and message.

    def __repr__(self) -> str:
        state = f"{self.duration_ns} ns" if self.end_ns else "still running"
        return f"<call of {self.receiver}: {state}>"

    @property
    def signal(self) -> str:
        """The name of the signal."""
        return self.send.name

    @property
    def sender(self) -> str | None:
        """The sender's name: see `SendRecord.sender`."""
        return self.send.sender

    @property
    def receiver(self) -> str:
        """The receiver's dotted name."""
        return self.description.name

    @property
    def file(self) -> str | None:
        """The file where the receiver is written, if that is known."""
        return self.description.file

    @property
    def line(self) -> int | None:
        """The line where the receiver begins, its decorators included, if that is known."""
        return self.description.line

    @property
    def duration_ns(self) -> int | None:
        """How long the call took; None while it runs. For an async receiver this includes its waiting."""
        return self.end_ns - self.start_ns if self.end_ns else None

    @property
    def self_ns(self) -> int | None:
        """How long the call took without the sends nested in it; None while it runs."""
        return self.end_ns - self.start_ns - self.nested_ns if self.end_ns else None

    @property
    def parent(self) -> SendRecord | None:
        """The send in whose receiver this call's own send was made, or None."""
        call = self.send.parent
        return None if call is None else call.send


class RecordedCoroutine(Coroutine):  # type: ignore[type-arg]  # subscribing it takes an import
    """A coroutine that belongs to a recorded call, which ends with it.

    Coroutines that run together may share one context, so each step enters the call and leaves it again.
    """

    __slots__ = ("_call", "_coroutine")

    def __init__(self, awaitable: Awaitable[Any], call: CallBase) -> None:
        self._coroutine = awaitable if isinstance(awaitable, Coroutine) else _await(awaitable)
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it has the methods of a generator

    def __iter__(self) -> RecordedCoroutine:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        self._step(self._coroutine.close)
        self.__del__()

    def __del__(self) -> None:
        if not self._call.end_ns:  # it was not awaited to its end
            self._call.end(GeneratorExit())

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        before = enter(self._call)
        try:
            return step(*arguments)
        except StopIteration:
            self._call.end()
            raise
        except BaseException as error:
            self._call.end(error)
            raise
        finally:
            leave(before)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
