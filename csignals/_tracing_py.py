"""What a trace records, in Python: the specification of ``src_pyx/_tracing.pxi``, and its fallback.

Here live the records and the clock. Who opens traces is ``_steering.py``'s affair, what users read in the records
``tracing.py``'s: its classes stand over these. A record keeps no receiver, no sender and no exception, so that a
trace keeps nobody alive that would have died without it; only signals.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import get_ident
from time import perf_counter_ns
from types import MethodType
from weakref import ref

from csignals._names import Description, describe, describe_sender, descriptions
from csignals._typing import Any

_current_call = ContextVar("csignals_current_call", default=None)  # type: ContextVar[CallBase | None]


def enter(call: CallBase) -> Any:
    """Have this context be in a call of a receiver, and return what to leave() it with."""
    before = _current_call.get()
    _current_call.set(call)
    return before


def leave(before: Any) -> None:
    _current_call.set(before)


def under_way(call: CallBase | None) -> CallBase | None:
    """Return a call, or the one around it, whichever has not ended: a task may outlive the call that started it."""
    while call is not None and call.end_ns:
        call = call.send.parent
    return call


class SendBase:
    """A send that reached receivers."""

    start_ns = 0  # from its first call
    end_ns = 0  # to the end of its last, so far
    _running = 0  # how many of them are

    def __init__(self, signal: Any, sender: Any, traces: tuple[ref[TraceBase], ...]) -> None:
        self.signal = signal
        #: The sender, in words: a class by its dotted name, a string as it is, any other object by its class; or None.
        self.sender: str | None = describe_sender(sender)
        #: References, as the send may outlast them: those that are closed are kept by whoever reads them.
        self.traces = traces
        self.parent = under_way(_current_call.get())

    def close(self, may_go_on: bool = False) -> None:
        """Let the call that it was sent in run alone again. It `may_go_on`, in a thread that nobody waits for."""
        if self.parent is not None and self.start_ns:
            self.parent.nested(-1, perf_counter_ns() if self._running else self.end_ns)
        if not may_go_on:
            self.traces = ()

    def let_go(self) -> None:
        """Forget the call that it was sent in, once it is over: a chain of these may have no end."""
        if not self.traces:
            self.parent = None


class CallBase:
    """A call of a receiver: it begins when this is made."""

    exception: str | None = None
    start_ns = 0
    end_ns = 0
    nested_ns = 0  # with at least one nested send
    _nested_sends = 0
    _nested_since = 0

    is_async = False

    def __init__(self, send: SendBase, receiver: Any, is_async: bool = False) -> None:
        self.send = send
        self.description = description_of(receiver)
        self.thread = get_ident()
        if is_async:
            self.is_async = True
        for reference in send.traces:
            trace = reference()
            if trace is not None:
                trace.note(self)
        send._running += 1
        self.start_ns = perf_counter_ns()
        if not send.start_ns:
            send.start_ns = self.start_ns
            if send.parent is not None:
                send.parent.nested(1, self.start_ns)

    def end(self, error: BaseException | None = None) -> None:
        now = perf_counter_ns()
        self.send.end_ns = now
        self.send._running -= 1
        if self._nested_sends:
            self.nested(-self._nested_sends, now)
        if error is not None:
            self.exception = type(error).__name__
        self.end_ns = now  # from now on, others may add it up
        if error is not None:
            self.exception = describe_exception(error)  # which runs the error's own code

    def nested(self, change: int, now: int) -> None:
        """A nested send begins (1) or ends (-1): what goes on after this call is over does not count."""
        if self.end_ns:
            return
        if self._nested_sends == 0:
            self._nested_since = now
        self._nested_sends += change
        if self._nested_sends == 0:
            self.nested_ns += now - self._nested_since


def description_of(receiver: Any) -> Description:
    number = id(receiver.__func__ if type(receiver) is MethodType else receiver)
    return descriptions.known.get(number) or describe(receiver)


class TraceBase:
    """What calls are recorded in."""

    is_open = False

    def __init__(self, max_records: int) -> None:
        self.calls: list[CallBase] = []
        self.max_records = max_records

    def note(self, call: CallBase) -> None:
        if self.is_open:
            self.calls.append(call)
            if len(self.calls) > self.max_records:
                self.fold()

    def fold(self) -> None:
        """Make room: what that means is the business of the class over this one."""
        raise NotImplementedError


def describe_exception(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its __str__ fails)"
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name
