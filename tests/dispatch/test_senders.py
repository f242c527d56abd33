"""Signals match senders by identity alone, and never take a new sender for a dead one."""

import asyncio
import gc
import weakref
from unittest import mock

import django
import pytest

from tests.differential.samples import HAS_ASYNC
from tests.helpers.implementations import collect_where_references_are_not_counted, compiled, counted, load


class Sender:
    def method(self):
        pass

    @classmethod
    def class_method(cls):
        pass


class Equal:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class Slotted:
    __slots__ = ()


class Hostile:
    def __eq__(self, other):
        raise AssertionError("compared")

    def __hash__(self):
        raise AssertionError("hashed")

    def __bool__(self):
        raise AssertionError("tested")


def hear(**named):
    return "heard"


def hear_too(**named):
    return "heard, too"


SENDERS = {
    "class": lambda: Sender,
    "instance": Sender,
    "str": lambda: "".join(["a", " sender"]),
    "int": lambda: 12345678901234567890,
    "tuple": lambda: (object(),),
    "object": object,
    "unhashable": list,
    "no weak references": Slotted,
    "hostile": Hostile,
    "module": lambda: gc,
}


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
@pytest.mark.parametrize("make", SENDERS.values(), ids=SENDERS)
def test_compatibility_2_anything_may_be_a_sender(csignals, make, use_caching):
    """Django raises TypeError for unhashable senders, and with use_caching for those without weak references."""
    signal = csignals.Signal(use_caching=use_caching)
    sender = make()
    assert signal.send(sender) == []
    signal.connect(hear, sender=sender)
    assert signal.send(sender) == signal.send_robust(sender=sender) == [(hear, "heard")]
    assert signal.has_listeners(sender)
    assert signal.send(None) == signal.send(object()) == []
    assert signal.disconnect(hear, sender=sender) is True
    assert signal.send(sender) == []
    signal.connect(hear_too)
    assert signal.send(sender) == signal.send(None) == [(hear_too, "heard, too")]


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_compatibility_2_equal_senders_are_different_senders(csignals, use_caching):
    """Django's cache confuses them."""
    signal = csignals.Signal(use_caching=use_caching)
    one, other = Equal(), Equal()
    signal.connect(hear, sender=one)
    assert signal.send(one) == [(hear, "heard")]
    assert signal.send(other) == []
    assert signal.disconnect(hear, sender=other) is False


def test_bound_methods_may_be_senders(signal):
    """A signal matches their object and their function."""
    one, other = Sender(), Sender()
    signal.connect(hear, sender=one.method)
    signal.connect(hear_too, sender=Sender.class_method)
    assert signal.send(one.method) == [(hear, "heard")]
    assert signal.send(other.method) == signal.send(one) == signal.send(Sender.method) == []
    assert signal.send(Sender.class_method) == [(hear_too, "heard, too")]
    assert signal.has_listeners(one.method)
    del one
    collect_where_references_are_not_counted()
    assert signal.receivers[0][2]() is None
    assert signal.disconnect(hear_too, sender=Sender.class_method) is True
    assert signal.receivers == []


def test_receivers_of_dead_senders_are_removed(signal):
    sender = Sender()
    alive = weakref.ref(sender)
    signal.connect(hear, sender=sender, weak=False)
    signal.send(sender)
    del sender
    collect_where_references_are_not_counted()
    assert alive() is None  # neither the entry nor the table holds it
    signal.connect(hear_too)
    assert len(signal.receivers) == 1


def skip_without_references_to_senders(signal):
    if django.VERSION < (6, 0) and isinstance(signal, django.dispatch.Signal):
        pytest.skip("before Django 6.0, its entries have no references to senders")


@pytest.mark.parametrize("name", ["send", "send_robust"])
def test_sends_without_receivers_sweep_dead_senders(make, name):
    signal, sender, receiver = make(), Sender(), lambda **named: None
    skip_without_references_to_senders(signal)
    alive = weakref.ref(receiver)
    signal.connect(receiver, sender=sender, weak=False)
    signal.connect(hear, sender=Sender)
    assert getattr(signal, name)(sender) == [(receiver, None)]
    del sender, receiver
    collect_where_references_are_not_counted()
    assert getattr(signal, name)(Slotted) == []
    collect_where_references_are_not_counted()
    assert [len(signal.receivers), alive()] == [1, None]


