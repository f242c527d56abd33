"""Sync and async receivers together, as Django 6.1 runs them."""

import asyncio
import contextvars
import gc
import threading

import django
import pytest
import trio
from django.dispatch import Signal as DjangoSignal

from tests.helpers.implementations import collect

variable = contextvars.ContextVar("variable", default="unset")


# Django 6.1 is the oracle, so the same tests run on it. Older versions behave differently.
@pytest.fixture(params=["csignals", "django"] if django.VERSION >= (6, 1) else ["csignals"])
def signal(request, csignals):
    return csignals.Signal() if request.param == "csignals" else DjangoSignal()


def sync(**named):
    return "sync"


def thread_of(**named):
    return threading.current_thread()


async def one(**named):
    await asyncio.sleep(0)
    return "one"


async def two(**named):
    return "two"


async def fail(**named):
    raise ValueError("fail")


async def fail_too(**named):
    raise KeyError("fail_too")


def test_send_calls_sync_receivers_first(signal):
    for each in (one, sync, two):
        signal.connect(each)
    assert signal.send(None) == [(sync, "sync"), (one, "one"), (two, "two")]
    assert signal.send_robust(None) == [(sync, "sync"), (one, "one"), (two, "two")]
    assert signal.has_listeners()


def test_asend_calls_sync_receivers_first(signal):
    for each in (one, sync, two):
        signal.connect(each)
    assert asyncio.run(signal.asend(None)) == [(sync, "sync"), (one, "one"), (two, "two")]
    assert asyncio.run(signal.asend_robust(sender=None, x=1)) == [(sync, "sync"), (one, "one"), (two, "two")]


def test_asend_reaches_receivers_of_one_kind(signal):
    assert asyncio.run(signal.asend(None)) == asyncio.run(signal.asend_robust(None)) == []
    signal.connect(sync)
    assert asyncio.run(signal.asend(None)) == [(sync, "sync")]
    signal.disconnect(sync)
    signal.connect(one)
    assert asyncio.run(signal.asend(None)) == [(one, "one")]


def test_asend_runs_sync_receivers_in_a_thread(signal):
    signal.connect(thread_of)
    ((_, thread),) = asyncio.run(signal.asend(None))
    assert thread is not threading.current_thread()


def test_sync_failures_prevent_async_receivers(signal):
    started = []

    def fail_sync(**named):
        raise ValueError("sync")

    async def start(**named):
        started.append(1)

    signal.connect(start)
    signal.connect(fail_sync)
    for send in (lambda: asyncio.run(signal.asend(None)), lambda: signal.send(None)):
        with pytest.raises(ValueError, match="sync"):
            send()
    assert started == []


def test_one_failure_cancels_the_other_receivers(signal):
    """The send raises that exception itself, and not a group."""
    ended = []

    async def wait(**named):
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    signal.connect(wait)
    signal.connect(fail)
    with pytest.raises(ValueError, match="fail"):
        asyncio.run(signal.asend(None))
    with pytest.raises(ValueError, match="fail"):
        signal.send(None)
    assert ended == ["cancelled", "cancelled"]


def test_several_failures_raise_a_group(signal):
    signal.connect(fail)
    signal.connect(fail_too)
    with pytest.raises(Exception, match="unhandled errors in a TaskGroup") as caught:
        asyncio.run(signal.asend(None))
    assert type(caught.value).__name__ == "ExceptionGroup"
    assert [type(error) for error in caught.value.exceptions] == [ValueError, KeyError]


def test_robust_sends_return_and_log_failures(signal, caplog):
    def fail_sync(**named):
        raise ValueError("sync")

    for each in (fail, one, fail_sync):
        signal.connect(each)
    for responses in (asyncio.run(signal.asend_robust(None)), signal.send_robust(None)):
        assert [(receiver, str(response)) for receiver, response in responses] == [
            (fail_sync, "sync"),
            (fail, "fail"),
            (one, "one"),
        ]
    logged = [record.getMessage() for record in caplog.records if record.name == "django.dispatch"]
    assert (
        logged
        == [
            f"Error calling {fail_sync.__qualname__} in Signal.send_robust() (sync)",
            "Error calling fail in Signal.send_robust() (fail)",
        ]
        * 2
    )


def test_async_receivers_share_the_callers_context(signal):
    async def set_it(**named):
        variable.set("by the first")

    async def read_it(**named):
        await asyncio.sleep(0)
        return variable.get()

    async def main():
        variable.set("by the caller")
        responses = await signal.asend(None)
        return responses[1][1], variable.get()

    signal.connect(set_it)
    signal.connect(read_it)
    assert asyncio.run(main()) == ("by the first", "by the first")


def test_send_inside_a_running_loop_raises(signal):
    """The sync receivers are called first."""

    called = []

    def note(**named):
        called.append(1)

    async def main():
        with pytest.raises(RuntimeError, match="You cannot use AsyncToSync in the same thread as an async event loop"):
            signal.send(None)

    signal.connect(one)
    signal.connect(note)
    asyncio.run(main())
    assert called == [1]


