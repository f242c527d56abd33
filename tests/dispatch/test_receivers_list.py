"""A signal's list of receivers is the truth, also after a program has changed it directly."""

import functools
import operator

import pytest

from tests.helpers.implementations import plain_id


def make_receiver(label):
    def hear(**named):
        return label

    return hear


@pytest.fixture
def receivers():
    return [make_receiver(label) for label in "abcd"]


@pytest.fixture
def warm(signal, receivers):
    """A signal that has built its routing table."""
    for each in receivers:
        signal.connect(each)
    assert labels(signal) == ["a", "b", "c", "d"]
    return signal


def labels(signal, sender=None):
    return [response for _, response in signal.send(sender)]


def test_the_table_is_rebuilt_only_after_changes(warm, receivers):
    table = warm._csignals_table
    for sender in (None, "sender", pytest):
        warm.send(sender, x=1)
        warm.send_robust(sender)
        warm.has_listeners(sender)
        warm._live_receivers(sender)
        assert warm._csignals_table is table
    warm.connect(receivers[0])  # connected already
    warm.send(None)
    assert warm._csignals_table is table
    warm.connect(receivers[0], sender=pytest)
    warm.send(None)
    assert warm._csignals_table is not table


@pytest.mark.parametrize("send", ["send", "send_robust"])
def test_compatibility_2_assigned_lists_take_effect_immediately(warm, send):
    """Django's has_listeners() still returns True after ``receivers = []``."""
    entries = warm.receivers
    warm.receivers = []
    assert getattr(warm, send)(None) == []
    assert warm.has_listeners() is False
    warm.receivers = entries[:2]
    assert [response for _, response in getattr(warm, send)(None)] == ["a", "b"]
    warm.receivers += entries[2:]
    assert [response for _, response in getattr(warm, send)(None)] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda entries: entries.append(entries[0]), "abcda"),
        (lambda entries: entries.pop(), "abc"),
        (lambda entries: entries.reverse(), "dcba"),
        (lambda entries: entries.clear(), ""),
        (lambda entries: entries.insert(0, entries.pop()), "dabc"),
        (lambda entries: operator.setitem(entries, 1, entries[3]), "adcd"),
        (lambda entries: operator.setitem(entries, slice(1, 3), []), "ad"),
    ],
    ids=["append", "pop", "reverse", "clear", "rotate", "replace", "slice"],
)
def test_compatibility_2_mutated_lists_take_effect_immediately(warm, change, expected):
    """Django's cache does not notice such a change."""
    change(warm.receivers)
    assert "".join(labels(warm)) == expected
    assert warm.has_listeners() is bool(expected)


def test_swaps_in_long_lists_take_effect(signal):
    receivers = [make_receiver(i) for i in range(300)]
    for each in receivers:
        signal.connect(each)
    assert labels(signal) == list(range(300))
    signal.receivers[299], signal.receivers[298] = signal.receivers[298], signal.receivers[299]
    assert labels(signal)[-2:] == [299, 298]


class Equal:
    """A receiver that is equal to anything."""

    def __init__(self, label):
        self.label = label

    def __eq__(self, other):
        return True

    __hash__ = None

    def __call__(self, **named):
        return self.label

    def hear(self, **named):
        return self.label


@pytest.mark.parametrize("part", [lambda each: each, operator.attrgetter("hear")], ids=["object", "method"])
@pytest.mark.parametrize("weak", [True, False], ids=["weak", "strong"])
def test_equal_entries_are_told_apart(csignals, part, weak):
    first, second = Equal("first"), Equal("second")
    signal, other = csignals.Signal(), csignals.Signal()
    signal.connect(part(first), dispatch_uid="uid", weak=weak)
    other.connect(part(second), dispatch_uid="uid", weak=weak)
    assert labels(signal) == ["first"]
    signal.receivers = other.receivers
    assert labels(signal) == ["second"]


def test_tuples_and_other_iterables_work(warm, receivers):
    warm.receivers = tuple(warm.receivers)
    assert labels(warm) == ["a", "b", "c", "d"]
    warm.receivers = dict.fromkeys(warm.receivers).keys()
    assert labels(warm) == ["a", "b", "c", "d"]

    class Entries(list):
        pass

    warm.receivers = Entries(list(warm.receivers)[:1])
    assert labels(warm) == ["a"]
    assert warm.disconnect(receivers[0]) is True


@pytest.mark.parametrize("falsy", [None, (), {}], ids=plain_id)
def test_falsy_lists_mean_no_receivers(warm, falsy):
    warm.receivers = falsy
    assert warm.send(None, x=1) == warm.send_robust(None) == []
    assert warm.has_listeners() is False


WRONG = [1, None, [("key", 1), make_receiver("x"), None, False], (), ((1,), 2), (1, 2, 3, 4)]


@pytest.mark.parametrize("entry", WRONG, ids=plain_id)
def test_malformed_entries_raise_python_errors(warm, entry):
    good = list(warm.receivers)
    warm.receivers.append(entry)
    for call in (warm.send, warm.send_robust, warm.has_listeners):
        with pytest.raises((TypeError, ValueError)):
            call(None)
    warm.receivers = good
    assert labels(warm) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("size", [2, 3], ids=["Django 4.2", "Django 5"])
def test_entries_of_older_djangos_work(warm, size):
    warm.receivers = [(key, ref, False)[:size] for key, ref, _, _ in warm.receivers]
    assert labels(warm) == ["a", "b", "c", "d"]


def test_muting_by_an_empty_list_works(warm):
    """As factory_boy's mute_signals does, which restores the list under the lock."""
    paused = warm.receivers
    warm.receivers = []
    late = make_receiver("late")
    warm.connect(late)
    assert labels(warm) == ["late"]
    with warm.lock:
        warm.receivers = paused + warm.receivers
        warm.sender_receivers_cache.clear()
    assert labels(warm) == ["a", "b", "c", "d", "late"]


def test_signals_may_share_an_entry(csignals, receivers):
    one, two = csignals.Signal(), csignals.Signal()
    one.connect(receivers[0])
    two.receivers = one.receivers
    two.connect(receivers[1], sender=functools)
    assert labels(one, functools) == labels(two, functools) == ["a", "b"]


def test_receivers_with_raising_attributes_are_called(csignals, signal):
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError if name == "__self__" else AttributeError

        def __call__(self, **named):
            return "called"

    hostile = Hostile()
    signal.connect(hostile, weak=False)
    assert signal.send("sender") == [(hostile, "called")]


class Listener:
    def __call__(self, **named):
        return "object"

    def hear(self, **named):
        return "method"


def test_objects_and_their_methods_are_distinct(signal):
    """Weak references to both are equal, and with a dispatch uid so are their keys."""
    listener, lists = Listener(), {}
    for receiver, response in (listener.hear, "method"), (listener, "object"):
        signal.connect(receiver, dispatch_uid="uid")
        lists[response] = signal.receivers[:]
        signal.disconnect(dispatch_uid="uid")
    for response in [*lists] * 2:
        signal.receivers = lists[response][:]
        assert [each for _, each in signal.send(None)] == [response]