@counted
@pytest.mark.parametrize("name", ["send", "send_robust"])
def test_receivers_of_dead_senders_are_not_called(make, name):
    """Not even by their weak connection to all senders. As in Django, which sweeps dead entries before each send."""
    signal, sender, receiver = make(), Sender(), lambda **named: None
    skip_without_references_to_senders(signal)
    signal.connect(receiver, sender=sender, weak=False)
    signal.connect(receiver)
    signal.connect(hear)
    assert getattr(signal, name)(None) == [(receiver, None), (hear, "heard")]
    del sender, receiver
    collect_where_references_are_not_counted()
    assert getattr(signal, name)(None) == [(hear, "heard")]


@pytest.mark.parametrize("make", [Sender, Slotted, object], ids=["weak references", "slotted", "object"])
def test_compatibility_2_reused_sender_ids_reach_no_receivers(signal, make):
    """Up to Django 5.2, a new sender with the id of a dead one got its receivers. This test forces such ids."""
    for _ in range(1000):
        sender = make()
        assert signal.send(sender) == []
        signal.connect(hear, sender=sender)
        assert signal.send(sender) == [(hear, "heard")]
        del sender
    if make is Sender:
        collect_where_references_are_not_counted()
        signal.connect(hear_too)
        assert len(signal.receivers) == 1


def test_senders_without_weakrefs_are_freed_when_disconnected(signal):
    class Marked(Slotted):
        __slots__ = ("witness",)

    sender = Marked()
    sender.witness = Sender()
    alive = weakref.ref(sender.witness)
    signal.connect(hear, sender=sender)
    signal.send(sender)
    signal.disconnect(hear, sender=sender)
    del sender
    collect_where_references_are_not_counted()
    assert alive() is None


def test_compatibility_2_connecting_leaves_nothing_behind(signal):
    """Up to Django 6.0 each connect left a weakref.finalize behind."""
    finalizers = len(weakref.finalize._registry)
    gc.collect()
    signal.connect(hear)
    before = weakref.getweakrefcount(hear), weakref.getweakrefcount(Sender)
    for _ in range(100):
        signal.connect(hear)
        signal.connect(hear, sender=Sender)
        signal.disconnect(hear, sender=Sender)
    signal.send(Sender)
    collect_where_references_are_not_counted()
    assert (weakref.getweakrefcount(hear), weakref.getweakrefcount(Sender)) == before
    assert len(weakref.finalize._registry) == finalizers


@pytest.mark.exhaustive
def test_thousands_of_senders_find_their_receivers(signal):
    senders = [Sender() for _ in range(3000)]
    receivers = [lambda i=i, **named: i for i in range(3000)]
    for sender, receiver in zip(senders, receivers, strict=True):
        signal.receivers.append(((id(receiver), id(sender)), receiver, weakref.ref(sender), False))
    assert [signal.send(sender)[0][1] for sender in senders] == list(range(3000))
    assert signal.send(None) == signal.send(Sender()) == []
    signal.connect(hear)
    assert [response for _, response in signal.send(senders[7])] == [7, "heard"]


@compiled
def test_compiled_signals_find_senders_by_address():
    # A call of Python code here made a send to a sender's own receivers three times as slow. No other test shows it.
    compiled_module, package = load("cython", "csignals._dispatch.compiled"), load("cython")
    signal = package.Signal()
    for sender in (Sender, Equal(), 7):
        signal.connect(lambda **named: named, sender=sender, weak=False)
        with mock.patch.object(
            compiled_module, "python_make_id", side_effect=AssertionError("called Python code for the id")
        ):
            assert len(signal.send(sender)) == 1
            assert signal.send(object()) == []


@pytest.mark.skipif(not HAS_ASYNC, reason="there is no asend in Django 4.2")
@pytest.mark.parametrize("use_caching", [False, True])
@pytest.mark.parametrize("name", ["asend", "asend_robust"])
@pytest.mark.parametrize("sender", [None, "sender", Slotted(), [], Hostile()], ids=lambda sender: type(sender).__name__)
def test_compatibility_2_any_object_sends_async(make, name, sender, use_caching):
    """Up to 6.0, Django's asend() looks for the sender in the signal's cache, even without use_caching."""

    def hear(**named):
        return "sync"

    async def hear_async(**named):
        return "async"

    for receivers in [hear], [hear_async], [hear, hear_async]:
        signal = make(use_caching=use_caching)
        for receiver in receivers:
            signal.connect(receiver)
        responses = asyncio.run(getattr(signal, name)(sender, x=1))
        assert [receiver for receiver, _ in responses] == receivers
