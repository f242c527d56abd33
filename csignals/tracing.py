"""``trace()``, and what is to be read in what it recorded: the calls of receivers, and the sends that made them."""

from __future__ import annotations

import operator
import os
import sys
import threading
import time
from collections.abc import Awaitable

from csignals import _dispatch
from csignals._blocks import CONTEXT, check_scope, traces
from csignals._dispatch import enter, leave
from csignals._dispatch_py import Receiver
from csignals._recording import RecordedCoroutine
from csignals._signal_names import label_of
from csignals._typing import Any
from csignals._uncalled import NeverCalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from csignals._trace_report import Summary, Totals

    class TextFile(Protocol):
        def write(self, text: str, /) -> object: ...
else:
    Summary = Totals = TextFile = object  # of modules that are imported when they are needed

File = str | os.PathLike[str] | TextFile | None


class Send(_dispatch.SendBase):
    """A send that reached receivers, as a trace saw it."""

    __slots__ = ()

    signal: Any  #: The signal itself.
    parent: Call | None  #: The call of a receiver in which it was sent, if it was in one.
    #: The sender, in words: a class by its dotted name, a string as it is, any other object by its class; or None.
    sender: str | None

    @property
    def name(self) -> str:
        """The signal's name; for one without a name, its class and address. To find it may take milliseconds."""
        return label_of(self.signal)

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

    send: Send  #: The send that made the call.
    is_async: bool  #: Whether the receiver was awaited.
    thread: int  #: The thread, by ``threading.get_ident()``.
    start_ns: int  #: When it began.
    end_ns: int  #: When it ended: 0 while it has not.
    nested_ns: int  #: How long at least one send was under way that the receiver made.
    exception: str | None  #: What it raised, in words.

    def __repr__(self) -> str:
        state = f"{self.duration_ns} ns" if self.end_ns else "still running"
        return f"<call of {self.receiver}: {state}>"

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
    """A record of the calls that sends make, and what can be read in it: see `trace`.

    All of it may be read at any time, from any thread, and while it is open; what still runs then counts up to that
    moment. ``print(trace)`` shows the tree of sends and calls, and the summary.
    """

    def __init__(self, scope: str = CONTEXT, max_records: int | None = None) -> None:
        limit = sys.maxsize if max_records is None else operator.index(max_records)
        if limit < 1:
            raise ValueError(f"max_records must be at least 1, not {limit}")
        super().__init__(limit)
        self.scope = check_scope(scope)
        self.opened_ns = time.perf_counter_ns()
        #: What the time of day was at `opened_ns`, in ns since the epoch.
        self.epoch_ns = time.time_ns()
        #: The weak receivers that were collected meanwhile, anywhere in the process, and had never been called. They
        #: are known of in development only, in Python's development mode or Django's DEBUG.
        self.never_called: list[NeverCalled] = []
        #: How many calls were folded into the summary, and are records no more.
        self.folded = 0
        self._fold_at = limit + 1  # so many calls
        self._lock = threading.RLock()
        self._was_opened = False
        self._totals: Any = None  # of calls that were folded
        self._parts: dict[object, Any] = {}  # what is yet to be added to them: lists of calls, or totals of those
        if max_records is not None:
            from csignals._trace_report import Totals

            self._totals = Totals()

    def __enter__(self) -> Trace:
        if self._was_opened:
            raise RuntimeError("a trace can be opened once: make another one")
        self._was_opened = True
        traces.open(self, self.scope)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        traces.close(self)

    async def __aenter__(self) -> Trace:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        traces.close(self)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        folded = f", {self.folded} folded" if self.folded else ""
        return f"<csignals trace of the {self.scope}, {state}: {len(self.calls)} calls{folded}>"

    def __str__(self) -> str:
        from csignals._trace_report import trace_text

        return trace_text(self)

    @property
    def records(self) -> list[Call]:
        """The calls, in the order in which they began: all of them, or with ``max_records`` the newest.

        Those are as many as that, or down to half of it. Calls that are running stay as well, and while many threads
        send at once, there may be some more.
        """
        return self.calls[:]  # type: ignore[return-value]  # they are made by Send

    def summary(self) -> Summary:
        """Return what every call came to, the folded ones too: by receiver and by signal.

        ``.receivers`` and ``.signals`` are lists of rows, that with the most self time first: ``name``, ``calls``,
        ``errors``, ``total_ns``, ``self_ns``, ``max_ns`` and ``mean_ns``; a receiver's have ``file`` and ``line`` too,
        a signal's ``sends``, as many as reached receivers. Self time is without nested sends, so that it adds up; in
        ``total_ns``, what a receiver's call takes that is nested in another call of it counts twice.
        """
        from csignals._trace_reading import Reading
        from csignals._trace_report import summary_of

        return summary_of(Reading(self))

    def to_json(self, file: File = None) -> str:
        """Return the records and the summary as JSON, and write it to `file`, a path or a text file, if given.

        An object with these keys. Times are in ns; those that begin with ``start`` and ``read`` since the trace
        was made, which ``epoch_ns`` is of the time of day, in ns since the epoch.

        * ``version``: 1. ``scope``, ``is_open``, ``folded``, ``epoch_ns``. ``read_ns``: when it was read.
        * ``calls``: an object for each record: ``id``, a number; ``send``, the number of the send that made it;
          ``parent``, the id of the call in which it was sent, or null; ``signal``, ``sender``, ``receiver``,
          ``file``, ``line``, ``is_async``, ``thread``, ``start_ns``, ``duration_ns``, ``self_ns`` (both null while
          the call runs) and ``exception``, as `Call` has them. Numbers hold within one export.
        * ``never_called``: the weak receivers that were collected uncalled, as `never_called` has them.
        * ``summary``: ``receivers`` and ``signals``, lists of rows as `summary` has them.
        """
        from csignals._trace_export import to_json

        return to_json(self, file)

    def to_chrome(self, file: File = None) -> str:
        """Return the records in Chrome's trace-event format, and write it to `file`, a path or a text file, if given.

        Perfetto (https://ui.perfetto.dev) and speedscope (https://www.speedscope.app) show such files. A send and its
        calls lie on the line of their thread, each in what made it; those that overlap, as async ones do, on further
        lines of that thread.
        """
        from csignals._trace_export import to_chrome

        return to_chrome(self, file)

    def fold(self) -> None:
        """Take the older half of the calls off, as far as they have ended, and keep no more than what they came to.

        Each send that finds too many calls comes here, and none waits: one that meets another, or a reader, goes on.
        So that those who send at once keep up, each has calls of its own to add up, and is alone only to take them.
        """
        if len(self.calls) < self._fold_at or not self._lock.acquire(blocking=False):
            return
        fold_at = self._fold_at
        try:
            self._fold_at = sys.maxsize  # for finalizers that send in the middle of this, in this thread
            for part, totals in list(self._parts.items()):
                if not isinstance(totals, list):
                    self._totals.add(totals)
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
            fold_at = self.max_records + 1 + 2 * len(running)  # lest each send looks through many that are running
        finally:
            self._fold_at = fold_at
            self._lock.release()
        self._parts[part] = self._totals.of(oldest)
        for call in oldest:
            call.send.let_go()

    def snapshot(self) -> tuple[list[Any], Totals | None, int]:
        """Return the records, the totals of all other calls, and how many those are."""
        with self._lock:
            fold_at, self._fold_at = self._fold_at, sys.maxsize
            try:
                calls, folded = self.calls[:], self.folded
                totals, *parts = [self._totals and self._totals.of(self._totals), *self._parts.values()]
            finally:
                self._fold_at = fold_at
        for part in parts:
            totals.add(part)
        return calls, totals, folded


def trace(scope: str = CONTEXT, max_records: int | None = None) -> Trace:
    """Record the calls that sends make, for the length of a ``with`` or ``async with`` block.

    One record for each call of a receiver: the signal, the sender, the receiver and where it is written, when it
    began, how long it took, what it raised, and in which call its send was nested. Returns the `Trace`, to be read
    during the block and after it.

    With ``scope="context"`` it records what the current context sends (``contextvars``): this thread, this task and
    the tasks it starts; with ``scope="process"``, what all threads do. Records take memory. With `max_records`, a
    trace keeps about as many, the newest, and of the others only what they came to: then it may be open for ever.
    It keeps no receiver alive, and no sender. It can be opened once.

    Raises ValueError for another scope, or a `max_records` below 1.
    """
    return Trace(scope, max_records)
