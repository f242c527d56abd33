"""A trace as text for other programs: JSON, and Chrome's trace-event format. report.py writes text for people.

`Trace.to_json` describes the JSON. Chrome's format is described in "Trace Event Format"
(https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU). Both are ASCII with other characters
escaped, so that any name can be written, also one with a lone surrogate.
"""

from __future__ import annotations

import heapq
import json
import os
import threading
from typing import Any

from csignals._introspection.signal_names import label_of
from csignals.devmode import NeverCalled
from csignals.tracing.report import summary_of
from csignals.tracing.snapshot import CallRead, SendRead, Snapshot
from csignals.tracing.store import File, TraceStore

Item = SendRead | CallRead

VERSION = 1  # of the JSON document


def to_json(trace: TraceStore, file: File) -> str:
    snapshot = Snapshot(trace)
    summary = summary_of(snapshot)
    document = {
        "version": VERSION,
        "scope": trace.scope,
        "is_open": trace.is_open,
        "folded": snapshot.folded,
        "epoch_ns": trace.epoch_ns,
        "read_ns": snapshot.now - trace.opened_ns,
        "calls": [_call(call, trace.opened_ns) for call in snapshot.calls],
        "never_called": [_never_called(each) for each in snapshot.never_called],
        "summary": {"receivers": list(map(vars, summary.receivers)), "signals": list(map(vars, summary.signals))},
    }
    return _written(document, file)


def _call(call: CallRead, opened_ns: int) -> dict[str, Any]:
    written, send = call.description, call.send
    return {
        "id": call.number,
        "send": send.number,
        "parent": None if send.parent is None else send.parent.number,
        "signal": send.name,
        "sender": send.sender,
        "receiver": written.name,
        "file": written.file,
        "line": written.line,
        "is_async": call.is_async,
        "thread": call.thread,
        "start_ns": call.start_ns - opened_ns,
        "duration_ns": None if call.is_running else call.duration_ns,
        "self_ns": None if call.is_running else call.self_ns,
        "exception": call.exception,
    }


def _never_called(death: NeverCalled) -> dict[str, Any]:
    return {
        "signal": label_of(death.signal),
        "sender": death.sender,
        "receiver": death.receiver,
        "file": death.file,
        "line": death.line,
    }


def _written(document: dict[str, Any], file: File) -> str:
    text = json.dumps(document)
    if file is not None:
        write = getattr(file, "write", None)
        if write is not None:
            write(text)
        else:
            with open(file, "w", encoding="utf-8") as opened:  # type: ignore[arg-type]  # a path
                opened.write(text)
    return text


# --- Chrome's format -----------------------------------------------------------------------------------------


def to_chrome(trace: TraceStore, file: File) -> str:
    snapshot = Snapshot(trace)
    process = os.getpid()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    events: list[dict[str, Any]] = [_metadata("process_name", "csignals", process, 0)]
    spans: list[dict[str, Any]] = []
    for thread, lanes in _lay_out(snapshot).items():
        for number, lane in enumerate(lanes, 1):
            tid = len(events)  # a small number, as some readers take at most 32 bits
            name = names.get(thread, f"thread {thread}") + (f" ({number})" if number > 1 else "")
            events.append(_metadata("thread_name", name, process, tid))
            spans += [_span(item, trace.opened_ns, process, tid) for item in lane]
    document = {
        "traceEvents": events + sorted(spans, key=lambda span: span["ts"]),
        "displayTimeUnit": "ns",
        "otherData": {"scope": trace.scope, "epoch_ns": str(trace.epoch_ns), "folded": str(snapshot.folded)},
    }
    return _written(document, file)


def _metadata(kind: str, name: str, process: int, tid: int) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": tid, "ts": 0, "args": {"name": name}}


def _span(item: Item, opened_ns: int, process: int, tid: int) -> dict[str, Any]:
    start = _microseconds(item.start_ns - opened_ns)
    if isinstance(item, SendRead):
        name, category = item.name, "send"
        arguments: dict[str, Any] = {"sender": item.sender}
    else:
        name, category = item.description.name, "call"
        arguments = {
            "signal": item.send.name,
            "sender": item.send.sender,
            "file": item.description.file,
            "line": item.description.line,
            "is_async": item.is_async,
            "exception": item.exception,
            "self_ns": item.self_ns,
        }
    arguments["is_running"] = item.is_running
    return {
        "ph": "X",
        "name": name,
        "cat": category,
        "ts": start,
        "dur": _microseconds(item.end_ns - opened_ns) - start,
        "pid": process,
        "tid": tid,
        "args": {key: value for key, value in arguments.items() if value is not None and value is not False},
    }


def _microseconds(ns: int) -> float:
    """Return a time in µs as a multiple of 1/8192, so that sums are exact and equal ends stay equal.

    Readers add the duration to the start and compare the sums. With multiples of 1/1000, rounding would sometimes end a
    send before its last call.
    """
    return -(-ns * 8192 // 1000) / 8192  # rounded up, as some readers round down to a whole ns


class _Lane:
    """A line of the drawing. Each item on it is drawn within its parent."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.open: list[Item] = []  # the items that contain the next one


def _lay_out(snapshot: Snapshot) -> dict[int, list[list[Item]]]:
    """Return the lanes of each thread, as the items in each lane.

    An item is drawn in the lane of its parent, if it fits there, or else in the first lane that is free.
    """
    lanes: dict[int, list[_Lane]] = {}
    free: dict[int, list[int]] = {}  # the indices of free lanes, as a heap
    busy: dict[int, list[tuple[int, int]]] = {}  # the end and the index of each lane in use, as a heap
    placed: dict[int, tuple[int, _Lane]] = {}  # the thread and the lane of an item, by its id
    items: list[Item] = [*snapshot.sends, *snapshot.calls]
    for item in sorted(items, key=lambda item: (item.start_ns, item.depth)):
        parent: Item | None
        if isinstance(item, SendRead):
            thread, parent = item.calls[0].thread, item.parent
        else:
            thread, parent = item.thread, item.send
        lane = _lane_within(item, thread, parent, placed)
        if lane is None:
            of_thread = lanes.setdefault(thread, [])
            free_here, busy_here = free.setdefault(thread, []), busy.setdefault(thread, [])
            while busy_here and busy_here[0][0] <= item.start_ns:
                heapq.heappush(free_here, heapq.heappop(busy_here)[1])
            if not free_here:
                free_here.append(len(of_thread))
                of_thread.append(_Lane())
            index = heapq.heappop(free_here)
            heapq.heappush(busy_here, (item.end_ns, index))
            lane = of_thread[index]
            lane.open.clear()
        lane.open.append(item)
        lane.items.append(item)
        placed[id(item)] = thread, lane
    return {thread: [lane.items for lane in of_thread] for thread, of_thread in lanes.items()}


def _lane_within(item: Item, thread: int, parent: Item | None, placed: dict[int, tuple[int, _Lane]]) -> _Lane | None:
    """Return the lane of an item's parent, if the item fits there."""
    parents_thread, lane = placed.get(id(parent), (None, None))
    if parent is None or lane is None or parents_thread != thread:
        return None
    while lane.open and lane.open[-1] is not parent and lane.open[-1].end_ns <= item.start_ns:
        lane.open.pop()
    fits = bool(lane.open) and lane.open[-1] is parent and item.end_ns <= parent.end_ns
    return lane if fits else None
