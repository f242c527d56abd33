"""Hybrid receivers: sync sends call the sync body, and async sends await the async one, without a thread."""

import asyncio
import functools
import threading
from unittest import mock

import django
import pytest
from django.dispatch import Signal as DjangoSignal

from tests.helpers.implementations import collect, counted


@pytest.fixture
def signal(make):
    if not hasattr(make, "asend"):
        pytest.skip("there is no asend in Django 4.2")
    return make()


@pytest.fixture
def no_threads():
    with mock.patch("asgiref.sync.SyncToAsync.__call__", side_effect=AssertionError("a thread")):
        yield


@pytest.fixture
def add(csignals):
    """Connect a hybrid receiver to a signal, and return it. Its bodies return the label and their kind."""

    def add(signal, label="hybrid", **options):
        @csignals.receiver(signal, **options)
        def index(**named):
            return label, "sync", threading.get_ident()

        @index.async_variant
        async def index_async(**named):
            await asyncio.sleep(0)
            return label, "async", threading.get_ident()

        assert index_async is index
        return index

    return add


def plain(**named):
    return "plain"


async def awaited(**named):
    return "awaited"


async def takes_nothing(sender):
    pass


def robust_and_not(signal):
    """Return the responses of both async sends, which must be equal."""
    first, second = asyncio.run(signal.asend(None)), asyncio.run(signal.asend_robust(sender=None, x=1))
    assert first == second
    return first


def test_each_send_uses_its_own_body(signal, add, no_threads):
    index = add(signal)
    here = threading.get_ident()
    assert signal.send(None) == signal.send_robust(None) == [(index, ("hybrid", "sync", here))]
    assert robust_and_not(signal) == [(index, ("hybrid", "async", here))]


def test_both_bodies_can_be_called(csignals, signal):
    @csignals.receiver(signal)
    def index(sender, **kwargs):
        return "sync", sender, kwargs

    connected = index

    @index.async_variant  # type: ignore[no-redef]
    async def index(sender, **kwargs):
        return "async", sender, kwargs

    assert index is connected is index.sync_call
    assert index.sync_call(1, x=2) == ("sync", 1, {"x": 2})
    assert asyncio.run(index.async_call(1, x=2)) == ("async", 1, {"x": 2})
    arguments = {"x": 2, "signal": signal}
    assert signal.send(1, x=2) == [(index, ("sync", 1, arguments))]
    assert asyncio.run(signal.asend(1, x=2)) == [(index, ("async", 1, arguments))]


def test_hybrids_stand_between_sync_and_async(signal, add):
    signal.connect(awaited)
    first, second = add(signal, "first"), add(signal, "second")
    signal.connect(plain)
    here = threading.get_ident()
    sent = [
        (first, ("first", "sync", here)),
        (second, ("second", "sync", here)),
        (plain, "plain"),
        (awaited, "awaited"),
    ]
    assert signal.send(None) == signal.send_robust(None) == sent
    assert robust_and_not(signal) == [
        (plain, "plain"),
        (first, ("first", "async", here)),
        (second, ("second", "async", here)),
        (awaited, "awaited"),
    ]


def test_only_sync_receivers_need_a_thread(csignals, signal, add, no_threads):
    signal.connect(awaited)
    index = add(signal)
    assert [receiver for receiver, _ in robust_and_not(signal)] == [index, awaited]
    signal.connect(blocking := lambda **named: None)
    with pytest.raises(AssertionError, match="a thread"):
        asyncio.run(signal.asend(None))
    signal.disconnect(blocking)
    # Before Python 3.12, Django's signals call nonblocking receivers in a thread.
    if type(signal) is csignals.Signal:
        signal.connect(quick := csignals.nonblocking(lambda **named: None))
        assert [receiver for receiver, _ in robust_and_not(signal)] == [quick, index, awaited]


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_nonblocking_hybrids_are_awaited_too(csignals, signal, moment, no_threads):
    def index(**named):
        return "sync"

    if moment == "before":
        csignals.nonblocking(index)
    assert csignals.receiver(signal)(index) is index
    if moment == "between":
        csignals.nonblocking(index)
    index.async_variant(awaited)
    if moment == "after":
        csignals.nonblocking(index)
    assert signal.send(None) == [(index, "sync")]
    assert robust_and_not(signal) == [(index, "awaited")]


def test_bodies_run_together(csignals, signal):
    met = []

    async def meet(**named):
        met.append(1)
        await asyncio.sleep(0)
        return len(met)

    receivers = [lambda **named: None for _ in range(2)]
    for each in receivers:
        csignals.receiver(signal)(each).async_variant(meet)
    signal.connect(meet)
    assert asyncio.run(signal.asend(None)) == [(each, 3) for each in (*receivers, meet)]


