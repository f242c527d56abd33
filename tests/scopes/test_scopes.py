"""A closed scope (a mute, a capture or a trace) keeps nothing alive, even if tasks or sends that began in it go on."""

import asyncio
import contextvars
import gc
import weakref

import pytest

from tests.helpers.implementations import load
from tests.helpers.receivers import Sender, connected, one


class Instance:
    pass


def capture(implementation, signal, instance):
    """Open a capture. Return its ``__exit__``, and a weak reference to an object that it keeps while it is open."""
    scope = load(implementation, "csignals.testing").capture()
    scope.__enter__()
    signal.send(Sender, instance=instance)
    return scope.__exit__, weakref.ref(instance)


def mute(implementation, signal, instance):
    scope = load(implementation).mute(signal, senders=[instance]).__enter__()
    return scope.__exit__, weakref.ref(instance)


def trace(implementation, signal, instance):
    scope = load(implementation).trace().__enter__()
    signal.send(Sender, instance=instance)
    assert len(scope.records) == 1
    return scope.__exit__, weakref.ref(scope)


def process_trace(implementation, signal, instance):
    scope = load(implementation).trace(scope="process").__enter__()
    signal.send(Sender, instance=instance)
    return scope.__exit__, weakref.ref(scope)


every_kind = pytest.mark.parametrize("open_scope", [capture, mute, trace, process_trace])


@pytest.fixture
def signal(make):
    return connected(make(), one)


@pytest.mark.slow
@every_kind
def test_running_tasks_release_a_closed_scope(implementation, signal, open_scope):
    async def main():
        end, kept = open_scope(implementation, signal, Instance())
        task = asyncio.create_task(asyncio.sleep(60))
        gc.collect()
        assert kept() is not None
        end(None, None, None)
        del end
        gc.collect()
        assert not task.done()
        return kept()

    assert asyncio.run(main()) is None


@every_kind
def test_closing_in_another_context_releases_everything(implementation, signal, open_scope):
    end, kept = open_scope(implementation, signal, Instance())
    contextvars.Context().run(end, None, None, None)
    del end
    gc.collect()
    assert kept() is None


def test_running_sends_release_a_closed_trace(csignals, make):
    signal = make()
    if not hasattr(signal, "asend"):
        pytest.skip("there is no asend in Django 4.2")
    running, go_on = [], []

    async def waits(**named):
        running.append(True)
        await go_on[0].wait()
        return results(inner)

    def results(signal):
        return [response for _, response in signal.send(Sender)]

    inner = connected(make(), one)
    connected(signal, waits)

    async def main():
        go_on.append(asyncio.Event())
        with csignals.trace() as trace:
            task = asyncio.create_task(signal.asend(Sender))
            while not running:
                await asyncio.sleep(0)
        assert len(trace.records) == 1
        kept = weakref.ref(trace)
        del trace
        gc.collect()
        is_gone = kept() is None
        go_on[0].set()
        return is_gone, await task

    assert asyncio.run(main()) == (True, [(waits, ["one"])])


def test_an_unreferenced_scope_stays_active(implementation, csignals, signal):
    scopes = load(implementation, "csignals._scopes")
    csignals.mute(signal).__enter__()
    gc.collect()
    try:
        assert signal.send(Sender) == []
    finally:
        scopes.mutes.close(scopes.mutes.active()[-1])
    assert signal.send(Sender) == [(one, "one")]
