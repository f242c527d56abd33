"""A Django project sees the same behaviour of its signals with and without csignals, on each Django.

Each scenario runs twice: with a signal from an unpatched copy of Django's dispatcher, and with a signal that csignals
dispatches. The scenario returns its observations.
"""

import asyncio
import copy
import functools
import gc
import logging
import weakref
from unittest import mock

import django.dispatch
import pytest
from django.db.models.signals import ModelSignal, post_init

from tests.differential.samples import (
    HAS_ASYNC,
    Listener,
    awaited,
    awaited_fail,
    awaited_fail_too,
    connected,
    fail,
    first,
    outcome,
    second,
    shape,
)
from tests.helpers.implementations import collect_where_references_are_not_counted
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(pytest.param(function, id=function.__name__))
    return function


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # Django 4.2 awaits no receivers
def test_csignals_and_django_behave_the_same(drop_in, scenario, use_caching):
    seen = [scenario(functools.partial(cls, use_caching=use_caching)) for cls in (StockSignal, django.dispatch.Signal)]
    gc.collect()
    assert seen[0] == seen[1]
    assert seen[0]


@scenario
def entries(make):
    signal = connected(make, first, Listener, awaited)
    signal.connect(second, sender=Sender, weak=False, dispatch_uid="uid")
    return [[type(part) for part in entry] for entry in signal.receivers], signal.receivers[-1][0][0]


@scenario
def live_receivers(make):
    listener = Listener()
    signal = connected(make, first, listener.hear, awaited)
    signal.connect(second, sender=Sender)
    seen = [shape(signal._live_receivers(sender)) for sender in (Listener, Sender)]
    for _ in range(2):
        live = signal._live_receivers(Sender)
        seen.append([each.__name__ for each in (live[0] if HAS_ASYNC else live)])
        (live[0] if HAS_ASYNC else live).clear()  # as Sentry edits the list: no other caller may see the change
    del listener
    return seen, shape(signal._live_receivers(Listener)), signal.has_listeners(Listener)


@scenario
def async_receivers_of_a_send(make):
    signal = connected(make, awaited, first)
    results = [outcome(signal.send, Sender), outcome(signal.send_robust, Sender)]
    for more in (awaited_fail, fail, awaited_fail_too):
        signal.connect(more)
        results += [outcome(signal.send, Sender), outcome(signal.send_robust, Sender)]
    return results


@scenario
def async_receivers_inside_a_running_loop(make):
    called = []
    signal = connected(make, awaited)
    signal.connect(lambda **named: called.append("sync"), weak=False)

    async def main():
        return outcome(signal.send, Sender), outcome(signal.send_robust, Sender)

    return asyncio.run(main()), called


@scenario
def asend(make):
    if not HAS_ASYNC:
        return hasattr(make(), "asend"), "there is none"
    results = []
    for receivers in ([first], [awaited, first], [awaited, fail], [awaited_fail, awaited_fail_too], [awaited_fail]):
        signal = connected(make, *receivers)
        results.append(outcome(asyncio.run, signal.asend(Sender)))
        results.append(outcome(asyncio.run, signal.asend_robust(Sender)))
    return results


@scenario
def log_records(make):
    records = []
    signal = connected(make, fail, Listener().hear, first)
    signal.connect(awaited_fail)
    logger = logging.getLogger("django.dispatch")
    with mock.patch.object(logger, "handle", records.append):
        assert [error for _, error in signal.send_robust(Sender) if error is None] == []
        signal.send_robust(Sender, x=1)
    # Django 4.2 logs inside send_robust. A compiled send_robust has no frame that a log record could name.
    place = ["module", "funcName", "lineno"] if HAS_ASYNC else []
    names = ["name", "levelname", "msg", *place]
    return [[getattr(record, name) for name in names] + shape([record.args, record.exc_info]) for record in records]


@scenario
def calls_that_python_rejects(make):
    signal = connected(make, first)
    calls = [
        lambda: signal.send(),
        lambda: signal.send(1, 2),
        lambda: signal.send(1, sender=2),
        lambda: signal.send_robust(),
        lambda: signal.has_listeners(1, 2),
        lambda: signal._live_receivers(),
        lambda: signal.send(1, self=2),
    ]
    # The messages do not name the copy of the dispatcher.
    return [outcome(call) for call in calls]


@scenario
def overridden_live_receivers(make):
    def override(self, sender):
        live = original(sender)
        (live[0] if HAS_ASYNC else live).reverse()
        return live

    signal = connected(make, first, second)
    original = signal._live_receivers
    seen = [outcome(signal.send, Sender, x=1)]
    signal._live_receivers = override.__get__(signal)
    seen += [outcome(signal.send, Sender, x=1), outcome(signal.send_robust, Sender), signal.has_listeners(Sender)]
    del signal._live_receivers
    return [*seen, outcome(signal.send, Sender, x=1)]


@scenario
def overridden_has_listeners_and_send(make):
    signal = connected(make, first)
    signal.send = mock.Mock(return_value="mocked")
    signal.has_listeners = lambda sender=None: False
    seen = signal.send(Sender, x=1), signal.has_listeners(Sender), outcome(signal.send_robust, Sender)
    del signal.send
    return *seen, outcome(signal.send, Sender), signal.send == signal.send


