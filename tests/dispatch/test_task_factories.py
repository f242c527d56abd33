"""Async sends in a loop with a task factory, and async sends outside of any task."""

import asyncio
import contextvars
import functools
import sys

import django
import django.dispatch
import pytest

from tests.helpers.implementations import load
from tests.helpers.stock_django import StockSignal

pytestmark = pytest.mark.skipif(django.VERSION < (5, 0), reason="Django 4.2 has no asend")

METHODS = ["asend", "asend_robust"]
variable = contextvars.ContextVar("variable", default="unset")


def sync(**named):
    return "sync"


def inline(**named):
    return "inline"


inline._csignals_nonblocking = True  # as csignals.nonblocking() does, of which each implementation has its own


async def at_once(**named):
    return "at once"


async def later(**named):
    await asyncio.sleep(0)
    return "later"


async def much_later(**named):
    await asyncio.sleep(0.001)
    return "much later"


async def in_time(**named):
    task = asyncio.current_task()  # which timeouts need
    await asyncio.wait_for(asyncio.sleep(0), 10)
    return asyncio.current_task() is task is not None


async def sets(**named):
    variable.set("by a receiver")
    await asyncio.sleep(0)


async def reads(**named):
    await asyncio.sleep(0)
    return variable.get()


async def fails(**named):
    raise ValueError("at once")


async def fails_later(**named):
    await asyncio.sleep(0)
    raise KeyError("later")


async def cancels(**named):
    raise asyncio.CancelledError


MIXES = [
    [at_once],
    [later],
    [much_later],
    [in_time],
    [at_once, later],
    [later, much_later, at_once],
    [in_time, in_time],
    [sync],
    [sync, at_once],
    [sync, later, much_later],
    [inline],
    [inline, at_once],
    [inline, later, in_time],
    [fails],
    [fails_later],
    [fails, at_once],
    [at_once, fails_later],
    [later, fails],
    [sync, fails_later],
    [cancels],
    [later, cancels],
    [],
]


def label(receivers):
    return "+".join(each.__name__ for each in receivers) or "no receivers"


class Proxy:
    """A proxy of a task, which has only the attributes that are read."""

    def __init__(self, task):
        self._task = task

    def __getattr__(self, name):
        return getattr(self._task, name)

    def __await__(self):
        return self._task.__await__()


def without_options(loop, coroutine):
    return asyncio.Task(coroutine, loop=loop)


def with_options(loop, coroutine, **options):
    return asyncio.Task(coroutine, loop=loop, **options)


def without_context(loop, coroutine, context=None):
    return asyncio.Task(coroutine, loop=loop)


def with_proxies(loop, coroutine, **options):
    return Proxy(asyncio.Task(coroutine, loop=loop, **options))


FACTORIES = [None, without_options, with_options, without_context, with_proxies]
if sys.version_info >= (3, 12):
    custom_eager_factory = asyncio.create_eager_task_factory(asyncio.Task)

    def eager_without_options(loop, coroutine):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

    FACTORIES += [asyncio.eager_task_factory, custom_eager_factory, eager_without_options]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request):
    module = pytest.importorskip(request.param, reason="uvloop is not installed, or does not support this Python")
    loop = module.new_event_loop()
    yield loop
    loop.set_task_factory(None)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def factories(loop):
    """The task factories that this loop can use: newer versions of uvloop always pass a context."""
    usable = []
    for factory in FACTORIES:
        loop.set_task_factory(factory)
        coroutine = at_once()
        try:
            loop.run_until_complete(loop.create_task(coroutine))
        except TypeError:
            coroutine.close()
        else:
            usable.append(factory)
    return usable


def in_a_callback(loop, coroutine):
    """Run a coroutine as some libraries do: in callbacks of the loop, and without a task."""
    done = loop.create_future()

    def step(call, *arguments):
        try:
            assert asyncio.current_task() is None
            awaited = call(*arguments)
        except StopIteration as end:
            done.set_result(end.value)
        except asyncio.CancelledError:
            done.cancel()
        except BaseException as error:
            done.set_exception(error)
        else:
            if awaited is None:
                loop.call_soon(step, coroutine.send, None)
            else:
                awaited._asyncio_future_blocking = False
                awaited.add_done_callback(lambda future: step(coroutine.send, None))

    loop.call_soon(step, coroutine.send, None)
    return loop.run_until_complete(done)


def in_a_task(loop, coroutine):
    return loop.run_until_complete(coroutine)