def test_failures_are_those_of_the_async_body(csignals, signal, add):
    @csignals.receiver(signal)
    def index(**named):
        raise KeyError("sync")

    @index.async_variant
    async def fail(**named):
        raise ValueError("async")

    other = add(signal)
    with pytest.raises(KeyError, match="sync"):
        signal.send(None)
    with pytest.raises(ValueError, match="async"):
        asyncio.run(signal.asend(None))
    with mock.patch.object(type(signal), "_log_robust_failure", autospec=True) as log:
        (failed, error), (receiver, response) = asyncio.run(signal.asend_robust(None))
    assert (failed, str(error)) == (index, "async")
    assert (receiver, response[1]) == (other, "async")
    log.assert_called_once_with(signal, index, error)


def test_robust_failures_name_the_connected_receiver(csignals, signal, caplog):
    async def fail(**named):
        raise ValueError("fails")

    @csignals.receiver(signal)
    def index(**named):
        pass

    index.async_variant(fail)
    asyncio.run(signal.asend_robust(None))
    assert f"Error calling {index.__qualname__} in Signal.send_robust() (fails)" in caplog.text


def test_send_inside_a_loop_works(signal, add):
    """It raises RuntimeError for async receivers."""
    index = add(signal)

    async def main():
        return signal.send(None), signal.send_robust(None)

    for responses in asyncio.run(main()):
        assert [(receiver, kind) for receiver, (_, kind, _) in responses] == [(index, "sync")]


def test_hybrids_of_one_sender(signal, add):
    for_int = add(signal, sender=int)
    for_all = add([signal, signal], weak=False)
    assert [receiver for receiver, _ in asyncio.run(signal.asend(int))] == [for_int, for_all]
    assert [receiver for receiver, _ in asyncio.run(signal.asend(str))] == [for_all]
    assert signal.disconnect(for_all)
    assert asyncio.run(signal.asend(str)) == []


def test_a_receiver_may_become_hybrid_later(csignals, signal):
    csignals.receiver(signal)(plain_too := lambda **named: "sync")
    assert robust_and_not(signal) == [(plain_too, "sync")]
    plain_too.async_variant(awaited)
    assert robust_and_not(signal) == [(plain_too, "awaited")]


def test_methods_of_hybrid_functions_are_hybrid(csignals, signal, no_threads):
    class Listener:
        @csignals.receiver([])
        def hear(self, **named):
            return self, "sync"

        @hear.async_variant  # type: ignore[no-redef]
        async def hear(self, **named):
            return self, "async"

    listener = Listener()
    signal.connect(listener.hear)
    assert signal.send(None) == [(listener.hear, (listener, "sync"))]
    assert robust_and_not(signal) == [(listener.hear, (listener, "async"))]


# --- With the rest of csignals -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["asend", "asend_robust"])
def test_traces_record_awaited_hybrids(csignals, signal, add, method):
    add(signal)
    signal.connect(plain)
    signal.connect(awaited)
    with csignals.trace() as trace:
        responses = asyncio.run(getattr(signal, method)(None))
        signal.send(None)
    assert len(responses) == 3
    seen = [(call.receiver.rpartition(".")[2], call.is_async) for call in trace.records]
    # Before Django 6.1, its async receivers begin first.
    assert sorted(seen[:3]) == [("awaited", True), ("index", True), ("plain", False)]
    assert seen[3:] == [("index", False), ("plain", False), ("awaited", True)]
    first, last = [call for call in trace.records if call.receiver.endswith("index")]
    assert first.line == last.line is not None
    assert first.exception is None and first.end_ns


def test_mutes_match_the_connected_receiver(csignals, signal, add):
    index = add(signal)
    signal.connect(awaited)
    with csignals.mute(signal, receivers=index):
        assert robust_and_not(signal) == [(awaited, "awaited")]
    with csignals.mute(signal):
        assert robust_and_not(signal) == []


def test_captures_have_the_responses(csignals, signal, add, no_threads):
    index = add(signal)
    with csignals.testing.capture(signal) as sends:
        responses = asyncio.run(signal.asend(None))
    assert sends[0].responses == responses == [(index, ("hybrid", "async", threading.get_ident()))]


# --- Wrappers ------------------------------------------------------------------------------------------------


def wrapper_of(receiver):
    @functools.wraps(receiver)
    def wrapper(**named):
        return "wrapped", receiver(**named)

    return wrapper


def test_connected_wrappers_are_not_hybrid(signal, add):
    """A wrapper made by functools.wraps has the attributes of the hybrid receiver, but has only one body."""
    wrapper = wrapper_of(add([]))
    signal.connect(wrapper)
    ((receiver, (mark, response)),) = robust_and_not(signal)
    assert (receiver, mark, response[1]) == (wrapper, "wrapped", "sync")


