"""Printed traces, summaries, and the bounded memory of traces with `max_records`."""

import gc
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from tests.helpers.implementations import in_place, without_gil
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Sender, connected
from tests.tracing.fake_traces import FILE, make_call, make_send, make_trace


def one(**named):
    pass


def fail(**named):
    raise ValueError("bad\nluck")


def slow(**named):
    time.sleep(0.002)


@pytest.fixture(autouse=True)
def imports(csignals, implementation):
    with in_place(implementation):
        yield


@pytest.fixture
def name(csignals):
    """Return the function that gives a signal's name."""
    return sys.modules["csignals._introspection.signal_names"].label_of


def facts(rows):
    return [(row.name.rpartition(".")[2], row.calls, row.errors) for row in rows]


# --- The summary ---------------------------------------------------------------------------------------------


def test_the_summary_groups_receivers_and_signals(csignals, name):
    inner = connected(csignals.Signal(), fail)

    def send_inner(**named):
        inner.send_robust(Sender)
        slow()

    outer = connected(csignals.Signal(), send_inner, one)
    without_receivers = csignals.Signal()
    with csignals.trace() as trace:
        for _ in range(3):
            outer.send(Sender)
        inner.send_robust("shop")
        connected(inner, one).send_robust("shop")
        without_receivers.send(Sender)
    summary = trace.summary()
    assert sorted(facts(summary.receivers)) == [("fail", 5, 5), ("one", 4, 0), ("send_inner", 3, 0)]
    rows = {row.name: row for row in summary.signals}
    assert {each: (row.calls, row.errors, row.sends) for each, row in rows.items()} == {
        name(outer): (6, 0, 3),
        name(inner): (6, 5, 5),
    }
    (row,) = [row for row in summary.receivers if row.name.endswith("send_inner")]
    calls = [call for call in trace.records if call.receiver == row.name]
    assert (row.file, row.line) == (__file__, send_inner.__code__.co_firstlineno)
    assert row.total_ns == sum(call.duration_ns for call in calls)
    assert row.self_ns == sum(call.self_ns for call in calls) < row.total_ns
    assert row.max_ns == max(call.duration_ns for call in calls)
    assert row.mean_ns == row.total_ns / 3
    for rows in summary.receivers, summary.signals:
        assert rows == sorted(rows, key=lambda row: -row.self_ns)


def test_summary_rows_add_up(csignals):
    signals = [csignals.Signal() for _ in range(3)]

    def pass_on(depth, **named):
        for signal in signals[depth:]:
            signal.send(Sender, depth=depth + 1)

    for signal in signals:
        connected(signal, pass_on, one)
    with csignals.trace() as trace:
        signals[0].send(Sender, depth=0)
    summary = trace.summary()
    for sums in ("calls", "errors", "total_ns", "self_ns"):
        expected = sum(getattr(row, sums) for row in summary.receivers)
        assert sum(getattr(row, sums) for row in summary.signals) == expected
    assert sum(row.calls for row in summary.signals) == len(trace.records)
    assert sum(row.sends for row in summary.signals) == len({id(call.send) for call in trace.records})
    (root,) = {id(call.send): call.send for call in trace.records if call.send.parent is None}.values()
    assert sum(row.self_ns for row in summary.receivers) <= root.end_ns - root.start_ns


def test_recursion_counts_twice_in_total_time(csignals, signal):
    """The total time has the nested call twice, the self time has it once."""
    send = make_send(signal)
    outer = make_call(send, 100, 200, nested_ns=80)
    trace = make_trace(csignals, [outer, make_call(make_send(signal, outer), 110, 190)])
    (row,) = trace.summary().receivers
    assert (row.calls, row.total_ns, row.self_ns, row.max_ns) == (2, 180, 100, 100)


def test_a_shared_receiver_has_one_row(csignals):
    signals = [connected(csignals.Signal(), one) for _ in range(2)]
    with csignals.trace() as trace:
        for signal in signals:
            signal.send(Sender)
    assert facts(trace.summary().receivers) == [("one", 2, 0)]
    assert [row.calls for row in trace.summary().signals] == [1, 1]


