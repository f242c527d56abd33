"""The records of a trace, and which sends it records: standalone and in Django, on both implementations."""

import asyncio
import contextlib
import contextvars
import functools
import gc
import logging
import sys
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import django
import django.dispatch
import pytest

from tests.helpers.implementations import collect, collect_where_references_are_not_counted, plain_id, without_collector
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Listener, Sender, awaited, connected, fail, one, two

RECEIVERS = one.__module__


def slow(**named):
    time.sleep(0.002)


async def awaited_fail(**named):
    await asyncio.sleep(0)
    raise LookupError("awaited")


def names(trace):
    return [call.receiver.rpartition(".")[2] for call in trace.records]


def tree(trace):
    """Return the names of each call and of the call around it."""
    return [
        (call.receiver.rpartition(".")[2], call.send.parent and call.send.parent.receiver.rpartition(".")[2])
        for call in trace.records
    ]


def assert_sound(trace):
    for call in trace.records:
        assert 0 < call.start_ns <= call.end_ns
        assert 0 <= call.self_ns <= call.duration_ns
        assert call.send.start_ns <= call.start_ns
        assert call.end_ns <= call.send.end_ns
        if call.send.parent is not None:
            assert call.parent is call.send.parent.send
            assert call.start_ns >= call.send.parent.start_ns


def test_each_call_has_one_record(csignals, make):
    listener = Listener()
    signal = connected(make(), one, listener.hear)
    with csignals.trace() as trace:
        begin = time.perf_counter_ns()
        signal.send(Sender, x=1)
        signal.send_robust(sender="shop")
        signal.send(None)
        signal.send(Listener())
        end = time.perf_counter_ns()
    signal.send(Sender)
    assert names(trace) == ["one", "hear"] * 4
    assert_sound(trace)
    first, second = trace.records[:2]
    code = one.__code__
    assert (first.receiver, first.file, first.line) == (
        f"{RECEIVERS}.one",
        code.co_filename,
        code.co_firstlineno,
    )
    assert (second.receiver, second.line) == (
        f"{RECEIVERS}.Listener.hear",
        Listener.hear.__code__.co_firstlineno,
    )
    assert first.send is second.send
    assert first.send.signal is signal
    assert [call.sender for call in trace.records[::2]] == [
        f"{RECEIVERS}.Sender",
        "shop",
        None,
        f"{RECEIVERS}.Listener object",
    ]
    assert begin <= first.start_ns <= first.end_ns <= second.start_ns <= second.end_ns <= end
    assert {call.exception for call in trace.records} == {None}
    assert {call.thread for call in trace.records} == {threading.get_ident()}
    assert not any(call.is_async for call in trace.records)


def test_tracing_does_not_change_responses(csignals, make):
    signal = connected(make(), one, fail, two)
    plain = signal.send_robust(Sender)
    with csignals.trace():
        traced = signal.send_robust(Sender)
    assert [pair[0] for pair in traced] == [pair[0] for pair in plain]
    assert [repr(pair[1]) for pair in traced] == [repr(pair[1]) for pair in plain]


def test_exceptions_are_recorded_and_propagate(csignals, make, caplog):
    signal = connected(make(), one, fail, two)
    with csignals.trace() as trace:
        with pytest.raises(ValueError, match="bad luck"):
            signal.send(Sender)
        assert names(trace) == ["one", "fail"]
        assert [repr(response) for _, response in signal.send_robust(Sender)][1] == "ValueError('bad luck')"
    assert names(trace) == ["one", "fail", "one", "fail", "two"]
    assert [call.exception for call in trace.records] == [None, "ValueError: bad luck"] * 2 + [None]
    assert [record.getMessage() for record in caplog.records] == [
        "Error calling fail in Signal.send_robust() (bad luck)"
    ]
    assert_sound(trace)


def test_a_base_exception_ends_the_send(csignals, make):
    def interrupt(**named):
        raise KeyboardInterrupt

    signal = connected(make(), interrupt, one)
    with csignals.trace() as trace:
        for send in (signal.send, signal.send_robust):
            with pytest.raises(KeyboardInterrupt):
                send(Sender)
    assert [call.exception for call in trace.records] == ["KeyboardInterrupt"] * 2


