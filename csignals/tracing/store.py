"""The calls that a trace has recorded, and the totals of those that it has folded to bound its memory."""

from __future__ import annotations

import operator
import os
import sys
import threading
import time

from csignals._dispatch import TraceBase
from csignals._scopes import CONTEXT, check_scope
from csignals._typing import Any
from csignals.devmode import NeverCalled
from csignals.tracing.records import Call, SendRecord
from csignals.tracing.totals import Totals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class TextFile(Protocol):
        def write(self, text: str, /) -> object: ...

else:
    TextFile = object  # `typing` takes long to import

#: What exports are written to: a path, or a file that is open for text.
File = str | os.PathLike[str] | TextFile | None


class TraceStore(TraceBase):
    """What a trace has recorded. Thread-safe, also while it is open."""

    #: What sends are recorded as while the trace is open.
    record_classes = SendRecord, Call

    def __init__(self, scope: str = CONTEXT, max_records: int | None = None) -> None:
        limit = sys.maxsize if max_records is None else operator.index(max_records)
        if limit < 1:
            raise ValueError(f"max_records must be at least 1, not {limit}")
        super().__init__(limit)
        self.scope = check_scope(scope)
        self.opened_ns = time.perf_counter_ns()
        #: The time of day at `opened_ns`, in ns since the epoch.
        self.epoch_ns = time.time_ns()
        #: The weak receivers that were collected meanwhile, anywhere in the process, and had never been called. Known
        #: in development only: in Python's development mode and under Django's DEBUG.
        self.never_called: list[NeverCalled] = []
        #: How many calls were folded into the summary, and are no longer records.
        self.folded = 0
        self._fold_at = limit + 1  # the number of records at which calls are folded
        self._lock = threading.RLock()
        self._totals = None if max_records is None else Totals()  # of the folded calls
        self._parts: dict[object, Any] = {}  # to be added to them: lists of calls, or totals of those

    @property
    def records(self) -> list[Call]:
        """The calls, in the order in which they began: all of them, or with ``max_records`` the newest.

        With ``max_records``, at most so many are kept, and at least half as many. Calls that are running are kept as
        well, and while many threads send at once, there may be some more.
        """
        return self.calls[:]  # type: ignore[return-value]  # SendRecord makes them

    def fold(self) -> None:
        """Replace the older half of the calls, except those that are running, by their totals.

        Each send that finds too many calls comes here, and none waits: a send that meets another one, or a reader, goes
        on. So that threads that send at once keep up, each adds up the calls that it took, and holds the lock only to
        take them.
        """
        if len(self.calls) < self._fold_at or not self._lock.acquire(blocking=False):
            return
        fold_at = self._fold_at
        totals: Any = self._totals
        try:
            self._fold_at = sys.maxsize  # finalizers may send in the middle of this, in this thread
            for part, added in list(self._parts.items()):
                if not isinstance(added, list):
                    totals.add(added)
                    del self._parts[part]
            oldest = self.calls[: max(len(self.calls) - self.max_records // 2, 0)]
            running = [call for call in oldest if not call.end_ns]
            self.calls[: len(oldest)] = running
            if running:
                still = set(map(id, running))
                oldest = [call for call in oldest if id(call) not in still]
            part = object()
            self._parts[part] = oldest
            self.folded += len(oldest)
            # Later by the number of running calls, so that sends do not look through these each time.
            fold_at = self.max_records + 1 + 2 * len(running)
        finally:
            self._fold_at = fold_at
            self._lock.release()
        self._parts[part] = totals.of(oldest)
        for call in oldest:
            call.send.let_go()

    def snapshot(self) -> tuple[list[Any], Totals | None, int]:
        """Return the records, the totals of all other calls, and the number of those."""
        with self._lock:
            fold_at, self._fold_at = self._fold_at, sys.maxsize
            try:
                calls, folded = self.calls[:], self.folded
                totals: Any = None if self._totals is None else self._totals.of(self._totals)
                parts = list(self._parts.values())
            finally:
                self._fold_at = fold_at
        for part in parts:
            totals.add(part)
        return calls, totals, folded
