"""What connect and disconnect find in the list of receivers, whatever its keys are and whoever changed it."""

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
from tests.helpers.stock_django import StockSignal


def make():
    def hear(**named):
        pass

    return hear


class Same:
    """A dispatch uid that is equal to any other of its kind, and cannot be hashed."""

    __hash__ = None

    def __eq__(self, other):
        return isinstance(other, Same)


UIDS = [None, "", 0, 1, True, 1.0, 2, "1", "uid", ("uid", 1), ("uid", True), ["list"], b"uid", Same(), 2**70, -1]


def where(signal, receivers):
    """Return which receivers a signal calls, in order, as their indexes."""
    return [receivers.index(receiver) for receiver, _ in signal.send(None)]


@pytest.mark.parametrize("seed", range(20))
def test_the_same_connections_as_djangos_whatever_the_dispatch_uids(signal, seed):
    chance = random.Random(seed)
    receivers = [make() for _ in range(30)]
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
        assert where(signal, receivers) == where(django_signal, receivers)


def test_an_entry_put_on_the_list_by_hand_is_found(signal):
    receiver, other, third = make(), make(), make()
    donor = type(signal)()
    donor.connect(other)
    signal.connect(receiver)
    entries = signal.receivers  # held, and changed while it is
    entries += donor.receivers
    signal.connect(other)
    assert where(signal, [receiver, other]) == [0, 1]
    assert signal.disconnect(receiver) is True
    del entries[0]
    assert signal.disconnect(other) is False
    signal.connect(third)
    assert entries == signal.receivers
    assert where(signal, [third]) == [0]


def test_a_list_that_somebody_holds_counts_at_once(signal):
    receivers = [make() for _ in range(3)]
    for receiver in receivers:
        signal.connect(receiver)
    entries = signal.receivers
    first, last = entries[0], entries[-1]
    for _ in range(3):
        assert where(signal, receivers) == [0, 1, 2]
        entries[0], entries[-1] = last, first
        assert where(signal, receivers) == [2, 1, 0]
        entries.reverse()
    del entries
    assert where(signal, receivers) == where(signal, receivers) == [0, 1, 2]
    signal.receivers[0] = last
    assert where(signal, receivers) == [2, 1, 2]


def test_another_signals_table_is_not_taken_for_its_own(signal):
    other, receivers = type(signal)(), [make(), make()]
    signal.connect(receivers[0])
    other.connect(receivers[1])
    assert where(signal, receivers) == where(signal, receivers) == [0]
    assert where(other, receivers) == [1]
    signal._csignals_table = other._csignals_table
    assert where(signal, receivers) == [0]


@pytest.mark.parametrize("name", ["receivers", "lock", "use_caching", "sender_receivers_cache"])
def test_an_attribute_can_be_patched_on_the_signal_and_is_put_back(signal, name):
    """Mock deletes the attribute, and puts back the original if that made it vanish."""
    receiver = make()
    signal.connect(receiver)
    before = getattr(signal, name)
    with mock.patch.object(signal, name, type(before)() if name != "lock" else mock.MagicMock()):
        signal.send(None)
    assert getattr(signal, name) is before
    assert where(signal, [receiver]) == [0]


def test_a_signal_without_its_list_says_so(signal):
    receiver = make()
    signal.connect(receiver)
    assert where(signal, [receiver]) == [0]
    del signal.receivers
    for act in (signal.send, signal.connect, signal.disconnect):
        with pytest.raises(AttributeError, match="'Signal' object has no attribute 'receivers'"):
            act(receiver)
    signal.receivers = []
    assert signal.send(None) == []


@pytest.mark.parametrize("keep", ["send", "disconnect"])
def test_a_strong_receiver_taken_off_by_hand_is_let_go_of(signal, keep):
    receiver, other = make(), make()
    death = weakref.ref(receiver)
    signal.connect(other)
    signal.connect(receiver, weak=False)
    signal.send(None)
    signal.receivers.pop()
    del receiver
    signal.send(None) if keep == "send" else signal.disconnect(make())
    collect_where_references_are_not_counted()
    assert death() is None