def test_exceptions_with_failing_text_are_recorded(csignals, signal):
    class HostileError(Exception):
        def __str__(self):
            raise RuntimeError

    def hostile(**named):
        raise HostileError

    with csignals.trace() as trace, pytest.raises(HostileError):
        connected(signal, hostile).send(Sender)
    assert "HostileError" in trace.records[0].exception


def test_exceptions_whose_text_sends_are_counted(csignals, signal):
    class SendingError(Exception):
        def __str__(self):
            signal.send(None)
            return "sent"

    def sending(sender, **named):
        if sender is not None:
            raise SendingError

    with csignals.trace(max_records=1) as trace:
        with pytest.raises(SendingError):
            connected(signal, sending).send(Sender)
        assert [call.exception for call in trace.records] in (["SendingError: sent", None], [None])
    (row,) = trace.summary().receivers
    assert (row.calls, row.errors) == (2, 1)
    assert_sound(trace)


def test_nested_sends_form_a_tree(csignals, make):
    outer, inner, innermost = make(), make(), connected(make(), slow)

    def send_inner(**named):
        inner.send(Sender)
        inner.send(Sender)

    def send_innermost(**named):
        time.sleep(0.002)
        innermost.send(Sender)

    connected(outer, one, send_inner, two)
    connected(inner, send_innermost, one)
    with csignals.trace() as trace:
        outer.send(Sender)
    branch = [("send_innermost", "send_inner"), ("slow", "send_innermost"), ("one", "send_inner")]
    assert tree(trace) == [("one", None), ("send_inner", None), *branch, *branch, ("two", None)]
    assert_sound(trace)
    _, of_inner, of_innermost, of_slow, *_ = trace.records
    assert of_slow.parent is of_innermost.send
    assert of_innermost.parent is of_inner.send
    assert of_inner.parent is None
    assert of_innermost.self_ns == of_innermost.duration_ns - of_slow.send.end_ns + of_slow.send.start_ns
    assert of_slow.self_ns == of_slow.duration_ns >= 2_000_000
    assert of_innermost.self_ns >= 2_000_000
    assert of_inner.self_ns < of_inner.duration_ns - 8_000_000


def test_sends_after_a_failure_are_siblings(csignals, make):
    failing, other = connected(make(), fail), connected(make(), one)

    def send_failing(**named):
        with pytest.raises(ValueError, match="bad luck"):
            failing.send(Sender)
        other.send(Sender)

    outer = connected(make(), send_failing)
    with csignals.trace() as trace:
        outer.send(Sender)
        other.send(Sender)
    assert tree(trace) == [("send_failing", None), ("fail", "send_failing"), ("one", "send_failing"), ("one", None)]


def test_a_log_handlers_send_is_a_sibling(csignals, make):
    """The failed call has ended when send_robust() logs its exception."""
    failing, other = connected(make(), fail), connected(make(), one)

    class Handler(logging.Handler):
        def emit(self, record):
            other.send(Sender)

    logger, handler = logging.getLogger("django.dispatch"), Handler()
    logger.addHandler(handler)
    try:
        with csignals.trace() as trace:
            failing.send_robust(Sender)
    finally:
        logger.removeHandler(handler)
    assert tree(trace) == [("fail", None), ("one", None)]
    assert_sound(trace)


def test_recursive_sends_are_recorded(csignals, make):
    signal = make()

    def again(depth, **named):
        if depth:
            signal.send(Sender, depth=depth - 1)

    connected(signal, again)
    with csignals.trace() as trace:
        signal.send(Sender, depth=50)
    assert len(trace.records) == 51
    assert_sound(trace)
    assert sum(call.self_ns for call in trace.records) <= trace.records[0].duration_ns


def test_other_contexts_are_not_recorded(csignals, make):
    signal = connected(make(), one)
    with csignals.trace() as trace:
        contextvars.Context().run(signal.send, "elsewhere")
        thread = threading.Thread(target=contextvars.Context().run, args=(signal.send, "elsewhere"))
        thread.start()
        thread.join()
        contextvars.copy_context().run(signal.send, "here")
    assert [call.sender for call in trace.records] == ["here"]


