"""How connect() and disconnect() find entries in the list, with keys of any kind and after direct changes to it."""

import copy
import gc
import random
import weakref
from unittest import mock

import pytest

from tests.helpers.implementations import (
    collect_where_references_are_not_counted,
    collecting_after,
    compiled,
    counted,
    has_thresholds,
    load,
    plain_id,
    without_collector,
)
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal


def make_receiver():
    def hear(**named):
        pass

    return hear


class Same:
    """A dispatch uid that equals any other of its class, and is not hashable."""

    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Same)


UIDS = [None, "", 0, 1, True, 1.0, 2, "1", "uid", ("uid", 1), ("uid", True), ["list"], b"uid", Same(), 2**70, -1]


def called_indexes(signal, receivers):
    """Return the indexes of the receivers that a signal calls, in order."""
    return [receivers.index(receiver) for receiver, _ in signal.send(None)]


@pytest.mark.parametrize("seed", range(20))
def test_random_connections_match_djangos(signal, seed):
    chance = random.Random(seed)
    receivers = [make_receiver() for _ in range(30)]
    django_signal = StockSignal()
    for step in range(200):
        receiver, uid = chance.choice(receivers), chance.choice(UIDS if seed % 2 else UIDS[:1])
        act = chance.choice(["connect", "connect", "disconnect", "pop", "swap"])
        outcomes = []
        for each in (django_signal, signal):
            if act == "pop":
                outcomes.append(each.receivers and each.receivers.pop(step % len(each.receivers)) and None)
            elif act == "swap":
                each.receivers = each.receivers[step % 7 :] + each.receivers[: step % 7]
            else:
                outcomes.append(getattr(each, act)(receiver, dispatch_uid=uid))
        assert outcomes[:1] == outcomes[1:]
        assert called_indexes(signal, receivers) == called_indexes(django_signal, receivers)


def test_entries_added_directly_are_found(signal):
    receiver, other, third = make_receiver(), make_receiver(), make_receiver()
    donor = type(signal)()
    donor.connect(other)
    signal.connect(receiver)
    entries = signal.receivers  # the test holds the list, and changes it
    entries += donor.receivers
    signal.connect(other)
    assert called_indexes(signal, [receiver, other]) == [0, 1]
    assert signal.disconnect(receiver) is True
    del entries[0]
    assert signal.disconnect(other) is False
    signal.connect(third)
    assert entries == signal.receivers
    assert called_indexes(signal, [third]) == [0]


def test_changes_of_a_held_list_take_effect(signal):
    receivers = [make_receiver() for _ in range(3)]
    for receiver in receivers:
        signal.connect(receiver)
    entries = signal.receivers
    first, last = entries[0], entries[-1]
    for _ in range(3):
        assert called_indexes(signal, receivers) == [0, 1, 2]
        entries[0], entries[-1] = last, first
        assert called_indexes(signal, receivers) == [2, 1, 0]
        entries.reverse()
    del entries
    assert called_indexes(signal, receivers) == called_indexes(signal, receivers) == [0, 1, 2]
    signal.receivers[0] = last
    assert called_indexes(signal, receivers) == [2, 1, 2]


def test_another_signals_table_is_ignored(signal):
    other, receivers = type(signal)(), [make_receiver(), make_receiver()]
    signal.connect(receivers[0])
    other.connect(receivers[1])
    assert called_indexes(signal, receivers) == called_indexes(signal, receivers) == [0]
    assert called_indexes(other, receivers) == [1]
    signal._csignals_table = other._csignals_table
    assert called_indexes(signal, receivers) == [0]


@pytest.mark.parametrize("name", ["receivers", "lock", "use_caching", "sender_receivers_cache"])
def test_mock_can_patch_and_restore_attributes(signal, name):
    """Mock deletes the attribute, and sets the original again if the attribute is gone then."""
    receiver = make_receiver()
    signal.connect(receiver)
    before = getattr(signal, name)
    with mock.patch.object(signal, name, type(before)() if name != "lock" else mock.MagicMock()):
        signal.send(None)
    assert getattr(signal, name) is before
    assert called_indexes(signal, [receiver]) == [0]


def test_signals_without_a_list_raise(signal):
    receiver = make_receiver()
    signal.connect(receiver)
    assert called_indexes(signal, [receiver]) == [0]
    del signal.receivers
    for act in (signal.send, signal.connect, signal.disconnect):
        with pytest.raises(AttributeError, match="'Signal' object has no attribute 'receivers'"):
            act(receiver)
    signal.receivers = []
    assert signal.send(None) == []


@pytest.mark.parametrize("then", ["send", "disconnect"])
def test_strong_receivers_removed_directly_are_freed(signal, then):
    receiver, other = make_receiver(), make_receiver()
    death = weakref.ref(receiver)
    signal.connect(other)
    signal.connect(receiver, weak=False)
    signal.send(None)
    signal.receivers.pop()
    del receiver
    signal.send(None) if then == "send" else signal.disconnect(make_receiver())
    collect_where_references_are_not_counted()
    assert death() is None


def test_copies_notice_their_own_receivers_deaths(signal):
    first, second = make_receiver(), make_receiver()
    signal.connect(first)
    twin = copy.copy(signal)
    twin.receivers = []
    twin.connect(second)
    assert len(twin.receivers) == 1
    del second
    collect_where_references_are_not_counted()
    twin.connect(first)
    assert [entry[1]() for entry in twin.receivers] == [first]
    assert signal._dead_receivers is False