def test_decorated_wrappers_get_their_own_variant(csignals, signal, add):
    wrapper = csignals.receiver(signal)(wrapper_of(add([])))
    assert wrapper.async_variant(awaited) is wrapper is wrapper.sync_call
    assert robust_and_not(signal) == [(wrapper, "awaited")]
    assert signal.send(None)[0][1][0] == "wrapped"


@pytest.mark.parametrize("times", [1, 2])
def test_replacements_of_live_receivers_may_wrap(signal, add, no_threads, times):
    """As Sentry does for sync receivers. As it leaves async ones alone, hybrid ones need no thread."""

    class Wrapping(type(signal)):
        def _live_receivers(self, sender):
            sync, async_ = super()._live_receivers(sender)
            for _ in range(times):
                sync = [wrapper_of(each) for each in sync]
            return sync, async_

    signal = Wrapping()
    add(signal)
    assert [response[1] for _, response in robust_and_not_by_response(signal)] == ["async"]
    assert signal.send(None)[0][1][0] == "wrapped"


def robust_and_not_by_response(signal):
    """As `robust_and_not`, for signals that wrap their receivers anew for each send."""
    first, second = asyncio.run(signal.asend(None)), asyncio.run(signal.asend_robust(None))
    assert [response for _, response in first] == [response for _, response in second]
    return first


def test_replacements_may_wrap_connected_wrappers(signal, add):
    class Wrapping(type(signal)):
        def _live_receivers(self, sender):
            sync, async_ = super()._live_receivers(sender)
            return [wrapper_of(each) for each in sync], async_

    signal = Wrapping()
    signal.connect(wrapper := wrapper_of(add([])))
    ((_, (outer, (inner, response))),) = robust_and_not_by_response(signal)
    assert (outer, inner, response[1]) == ("wrapped", "wrapped", "sync")
    assert signal.disconnect(wrapper)


class Agreeable:
    """A callable object that has every attribute with a plain name."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, **named):
        return "called"


@pytest.mark.parametrize("make_receiver", [Agreeable, lambda: mock.MagicMock(return_value="called")])
def test_objects_of_any_attributes_are_called(signal, make_receiver):
    receiver = make_receiver()
    signal.connect(receiver)
    assert robust_and_not(signal) == [(receiver, "called")]


@pytest.mark.skipif(django.VERSION < (5, 0), reason="there is no asend in Django 4.2")
def test_without_csignals_the_sync_body_is_called(add):
    signal = DjangoSignal()
    index = add(signal)
    for method in signal.asend, signal.asend_robust:
        ((receiver, (_, kind, thread)),) = asyncio.run(method(None))
        assert (receiver, kind) == (index, "sync")
        assert thread != threading.get_ident()


# --- Lifetimes -----------------------------------------------------------------------------------------------


@counted
def test_decorated_receivers_still_die_at_once(csignals, signal):
    @csignals.receiver(signal)
    def index(**named):
        pass

    assert signal.has_listeners()
    del index
    assert not signal.has_listeners()


def test_hybrids_die_with_a_collection(signal, add):
    add(signal)
    collect()
    assert not signal.has_listeners()
    assert asyncio.run(signal.asend(None)) == []


# --- Errors --------------------------------------------------------------------------------------------------


class CallsAsync:
    async def __call__(self, **named):
        pass


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (plain, "must be an async function, not .*plain"),
        (CallsAsync(), "must be an async function, not .*CallsAsync"),
        (None, "must be an async function, not .*None"),
        (takes_nothing, r"must accept keyword arguments \(\*\*kwargs\)"),
    ],
    ids=["sync", "object", "None", "no kwargs"],
)
def test_async_variants_are_checked(csignals, signal, variant, message):
    @csignals.receiver(signal)
    def index(**named):
        return "sync"

    with pytest.raises(TypeError, match=f"async variant of .*index {message}"):
        index.async_variant(variant)
    assert not hasattr(index, "async_call") and not hasattr(index, "sync_call")
    assert robust_and_not(signal) == [(index, "sync")]


def test_a_second_async_variant_raises(signal, add):
    index = add(signal)
    before = index.async_call
    with pytest.raises(TypeError, match=r"index already has an async variant, .*index_async"):
        index.async_variant(awaited)
    assert index.async_call is before


def test_async_receivers_have_no_variant(csignals, signal):
    @csignals.receiver(signal)
    async def index(**named):
        return "async"

    for variant in awaited, plain:
        with pytest.raises(TypeError, match=r"index is async: put @receiver on a sync function"):
            index.async_variant(variant)
    assert robust_and_not(signal) == [(index, "async")]


@counted
def test_a_dead_receiver_gets_no_variant(csignals, signal):
    variant = csignals.receiver(signal)(lambda **named: None).async_variant
    with pytest.raises(TypeError, match="after its receiver was collected"):
        variant(awaited)
