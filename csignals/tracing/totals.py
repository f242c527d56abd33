"""What many calls came to: totals by receiver and signal, in no more memory than these take."""

from __future__ import annotations

from csignals._introspection.naming import Description
from csignals._typing import Any


class Total:
    """The totals of the calls of one receiver by one signal. Times are in ns."""

    __slots__ = ("calls", "description", "errors", "max_ns", "self_ns", "sends", "signal", "total_ns")

    def __init__(self, signal: Any, description: Description) -> None:
        self.signal = signal
        self.description = description
        self.calls = self.errors = self.sends = self.total_ns = self.self_ns = self.max_ns = 0

    def add(self, other: Total) -> None:
        self.calls += other.calls
        self.errors += other.errors
        self.sends += other.sends
        self.total_ns += other.total_ns
        self.self_ns += other.self_ns
        self.max_ns = max(self.max_ns, other.max_ns)


class Totals:
    """The totals of calls: of recorded ones, or of those of a `Snapshot`. The calls must have ended."""

    def __init__(self) -> None:
        self.each: dict[Any, Total] = {}

    def of(self, *parts: Totals | list[Any]) -> Totals:
        """Return new totals of lists of calls and of other totals."""
        totals = Totals()
        for part in parts:
            totals.add(part)
        return totals

    def add(self, part: Totals | list[Any]) -> None:
        if isinstance(part, Totals):
            for total in part.each.values():
                self._total_of(total.signal, total.description).add(total)
        else:
            self._add_calls(part)

    def _add_calls(self, calls: list[Any]) -> None:
        known: dict[Any, Total] = {}  # by ids, while `calls` keeps the objects alive
        counted = None
        for call in calls:
            send = call.send
            ids = id(send.signal), id(call.description)
            total = known.get(ids)
            if total is None:
                total = known[ids] = self._total_of(send.signal, call.description)
            start = call.start_ns
            duration = call.end_ns - start
            total.calls += 1
            total.total_ns += duration
            total.self_ns += duration - call.nested_ns
            if duration > total.max_ns:
                total.max_ns = duration
            if call.exception is not None:
                total.errors += 1
            # A send begins with its first call. With a coarse clock, the second call may begin at the same time.
            if start == send.start_ns and send is not counted:
                total.sends += 1
                counted = send

    def _total_of(self, signal: Any, description: Description) -> Total:
        # Not by the description's id: a receiver without weak references gets a new description each time.
        key = id(signal), description.name, description.file, description.line
        total = self.each.get(key)
        if total is None:
            total = self.each[key] = Total(signal, description)
        return total
