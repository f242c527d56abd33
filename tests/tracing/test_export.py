"""Traces as files: the JSON has everything in the records, and the Chrome file follows its format."""

import asyncio
import functools
import io
import json
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import receivers
from tests.helpers.implementations import in_place
from tests.helpers.receivers import Sender, fail, one
from tests.tracing.fake_traces import make_call, make_send, make_trace

connected = functools.partial(receivers.connected, weak=False)


@pytest.fixture(autouse=True)
def imports(csignals, implementation):
    with in_place(implementation):
        yield


def traced(csignals):
    """Return a trace of two sends, one nested in the other."""
    inner = connected(csignals.Signal(), one, fail)
    outer = connected(csignals.Signal(), one, lambda **named: inner.send_robust("shop"))
    with csignals.trace() as trace:
        outer.send(Sender)
    return trace


# --- JSON ----------------------------------------------------------------------------------------------------


def test_json_has_everything_in_the_records(csignals):
    before = time.time_ns()
    trace = traced(csignals)
    after = time.time_ns()
    document = json.loads(trace.to_json())
    assert list(document) == [
        "version",
        "scope",
        "is_open",
        "folded",
        "epoch_ns",
        "read_ns",
        "calls",
        "never_called",
        "summary",
    ]
    assert document["version"] == 1
    assert (document["scope"], document["is_open"], document["folded"]) == ("context", False, 0)
    assert before <= document["epoch_ns"] + document["calls"][0]["start_ns"] <= after
    assert document["read_ns"] > 0
    assert [(call["id"], call["send"], call["parent"]) for call in document["calls"]] == [
        (0, 0, None),
        (1, 0, None),
        (2, 1, 1),
        (3, 1, 1),
    ]
    for call, record in zip(document["calls"], trace.records, strict=True):
        assert call["start_ns"] == record.start_ns - trace.opened_ns
        del call["id"], call["send"], call["parent"], call["start_ns"]
        assert call == {key: getattr(record, key) for key in call}
        assert list(call) == [
            "signal",
            "sender",
            "receiver",
            "file",
            "line",
            "is_async",
            "thread",
            "duration_ns",
            "self_ns",
            "exception",
        ]
    assert [call["exception"] for call in document["calls"]] == [None, None, None, "ValueError: bad luck"]
    summary = trace.summary()
    assert document["summary"] == {
        "receivers": [vars(row) for row in summary.receivers],
        "signals": [vars(row) for row in summary.signals],
    }


def test_running_calls_have_no_duration_in_json(csignals, signal):
    documents = []
    connected(signal, lambda **named: documents.append(json.loads(trace.to_json())))
    with csignals.trace() as trace:
        signal.send(Sender)
    (call,) = documents[0]["calls"]
    assert (call["duration_ns"], call["self_ns"], documents[0]["is_open"]) == (None, None, True)
    assert call["start_ns"] <= documents[0]["read_ns"]


def test_json_counts_the_folded_calls(csignals, signal):
    connected(signal, one)
    with csignals.trace(max_records=10) as trace:
        for _ in range(100):
            signal.send(Sender)
    document = json.loads(trace.to_json())
    assert len(document["calls"]) + document["folded"] == document["summary"]["receivers"][0]["calls"] == 100


def test_a_parent_outside_the_trace_is_null(csignals, signal):
    call = make_call(make_send(signal), 100, 200)
    nested = make_call(make_send(signal, call), 110, 190)
    assert json.loads(make_trace(csignals, [nested]).to_json())["calls"][0]["parent"] is None


NAMES = ["ünïcödé 信号", '"quoted"\\\n\t\0', "\udcff", "😀", "</script>"]


@pytest.mark.parametrize("export", ["to_json", "to_chrome"])
@pytest.mark.parametrize("text", NAMES, ids=ascii)
def test_unusual_names_survive_the_export(csignals, signal, export, text, tmp_path):
    call = make_call(make_send(signal, sender=text), 100, 200, text, file=text, exception=text)
    trace = make_trace(csignals, [call])
    path = tmp_path / "trace.json"
    getattr(trace, export)(path)
    document = json.loads(path.read_bytes())
    found = document["calls"] if export == "to_json" else [event["args"] for event in document["traceEvents"]]
    assert (found[-1]["sender"], found[-1]["file"], found[-1]["exception"]) == (text, text, text)


@pytest.mark.parametrize("export", ["to_json", "to_chrome"])
def test_files_get_the_returned_text(csignals, export, tmp_path):
    trace = make_trace(csignals, [])
    for path in (tmp_path / "a.json", str(tmp_path / "b.json")):
        text = getattr(trace, export)(path)
        with open(path, encoding="utf-8") as file:
            written = file.read()
        assert without_time(written) == without_time(text) == without_time(getattr(trace, export)())
    file = io.StringIO("")
    assert getattr(trace, export)(file) == file.getvalue()
    assert not file.closed
    with pytest.raises(FileNotFoundError):
        getattr(trace, export)(tmp_path / "nowhere" / "a.json")


def without_time(text):
    """Return the document without the only value that changes between two exports."""
    return {**json.loads(text), "read_ns": 0}


