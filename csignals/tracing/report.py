"""A trace as text for people: the summary, and the tree of sends and calls. export.py writes formats for programs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from csignals._introspection.signal_names import labels_of
from csignals.tracing.snapshot import CallRead, SendRead, Snapshot
from csignals.tracing.store import TraceStore
from csignals.tracing.totals import Total, Totals

MAX_TREE_LINES = 100  # of a printed trace
MAX_SUMMARY_ROWS = 20  # of each table of a printed trace
MAX_TEXT = 200  # characters of a name or an exception


# --- The summary ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """The totals of several calls. Times are in ns."""

    name: str  #: The receiver's dotted name, or the signal's name.
    calls: int
    errors: int  #: How many of the calls raised an exception.
    total_ns: int  #: A call that is nested in another one counts twice: alone, and as part of the other.
    self_ns: int  #: Without nested sends: each moment counts once.
    max_ns: int  #: The longest call.

    @property
    def mean_ns(self) -> float:
        return self.total_ns / self.calls


@dataclass(frozen=True)
class ReceiverRow(Row):
    """All calls of a receiver."""

    file: str | None
    line: int | None


@dataclass(frozen=True)
class SignalRow(Row):
    """All calls that a signal made."""

    sends: int  #: How many of its sends reached receivers.


class Summary:
    """The totals of a trace, by receiver and by signal: see `Trace.summary`."""

    def __init__(self, receivers: list[ReceiverRow], signals: list[SignalRow]) -> None:
        #: One row for each receiver, the one with the most self time first.
        self.receivers = receivers
        #: One row for each signal, in the same order.
        self.signals = signals

    def __repr__(self) -> str:
        return f"<csignals summary: {len(self.receivers)} receivers of {len(self.signals)} signals>"

    def __str__(self) -> str:
        return summary_text(self, max(len(self.receivers), len(self.signals)))


def summary_of(snapshot: Snapshot) -> Summary:
    totals = Totals() if snapshot.totals is None else snapshot.totals
    totals.add(snapshot.calls)
    receivers: dict[Any, list[Total]] = {}
    signals: dict[Any, list[Total]] = {}
    for (signal_id, *receiver), total in totals.each.items():
        receivers.setdefault(tuple(receiver), []).append(total)
        signals.setdefault(signal_id, []).append(total)
    names = labels_of(total.signal for total in totals.each.values())
    receiver_rows = [
        ReceiverRow(name, *_sums(group), file=file, line=line) for (name, file, line), group in receivers.items()
    ]
    signal_rows = [
        SignalRow(names[number], *_sums(group), sends=sum(total.sends for total in group))
        for number, group in signals.items()
    ]
    return Summary(sorted(receiver_rows, key=_by_self_time), sorted(signal_rows, key=_by_self_time))


def _sums(totals: list[Total]) -> tuple[int, int, int, int, int]:
    return (
        sum(total.calls for total in totals),
        sum(total.errors for total in totals),
        sum(total.total_ns for total in totals),
        sum(total.self_ns for total in totals),
        max(total.max_ns for total in totals),
    )


def _by_self_time(row: Row) -> tuple[int, str]:
    return -row.self_ns, row.name


def summary_text(summary: Summary, max_rows: int) -> str:
    receivers = [
        (*_cells(row), f"{one_line(row.name)}{place(row.file, row.line)}") for row in summary.receivers[:max_rows]
    ]
    signals = [(*_cells(row), str(row.sends), one_line(row.name)) for row in summary.signals[:max_rows]]
    columns = "self", "total", "max", "mean", "calls", "errors"
    return "\n\n".join(
        [
            _table((*columns, "receiver"), receivers, len(summary.receivers) - max_rows),
            _table((*columns, "sends", "signal"), signals, len(summary.signals) - max_rows),
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    times = row.self_ns, row.total_ns, row.max_ns, row.mean_ns
    return (*map(duration, times), f"{row.calls:,}", f"{row.errors:,}")


def _table(head: Sequence[str], rows: list[tuple[str, ...]], left_out: int) -> str:
    """Return a table as text. Columns are aligned right, and the last one left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][:-1]
    lines = []
    for *cells, last in [head, *rows]:
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([*aligned, last]))
    if left_out > 0:
        lines.append(f"... and {left_out:,} more")
    return "\n".join(lines)


# --- The tree ------------------------------------------------------------------------------------------------


def trace_text(trace: TraceStore) -> str:
    snapshot = Snapshot(trace)
    lines = [_headline(snapshot)]
    if snapshot.calls:
        lines += ["", *_tree(snapshot)]
    if snapshot.calls or snapshot.folded:
        lines += ["", summary_text(summary_of(snapshot), MAX_SUMMARY_ROWS)]
    if snapshot.never_called:
        lines += ["", "Collected and never called:"]
        lines += [f"  {one_line(each.receiver)}{place(each.file, each.line)}" for each in snapshot.never_called]
    return "\n".join(lines)


def _headline(snapshot: Snapshot) -> str:
    trace = snapshot.trace
    where = "the whole process" if trace.scope == "process" else "one context"
    line = f"Trace of {where}: {_count(len(snapshot.calls), 'call')} in {_count(len(snapshot.sends), 'send')}"
    if snapshot.folded:
        line += f", and {_count(snapshot.folded, 'older call')} in the summary only"
    return line + (", still open" if trace.is_open else "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _tree(snapshot: Snapshot) -> list[str]:
    lines: list[str] = []
    left_out = len(snapshot.calls)
    below: list[SendRead | CallRead] = [send for send in reversed(snapshot.sends) if send.parent is None]
    while below and len(lines) < MAX_TREE_LINES:
        each = below.pop()
        time = duration(each.end_ns - each.start_ns)
        if isinstance(each, SendRead):
            text = one_line(each.name) + ("" if each.sender is None else f" from {one_line(each.sender)}")
            below += reversed(each.calls)
        else:
            text = _call_text(each)
            below += reversed(each.nested)
            left_out -= 1
        lines.append(f"{time:>8}  {'  ' * each.depth}{text}")
    if left_out:
        lines.append(f"... and {_count(left_out, 'more call')}")
    return lines


def _call_text(call: CallRead) -> str:
    text = one_line(call.description.name) + place(call.description.file, call.description.line)
    if call.is_async:
        text += "  async"
    if call.is_running:
        text += "  still running"
    if call.exception is not None:
        text += f"  raised {one_line(call.exception)}"
    return text


def place(file: str | None, line: int | None) -> str:
    """Return a file and line, to follow a name. A file in the current directory gets a relative path."""
    if file is None:
        return ""
    try:
        here = os.path.join(os.getcwd(), "")
    except OSError:  # the directory was removed
        here = ""
    return f"  {one_line(file[len(here) :] if here and file.startswith(here) else file)}:{line}"


def one_line(text: str) -> str:
    """Return text that fits in a line: cut off at MAX_TEXT, with characters that are not printable escaped."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 3] + "..."
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else repr(char)[1:-1] for char in text])


def duration(ns: float) -> str:
    """Return a time in a suitable unit, with about three digits."""
    for unit, size in ("s", 1e9), ("ms", 1e6), ("µs", 1e3):
        if ns >= size:
            number = ns / size
            return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"
    return f"{ns:.0f} ns"