@scenario
def copies(make):
    signal = connected(make, first)
    signal.send(Sender)
    twin = copy.copy(signal)
    twin.connect(second)
    signal.disconnect(first)
    seen = [outcome(each.send, Sender) for each in (signal, twin)]
    # The copies share a cache, which misleads Django but not csignals.
    twin.receivers, twin.sender_receivers_cache = list(twin.receivers), weakref.WeakKeyDictionary()
    signal.connect(first)
    return seen, [outcome(each.send, Sender) for each in (signal, twin)], sorted(set(vars(twin)) - {"_csignals_table"})


@scenario
def dead_receivers(make):
    listeners = [Listener() for _ in range(3)]
    signal = connected(make, *(listener.hear for listener in listeners))
    seen = [len(signal.send(Sender))]
    del listeners[1]
    collect_where_references_are_not_counted()
    seen += [len(signal.send(Sender)), len(signal.receivers), signal._dead_receivers]
    listeners.clear()
    collect_where_references_are_not_counted()
    seen += [signal.has_listeners(Sender), signal.send_robust(Sender), len(signal.receivers)]
    return seen


@scenario
def a_receiver_dies_during_a_send(make):
    listeners = [Listener()]
    signal = make()
    signal.connect(lambda **named: listeners.clear(), weak=False)
    signal.connect(listeners[0].hear)
    return [response for _, response in signal.send(Sender)], len(signal.send(Sender))


@scenario
def keys_of_a_dict(make):
    one, other = connected(make, first), connected(make, first)
    found = {one: "one", other: "other"}
    one.send(Sender)
    is_tracked = any(each is one for each in gc.get_objects())  # a comparison with `in` would call an __eq__ that fails
    return found[one], found[other], one == other, is_tracked, weakref.ref(one)() is one


@scenario
def replaced_receiver_lists(make):
    signal = connected(make, first, second)
    signal.send(Sender)
    paused = signal.receivers
    signal.receivers = []  # as factory_boy, but the cache is not cleared
    seen = [outcome(signal.send, Sender)]
    signal.connect(second, dispatch_uid="meanwhile")
    with signal.lock:
        signal.receivers = paused + signal.receivers
        signal.sender_receivers_cache.clear()
    seen += [outcome(signal.send, Sender), signal.has_listeners(Sender)]
    signal.receivers = None  # some packages do this
    seen.append(outcome(signal.send, Sender))
    signal.receivers = paused
    with signal.lock:
        signal._clear_dead_receivers()
    signal.sender_receivers_cache.clear()
    return [*seen, outcome(signal.send, Sender)]


@scenario
def a_generator_of_receivers(make):
    signal, log = connected(make, first), []

    def receivers(sender):
        for number in range(3):
            log.append(number)
            yield lambda **named: log.append("called")

    signal._live_receivers = lambda sender: (receivers(sender), []) if HAS_ASYNC else receivers(sender)
    signal.send(Sender)
    return log


@scenario
def hand_made_entries(make):
    signal = connected(make, first)
    rest = signal.receivers[0][:-1]
    if HAS_ASYNC:
        signal.receivers = [(*rest, None), (*rest, "")]
    seen = outcome(signal.send, Sender), signal.has_listeners(Sender)
    signal.receivers = None
    return *seen, outcome(signal.send, Sender)


def test_lazy_senders_of_model_signals_work(drop_in):
    signal, apps = ModelSignal(use_caching=True), mock.Mock()
    signal.connect(first, sender="app.Model", apps=apps)
    (connect, model), _ = apps.lazy_model_operation.call_args
    assert model == ("app", "model")
    assert signal.send(Sender) == []
    connect(Sender)  # Django loads the model
    assert signal.send(Sender) == [(first, "first")]
    assert signal.send(Listener) == []
    assert type(post_init).send is django.dispatch.Signal.send


def test_connect_keeps_the_checks_of_django(drop_in):
    with mock.patch("django.conf.settings", mock.Mock(configured=True, DEBUG=True)):
        signal = django.dispatch.Signal()
        with pytest.raises(TypeError, match=r"^Signal receivers must be callable\.$"):
            signal.connect(object())
        with pytest.raises(ValueError, match=r"^Signal receivers must accept keyword arguments \(\*\*kwargs\)\.$"):
            signal.connect(lambda: None)


def finalizers(base, how):
    """Return the results of a finalizer that disconnects a receiver. It would deadlock if the lock were held."""
    signal = base()

    class Last:
        def __call__(self, **named):
            pass

        def __del__(self):
            seen.append(signal.disconnect(first))

    seen = []
    signal.connect(first)
    signal.connect(Last(), weak=False)
    signal.send(Sender)
    how(signal)
    collect_where_references_are_not_counted()
    signal.connect(second)
    signal.disconnect(second)
    signal.send(Sender)
    collect_where_references_are_not_counted()
    signal.send(Sender)
    collect_where_references_are_not_counted()
    return seen


@pytest.mark.parametrize(
    "how",
    [
        lambda signal: setattr(signal, "receivers", signal.receivers[:1]),
        lambda signal: signal.receivers.pop(),
        lambda signal: [signal.receivers.pop(), setattr(signal, "_dead_receivers", True)],
    ],
    ids=["assigned", "popped", "popped and dead"],
)
def test_no_receiver_dies_under_the_lock(drop_in, how):
    assert finalizers(django.dispatch.Signal, how) == [True] == finalizers(StockSignal, how)


def test_an_override_on_the_instance_is_used(drop_in):
    """A deleted attribute leaves the size of the instance's dict unchanged."""
    signal = connected(django.dispatch.Signal, first)
    signal.send(Sender)
    del signal.use_caching  # keeps the size of the dict
    signal._live_receivers = lambda sender: ([], []) if HAS_ASYNC else []
    assert signal.send(Sender) == []