def test_same_named_receivers_have_separate_rows(csignals, signal):
    send = make_send(signal)
    calls = [make_call(send, 100 + line, 200 + line, "f.<locals>.<lambda>", line=line) for line in (1, 2, 1)]
    assert [row.line for row in make_trace(csignals, calls).summary().receivers] == [1, 2]


def test_calls_with_equal_times_share_a_send(csignals, signal):
    """On a slow clock, two calls of one send may start at the same time."""
    send = make_send(signal)
    trace = make_trace(csignals, [make_call(send, 100, 100), make_call(send, 100, 100)])
    assert trace.summary().signals[0].sends == 1


def test_running_calls_count_until_now(csignals):
    summaries = []
    inner, outer = csignals.Signal(), csignals.Signal()

    def look(**named):
        time.sleep(0.002)
        summaries.append(trace.summary())

    def send_inner(**named):
        inner.send(Sender)

    connected(inner, look)
    connected(outer, send_inner)
    with csignals.trace() as trace:
        outer.send(Sender)
    (summary,) = summaries
    assert facts(summary.receivers) == [("look", 1, 0), ("send_inner", 1, 0)]
    looking, sending = summary.receivers
    assert sending.total_ns >= looking.total_ns >= 2_000_000
    assert sending.self_ns < 2_000_000
    assert sending.self_ns + looking.self_ns == sending.total_ns


def test_an_empty_trace_has_an_empty_summary(csignals):
    summary = csignals.trace().summary()
    assert (summary.receivers, summary.signals) == ([], [])
    assert str(summary).splitlines() == [
        "self  total  max  mean  calls  errors  receiver",
        "",
        "self  total  max  mean  calls  errors  sends  signal",
    ]


def test_a_printed_summary_is_two_aligned_tables(csignals, signal, name):
    other = csignals.Signal()
    first = make_send(signal)
    calls = [make_call(first, 1_000 + number, 1_100 + number) for number in range(1_200)]
    calls += [make_call(make_send(other), 5_000, 12_345_678, "shop.pay", 20, exception="ValueError: x")]
    summary = make_trace(csignals, calls).summary()
    assert str(summary) == (
        "   self    total      max     mean  calls  errors  receiver\n"
        f"12.3 ms  12.3 ms  12.3 ms  12.3 ms      1       1  shop.pay  {FILE}:20\n"
        f" 120 µs   120 µs   100 ns   100 ns  1,200       0  receive  {FILE}:1\n"
        "\n"
        "   self    total      max     mean  calls  errors  sends  signal\n"
        f"12.3 ms  12.3 ms  12.3 ms  12.3 ms      1       1      1  {name(other)}\n"
        f" 120 µs   120 µs   100 ns   100 ns  1,200       0      1  {name(signal)}"
    )
    assert repr(summary) == "<csignals summary: 2 receivers of 2 signals>"


# --- The tree ------------------------------------------------------------------------------------------------


def test_a_printed_trace_has_tree_and_summary(csignals, signal, name, monkeypatch):
    monkeypatch.chdir("/")
    inner = csignals.Signal()
    outer_send = make_send(signal, sender="shop.Order")
    call = make_call(outer_send, 1_000, 2_501_000, "shop.pay", 10, nested_ns=1_230_000)
    nested = make_call(make_send(inner, call), 2_000, 1_232_000, "shop.charge", 20, exception="ValueError: no\ncard")
    last = make_call(outer_send, 2_502_000, 2_502_900, "shop.count", None, None, is_async=True)
    trace = make_trace(csignals, [call, nested, last])
    tree, receivers, signals = str(trace).split("\n\n")[1:]
    assert str(trace).startswith("Trace of one context: 3 calls in 2 sends\n\n")
    assert tree == (
        f" 2.50 ms  {name(signal)} from shop.Order\n"
        " 2.50 ms    shop.pay  shop/receivers.py:10\n"
        f" 1.23 ms      {name(inner)}\n"
        " 1.23 ms        shop.charge  shop/receivers.py:20  raised ValueError: no\\ncard\n"
        "  900 ns    shop.count  async"
    )
    assert f"{receivers}\n\n{signals}" == str(trace.summary())