# --- Chrome's format -----------------------------------------------------------------------------------------


def validate(text):
    """Check the format of a file, and that the events of each line nest. Return the spans and the lines' names."""
    document = json.loads(text)
    assert isinstance(document["traceEvents"], list)
    assert document["displayTimeUnit"] in ("ms", "ns")
    assert all(isinstance(value, str) for value in document["otherData"].values())
    spans, lines = [], {}
    for event in document["traceEvents"]:
        assert isinstance(event["name"], str)
        assert isinstance(event["args"], dict)
        for key in ("pid", "tid"):
            assert type(event[key]) is int
            assert 0 <= event[key] < 2**32
        assert type(event["ts"]) in (int, float)
        assert math.isfinite(event["ts"])
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            if event["name"] == "thread_name":
                assert lines.setdefault((event["pid"], event["tid"]), event["args"]["name"]) == event["args"]["name"]
        else:
            assert event["ph"] == "X"
            assert set(event) == {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"}
            assert isinstance(event["cat"], str)
            assert type(event["dur"]) is float
            assert event["dur"] >= 0
            assert event["ts"] >= 0
            spans.append(event)
    assert {(span["pid"], span["tid"]) for span in spans} == set(lines)
    assert len(set(lines.values())) == len(lines)
    assert [span["ts"] for span in spans] == sorted(span["ts"] for span in spans)
    nest(spans)
    return spans, lines


def nest(spans):
    """Set each span's "around" to the span that contains it.

    Programs that read the format compare sums of floats without any tolerance. So does this function.
    """
    open_spans = {}
    for span in sorted(spans, key=lambda span: (span["ts"], -span["dur"])):
        around = open_spans.setdefault((span["pid"], span["tid"]), [])
        while around and around[-1]["ts"] + around[-1]["dur"] <= span["ts"]:
            around.pop()
        span["around"] = around[-1] if around else None
        if around:
            assert span["ts"] + span["dur"] <= around[-1]["ts"] + around[-1]["dur"]
        around.append(span)


def test_chrome_files_follow_the_trace_format(csignals):
    trace = traced(csignals)
    spans, lines = validate(trace.to_chrome())
    assert list(lines.values()) == [threading.current_thread().name]
    assert {span["pid"] for span in spans} == {os.getpid()}
    assert [(span["cat"], span["around"] and spans.index(span["around"])) for span in spans] == [
        ("send", None),
        ("call", 0),
        ("call", 0),
        ("send", 2),
        ("call", 3),
        ("call", 3),
    ]
    calls = [span for span in spans if span["cat"] == "call"]
    for span, record in zip(calls, trace.records, strict=True):
        assert span["name"] == record.receiver
        assert math.floor(span["ts"] * 1000) == record.start_ns - trace.opened_ns
        assert round(span["dur"] * 1000) == record.duration_ns
        expected = {"signal": record.signal, "sender": record.sender, "file": record.file, "line": record.line}
        if record.exception:
            expected["exception"] = record.exception
        assert span["args"] == {**expected, "self_ns": record.self_ns}
    assert spans[0]["name"] == trace.records[0].signal
    assert spans[0]["args"] == {"sender": f"{Sender.__module__}.Sender"}
    assert spans[0]["dur"] * 1000 == pytest.approx(trace.records[1].end_ns - trace.records[0].start_ns, abs=0.5)
    other = json.loads(trace.to_chrome())["otherData"]
    assert other == {"scope": "context", "epoch_ns": str(trace.epoch_ns), "folded": "0"}


def test_overlapping_async_receivers_have_separate_lines(csignals, signal):
    inner = connected(csignals.Signal(), one)

    def receiver(number):
        async def receive(**named):
            await asyncio.sleep(0.001)
            inner.send(number)
            await asyncio.sleep(0.001)

        return receive

    connected(signal, *map(receiver, range(3)))

    async def main():
        with csignals.trace() as trace:
            await asyncio.gather(signal.asend("a"), signal.asend("b"))
        return trace

    trace = asyncio.run(main())
    text = trace.to_chrome()
    spans, lines = validate(text)
    thread = threading.current_thread().name
    assert list(lines.values()) == [thread, *[f"{thread} ({number})" for number in range(2, 7)]]
    assert len(spans) == 2 + 6 + 6 + 6
    for span in spans:
        if span["name"].endswith("one"):
            assert span["around"]["cat"] == "send"
            assert span["around"]["around"]["name"].endswith("receive")  # the call that sent
    assert [span["args"].get("is_async") for span in spans if span["name"].endswith("receive")] == [True] * 6
    assert trace.to_chrome() == text


def test_each_thread_has_its_own_lines(csignals, signal):
    barrier = threading.Barrier(3)
    connected(signal, lambda **named: barrier.wait(5))
    with csignals.trace(scope="process") as trace, ThreadPoolExecutor(3, "worker") as pool:
        list(pool.map(signal.send, range(3)))
        _, lines = validate(trace.to_chrome())
    assert sorted(lines.values()) == ["worker_0", "worker_1", "worker_2"]
    _, lines = validate(trace.to_chrome())
    assert all(name.startswith(("thread ", "worker")) for name in lines.values())


def test_running_calls_last_until_now(csignals, signal):
    texts = []

    def look(**named):
        texts.append(trace.to_chrome())
        time.sleep(0.001)
        texts.append(trace.to_chrome())

    connected(signal, one, look)
    with csignals.trace() as trace:
        signal.send(Sender)
    first, second = [validate(text)[0] for text in texts]
    assert [span["args"].get("is_running") for span in first] == [True, None, True]
    assert second[2]["dur"] >= first[2]["dur"] + 1_000
    assert second[0]["dur"] >= first[0]["dur"] + 1_000


def test_a_late_send_has_its_own_line(csignals, signal):
    """A nested send may end after the call that made it."""
    call = make_call(make_send(signal), 100, 200)
    late = make_call(make_send(signal, call), 150, 300, "late")
    next_ = make_call(make_send(signal), 250, 260, "next")
    spans, lines = validate(make_trace(csignals, [call, late, next_]).to_chrome())
    assert list(lines.values()) == ["thread 1", "thread 1 (2)"]
    tids = {span["name"]: span["tid"] for span in spans}
    assert (tids["receive"], tids["late"], tids["next"]) == (1, 2, 1)


def test_simultaneous_sends_are_not_drawn_nested(csignals, signal):
    """A send during a call, but not made by that call, is outside that call's span."""
    around = make_call(make_send(signal), 100, 200)
    other = make_call(make_send(signal), 120, 130, "other")
    spans, _ = validate(make_trace(csignals, [around, other]).to_chrome())
    assert [span["around"] and span["around"]["name"] for span in spans if span["name"] == "other"] != ["receive"]


def test_free_lines_are_used_again(csignals, signal):
    calls = [make_call(make_send(signal), 100 * number, 100 * number + 150) for number in range(1, 100)]
    _, lines = validate(make_trace(csignals, calls).to_chrome())
    assert list(lines.values()) == ["thread 1", "thread 1 (2)"]


@pytest.mark.slow
def test_many_sends_give_a_valid_file(csignals, signal):
    connected(signal, one)
    with csignals.trace() as trace:
        for _ in range(20_000):
            signal.send(Sender)
    spans, lines = validate(trace.to_chrome())
    assert (len(spans), len(lines)) == (40_000, 1)


TIMES = st.integers(1, 40)


@st.composite
def forests(draw):
    """Draw records of sends that nest, overlap and outlive each other, on two threads."""
    signal, records = object(), []
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, *records]))
        start = draw(TIMES) if parent is None else draw(st.integers(parent.start_ns, parent.end_ns))
        send = make_send(signal, parent, sender=f"send {number}")
        for _ in range(draw(st.integers(1, 3))):
            thread = draw(st.sampled_from([1, 1, 1, 2]))
            end = start + draw(st.integers(0, 20))
            records.append(make_call(send, start, end, f"call {len(records)}", thread=thread))
            start += draw(st.integers(0, 25))
    return records