def test_a_process_trace_records_all_contexts(csignals, make):
    signal = connected(make(), one)
    with csignals.trace(scope="process") as trace:
        contextvars.Context().run(signal.send, "elsewhere")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(signal.send, ["thread"] * 100))
        signal.send("here")
    assert sorted(call.sender for call in trace.records) == ["elsewhere", "here", *["thread"] * 100]
    assert len({call.thread for call in trace.records}) > 1
    assert_sound(trace)


def test_threads_that_trace_lose_no_send(csignals, make):
    signal = connected(make(), one)
    count, rounds = 8, 1250
    barrier = threading.Barrier(count)

    def work(number):
        barrier.wait()
        for _ in range(10):
            with csignals.trace() as own:
                for _ in range(rounds // 10):
                    assert signal.send(number) == [(one, "one")]
            assert len(own.records) == rounds // 10
        return True

    with csignals.trace(scope="process") as all_, ThreadPoolExecutor(count) as pool:
        assert all(pool.map(work, range(count)))
    assert len(all_.records) == count * rounds
    assert_sound(all_)


def test_traces_nest_and_overlap(csignals, make):
    signal = connected(make(), one)
    first, second = csignals.trace(), csignals.trace()
    first.__enter__()
    signal.send("a")
    second.__enter__()
    signal.send("b")
    first.__exit__(None, None, None)
    signal.send("c")
    second.__exit__(None, None, None)
    signal.send("d")
    assert [call.sender for call in first.records] == ["a", "b"]
    assert [call.sender for call in second.records] == ["b", "c"]
    assert first.records[1] is second.records[0]


def test_a_trace_can_be_opened_once(csignals, signal):
    connected(signal, one)
    trace = csignals.trace()
    with trace:
        signal.send("a")
        with pytest.raises(RuntimeError, match="opened once"):
            trace.__enter__()
    with pytest.raises(RuntimeError, match="opened once"):
        trace.__enter__()
    assert [call.sender for call in trace.records] == ["a"]


def test_an_exception_closes_the_trace(csignals, signal):
    connected(signal, one)
    with pytest.raises(ZeroDivisionError), csignals.trace() as trace:
        raise ZeroDivisionError
    signal.send(Sender)
    assert trace.records == []


def test_a_receiver_may_open_a_trace(csignals, make):
    inner = connected(make(), one)
    traces = []

    def trace_inner(**named):
        with csignals.trace() as trace:
            inner.send(Sender)
        traces.append(trace)

    signal = connected(make(), trace_inner, two)
    with csignals.trace() as trace:
        signal.send(Sender)
    signal.send(Sender)
    assert tree(trace) == [("trace_inner", None), ("one", "trace_inner"), ("two", None)]
    assert [names(each) for each in traces] == [["one"], ["one"]]
    assert tree(traces[1]) == [("one", None)]


def test_a_receiver_may_leave_a_trace_open(csignals, make):
    trace = csignals.trace()
    signal = connected(make(), lambda **named: trace.is_open or trace.__enter__(), one, weak=False)
    signal.send(Sender)
    signal.send(Sender)
    trace.__exit__(None, None, None)
    signal.disconnect(one)
    assert len(trace.records) == 2  # the first send began before the trace


def test_async_sends_are_traced(csignals, make):
    signal = connected(make(), one, awaited, awaited_fail, two)
    if not hasattr(signal, "asend"):
        pytest.skip("there is no asend in Django 4.2")

    async def main():
        with csignals.trace() as trace:
            await signal.asend_robust(Sender)
        return trace

    trace = asyncio.run(main())
    assert sorted(names(trace)) == ["awaited", "awaited_fail", "one", "two"]
    assert {name: call.is_async for name, call in zip(names(trace), trace.records, strict=True)} == {
        "one": False,
        "two": False,
        "awaited": True,
        "awaited_fail": True,
    }
    assert [call.exception for call in trace.records if call.exception] == ["LookupError: awaited"]
    assert len({id(call.send) for call in trace.records}) == 1
    assert_sound(trace)


def test_a_sync_send_records_async_receivers(csignals, make):
    signal = connected(make(), one, awaited, awaited)
    if not hasattr(signal, "asend"):
        pytest.skip("Django 4.2 does not await receivers")
    with csignals.trace() as trace:
        assert [response for _, response in signal.send(Sender)] == ["one", "awaited"]
    assert names(trace) == ["one", "awaited"]
    assert_sound(trace)


def test_async_receivers_have_separate_nested_sends(csignals, make):
    outer, inner = make(), make()
    if not hasattr(outer, "asend"):
        pytest.skip("there is no asend in Django 4.2")

    def receiver(name, sleeps):
        async def receive(**named):
            for number in range(sleeps):
                await asyncio.sleep(0)
                inner.send(f"{name}{number}")
            await inner.asend(f"{name} awaited")
            await asyncio.gather(inner.asend(f"{name} task"), inner.asend(f"{name} task"))
            await asyncio.to_thread(inner.send, f"{name} thread")

        receive.__qualname__ = name
        return receive

    receivers = [receiver("first", 3), receiver("second", 2), receiver("third", 0)]
    connected(outer, *receivers)

    @csignals.nonblocking
    def note(**named):
        pass

    connected(inner, note)

    async def main():
        with csignals.trace() as trace:
            await outer.asend(Sender)
        return trace

    trace = asyncio.run(main())
    assert_sound(trace)
    nested = [call for call in trace.records if call.send.parent is not None]
    assert len(nested) == 3 + 2 + 3 * 4
    for call in nested:
        assert call.sender.startswith(call.send.parent.receiver.rpartition(".")[2])
    roots = [call for call in trace.records if call.send.parent is None]
    assert len(roots) == 3
    assert all(call.send is roots[0].send for call in roots)


def test_sends_of_a_later_task_are_roots(csignals, make):
    outer, inner = make(), connected(make(), one)
    tasks = []

    async def send():
        await asyncio.sleep(0)
        inner.send("late")

    def start(**named):
        inner.send("early")
        tasks.append(asyncio.get_running_loop().create_task(send()))

    connected(outer, start, two)

    async def main():
        with csignals.trace() as trace:
            outer.send(Sender)
            await tasks[0]
        return trace

    trace = asyncio.run(main())
    assert tree(trace) == [("start", None), ("one", "start"), ("two", None), ("one", None)]
    assert_sound(trace)


def test_a_cancelled_receiver_is_recorded_as_cancelled(csignals, make):
    signal = make()
    if not hasattr(signal, "asend"):
        pytest.skip("there is no asend in Django 4.2")

    async def forever(**named):
        await asyncio.sleep(3600)

    connected(signal, forever)

    async def main():
        with csignals.trace() as trace:
            task = asyncio.create_task(signal.asend(Sender))
            await asyncio.sleep(0.001)
            assert trace.records[0].duration_ns is None
            assert trace.records[0].self_ns is None
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return trace

    trace = asyncio.run(main())
    assert [call.exception for call in trace.records] == ["CancelledError"]
    assert_sound(trace)


def test_closing_during_a_call_records_its_end(csignals, signal):
    trace = csignals.trace()

    def close(**named):
        trace.__exit__(None, None, None)

    connected(signal, close, one)
    with trace:
        signal.send(Sender)
    assert names(trace) == ["close"]
    assert_sound(trace)


def test_receivers_of_all_kinds_have_names(csignals, signal):
    class Callable:
        def __call__(self, **named):
            pass

    class Hostile:
        def __getattr__(self, name):
            raise AttributeError if name in ("__func__", "__self__") else RuntimeError

        def __call__(self, **named):
            pass

    def decorated(**named):
        pass

    @functools.wraps(decorated)
    def wrapper(**named):
        return decorated(**named)

    partial, instance, hostile = functools.partial(one, x=1), Callable(), Hostile()
    local = f"{__name__}.test_receivers_of_all_kinds_have_names.<locals>"
    for receiver in (partial, instance, wrapper, dict):
        signal.connect(receiver)
    signal.receivers.append(((1, id(None)), weakref.ref(hostile), None, False))
    with csignals.trace() as trace:
        signal.send(Sender)
        signal.send(Sender)
    calls = trace.records[:5]
    assert [call.receiver for call in calls] == [
        f"functools.partial({RECEIVERS}.one)",
        f"{local}.Callable object",
        f"{local}.decorated",
        "dict",
        f"{local}.Hostile object",
    ]
    assert [call.line for call in calls[:4]] == [
        one.__code__.co_firstlineno,
        Callable.__call__.__code__.co_firstlineno,
        decorated.__code__.co_firstlineno,
        None,
    ]
    assert [call.receiver for call in trace.records[5:]] == [call.receiver for call in calls]


def test_a_trace_keeps_no_objects_alive(csignals, make, monkeypatch):
    class Instance:
        def hear(self, **named):
            raise Error(self)

    class Error(Exception):
        pass

    signal = make()
    listener, sender = Instance(), Instance()
    signal.connect(listener.hear)
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)  # pytest keeps log records
    with csignals.trace() as trace:
        signal.send_robust(sender)
        deaths = [weakref.ref(listener), weakref.ref(sender)]
        del listener, sender
        gc.collect()
        assert [death() for death in deaths] == [None, None]
        assert signal.send(None) == []
    assert len(trace.records) == 1


