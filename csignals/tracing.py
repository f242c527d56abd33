"""``trace()``, and what is to be read in what it recorded: the calls of receivers, and the sends that made them."""

from __future__ import annotations

import sys
import time

from csignals import _dispatch
from csignals._blocks import CONTEXT, check_scope, traces
from csignals._dispatch import enter, leave
from csignals._recording import RecordedCoroutine
from csignals._signal_names import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any

    from csignals._dispatch_py import Receiver


class Send(_dispatch.SendBase):
    """A send that reached receivers, as a trace saw it."""

    __slots__ = ()

    signal: Any                 #: The signal itself.
    parent: Call | None         #: The call of a receiver in which it was sent, if it was in one.
    #: The sender, in words: a class by its dotted name, a string as it is, any other object by its class; or None.
    sender: str | None

    @property
    def name(self) -> str:
        """The signal's name; for one without a name, its class and address."""
        return signal_name(self.signal)

    def call_sync(self, receiver: Receiver, sender: object, named: dict[str, Any]) -> Any:
        """Return what a receiver returns, or raise what it raises, and record that."""
        call = Call(self, receiver)
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
        """Call an async receiver, and return what is to be awaited and records itself."""
        call = Call(self, receiver, True)
        before = enter(call)
        try:
            return RecordedCoroutine(receiver(signal=self.signal, sender=sender, **named), call)
        except BaseException as error:
            call.end(error)
            raise
        finally:
            leave(before)


class Call(_dispatch.CallBase):
    """A call of a receiver, as a trace saw it. Times are in ns, of ``time.perf_counter_ns``."""

    __slots__ = ()

    send: Send                  #: The send that made the call.
    is_async: bool              #: Whether the receiver was awaited.
    thread: int                 #: The thread, by ``threading.get_ident()``.
    start_ns: int               #: When it began.
    end_ns: int                 #: When it ended: 0 while it has not.
    nested_ns: int              #: How long at least one send was under way that the receiver made.
    exception: str | None       #: What it raised, in words.

    @property
    def signal(self) -> str:
        """The name of the signal."""
        return self.send.name

    @property
    def sender(self) -> str | None:
        """The sender, in words: see `Send.sender`."""
        return self.send.sender

    @property
    def receiver(self) -> str:
        """The receiver's dotted name."""
        return self.description.name

    @property
    def file(self) -> str | None:
        """The file where the receiver is written, if it says so."""
        return self.description.file

    @property
    def line(self) -> int | None:
        """The line where the receiver begins, its decorators included, if it says so."""
        return self.description.line

    @property
    def duration_ns(self) -> int | None:
        """How long it took; None while it has not ended. An async receiver's includes what it waited."""
        return self.end_ns - self.start_ns if self.end_ns else None

    @property
    def self_ns(self) -> int | None:
        """How long it took without the sends nested in it."""
        return self.end_ns - self.start_ns - self.nested_ns if self.end_ns else None

    @property
    def parent(self) -> Send | None:
        """The send that this call's own send is nested in, or None."""
        call = self.send.parent
        return None if call is None else call.send


class Trace(_dispatch.TraceBase):
    """A record of the calls that sends make: see `trace`."""

    def __init__(self, scope: str = CONTEXT, max_records: int | None = None) -> None:
        if max_records is not None and max_records < 1:
            raise ValueError(f"max_records must be at least 1, not {max_records}")
        super().__init__(sys.maxsize if max_records is None else max_records)
        self.scope = check_scope(scope)
        self.opened_ns = time.perf_counter_ns()
        #: What the time of day was at `opened_ns`, in ns since the epoch.
        self.epoch_ns = time.time_ns()

    def __enter__(self) -> Trace:
        if self.is_open:
            raise RuntimeError("this trace is open already")
        traces.open(self, self.scope)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        traces.close(self)

    async def __aenter__(self) -> Trace:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        traces.close(self)

    @property
    def records(self) -> list[Call]:
        """The calls, in the order in which they began: all of them, or the newest ``max_records``."""
        return self.calls[:]


def signal_name(signal: Any) -> str:
    """Return a signal's name, or what stands for it."""
    return name_of(signal) or f"{type(signal).__name__} at {id(signal):#x}"


def trace(scope: str = CONTEXT, max_records: int | None = None) -> Trace:
    return Trace(scope, max_records)
