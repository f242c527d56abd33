"""A trace as it was at one moment. The tree, the summary and the exports are made from a `Snapshot`.

Other threads may record while a trace is read, so everything is read once, here. A call that is still running counts
up to the moment of the snapshot.
"""

from __future__ import annotations

import time

from csignals._introspection.signal_names import labels_of
from csignals.tracing.records import Call, SendRecord
from csignals.tracing.store import TraceStore


class SendRead:
    """A send, with its calls, except those that the trace has folded."""

    __slots__ = ("calls", "depth", "end_ns", "is_running", "name", "number", "parent", "sender", "signal", "start_ns")

    def __init__(self, record: SendRecord, number: int, name: str, parent: CallRead | None) -> None:
        self.number = number
        self.signal = record.signal
        self.name = name  # of the signal
        self.sender = record.sender
        self.parent = parent  # None also if the trace has not recorded it, or has folded it
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.start_ns = self.end_ns = record.start_ns
        self.is_running = False  # whether any of the calls is running
        self.calls: list[CallRead] = []
        if parent is not None:
            parent.nested.append(self)


class CallRead:
    """A call of a receiver, and the sends nested in it."""

    __slots__ = (
        "depth",
        "description",
        "end_ns",
        "exception",
        "is_async",
        "is_running",
        "nested",
        "nested_ns",
        "number",
        "send",
        "start_ns",
        "thread",
    )

    def __init__(self, record: Call, number: int, send: SendRead, is_running: bool, end_ns: int) -> None:
        self.number = number
        self.send = send
        self.depth: int = send.depth + 1
        self.description = record.description
        self.is_async = record.is_async
        self.thread = record.thread
        self.is_running = is_running
        self.start_ns = record.start_ns
        self.end_ns = max(end_ns, self.start_ns)
        self.nested_ns = min(record.nested_ns, self.duration_ns)
        self.exception = record.exception
        self.nested: list[SendRead] = []
        send.calls.append(self)
        send.end_ns = max(send.end_ns, self.end_ns)
        send.is_running = send.is_running or is_running

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def self_ns(self) -> int:
        return self.end_ns - self.start_ns - self.nested_ns


class Snapshot:
    """The calls and sends of a trace, in the order in which they began, and the totals of its folded calls."""

    def __init__(self, trace: TraceStore) -> None:
        self.trace = trace
        self.never_called = trace.never_called[:]
        records, self.totals, self.folded = trace.snapshot()
        # Ends are read before the clock, so that no call ends after `now`.
        ends = [record.end_ns for record in records]
        self.now = time.perf_counter_ns()
        names = labels_of(record.send.signal for record in records)
        sends: dict[int, SendRead] = {}  # by the id of the record, as `calls`
        calls: dict[int, CallRead] = {}
        for record, end_ns in zip(records, ends, strict=True):
            if not record.start_ns:  # the call is about to begin, in another thread
                continue
            send = sends.get(id(record.send))
            if send is None:
                parent = None if record.send.parent is None else calls.get(id(record.send.parent))
                name = names[id(record.send.signal)]
                send = sends[id(record.send)] = SendRead(record.send, len(sends), name, parent)
            calls[id(record)] = CallRead(record, len(calls), send, not end_ns, end_ns or self.now)
        self.sends = list(sends.values())
        self.calls = list(calls.values())
        for call in self.calls:
            if call.is_running:
                call.nested_ns += self._nested_so_far(call)

    def _nested_so_far(self, call: CallRead) -> int:
        """Return for how long a nested send has been running. The record has this time only when the send ends."""
        since = [send.start_ns for send in call.nested if send.is_running]
        return max(min(self.now - min(since, default=self.now), call.self_ns), 0)