def test_a_closed_trace_is_freed_at_once(csignals, make):
    inner = connected(make(), one, fail)
    signal = connected(make(), one, lambda **named: inner.send_robust(Sender), weak=False)
    gc.collect()
    with without_collector():
        with csignals.trace() as trace:
            signal.send(Sender)
            signal.send_robust(Sender)
        deaths = weakref.ref(trace), weakref.ref(trace.records[0].send.signal)
        del trace
        collect_where_references_are_not_counted()
        assert deaths[0]() is None
        assert deaths[1]() is signal


def test_names_of_dead_receivers_are_not_reused(csignals, signal):
    with csignals.trace() as trace:
        for number in range(200):

            def receiver(**named):
                pass

            receiver.__qualname__ = f"receiver{number}"
            signal.connect(receiver)
            signal.send(Sender)
            signal.disconnect(receiver)
            del receiver
    assert names(trace) == [f"receiver{number}" for number in range(200)]


def test_a_custom_live_receivers_is_traced(csignals):
    class Mine(csignals.Signal):
        def _live_receivers(self, sender):
            return [one, two], []

    signal = connected(Mine(), one)
    with csignals.trace() as trace:
        assert len(signal.send(Sender)) == 2
    assert names(trace) == ["one", "two"]
    assert_sound(trace)