def test_wrong_asend_calls_raise_pythons_errors(signal):
    for call, words in (
        (lambda: signal.asend(), "Signal.asend() missing 1 required positional argument: 'sender'"),
        (lambda: signal.asend_robust(1, 2), "Signal.asend_robust() takes 2 positional arguments but 3 were given"),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert str(caught.value) == words
    signal.connect(two)
    with pytest.raises(TypeError, match=r"two\(\) got multiple values for keyword argument 'signal'"):
        asyncio.run(signal.asend(1, signal=2))


def test_marked_functions_count_as_async(csignals):
    from asgiref.sync import markcoroutinefunction

    @markcoroutinefunction
    def returns_a_coroutine(**named):
        return one()

    signal = csignals.Signal()
    signal.connect(returns_a_coroutine)
    assert signal.send(None) == [(returns_a_coroutine, "one")]


def test_nonblocking_receivers_are_called_inline(csignals):
    threads = []

    @csignals.nonblocking
    def note(**named):
        threads.append(threading.current_thread())
        return "noted"

    class Listener:
        @csignals.nonblocking
        def hear(self, **named):
            return "heard"

    listener = Listener()
    signal = csignals.Signal()
    for receiver in (one, note, listener.hear):
        signal.connect(receiver)
    assert asyncio.run(signal.asend(None)) == [(note, "noted"), (listener.hear, "heard"), (one, "one")]
    assert signal.send(None) == [(note, "noted"), (listener.hear, "heard"), (one, "one")]
    assert threads == [threading.current_thread()] * 2


def test_one_blocking_receiver_moves_the_others(csignals):
    """One thread calls all sync receivers in order, so that there is one hop."""
    first, second, third = (lambda **named: threading.current_thread() for _ in range(3))
    csignals.nonblocking(first)
    csignals.nonblocking(third)
    signal = csignals.Signal()
    for receiver in (first, second, third):
        signal.connect(receiver)
    (thread,) = {response for _, response in asyncio.run(signal.asend(None))}
    assert thread is not threading.current_thread()


def test_nonblocking_receivers_may_fail(csignals, caplog):
    @csignals.nonblocking
    def fail_at_once(**named):
        raise ValueError("at once")

    signal = csignals.Signal()
    signal.connect(fail_at_once)
    signal.connect(one)
    with pytest.raises(ValueError, match="at once"):
        asyncio.run(signal.asend(None))
    responses = asyncio.run(signal.asend_robust(None))
    assert [(receiver, str(response)) for receiver, response in responses] == [(fail_at_once, "at once"), (one, "one")]
    assert "Error calling" in caplog.text


@pytest.mark.parametrize("receivers", [[one], [two, one], [sync], [sync, one], []], ids=len)
def test_asend_works_under_uvloop(csignals, receivers):
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed, or does not support this Python")

    signal = csignals.Signal()
    for receiver in receivers:
        signal.connect(receiver)

    async def main():
        return await signal.asend(None), await signal.asend_robust(None)

    loop = uvloop.new_event_loop()
    found = loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    expected = [(receiver, receiver.__name__) for receiver in sorted(receivers, key=lambda each: each is not sync)]
    assert found == (expected, expected)


@pytest.mark.parametrize("receivers", [[one], [two, one], [sync], [sync, one]], ids=["1", "2", "sync", "mixed"])
@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_asend_under_trio_needs_asyncio(csignals, receivers, method):
    signal = csignals.Signal()
    for receiver in receivers:
        signal.connect(receiver)
    with pytest.raises(RuntimeError, match="need a running event loop of asyncio"):
        trio.run(getattr(signal, method), None)


def test_asend_without_a_loop_needs_asyncio(csignals):
    signal = csignals.Signal()
    assert run_without_a_loop(signal.asend(None)) == []
    signal.connect(two)
    with pytest.raises(RuntimeError, match="need a running event loop of asyncio"):
        run_without_a_loop(signal.asend(None))


def run_without_a_loop(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value


def test_asend_uses_the_loops_task_factory(csignals):
    made = []

    class Made(asyncio.Task):
        pass

    def factory(loop, coroutine, **options):
        task = Made(coroutine, loop=loop, **options)
        made.append(task)
        return task

    async def current_task(**named):
        return asyncio.current_task()

    async def current_task_later(**named):
        await asyncio.sleep(0)
        return asyncio.current_task()

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        return await signal.asend(None)

    signal = csignals.Signal()
    signal.connect(current_task)
    signal.connect(current_task_later)
    assert [task for _, task in asyncio.run(main())] == made[:2]


@pytest.mark.exhaustive
def test_thousands_of_sends_leave_nothing_behind(csignals, caplog):
    async def wait(**named):
        await asyncio.sleep(0.01)

    async def main():
        for _ in range(3):
            await asyncio.gather(*[signal.asend(None, number=number) for number in range(10_000)])
            await asyncio.gather(*[signal.asend_robust(None) for _ in range(100)])
            collect()
            counts.append(len(gc.get_objects()))
            assert len(asyncio.all_tasks()) == 1
        with pytest.raises(ValueError, match="fail"):
            await asyncio.gather(*[failing.asend(None) for _ in range(100)])
        await asyncio.sleep(0.05)

    counts = []
    signal, failing = csignals.Signal(), csignals.Signal()
    for receiver in (wait, one, two):
        signal.connect(receiver)
        failing.connect(receiver)
    failing.connect(fail)
    asyncio.run(main())
    gc.collect()
    assert counts[2] - counts[1] < 100
    assert "never retrieved" not in caplog.text