def test_a_printed_trace_marks_running_calls(csignals, signal):
    printed = []

    def look(**named):
        printed.append(str(trace))

    connected(signal, one, look)
    with csignals.trace() as trace:
        signal.send(Sender)
    lines = printed[0].splitlines()
    assert lines[0] == "Trace of one context: 2 calls in 1 send, still open"
    assert [line.endswith("  still running") for line in lines[2:5]] == [False, False, True]
    assert "still" not in str(trace)


def test_a_long_tree_is_cut_off(csignals, signal):
    connected(signal, one)
    with csignals.trace() as trace:
        for _ in range(1_000):
            signal.send(Sender)
    tree = str(trace).split("\n\n")[1].splitlines()
    assert len(tree) == 101
    assert tree[-1] == "... and 950 more calls"
    assert len(str(trace).splitlines()) < 120


def test_a_long_summary_below_is_cut_off(csignals, signal):
    calls = [make_call(make_send(signal), 100, 200 + number, f"receiver{number}") for number in range(50)]
    trace = make_trace(csignals, calls)
    assert "... and 30 more" in str(trace).splitlines()
    assert "more" not in str(trace.summary())


def test_deep_trees_are_read_without_recursion(csignals, signal):
    parent, calls = None, []
    for depth in range(3_000):
        parent = make_call(make_send(signal, parent), 1_000 + depth, 10_000 - depth)
        calls.append(parent)
    trace = make_trace(csignals, calls)
    assert "... and 2,950 more calls" in str(trace)
    assert trace.summary().signals[0].sends == 3_000
    assert trace.to_json().count('"parent": null') == 1
    assert trace.to_chrome()


def test_a_tree_prints_calls_in_order(csignals, signal):
    inner = connected(csignals.Signal(), one)

    def send_inner(**named):
        inner.send(Sender)

    connected(signal, one, send_inner, slow)
    with csignals.trace() as trace:
        signal.send(Sender)
    tree = str(trace).split("\n\n")[1].splitlines()
    indents = [len(re.match(r".{8}( *)", line)[1]) // 2 - 1 for line in tree]
    assert indents == [0, 1, 1, 2, 3, 1]
    line = one.__code__.co_firstlineno
    assert tree[1].endswith(f"{__name__}.one  {os.path.relpath(__file__)}:{line}")


@pytest.mark.parametrize(
    ("text", "printed"),
    [("a\tb\x1b[31m", "a\\tb\\x1b[31m"), ("\udcff", "\\udcff"), ("x" * 300, "x" * 197 + "..."), ("ünïcödé", "ünïcödé")],
    ids=["control characters", "lone surrogate", "long", "unicode"],
)
def test_each_call_prints_on_one_line(csignals, signal, text, printed):
    call = make_call(make_send(signal, sender=text), 100, 200, text, file=f"/{text}", exception=text)
    lines = str(make_trace(csignals, [call])).splitlines()
    assert lines[2].endswith(f" from {printed}")
    assert lines[3].endswith(f" raised {printed}")
    assert not any(line for line in lines if not line.isprintable())


def test_printing_works_in_a_deleted_directory(csignals, signal, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    trace = make_trace(csignals, [make_call(make_send(signal), 100, 200)])
    assert f"  {FILE}:1" in str(trace)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_400, "999 µs"),
        (1_500_000, "1.50 ms"),
        (61_000_000_000, "61.0 s"),
        (5_000_000_000_000, "5000 s"),
    ],
)
def test_durations_have_suitable_units(csignals, signal, ns, text):
    trace = make_trace(csignals, [make_call(make_send(signal), 100, 100 + ns)])
    assert str(trace).splitlines()[2].startswith(f"{text:>8}  ")


def test_repr_is_one_short_line(csignals, signal):
    trace = csignals.trace(scope="process", max_records=2)
    assert repr(trace) == "<csignals trace of the process, closed: 0 calls>"
    connected(signal, one)
    with trace:
        for _ in range(5):
            signal.send(Sender)
        assert repr(trace) == f"<csignals trace of the process, open: {5 - trace.folded} calls, {trace.folded} folded>"
    assert repr(trace.records[0]) == f"<call of {__name__}.one: {trace.records[0].duration_ns} ns>"
    assert repr(trace) in repr([trace])