def test_a_muted_receiver_is_not_traced(csignals, make):
    signal = connected(make(), one, two)
    with csignals.trace() as trace, csignals.mute(signal, receivers=one):
        assert [response for _, response in signal.send(Sender)] == ["two"]
    assert names(trace) == ["two"]
    assert_sound(trace)


@pytest.mark.parametrize("wrong", ["thread", None, 1])
def test_an_unknown_scope_raises(csignals, wrong):
    with pytest.raises(ValueError, match="scope must be 'context' or 'process', not "):
        csignals.trace(scope=wrong)


@pytest.mark.skipif(django.VERSION < (5,), reason="setting_changed is sent from a Python frame for its receivers' sake")
def test_setting_changed_is_traced(csignals, drop_in):
    from django.test.signals import setting_changed

    setting_changed.connect(one)
    try:
        with csignals.trace() as trace:
            setting_changed.send(Sender, setting="X", value=1, enter=True)
    finally:
        setting_changed.disconnect(one)
    assert "one" in names(trace)


def test_a_process_trace_is_freed_at_once(csignals, signal):
    connected(signal, one)
    gc.collect()
    with csignals.trace(scope="process") as trace:
        signal.send(Sender)
    death = weakref.ref(trace)
    del trace
    collect_where_references_are_not_counted()
    assert death() is None


