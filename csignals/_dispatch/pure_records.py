"""What a trace records, in Python: the specification of ``src_pyx/_tracing.pxi``, and its fallback.

The classes in ``csignals/tracing/records.py``, which users read, inherit from these. A record keeps signals alive, but
no receiver, sender or exception.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import get_ident
from time import perf_counter_ns
from types import MethodType
from weakref import ref

from csignals._introspection.naming import Description, describe, describe_sender, descriptions
from csignals._typing import Any

_current_call: ContextVar[Any] = ContextVar("csignals_current_call", default=None)


def enter(call: CallBase) -> Any:
    """Make a call of a receiver the current one of this context, and return what leave() takes."""
    before = _current_call.get()
    _current_call.set(call)
    return before


def leave(before: Any) -> None:
    _current_call.set(before)


def under_way(call: CallBase | None) -> CallBase | None:
    """Return the innermost call that has not ended: a task may outlive the call that started it."""
    while call is not None and call.end_ns:
        call = call.send.parent
    return call


class SendBase:
    """A send that reached receivers."""

    start_ns = 0  # of the first call
    end_ns = 0  # of the call that ended last, so far
    _running = 0  # the number of calls that have not ended

    def __init__(self, signal: Any, sender: Any, traces: tuple[ref[TraceBase], ...]) -> None:
        self.signal = signal
        #: The sender's name, as describe_sender() returns it.
        self.sender: str | None = describe_sender(sender)
        #: References, as the send may outlast the traces.
        self.traces = traces
        self.parent = under_way(_current_call.get())

    def close(self, may_go_on: bool = False) -> None:
        """Stop counting nested time in the enclosing call. With `may_go_on`, a thread may still make calls."""
        if self.parent is not None and self.start_ns:
            self.parent.nested(-1, perf_counter_ns() if self._running else self.end_ns)
        if not may_go_on:
            self.traces = ()

    def let_go(self) -> None:
        """Forget the enclosing call once the send is over: a chain of sends and calls may grow without end."""
        if not self.traces:
            self.parent = None


class CallBase:
    """A call of a receiver. It begins when this object is made."""

    exception: str | None = None
    start_ns = 0
    end_ns = 0
    nested_ns = 0  # during which at least one nested send was running
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
        self.end_ns = now  # from now on, other threads may add it up
        if error is not None:
            self.exception = describe_exception(error)  # last, as this runs the error's own code

    def nested(self, change: int, now: int) -> None:
        """Count a nested send that begins (1) or ends (-1). What goes on after this call has ended does not count."""
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
    """The list in which calls are recorded."""

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
        """Make room for more calls. Defined by `csignals.tracing.Trace`."""
        raise NotImplementedError


def describe_exception(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its __str__ fails)"
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name
