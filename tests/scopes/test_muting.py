"""``mute()``: which receivers it mutes, standalone and in Django, on both implementations."""

import asyncio
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import django
import django.dispatch
import pytest

from tests.helpers.implementations import load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Listener, Other, Sender, awaited, connected, one, two


def results(signal, sender=Sender):
    return [response for _, response in signal.send(sender)]


def test_a_muted_signal_calls_no_receivers(csignals, make):
    signal, other = connected(make(), one, two), connected(make(), one)
    with csignals.mute(signal):
        assert signal.send(Sender) == signal.send_robust(Sender) == []
        assert not signal.has_listeners(Sender)
        assert results(other) == ["one"]
        assert other.has_listeners(Sender)
    assert results(signal) == ["one", "two"]
    assert signal.has_listeners(Sender)


def test_without_arguments_all_signals_are_muted(csignals, make):
    signal, other = connected(make(), one), connected(csignals.Signal(), one)
    with csignals.mute():
        assert results(signal) == results(other) == []
    assert results(signal) == results(other) == ["one"]


def test_single_receivers_may_be_muted(csignals, make):
    listener, stranger = Listener(), Listener()
    signal = connected(make(), one, listener.hear, stranger.hear, two)
    with csignals.mute(signal, receivers=[two, listener.hear]):
        assert results(signal) == ["one", "hear"]
        assert signal.send_robust(Sender)[1][0] == stranger.hear
        assert signal.has_listeners(Sender)
    with csignals.mute(receivers=one):
        assert results(signal) == ["hear", "hear", "two"]
    with csignals.mute(receivers={one, two}), csignals.mute(receivers=(listener.hear, stranger.hear)):
        assert results(signal) == []
        assert not signal.has_listeners(Sender)
    with csignals.mute(receivers=[]):
        assert len(results(signal)) == 4


def test_single_senders_may_be_muted(csignals, make):
    signal = connected(make(), one)
    with csignals.mute(signal, senders=Sender):
        assert results(signal, Sender) == []
        assert not signal.has_listeners(Sender)
        assert results(signal, Other) == results(signal, None) == ["one"]
        assert signal.has_listeners(Other)
    with csignals.mute(signal, senders=[None, Other]):
        assert results(signal, Other) == results(signal, None) == []
        assert results(signal, Sender) == ["one"]
    with csignals.mute(signal, senders=Sender, receivers=two):
        assert results(connected(signal, two), Sender) == ["one"]
        assert results(signal, Other) == ["one", "two"]


def test_an_equal_sender_is_not_muted(csignals, signal):
    connected(signal, one)
    first, second = [1], [1]
    with csignals.mute(signal, senders=[first]):
        assert results(signal, first) == []
        assert results(signal, second) == ["one"]


def test_an_iterable_sender_is_one_sender(csignals, signal):
    connected(signal, one)
    with csignals.mute(signal, senders="shop"):
        assert results(signal, "shop") == []
        assert results(signal, "s") == ["one"]


NAMED_MODELS = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"])
django.setup()
import csignals
from django.contrib.auth.models import Group, User
from django.db.models.signals import post_save
post_save.connect(lambda **named: "called", weak=False)
with csignals.mute(post_save, senders=["auth.User"]):
    print(len(post_save.send(User)), len(post_save.send(Group)))
own_signal = csignals.Signal()
own_signal.connect(lambda **named: "called", weak=False)
with csignals.mute(senders=["auth.User", "shop"]):
    print(len(post_save.send(User)), len(post_save.send(Group)), len(own_signal.send("shop")), len(own_signal.send(1)))
with csignals.mute(own_signal, senders="auth.User"):
    print(len(post_save.send(User)), len(own_signal.send("auth.User")))
for signals, wrong in ([post_save], "auth.Missing"), ([post_save], "User"), ([], "auth.Missing"):
    try:
        csignals.mute(*signals, senders=wrong).__enter__()
    except Exception as error:
        print(type(error).__name__)
csignals.django.uninstall()
with csignals.mute(senders="auth.Missing"):
    print(len(own_signal.send("auth.Missing")))