def test_sends_continue_while_threads_open_traces(csignals, make):
    signal = connected(make(), one)
    before, is_over, errors = sys.getswitchinterval(), threading.Event(), []

    def send():
        while not is_over.is_set():
            try:
                assert signal.send(Sender) == signal.send_robust(Sender) == [(one, "one")]
                assert signal.has_listeners(Sender)
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=send) for _ in range(2)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for _ in range(2_000):
            with csignals.trace(scope="process", max_records=10):
                pass
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    assert errors == []


def test_a_cancelled_send_lasts_until_cancellation(csignals, signal):
    inner = connected(csignals.Signal(), slow)

    async def handle(**named):
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(inner.asend(None), 0.0005)

    connected(signal, handle)

    async def main():
        with csignals.trace() as trace:
            await signal.asend(None)
            await asyncio.sleep(0.05)
        return trace

    trace = asyncio.run(main())
    (call,) = [call for call in trace.records if call.receiver.endswith("handle")]
    assert 0 <= call.nested_ns <= call.duration_ns


def test_sends_after_async_to_sync_nest_correctly(csignals, make):
    from asgiref.sync import async_to_sync

    outer, inner = make(), connected(make(), one)

    async def send():
        inner.send(Sender)

    def run(**named):
        async_to_sync(send)()

    def then(**named):
        inner.send(Sender)

    connected(outer, run, then)
    gc.collect()
    with csignals.trace() as trace:
        outer.send(Sender)
    assert tree(trace) == [("run", None), ("one", "run"), ("then", None), ("one", "then")]
    assert_sound(trace)
    death = weakref.ref(trace)
    del trace
    gc.collect()
    assert death() is None


def test_a_dropped_coroutine_ends_its_call(csignals, signal):
    async def with_required_argument(required, **named):
        pass

    connected(signal, awaited, with_required_argument)

    async def main():
        with csignals.trace(max_records=10) as trace:
            for _ in range(100):
                with pytest.raises(TypeError):
                    await signal.asend(Sender)
        return trace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "coroutine was never awaited", as in Django
        trace = asyncio.run(main())
        collect()
    if sys.implementation.name == "cpython":  # elsewhere, coroutines are not freed at once
        assert len(trace.records) <= 10
    assert all(call.end_ns for call in trace.records)


def test_a_long_relay_keeps_few_records(csignals, signal):
    tasks = set()

    async def start(number, **named):
        if number:
            task = asyncio.create_task(signal.asend(None, number=number - 1))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    connected(signal, start)

    async def main():
        with csignals.trace(max_records=100) as trace:
            await signal.asend(None, number=3_000)
            while tasks:
                await asyncio.sleep(0)
        return trace

    trace = asyncio.run(main())
    gc.collect()
    kept = sum(type(each) is type(trace.records[0]) for each in gc.get_objects())
    assert kept < 500
    assert sum(row.calls for row in trace.summary().receivers) == 3_001


@pytest.mark.parametrize("value", [None, 5, "", (), (1, 2, 3), [(), (), ()], object()], ids=plain_id)
def test_context_variables_may_hold_any_value(csignals, make, value):
    signal = make()
    signal.connect(one)
    with csignals.trace() as trace:
        expected = signal.send(Sender)
        variables = [each for each in contextvars.copy_context() if each.name.startswith("csignals_")]
        for variable in variables:
            token = variable.set(value)
            with contextlib.suppress(Exception):
                signal.send(Sender)
            variable.reset(token)
        assert signal.send(Sender) == expected
    assert {call.exception for call in trace.records} == {None}


SET_BEFORE_ANY_TRACE = """
import weakref, csignals
from csignals._scopes import context_scopes

class Fake:
    is_open = True

def receive(**named):
    return 1

fake, signal = Fake(), csignals.Signal()
signal.connect(receive)
with csignals.mute(csignals.Signal()):
    context_scopes.set(((), (), (weakref.ref(fake),)))
    assert signal.send(None) == [(receive, 1)]
"""


@pytest.mark.slow
def test_scopes_set_before_any_trace_are_harmless(implementation):
    done = run_python("-c", SET_BEFORE_ANY_TRACE, implementation=implementation)
    assert (done.returncode, done.stderr) == (0, "")