@pytest.mark.parametrize("dead", ["receiver", "sender"])
def test_connect_and_disconnect_sweep_dead_entries(signal, dead):
    sender, receiver, stays = Sender(), make_receiver(), make_receiver()
    signal.connect(stays)
    signal.connect(receiver, sender=sender, weak=dead == "receiver")
    if dead == "receiver":
        del receiver
    else:
        del sender
    gc.collect()
    signal.disconnect(make_receiver()) if dead == "receiver" else signal.connect(stays)
    assert [entry[1]() for entry in signal.receivers] == [stays]


@pytest.mark.exhaustive
@has_thresholds
def test_finalizers_may_disconnect_during_searches(signal):
    """The collector may run at any allocation, before Python 3.12 also inside C code."""

    class Garbage:
        def __init__(self):
            self.me = self

        def __del__(self):
            for number in range(2, 100):
                signal.disconnect(dispatch_uid=number)
            more.append([(number,) * 4 for number in range(500)])

    more = []
    receiver = make_receiver()
    for pad in range(1, 40):
        for number in range(1, 100):
            signal.connect(receiver, weak=False, dispatch_uid=number)
        signal.receivers.reverse()
        signal.send(None)
        signal.receivers.reverse()
        gc.collect()
        Garbage()
        with collecting_after(60):
            hold = [make_receiver() for _ in range(pad)]
            signal.disconnect(dispatch_uid=1)
            signal.send(None)
        gc.collect()
        more.clear()
        del hold
        assert signal.receivers == []


@pytest.mark.parametrize(("entry", "error"), [((), IndexError), (None, TypeError), (7, TypeError)], ids=plain_id)
def test_entries_without_a_key_raise(signal, entry, error):
    signal.receivers.append(entry)
    for act in (signal.connect, signal.disconnect):
        with pytest.raises(error):
            act(make_receiver())


@pytest.mark.parametrize("change", ["assign", "pop"])
def test_restored_lists_free_later_receivers(signal, change):
    stays, goes = make_receiver(), make_receiver()
    signal.connect(stays)
    signal.send(None)
    saved = signal.receivers[:]
    signal.connect(goes, weak=False)
    death = weakref.ref(goes)
    del goes
    if change == "assign":
        signal.receivers = saved
    else:
        signal.receivers.pop()
    signal.send(None)
    collect_where_references_are_not_counted()
    assert death() is None


@pytest.mark.parametrize(("uid", "same"), [(True, True), (b"uid", b"uid"), (1, True), (1, 1.0)], ids=plain_id)
def test_disconnected_receivers_are_freed_with_any_uid(signal, uid, same):
    stays, goes = make_receiver(), make_receiver()
    signal.connect(goes, weak=False, dispatch_uid=uid)
    signal.connect(stays)
    death = weakref.ref(goes)
    del goes
    assert signal.disconnect(dispatch_uid=same) is True
    collect_where_references_are_not_counted()
    assert death() is None


def test_patched_callbacks_are_not_kept(csignals):
    with mock.patch.object(csignals.Signal, "_flag_dead_receivers"):
        signal = csignals.Signal()
        signal.connect(make_receiver())
    signal.receivers = []
    for _ in range(50):
        receiver = make_receiver()
        signal.connect(receiver)
        assert called_indexes(signal, [receiver]) == [0]
        del receiver
        collect_where_references_are_not_counted()


@counted
def test_signals_without_receivers_are_freed_immediately(csignals):
    signal, receiver = csignals.Signal(), make_receiver()
    signal.connect(receiver)
    signal.disconnect(receiver)
    signal.connect(receiver)
    del receiver
    signal.send(None)
    death = weakref.ref(signal)
    with without_collector():
        del signal
        assert death() is None


def test_functions_that_imitate_methods_are_equal(signal):
    class Listener:
        def hear(self, **named):
            pass

    listener = Listener()

    def proxy(**named):
        pass

    proxy.__self__, proxy.__func__ = listener, Listener.hear
    signal.connect(listener.hear)
    signal.connect(proxy, weak=False)
    assert len(signal.receivers) == 1


def test_dispatch_uids_may_be_nested_deeply(signal):
    uid = 1
    for _ in range(200_000):
        uid = (uid,)
    signal.connect(make_receiver(), weak=False, dispatch_uid=uid)
    assert len(signal.receivers) == 1
    while type(uid) is tuple:  # without this loop, deep recursion frees it
        (uid,) = uid


def test_keyword_names_may_have_finalizers(signal):
    class Name(str):
        def __del__(self):
            signal.send(None, c=3)

    passed = []

    def hear(signal, sender, **named):
        passed.append(named)

    signal.connect(hear)
    signal.send(None, **{Name("a"): 1})
    signal.send(None, b=2)
    signal.send(None, b=2)
    gc.collect()
    assert {"b": 2} in passed
    assert all(named in ({"a": 1}, {"b": 2}, {"c": 3}) for named in passed)


def test_live_receivers_may_grow_during_send(csignals):
    class Growing(csignals.Signal):
        def _live_receivers(self, sender):
            return calls, []

    def first(**named):
        if len(calls) < 3:
            calls.append(make_receiver())

    calls = [first]
    signal = Growing()
    signal.receivers = [None]
    assert len(signal.send(None)) == 2


@compiled
def test_compiled_signals_use_a_receivers_property():
    base = load("cython").Signal

    class Muted(base):
        is_muted = False

        @property
        def receivers(self):
            return [] if self.is_muted else super().receivers

        @receivers.setter
        def receivers(self, receivers):
            base.receivers.__set__(self, receivers)

    signal, receiver = Muted(), make_receiver()
    signal.connect(receiver)
    assert len(signal.send(None)) == len(signal.send(None)) == 1
    signal.is_muted = True
    assert signal.send(None) == []