def test_an_empty_trace_prints_its_headline(csignals):
    assert str(csignals.trace()) == "Trace of one context: 0 calls in 0 sends"
    assert str(csignals.trace(scope="process")) == "Trace of the whole process: 0 calls in 0 sends"


# --- Bounded memory ------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_bounded_trace_takes_bounded_memory(csignals, signal):
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy does not trace memory")
    connected(signal, one)
    lengths = set()

    def send(count):
        for _ in range(count):
            signal.send(Sender)
            lengths.add(len(trace.calls))

    with csignals.trace(max_records=500) as trace:
        send(2_000)
        tracemalloc.start()
        try:
            send(98_000)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert max(lengths) == 500
    assert trace.folded + len(trace.records) == 100_000
    assert grown < 1_000_000  # all records together would take 20 times as much, or more
    summary = trace.summary()
    assert facts(summary.receivers) == [("one", 100_000, 0)]
    assert [(row.calls, row.sends) for row in summary.signals] == [(100_000, 100_000)]
    kept = len(trace.records)
    assert str(trace).splitlines()[0] == (
        f"Trace of one context: {kept} calls in {kept} sends, and {100_000 - kept:,} older calls in the summary only"
    )


@pytest.mark.slow
def test_an_unbounded_trace_has_all_records(csignals, signal):
    connected(signal, one)
    with csignals.trace() as trace:
        for _ in range(100_000):
            signal.send(Sender)
    assert (len(trace.records), trace.folded) == (100_000, 0)
    assert facts(trace.summary().receivers) == [("one", 100_000, 0)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("most", [1, 2, 3, 10])
def test_folding_keeps_all_sums(csignals, most):
    inner, outer = connected(csignals.Signal(), one, fail), csignals.Signal()

    def send_inner(**named):
        inner.send_robust(Sender)

    connected(outer, send_inner, one)
    with csignals.trace() as trace, csignals.trace(max_records=most) as bounded:
        for _ in range(20):
            outer.send(Sender)
            whole, folded = trace.summary(), bounded.summary()
            assert (whole.receivers, whole.signals) == (folded.receivers, folded.signals)
    assert bounded.records == [call for call in trace.records if call in bounded.records]
    assert bounded.records[-1] is trace.records[-1]
    assert most // 2 <= len(bounded.records) <= most + 4
    assert bounded.folded + len(bounded.records) == len(trace.records) == 80


def test_running_calls_are_not_folded(csignals, signal):
    def again(depth, **named):
        if depth:
            signal.send(Sender, depth=depth - 1)
        else:
            depths.append(len(trace.records))

    depths = []
    connected(signal, again)
    with csignals.trace(max_records=5) as trace:
        signal.send(Sender, depth=40)
        assert depths == [41]
        for _ in range(100):
            signal.send(Sender, depth=1)
    assert len(trace.records) <= 5
    assert trace.folded + len(trace.records) == trace.summary().receivers[0].calls == 241


def test_many_running_calls_fold_rarely(csignals, signal):
    def again(depth, **named):
        if depth:
            signal.send(Sender, depth=depth - 1)

    connected(signal, again)
    folds = []
    with csignals.trace(max_records=10) as trace:
        total_of = trace._totals.of
        trace._totals.of = lambda *parts: folds.append(1) or total_of(*parts)
        signal.send(Sender, depth=120)
    assert len(folds) < 10
    assert trace.summary().receivers[0].calls == 121


@pytest.mark.slow
def test_folding_in_threads_loses_nothing(csignals, signal):
    count, rounds = 8, 12_500
    running = 2 * count  # calls at the same time, at most
    inner = connected(csignals.Signal(), one)

    def pass_on(sender, **named):
        if sender % 2:
            inner.send(sender)

    connected(signal, pass_on)
    with csignals.trace(scope="process", max_records=100) as trace, ThreadPoolExecutor(count) as pool:
        done = [pool.submit(lambda: [signal.send(turn) for turn in range(rounds)] and None) for _ in range(count)]
        seen = []
        while not all(each.done() for each in done):
            seen.append(sum(row.calls for row in trace.summary().receivers))
            str(trace)
            time.sleep(0.01)
        for each in done:
            each.result()
        most = len(trace.records)
        later = 2 * running + 1
        for _ in range(later):  # folds if another thread was folding at the last send, or calls were running then
            signal.send(0)
    assert most <= 100 + 2 * running
    assert len(trace.records) <= 100
    assert seen == sorted(seen)
    calls = {row.name.rpartition(".")[2]: row.calls for row in trace.summary().receivers}
    assert calls == {"one": count * rounds // 2, "pass_on": count * rounds + later}
    assert sum(row.sends for row in trace.summary().signals) == sum(calls.values())
    assert trace.folded + len(trace.records) == sum(calls.values())


def test_sends_during_folding_are_counted(csignals, signal):
    """A finalizer may send in the same thread, while the trace's lock is taken or released."""
    signal.name = "signal"  # searching for the name of an unnamed signal is slow
    connected(signal, one)
    inside = []

    class Lock:
        is_quiet = False

        def __init__(self, lock):
            self.lock = lock

        def acquire(self, **how):
            is_ours = self.lock.acquire(**how)
            self.interrupt()
            return is_ours

        def release(self):
            self.interrupt()
            self.lock.release()

        def __enter__(self):
            self.acquire()

        def __exit__(self, *error):
            self.release()

        def interrupt(self):
            if not self.is_quiet:
                self.is_quiet = True
                for _ in range(20):
                    signal.send("inside")
                inside.append(20)
                trace.summary()
                self.is_quiet = False

    with csignals.trace(max_records=10) as trace:
        trace._lock = lock = Lock(trace._lock)
        for _ in range(1_000):
            signal.send(Sender)
            trace.summary()
    lock.is_quiet = True
    assert len(inside) > 2_000
    assert trace.summary().receivers[0].calls == 1_000 + sum(inside)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython's ContextVar.set() breaks if a finalizer sets one")
@pytest.mark.skipif(without_gil, reason="the collector does not run as often without the GIL")
def test_finalizers_may_send_and_read(csignals, signal):
    signal.name = "signal"  # searching for the name of an unnamed signal is slow
    connected(signal, one)
    other = connected(csignals.Signal(name="other"), one)
    sent = []

    def send(phase, info):
        if phase == "start" and len(sent) < 2_000:
            other.send("collected")
            trace.summary()
            sent.append(1)

    before = gc.get_threshold()
    with csignals.trace(max_records=10) as trace:
        gc.callbacks.append(send)
        gc.set_threshold(2, 100_000, 100_000)
        try:
            for _ in range(3_000):
                signal.send(Sender)
        finally:
            gc.set_threshold(*before)
            gc.callbacks.remove(send)
    assert len(sent) > 100
    assert facts(trace.summary().receivers) == [("one", 3_000 + len(sent), 0)]


def test_interrupted_folding_loses_nothing(csignals, signal):
    connected(signal, one)

    def interrupt(*args):
        raise KeyboardInterrupt

    with csignals.trace(max_records=10) as trace:
        for _ in range(10):
            signal.send(Sender)
        with mock.patch.object(trace._totals, "of", interrupt), pytest.raises(KeyboardInterrupt):
            signal.send(Sender)
        assert sum(row.calls for row in trace.summary().receivers) == 10
        for _ in range(100):
            signal.send(Sender)
    assert trace.summary().receivers[0].calls == 110


@pytest.mark.parametrize(("wrong", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)])
def test_an_invalid_max_records_raises(csignals, wrong, error):
    with pytest.raises(error):
        csignals.trace(max_records=wrong)


def test_the_import_loads_no_trace_readers(implementation):
    code = """
import sys, csignals
signal = csignals.Signal()
signal.connect(print)
with csignals.trace():
    pass
late = ["csignals.tracing.snapshot", "csignals.tracing.report", "csignals.tracing.export", "csignals.tracing.otel",
        "json", "dataclasses", "opentelemetry", "typing"]
print([name for name in late if name in sys.modules])
"""
    code = f"import sys; sys.path = {sys.path!r}; {code}"
    done = run_python("-I", "-S", "-c", code, implementation=implementation)
    assert done.stdout == "[]\n", done.stderr