"""


def test_models_may_be_named(implementation):
    done = run_python("-W", "error", "-c", NAMED_MODELS, implementation=implementation)
    assert (done.stdout, done.stderr) == ("0 1\n0 1 0 1\n1 0\nLookupError\nValueError\nLookupError\n0\n", "")


def test_mutes_may_end_in_any_order(csignals, make):
    signal = connected(make(), one, two)
    all_, some, again = csignals.mute(signal), csignals.mute(signal, receivers=one), csignals.mute(signal)
    all_.__enter__()
    some.__enter__()
    again.__enter__()
    all_.__exit__(None, None, None)
    assert results(signal) == []
    again.__exit__(None, None, None)
    assert results(signal) == ["two"]
    some.__exit__(None, None, None)
    assert results(signal) == ["one", "two"]


def test_the_same_mute_may_be_entered_again(csignals, signal):
    connected(signal, one)
    mute = csignals.mute(signal)
    with mute, mute:
        with mute:
            pass
        assert results(signal) == []
    assert results(signal) == ["one"]
    with mute:
        assert results(signal) == []
    assert results(signal) == ["one"]


def test_an_exception_ends_the_mute(csignals, make):
    signal = connected(make(), one)
    with pytest.raises(ZeroDivisionError), csignals.mute(signal):
        raise ZeroDivisionError
    assert results(signal) == ["one"]


@pytest.mark.parametrize("wrong", [None, "post_save", Sender, [], one, django.dispatch.Signal()])
def test_objects_that_are_not_signals_raise(csignals, wrong):
    with pytest.raises(TypeError, match=r"is not a signal that csignals dispatches"):
        csignals.mute(wrong)


def test_django_signals_raise_after_uninstall(csignals, drop_in):
    signal = django.dispatch.Signal()
    csignals.mute(signal)
    drop_in.uninstall()
    with pytest.raises(TypeError, match="not a signal that csignals dispatches"):
        csignals.mute(signal)


def test_receivers_that_are_not_callable_raise(csignals, signal):
    with pytest.raises(TypeError, match="mute\\(\\) takes callable receivers, not 'one'"):
        csignals.mute(signal, receivers=["one"])


def test_async_receivers_and_sends_are_muted(csignals, make):
    signal = connected(make(), one, awaited)
    if not hasattr(signal, "asend"):
        pytest.skip("there is no asend in Django 4.2")

    async def main():
        seen = []
        async with csignals.mute(signal):
            seen.append(await signal.asend(Sender))
            seen.append(await signal.asend_robust(Sender))
        async with csignals.mute(signal, receivers=one):
            seen.append([response for _, response in await signal.asend(Sender)])
        async with csignals.mute(signal, receivers=awaited):
            seen.append([response for _, response in await signal.asend_robust(Sender)])
        seen.append([response for _, response in await signal.asend(Sender)])
        return seen

    assert asyncio.run(main()) == [[], [], ["awaited"], ["one"], ["one", "awaited"]]
    with csignals.mute(signal, receivers=one):
        assert results(signal) == ["awaited"]


def test_only_tasks_started_inside_are_muted(csignals, make):
    signal = connected(make(), one)

    async def send(started=None):
        if started is not None:
            await started.wait()
        return results(signal)

    async def main():
        muted = asyncio.Event()
        outside = asyncio.create_task(send(muted))
        async with csignals.mute(signal):
            muted.set()
            inside = asyncio.create_task(send())
            return await outside, await inside, await asyncio.to_thread(results, signal)

    assert asyncio.run(main()) == (["one"], [], [])


def test_a_mute_ends_in_running_tasks(csignals, signal):
    connected(signal, one)

    async def main():
        is_over = asyncio.Event()

        async def wait_and_send():
            before = results(signal)
            await is_over.wait()
            return before, results(signal)

        with csignals.mute(signal):
            task = asyncio.create_task(wait_and_send())
            await asyncio.sleep(0)
        is_over.set()
        return await task

    assert asyncio.run(main()) == ([], ["one"])


def test_a_mute_may_end_in_another_context(csignals, signal):
    connected(signal, one)
    mute = csignals.mute(signal)
    contextvars.copy_context().run(mute.__enter__)
    assert results(signal) == ["one"]
    mute.__exit__(None, None, None)
    assert results(signal) == ["one"]
    mute.__enter__()
    contextvars.copy_context().run(mute.__exit__, None, None, None)
    assert results(signal) == ["one"]


def test_a_mute_leaves_other_threads_alone(csignals, make):
    signal = connected(make(), one)
    count, rounds = 8, 1250
    barrier = threading.Barrier(count)

    def work(number):
        wrong = 0
        barrier.wait()
        for _ in range(rounds):
            if number % 2:
                with csignals.mute(signal):
                    wrong += results(signal) != []
            wrong += results(signal) != ["one"]
            wrong += not signal.has_listeners(Sender)
        return wrong

    with ThreadPoolExecutor(count) as pool:
        assert list(pool.map(work, range(count))) == [0] * count


def test_a_mute_leaves_other_tasks_alone(csignals, make):
    signal = connected(make(), one)

    async def mute_and_send(rounds):
        wrong = 0
        for _ in range(rounds):
            async with csignals.mute(signal):
                await asyncio.sleep(0)
                wrong += results(signal) != []
            wrong += results(signal) != ["one"]
        return wrong

    async def send(rounds):
        wrong = 0
        for _ in range(rounds):
            wrong += results(signal) != ["one"]
            await asyncio.sleep(0)
        return wrong

    async def main():
        return await asyncio.gather(*[(send if number % 2 else mute_and_send)(500) for number in range(20)])

    assert asyncio.run(main()) == [0] * 20


def test_a_receiver_may_mute_signals(csignals, make):
    first, second = make(), connected(make(), one)
    seen = []

    def muting(**named):
        with csignals.mute(second, first):
            seen.append(results(second))
            seen.append(results(first))
        seen.append(results(second))

    connected(first, muting, two)
    assert results(first) == [None, "two"]  # a send chooses its receivers before the first call
    assert seen == [[], [], ["one"]]


def test_a_receiver_may_leave_a_mute_open(csignals, signal):
    mute = csignals.mute(signal)

    def muting(**named):
        mute.__enter__()

    connected(signal, muting, one)
    assert results(signal) == [None, "one"]
    assert results(signal) == []
    mute.__exit__(None, None, None)


def test_a_custom_live_receivers_is_muted(csignals):
    class Mine(csignals.Signal):
        def _live_receivers(self, sender):
            return [one, two], []

    signal = connected(Mine(), one)
    with csignals.mute(signal, receivers=one):
        assert results(signal) == ["two"]
    with csignals.mute(signal):
        assert results(signal) == []
        assert not signal.has_listeners(Sender)


class Wrapper:
    """Wraps a receiver, which a slot names. Any other attribute fails, as on a lazy object that cannot load yet."""

    __slots__ = ("__weakref__", "__wrapped__")

    def __init__(self, receiver):
        self.__wrapped__ = receiver

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __call__(self, **named):
        return self.__wrapped__(**named)


def wrapper(receiver):
    @functools.wraps(receiver)
    def wrapped(**named):
        return receiver(**named)

    return wrapped


@pytest.mark.parametrize("wrap", [wrapper, Wrapper, lambda receiver: Wrapper(wrapper(wrapper(receiver)))])
def test_receivers_inside_wrappers_are_muted(csignals, wrap):
    class Wrapping(csignals.Signal):
        def _live_receivers(self, sender):
            sync, async_ = super()._live_receivers(sender)
            return list(map(wrap, sync)), async_

    class WrappingFirst(csignals.Signal):  # as if another package had patched the signal before csignals
        def _live_receivers(self, sender):
            return [wrap(entry[1]()) for entry in self.receivers], []

    listener, stranger = Listener(), Listener()
    for cls in Wrapping, WrappingFirst:
        signal = connected(cls(), one, listener.hear, stranger.hear, two)
        with csignals.mute(signal, receivers=[one, listener.hear]):
            assert results(signal) == ["hear", "two"]
            assert signal.has_listeners(Sender)
        with csignals.mute(receivers=[one, two, listener.hear, stranger.hear]):
            assert results(signal) == []
            assert not signal.has_listeners(Sender)
        assert results(signal) == ["one", "hear", "hear", "two"]


def test_wrappers_of_a_receiver_are_muted(csignals, make):
    """But muting a wrapper leaves the receiver and its other wrappers alone."""
    wrapped, other = wrapper(one), wrapper(one)
    signal = connected(make(), wrapped, other, two)
    with csignals.mute(signal, receivers=one):
        assert results(signal) == ["two"]
    with csignals.mute(signal, receivers=wrapped):
        assert results(connected(signal, one)) == ["one", "two", "one"]


def test_circular_wrappers_are_muted(csignals, make):
    first, second = wrapper(one), wrapper(two)
    first.__wrapped__, second.__wrapped__ = second, first
    signal = connected(make(), first)
    with csignals.mute(receivers=two):
        assert results(signal) == ["one"]
    with csignals.mute(receivers=second):
        assert results(signal) == []


def test_live_receivers_leave_out_muted_receivers(csignals, signal):
    connected(signal, one, two)
    with csignals.mute(signal, receivers=one):
        live = signal._live_receivers(Sender)
        assert live == ([two], [])
        live[0].clear()
        assert results(signal) == ["two"]


def test_wrong_arguments_still_raise_while_muted(csignals, signal):
    connected(signal, one)
    for scope in (csignals.mute(signal), csignals.mute(connected(csignals.Signal(), one)), csignals.trace()):
        with scope:
            for call in (lambda: signal.send(), lambda: signal.send(1, 2), lambda: signal.send(1, sender=2)):
                with pytest.raises(TypeError, match=r"Signal\.send\(\)"):
                    call()


def test_interception_ends_with_the_last_scope(csignals, implementation, signal):
    pure, scopes = load(implementation, "csignals._dispatch.pure"), load(implementation, "csignals._scopes")
    before = scopes.is_interception_needed()
    with csignals.mute(signal), csignals.trace():
        assert pure.interceptor is not None
        assert scopes.is_interception_needed()
    assert scopes.is_interception_needed() is before is (pure.interceptor is not None)


def test_a_lazy_sender_stays_lazy(csignals, signal):
    class Lazy:
        def __getattr__(self, name):
            raise RuntimeError(name)

    connected(signal, one)
    with csignals.mute(signal, senders=[Sender]), csignals.mute(receivers=[two]):
        assert results(signal, Lazy()) == ["one"]
