"""``csignals.testing.connected()``: connect a receiver in a with block, and restore the list afterwards.

It works on csignals' signals, and on Django's signals whether csignals is installed or not.
"""

import asyncio
import gc
import threading
import weakref

import django.dispatch
import pytest
from django.db.models.signals import ModelSignal

from tests.helpers.implementations import load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Listener, Sender, one, two
from tests.helpers.stock_django import StockSignal


def three(**named):
    return "three"


@pytest.fixture
def connected(implementation):
    return load(implementation, "csignals.testing").connected


KINDS = ["standalone", "in Django", "in Django, use_caching", "a model signal", "without csignals, use_caching"]


@pytest.fixture(params=KINDS)
def signal(request, csignals):
    if request.param == "standalone":
        return csignals.Signal()
    if request.param == "without csignals, use_caching":
        return StockSignal(use_caching=True)
    request.getfixturevalue("drop_in")
    return ModelSignal() if "model" in request.param else django.dispatch.Signal(use_caching="caching" in request.param)


def connect(signal, *receivers, **how):
    for receiver in receivers:
        signal.connect(receiver, **how)


def results(signal, sender=Sender):
    return [response for _, response in signal.send(sender)]


def test_a_receiver_is_connected_inside_only(connected, signal):
    connect(signal, one, two)
    before = signal.receivers[:]
    assert results(signal) == ["one", "two"]
    with connected(signal, lambda **named: "lambda") as receiver:
        gc.collect()
        assert signal.send(Sender)[2] == (receiver, "lambda")
        assert len(signal.receivers) == 3
    assert results(signal) == ["one", "two"]
    assert signal.receivers == before


def test_connected_may_choose_a_sender(connected, signal):
    with connected(signal, one, sender=Sender), connected(signal, two, Listener):
        assert (results(signal, Sender), results(signal, Listener), results(signal, type)) == (["one"], ["two"], [])
    assert signal.receivers == []


def test_a_bound_method_is_held_until_exit(connected, signal):
    listener = Listener()
    alive = weakref.ref(listener)
    with connected(signal, listener.hear):
        del listener
        gc.collect()
        assert results(signal) == ["hear"]
    gc.collect()
    assert alive() is None


def test_an_exception_ends_the_connection(connected, signal):
    with pytest.raises(LookupError), connected(signal, one):
        raise LookupError
    assert results(signal) == []


@pytest.mark.parametrize("how", [{}, {"sender": Sender}, {"dispatch_uid": "uid"}], ids=["any", "sender", "uid"])
def test_an_earlier_connection_keeps_its_place(connected, signal, how):
    connect(signal, one)
    connect(signal, two, **how)
    connect(signal, three)
    before = signal.receivers[:]
    results(signal)
    with connected(signal, two, **how):
        assert results(signal) == ["one", "two", "three"]
    assert signal.receivers == before
    with connected(signal, two, **how):
        assert signal.disconnect(two if "dispatch_uid" not in how else None, **how)
        assert results(signal) == ["one", "three"]
    assert signal.receivers == before
    assert results(signal) == ["one", "two", "three"]
    with connected(signal, two, **how):
        signal.disconnect(two, **how)
        signal.connect(two, **how)
        assert results(signal) == ["one", "three", "two"]
    assert signal.receivers == before
    assert results(signal) == ["one", "two", "three"]


def test_weak_receivers_stay_weak_afterwards(connected, signal):
    listener = Listener()
    signal.connect(listener.hear)
    with connected(signal, listener.hear):
        signal.disconnect(listener.hear)
    assert results(signal) == ["hear"]
    del listener
    gc.collect()
    assert results(signal) == []


def test_disconnected_receivers_return_to_their_places(connected, signal):
    connect(signal, one, two, three)
    before = signal.receivers[:]
    with connected(signal, one), connected(signal, three), connected(signal, two):
        for receiver in (one, two, three):
            signal.disconnect(receiver)
        assert signal.receivers == []
    assert signal.receivers == before


def test_connections_by_others_are_kept(connected, signal):
    listener = Listener()
    connect(signal, one, two, three)
    with connected(signal, two), connected(signal, print, sender=Listener):
        signal.disconnect(one)
        signal.disconnect(two)
        signal.connect(listener.hear)
    assert results(signal) == ["two", "three", "hear"]
    with connected(signal, two):
        connect(signal, one)
        signal.disconnect(two)
        signal.disconnect(three)
    assert results(signal) == ["two", "hear", "one"]


def test_a_reconnected_receiver_stays_connected(connected, signal):
    with connected(signal, one):
        signal.disconnect(one)
        signal.connect(one)
    assert results(signal) == ["one"]
    with connected(signal, two):
        signal.disconnect(two)
    assert results(signal) == ["one"]


def test_the_receivers_list_may_be_replaced(connected, signal):
    connect(signal, one, two)
    for replacement in (lambda: signal.receivers[::-1], list, lambda: None):
        with connected(signal, three), connected(signal, one):
            signal.receivers = replacement()
        assert [entry[1]() for entry in signal.receivers] in ([two, one], [one])
    assert results(signal) == ["one"]