def test_a_copy_is_told_of_the_deaths_of_its_own_receivers(signal):
    first, second = make(), make()
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
def test_the_dead_are_swept_on_connect_and_disconnect(signal, dead):
    class Sender:
        pass

    sender, receiver, stays = Sender(), make(), make()
    signal.connect(stays)
    signal.connect(receiver, sender=sender, weak=dead == "receiver")
    if dead == "receiver":
        del receiver
    else:
        del sender
    gc.collect()
    signal.disconnect(make()) if dead == "receiver" else signal.connect(stays)
    assert [entry[1]() for entry in signal.receivers] == [stays]


@pytest.mark.slow
@has_thresholds
def test_a_finalizer_may_disconnect_while_another_list_is_looked_through(signal):
    """The collector may run wherever something is allocated, before Python 3.12 also in the midst of C code."""

    class Garbage:
        def __init__(self):
            self.me = self

        def __del__(self):
            for number in range(2, 100):
                signal.disconnect(dispatch_uid=number)
            more.append([(number,) * 4 for number in range(500)])

    more = []
    receiver = make()
    for pad in range(1, 40):
        for number in range(1, 100):
            signal.connect(receiver, weak=False, dispatch_uid=number)
        signal.receivers.reverse()
        signal.send(None)
        signal.receivers.reverse()
        gc.collect()
        Garbage()
        with collecting_after(60):
            hold = [make() for _ in range(pad)]
            signal.disconnect(dispatch_uid=1)
            signal.send(None)
        gc.collect()
        more.clear()
        del hold
        assert signal.receivers == []


@pytest.mark.parametrize(("entry", "error"), [((), IndexError), (None, TypeError), (7, TypeError)], ids=plain_id)
def test_an_entry_without_a_key_is_an_error_of_python(signal, entry, error):
    signal.receivers.append(entry)
    for act in (signal.connect, signal.disconnect):
        with pytest.raises(error):
            act(make())


@pytest.mark.parametrize("change", ["assign", "pop"])
def test_a_list_that_is_put_back_holds_nothing_more(signal, change):
    stays, goes = make(), make()
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
def test_a_receiver_that_is_disconnected_is_let_go_of_whatever_its_uid(signal, uid, same):
    stays, goes = make(), make()
    signal.connect(goes, weak=False, dispatch_uid=uid)
    signal.connect(stays)
    death = weakref.ref(goes)
    del goes
    assert signal.disconnect(dispatch_uid=same) is True
    collect_where_references_are_not_counted()
    assert death() is None


def test_a_patched_callback_is_not_kept(csignals):
    with mock.patch.object(csignals.Signal, "_flag_dead_receivers"):
        signal = csignals.Signal()
        signal.connect(make())
    signal.receivers = []
    for _ in range(50):
        receiver = make()
        signal.connect(receiver)
        assert where(signal, [receiver]) == [0]
        del receiver
        collect_where_references_are_not_counted()


@counted
def test_a_signal_without_receivers_is_freed_at_once(csignals):
    signal, receiver = csignals.Signal(), make()
    signal.connect(receiver)
    signal.disconnect(receiver)
    signal.connect(receiver)
    del receiver
    signal.send(None)
    death = weakref.ref(signal)
    with without_collector():
        del signal
        assert death() is None


def test_a_function_that_passes_for_a_method_is_that_method(signal):
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


def test_a_dispatch_uid_may_be_nested_deeply(signal):
    uid = 1
    for _ in range(200_000):
        uid = (uid,)
    signal.connect(make(), weak=False, dispatch_uid=uid)
    assert len(signal.receivers) == 1
    while type(uid) is tuple:  # deep recursion frees it otherwise
        (uid,) = uid


def test_keyword_names_that_run_code_when_they_go(signal):
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


def test_a_list_of_receivers_that_grows_while_they_are_called(csignals):
    class Growing(csignals.Signal):
        def _live_receivers(self, sender):
            return calls, []

    def first(**named):
        if len(calls) < 3:
            calls.append(make())

    calls = [first]
    signal = Growing()
    signal.receivers = [None]
    assert len(signal.send(None)) == 2


@compiled
def test_compiled_a_property_around_the_list_is_asked():
    base = load("cython").Signal

    class Muted(base):
        is_muted = False

        @property
        def receivers(self):
            return [] if self.is_muted else super().receivers

        @receivers.setter
        def receivers(self, receivers):
            base.receivers.__set__(self, receivers)

    signal, receiver = Muted(), make()
    signal.connect(receiver)
    assert len(signal.send(None)) == len(signal.send(None)) == 1
    signal.is_muted = True
    assert signal.send(None) == []
