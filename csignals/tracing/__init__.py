"""``trace()``: records of the calls of receivers, and of the sends that made them.

The records are in records.py, and store.py keeps them. snapshot.py reads a trace that may still be open; report.py,
export.py and otel.py show what it read, and are imported when they are first used.
"""

from __future__ import annotations

from csignals._scopes import CONTEXT, traces
from csignals.tracing.records import Call, SendRecord
from csignals.tracing.store import File, TraceStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.tracing.report import Summary
else:
    Summary = object

__all__ = ["Call", "SendRecord", "Trace", "trace"]


class Trace(TraceStore):
    """A record of the calls of receivers: see `trace`.

    It may be read at any time, from any thread, and while it is open; calls that still run count up to that moment.
    ``print(trace)`` shows the tree of sends and calls, and the summary.
    """

    _was_opened = False

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
        from csignals.tracing.report import trace_text

        return trace_text(self)

    def summary(self) -> Summary:
        """Return the totals of all calls, the folded ones too: by receiver and by signal.

        ``.receivers`` and ``.signals`` are lists of rows, the one with the most self time first: ``name``, ``calls``,
        ``errors``, ``total_ns``, ``self_ns``, ``max_ns`` and ``mean_ns``. A receiver's row has ``file`` and ``line``
        too, a signal's row ``sends``, the number of its sends that reached receivers. Self time excludes nested sends,
        so that it adds up. In ``total_ns``, a call nested in another call of the same receiver counts twice.
        """
        from csignals.tracing.report import summary_of
        from csignals.tracing.snapshot import Snapshot

        return summary_of(Snapshot(self))

    def to_json(self, file: File = None) -> str:
        """Return the records and the summary as JSON, and write it to `file`, a path or a text file, if given.

        An object with these keys. Times are in ns. Those that begin with ``start`` and ``read`` count from the time the
        trace was made, which ``epoch_ns`` gives as the time of day, in ns since the epoch.

        * ``version``: 1. ``scope``, ``is_open``, ``folded``, ``epoch_ns``. ``read_ns``: when the trace was read.
        * ``calls``: an object for each record: ``id``, a number; ``send``, the number of the send that made the call;
          ``parent``, the id of the call in which that send was made, or null; ``signal``, ``sender``, ``receiver``,
          ``file``, ``line``, ``is_async``, ``thread``, ``start_ns``, ``duration_ns``, ``self_ns`` (both null while
          the call runs) and ``exception``, as in `Call`. Numbers are valid within one export.
        * ``never_called``: the weak receivers that were collected uncalled, as in `never_called`.
        * ``summary``: ``receivers`` and ``signals``, lists of rows as in `summary`.
        """
        from csignals.tracing.export import to_json

        return to_json(self, file)

    def to_chrome(self, file: File = None) -> str:
        """Return the records in Chrome's trace-event format, and write it to `file`, a path or a text file, if given.

        Perfetto (https://ui.perfetto.dev) and speedscope (https://www.speedscope.app) show such files. A send and its
        calls are on the line of their thread, each within the call that made it. Calls that overlap, as async ones do,
        are on further lines of that thread.
        """
        from csignals.tracing.export import to_chrome

        return to_chrome(self, file)


def trace(scope: str = CONTEXT, max_records: int | None = None) -> Trace:
    """Record the calls that sends make, during a ``with`` or ``async with`` block.

    There is one record for each call of a receiver: the signal, the sender, the receiver and where it is written, when
    the call began, how long it took, what it raised, and in which call its send was nested. Returns the `Trace`, to be
    read during the block and after it.

    With ``scope="context"`` it records the sends of the current context (``contextvars``): of this thread, this task
    and the tasks it starts; with ``scope="process"``, those of all threads. Records take memory. With `max_records`, a
    trace keeps about that many, the newest, and only totals of the others, so that it may stay open for ever. It keeps
    no receiver and no sender alive. It can be opened once.

    Raises ValueError for another scope, or a `max_records` below 1.
    """
    return Trace(scope, max_records)