def test_connections_of_one_receiver_nest(connected, signal):
    connect(signal, two)
    with connected(signal, one):
        with connected(signal, one):
            signal.disconnect(one)
            assert results(signal) == ["two"]
        assert results(signal) == ["two", "one"]
    assert results(signal) == ["two"]


def test_a_taken_dispatch_uid_raises(connected, signal):
    connect(signal, one, dispatch_uid="uid")
    with pytest.raises(ValueError, match=rf"another receiver has the dispatch_uid 'uid': {one.__module__}\.one"):
        connected(signal, two, dispatch_uid="uid").__enter__()
    assert results(signal) == ["one"]


def test_receivers_that_cannot_connect_raise(connected, csignals):
    signal = csignals.Signal()
    connection = connected(signal, "text")
    with pytest.raises(TypeError, match=r"Signal receivers must be callable\."):
        connection.__enter__()
    assert signal.receivers == []


def test_a_connection_may_be_used_again(connected, signal):
    """It raises if it is entered while it is open."""
    connection = connected(signal, one)
    for _ in range(2):
        with connection:
            with pytest.raises(RuntimeError, match="this connection is open already"):
                connection.__enter__()
            assert results(signal) == ["one"]
        assert results(signal) == []


def test_connected_works_in_async_with(connected, csignals):
    signal = csignals.Signal()

    async def main():
        async with connected(signal, one) as receiver:
            assert receiver is one
            return await signal.asend(Sender)

    assert asyncio.run(main()) == [(one, "one")]
    assert signal.receivers == []


def test_custom_connect_methods_are_used(connected, csignals):
    class Wrapping(csignals.Signal):
        def connect(self, receiver, sender=None, weak=True, dispatch_uid=None):
            super().connect(lambda **named: [receiver(**named)], sender, False, (receiver, dispatch_uid))

        def disconnect(self, receiver=None, sender=None, dispatch_uid=None):
            return super().disconnect(None, sender, (receiver, dispatch_uid))

    signal = Wrapping()
    with connected(signal, one, sender=Sender):
        assert results(signal) == [["one"]]
    assert signal.receivers == []


def test_many_threads_may_connect_at_once(connected, signal):
    connect(signal, one, two, three)
    before = signal.receivers[:]

    def work():
        for _ in range(50):
            with connected(signal, lambda **named: None), connected(signal, two):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert signal.receivers == before


def test_keys_are_compared_outside_the_lock(connected, csignals):
    """A dispatch_uid's __eq__ may wait for a thread that needs the lock. Django's own disconnect() deadlocks then."""
    signal = csignals.Signal()

    class Uid:
        is_busy = False

        def __eq__(self, other):
            if Uid.is_busy:
                Uid.is_busy = False
                thread = threading.Thread(target=signal.connect, args=(three,), daemon=True)
                thread.start()
                thread.join(10)
                assert not thread.is_alive()
            return self is other

        __hash__ = object.__hash__

    uid = Uid()
    connect(signal, one, dispatch_uid=Uid())
    connect(signal, two, dispatch_uid=uid)
    with connected(signal, two, dispatch_uid=uid):
        signal.disconnect(two, dispatch_uid=uid)
        Uid.is_busy = True
    assert not Uid.is_busy
    assert results(signal) == ["one", "two", "three"]


PROJECT = """
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"])
import django
django.setup()

import csignals
from csignals.testing import connected
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.db.models.signals import post_init

def hear(instance, **named):
    heard.append(type(instance).__name__)

def late():
    class Late(models.Model):
        class Meta:
            app_label = "auth"
    return Late

heard = []
before = post_init.receivers[:]
with connected(post_init, hear, sender="auth.Group"), connected(post_init, hear, sender="auth.Permission"):
    Group(), Permission()
Group()
with connected(post_init, hear, sender="auth.Late"):
    Late = late()
    Late()
    post_init.disconnect(hear, sender=Late)
    Late()
Late()
assert post_init.receivers == before

del apps.all_models["auth"]["late"]
connection = connected(post_init, hear, sender="auth.Late")
with connection:
    pass
with connection:
    assert late() and len(post_init.receivers) == len(before) + 1
assert post_init.receivers == before

del apps.all_models["auth"]["late"]
with connected(post_init, hear, sender="auth.Late"):
    assert post_init.receivers == before
late()()
assert post_init.receivers == before
try:
    connected(post_init, hear, sender="nonsense").__enter__()
except ValueError as error:
    print(error)
print(csignals.IMPLEMENTATION, heard)
"""


def test_model_senders_may_be_named_early(implementation):
    """A name may be that of a model that is not defined yet."""
    done = run_python("-W", "error", "-c", PROJECT, implementation=implementation)
    assert done.stderr == ""
    message, heard = done.stdout.splitlines()
    assert "must be of the form 'app_label.ModelName'" in message
    assert heard == f"{implementation} ['Group', 'Permission', 'Late']"