@pytest.mark.exhaustive
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=forests(), scale=st.sampled_from([1, 7, 1_001, 999_999_937]))
def test_chrome_spans_nest_as_calls_did(csignals, records, scale):
    for record in records:
        record.start_ns *= scale
        record.end_ns *= scale
    for send in {id(record.send): record.send for record in records}.values():
        send.start_ns *= scale
    spans, _ = validate(make_trace(csignals, records).to_chrome())
    made_by = {record.description.name: record.send.sender for record in records}
    parents = {record.send.sender: record.send.parent and record.send.parent.description.name for record in records}
    assert len(spans) == len(made_by) + len(parents)
    threads = {}
    for span in spans:
        is_call = span["cat"] == "call"
        if span["dur"] and span["around"]:  # a span of no duration may appear inside its neighbour
            around = span["around"]
            if is_call:
                assert around["args"]["sender"] == made_by[span["name"]]
                assert around["cat"] == "send"
            else:
                assert around["name"] == parents[span["args"]["sender"]]
        if is_call:
            (record,) = [record for record in records if record.description.name == span["name"]]
            threads.setdefault(span["tid"], set()).add(record.thread)
            assert math.floor(span["ts"] * 1000) == record.start_ns
            assert round(span["dur"] * 1000) == record.end_ns - record.start_ns
    assert all(len(of_line) == 1 for of_line in threads.values())


@pytest.mark.exhaustive
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=forests())
def test_no_line_is_added_without_need(csignals, records):
    """When an additional line begins, all earlier lines of its thread are busy."""
    spans, lines = validate(make_trace(csignals, records).to_chrome())
    by_line = {}
    for span in spans:
        by_line.setdefault(span["tid"], []).append(span)
    for tid, of_line in by_line.items():
        name = lines[spans[0]["pid"], tid]
        if name.endswith(")"):
            thread = name.rpartition(" (")[0]
            start = of_line[0]["ts"]
            earlier = [key[1] for key, other in lines.items() if key[1] < tid and other.startswith(thread)]
            for other in earlier:
                assert any(span["ts"] <= start <= span["ts"] + span["dur"] for span in by_line[other])