def outcome(run, loop, make, receivers, method, factory):
    """Return the responses of a send, or its exception."""
    signal = make()
    for receiver in receivers:
        signal.connect(receiver)
    loop.set_task_factory(None)
    coroutine = getattr(signal, method)(None, x=1)
    if run is in_a_task:
        coroutine = asyncio.Task(coroutine, loop=loop)
    loop.set_task_factory(factory)
    try:
        return [(receiver.__name__, shown(response)) for receiver, response in run(loop, coroutine)]
    except (Exception, asyncio.CancelledError) as error:
        return shown(error)


def shown(value):
    inner = [shown(each) for each in getattr(value, "exceptions", [])]
    return (type(value).__name__, str(value), inner) if isinstance(value, BaseException) else value


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("receivers", MIXES, ids=label)
def test_sends_outside_a_task_match_others(make, loop, factories, receivers, method):
    """The oracle is a send in a task, as stock Django 6.1 raises outside of one; before 6.1, it is stock Django."""
    for factory in factories:
        if make is django.dispatch.Signal and django.VERSION < (6, 1):
            expected = outcome(in_a_callback, loop, StockSignal, receivers, method, factory)
        else:
            expected = outcome(in_a_task, loop, make, receivers, method, None)
        assert outcome(in_a_callback, loop, make, receivers, method, factory) == expected, factory


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("receivers", MIXES, ids=label)
def test_task_factories_do_not_change_results(make, loop, factories, receivers, method):
    expected = outcome(in_a_task, loop, make, receivers, method, None)
    for factory in factories:
        assert outcome(in_a_task, loop, make, receivers, method, factory) == expected, factory


@pytest.mark.parametrize("run", [in_a_task, in_a_callback])
def test_context_changes_reach_the_caller(csignals, loop, factories, run):
    async def main():
        variable.set("by the caller")
        responses = await signal.asend(None)
        return responses[1][1], variable.get()

    signal = csignals.Signal()
    signal.connect(sets)
    signal.connect(reads)
    for factory in factories:
        loop.set_task_factory(factory)
        found = contextvars.copy_context().run(run, loop, main())
        assert found == ("by a receiver", "by a receiver"), factory
    assert variable.get() == "unset"


@pytest.mark.parametrize("method", METHODS)
def test_scopes_intercept_sends_outside_a_task(make, implementation, csignals, loop, factories, method):
    testing = load(implementation, "csignals.testing")

    async def main(receivers):
        signal = make()
        for each in receivers:
            signal.connect(each)
        with csignals.mute(signal, receivers=later), testing.capture(signal) as captured, csignals.trace() as trace:
            responses = await getattr(signal, method)(None, x=1)
        assert [each.responses for each in captured] == [responses]
        traced = [each.receiver.rpartition(".")[2] for each in trace.records]
        return [receiver.__name__ for receiver, _ in responses], sorted(traced)

    for receivers in [at_once, later], [sync, later, at_once, much_later], [inline, much_later, later]:
        left = [each.__name__ for each in receivers if each is not later]
        for factory in factories:
            loop.set_task_factory(factory)
            assert in_a_callback(loop, main(receivers)) == (left, sorted(left)), factory


def test_receivers_run_in_the_factorys_tasks(csignals, loop, factories):
    def make_receiver():
        async def current_task(**named):
            return asyncio.current_task()

        return current_task

    def noting(factory, loop, coroutine, **options):
        made.append(factory(loop, coroutine, **options))
        return made[-1]

    signal = csignals.Signal()
    for _ in range(2):
        signal.connect(make_receiver(), weak=False)
    for factory in factories[1:]:
        made = []
        loop.set_task_factory(functools.partial(noting, factory))
        found = [task for _, task in in_a_callback(loop, signal.asend(None))]
        assert found == [getattr(task, "_task", task) for task in made]
        assert len(set(found)) == 2


def test_cancelling_the_sender_cancels_its_receivers(csignals, loop, factories):
    def make_receiver(number):
        async def waits(**named):
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(number)

        return waits

    async def main():
        sending = asyncio.ensure_future(signal.asend(None))
        await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return sending.cancelled(), asyncio.all_tasks() - {asyncio.current_task()}

    signal = csignals.Signal()
    for number in range(3):
        signal.connect(make_receiver(number), weak=False)
    for factory in factories:
        ended = []
        loop.set_task_factory(factory)
        assert (loop.run_until_complete(main()), sorted(ended)) == ((True, set()), [0, 1, 2]), factory
