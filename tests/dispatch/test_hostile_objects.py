"""Senders, receivers, dispatch uids, references and lists that raise or lie: an error that says so, or Django's result.

Never a crash, and the signal is as good as before once they are gone.
"""

import functools
import gc
import itertools
import weakref

import pytest

from tests.helpers.implementations import load, plain_id
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal

SENDS = ["send", "send_robust", "has_listeners", "_live_receivers"]


def hear(**named):
    return "heard"


def good(**named):
    return "good"


def outcome(call, *args, **named):
    """Return what a call gives, or what it raises; sys.exit() and the like are none of its answers."""
    try:
        return call(*args, **named)
    except Exception as error:
        return type(error)


# --- Keys beside the signal's own ----------------------------------------------------------------------------------


class Key:
    """A key of a signal's ``__dict__`` in the way of an attribute, which does something when it is looked at."""

    def __init__(self, name, act):
        self.name, self.act, self.armed = name, act, 0

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        if self.armed and other == self.name:
            armed, self.armed = self.armed - 1, 0  # not in the way of its own act: CPython may crash there
            self.act()
            self.armed = armed
            self.junk = [[(i, j) for j in range(4)] for i in range(100)], [dict.fromkeys("abcdef") for _ in range(100)]
        return False


def assign_receivers(signal):
    signal.receivers = list(signal.receivers)


def replace_dict(signal):
    try:
        signal.__dict__ = dict(vars(signal))
    except AttributeError:  # a compiled class keeps its own
        vars(signal).update(dict(vars(signal)))


def drop_table(signal):
    signal._csignals_table = None


def replace_all(signal):
    drop_table(signal)
    replace_dict(signal)
    assign_receivers(signal)


ACTS = {
    # Python's own look-ups may crash where the __dict__ is another afterwards.
    "python": [assign_receivers, drop_table],
    "cython": [assign_receivers, drop_table, replace_dict, replace_all],
}


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("name", ["_live_receivers", "receivers", "_dead_receivers", "_csignals_table"])
def test_a_key_in_an_attribute_s_way_may_change_all_that_is_being_looked_at(make, name, is_first, implementation):
    for act, armed in itertools.product(ACTS[implementation], (1, 2, 3, 4)):
        signal = make()
        key = Key(name, functools.partial(act, signal))
        own = dict(vars(signal))
        if is_first:
            vars(signal).clear()
        vars(signal).update({key: None, **own})
        signal.connect(hear)
        for send in SENDS * 3:
            call = getattr(signal, send)
            key.armed = armed
            result = call(None)
            key.armed = 0
            assert result in ([(hear, "heard")], ([hear], []), [hear], True)


class NameOfClass(str):
    """A key of a class's namespace, which does something when it is looked at."""

    key = None

    def __hash__(self):
        return str.__hash__(self)

    def __eq__(self, other):
        return self is other if self.key is None else self.key == other


@pytest.mark.parametrize("name", ["_live_receivers", "receivers", "send", "__getattribute__"])
def test_a_key_of_a_class_may_change_all_that_is_being_looked_at(make, name, implementation):
    for act, armed in itertools.product(ACTS[implementation], (1, 2, 3, 4)):
        in_the_way = NameOfClass(name)
        cls = type("Own", (type(make()),), {in_the_way: None})
        signal = cls()
        in_the_way.key = key = Key(name, functools.partial(act, signal))
        signal.connect(hear)
        for send in SENDS * 3:
            call = getattr(signal, send)
            cls.changed = True  # so that it is looked up anew
            key.armed = armed
            result = call(None)
            key.armed = 0
            assert result in ([(hear, "heard")], ([hear], []), [hear], True)


@pytest.mark.slow
@pytest.mark.parametrize("looks", range(1, 8))
@pytest.mark.parametrize("send", SENDS[:3])
def test_a_key_may_let_go_of_the_signal_s_class(make, send, looks):
    base = type(make())
    has_async = type(make()._live_receivers(None)) is tuple

    class Own(base):
        def _live_receivers(self, sender):
            return ([hear], []) if has_async else [hear]

    def become_plain():
        left.pop()
        if not left:
            signal.__class__ = base
            gc.collect()

    left = []
    signal = Own()
    del Own
    key = Key("_live_receivers", become_plain)
    vars(signal)[key] = None  # pyright: ignore[reportIndexIssue]
    signal.connect(hear)
    call = getattr(signal, send)
    left += [None] * looks
    key.armed = looks
    result = call(None)
    key.armed = 0
    assert result in ([(hear, "heard")], True)


def test_a_list_assigned_while_keys_are_compared_is_the_one_that_counts(make):
    def assign():
        before.append(signal.receivers)
        signal.receivers = list(good_entries)

    other = make()
    other.connect(good)
    signal, before = make(), []
    key = Key("_live_receivers", assign)
    vars(signal)[key] = None
    signal.receivers = [((1, id(None)), hear, None, False)[: len(other.receivers[0])]]
    for _ in range(3):
        assert signal.send(None) == [(hear, "heard")]
    good_entries = list(other.receivers)
    key.armed = 1
    signal.send(None)
    key.armed = 0
    assert signal.send(None) == signal.send(None) == [(good, "good")]


def test_arguments_may_be_let_go_of_while_receivers_are_called(implementation):
    """They are a dict that receivers can get at, through the frames that called them."""

    def clear(**named):
        arguments.clear()

    def values(**named):
        return [value for name, value in named.items() if name not in ("signal", "sender")]

    call_all = load(implementation, "csignals._dispatch").call_all
    for count in (1, 3, 50):
        arguments = {f"name_{i}": [i] for i in range(count)}
        assert call_all(None, [clear, values, values], None, arguments)[2][1] in ([], [[i] for i in range(count)])


# --- Lists that are none, and entries of any shape -----------------------------------------------------------------


class LyingPair(tuple):
    """A tuple of one, that unpacks as an entry."""

    def __iter__(self):
        return iter(((1, id(None)), hear, None, False))


class LyingLength(tuple):
    def __len__(self):
        return 100


class ListOfReceivers(list):
    pass


def entry_of(signal):
    signal.connect(hear)
    return signal.receivers.pop()


ENTRIES = {
    "one too short": lambda entry: entry[:1],
    "nothing": lambda entry: (),
    "longer": lambda entry: (*entry, 1, 2, False),
    "nested": lambda entry: (entry,),
    "a list": list,
    "a string": lambda entry: "string",
    "None": lambda entry: None,
    "a key that is no pair": lambda entry: (1, *entry[1:]),
    "a key of three": lambda entry: ((1, 2, 3), *entry[1:]),
    "a key that is a list": lambda entry: ([1, id(None)], *entry[1:]),
    "a key that is a string": lambda entry: ("ab", *entry[1:]),
    "a negative id": lambda entry: ((1, -1), *entry[1:]),
    "an id of zero": lambda entry: ((1, 0), *entry[1:]),
    "a huge id": lambda entry: ((1, 2**200), *entry[1:]),
    "a huge negative id": lambda entry: ((1, -(2**200)), *entry[1:]),
    "an id that is a float": lambda entry: ((1, 1.5), *entry[1:]),
    "an id that has no hash": lambda entry: ((1, []), *entry[1:]),
    "an id that is True": lambda entry: ((1, True), *entry[1:]),
    "a receiver that cannot be called": lambda entry: (entry[0], 5, *entry[2:]),
    "a receiver that is None": lambda entry: (entry[0], None, *entry[2:]),
    "a sender that is no reference": lambda entry: (*entry[:2], 5, False),
    "a sender that says anything": lambda entry: (*entry[:2], lambda: 5, False),
    "a sender that is dead": lambda entry: (*entry[:2], weakref.ref(Sender()), False),
    "a sender that raises": lambda entry: (*entry[:2], lambda: 1 / 0, False),
    "a flag that raises": lambda entry: (*entry[:-1], Raising()),
    "a tuple that lies of what is in it": lambda entry: LyingPair((1,)),
    "an empty tuple that lies of what is in it": lambda entry: LyingPair(()),
    "a tuple that lies of its length": lambda entry: LyingLength(entry),
}


class Raising:
    def __bool__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("shape", ENTRIES)
def test_an_entry_of_any_shape_is_an_error_or_left_alone(make, shape):
    signal = make()
    entry = ENTRIES[shape](entry_of(signal))
    signal.connect(good)
    entries = list(signal.receivers)
    for bad in ([entry], [entry, *entries], [*entries, entry], [entry] * 50):
        signal.receivers = bad
        for send in SENDS:
            for sender in (None, Sender, -1):
                assert is_an_answer(outcome(getattr(signal, send), sender))
        assert is_an_answer(outcome(signal.connect, hear), None)
        assert is_an_answer(outcome(signal.disconnect, hear), True)
        assert is_an_answer(outcome(signal.disconnect, good), True)
    signal.receivers = entries
    assert signal.send(None) == [(good, "good")]


class ChangingId:
    """What an entry has for its sender's id: of another hash each time, and equal to all there is."""

    def __init__(self, *hashes):
        self.hashes = list(hashes)

    def __hash__(self):
        return self.hashes.pop(0) if len(self.hashes) > 1 else self.hashes[0]

    def __eq__(self, other):
        return True


@pytest.mark.parametrize("count", [2, 5, 40])
def test_senders_ids_may_become_equal_at_any_time(make, count):
    signal = make()
    rest = entry_of(signal)[2:]
    for distinct in (1, 2, 3):
        signal.receivers = [((i, ChangingId(*[i] * distinct, count - 1)), hear, *rest) for i in range(count)]
        for send, sender in itertools.product(SENDS, [None, Sender, [].append]):
            assert is_an_answer(outcome(getattr(signal, send), sender))
    signal.receivers = []
    signal.connect(good)
    assert signal.send(None) == [(good, "good")]


def is_an_answer(result, *others):
    if isinstance(result, type):
        return issubclass(result, (TypeError, ValueError, IndexError, ZeroDivisionError, KeyError))
    return result in others or isinstance(result, (list, tuple, bool))


@pytest.mark.parametrize(
    "convert", [tuple, ListOfReceivers, lambda entries: (entry for entry in entries), dict.fromkeys], ids=plain_id
)
def test_whatever_gives_entries_is_read_as_by_django(make, convert):
    signals = []
    for each in (StockSignal, make):
        signal = each()
        signal.connect(good)
        signal.receivers = convert(signal.receivers)
        signals.append(signal)
    stock, signal = signals
    for send in ("send", "send_robust", "send"):
        assert getattr(signal, send)(None, x=1) == getattr(stock, send)(None, x=1)


@pytest.mark.parametrize("nothing", [5, object(), "string", b"bytes", Sender, [5], {"a": 1}, range(3)], ids=plain_id)
def test_what_gives_no_entries_is_an_error(make, nothing):
    signal = make()
    signal.connect(good)
    entries, signal.receivers = signal.receivers, nothing
    for send in SENDS:
        assert issubclass(outcome(getattr(signal, send), None), (TypeError, ValueError))
    signal.receivers = entries
    assert signal.send(None) == [(good, "good")]


def test_a_list_may_be_huge(make):
    signal = make()
    signal.connect(hear)
    signal.receivers = signal.receivers * 100_000
    assert len(signal.send(None)) == 100_000
    signal.disconnect(hear)
    assert len(signal.receivers) == 99_999


# --- References ----------------------------------------------------------------------------------------------------


class RaisingReference(weakref.ref):
    def __call__(self):
        raise ZeroDivisionError


class OtherReference(weakref.ref):
    def __call__(self):
        return good


class ReferenceToNothing(weakref.ref):
    def __call__(self):
        return 5


class Listener:
    def hear(self, **named):
        return "heard"


@pytest.mark.parametrize("cls", [RaisingReference, OtherReference, ReferenceToNothing])
def test_receivers_references_of_another_kind_are_asked_as_by_django(make, cls):
    outcomes = []
    for each in (StockSignal, make):
        signal = each()
        key, _, *rest = entry_of(signal)
        signal.receivers.append((key, cls(hear), *rest))
        calls = [outcome(getattr(signal, send), None) for send in ("send", "send", "_live_receivers")]
        signal.receivers.clear()
        signal.connect(good)
        outcomes.append((calls, signal.send(None)))
    assert outcomes[1] == outcomes[0]


@pytest.mark.parametrize("cls", [RaisingReference, OtherReference, ReferenceToNothing])
def test_senders_references_of_another_kind_are_believed(csignals, cls):
    """Django asks them whether the sender is alive, csignals who it is."""
    signal = csignals.Signal()
    signal.connect(hear, sender=Sender)
    key, reference, _, is_async = signal.receivers[0]
    signal.receivers[0] = key, reference, cls(Sender), is_async
    assert outcome(signal.send, Sender) == (ZeroDivisionError if cls is RaisingReference else [])
    if cls is OtherReference:
        assert signal.send(good) == [(hear, "heard")]
    signal.receivers.clear()
    signal.connect(good)
    assert signal.send(Sender) == [(good, "good")]


@pytest.mark.parametrize("half", [None, 5, lambda: None, weakref.ref(Sender)], ids=plain_id)
def test_the_halves_of_a_weak_method_may_be_anything(make, half):
    outcomes = []
    listener = Listener()
    for each in (StockSignal, make):
        signal = each()
        signal.connect(listener.hear)
        signal.receivers[0][1]._func_ref = half
        outcomes.append(outcome(signal.send, None))
    assert outcomes[1] == outcomes[0] or isinstance(outcomes[1], type)


# --- Senders, receivers, dispatch uids -----------------------------------------------------------------------------


class Hostile:
    """Whatever is asked of it, it raises."""

    def __eq__(self, other):
        raise ZeroDivisionError

    def __hash__(self):
        raise ZeroDivisionError

    def __bool__(self):
        raise ZeroDivisionError

    def __repr__(self):
        raise ZeroDivisionError

    @property
    def __class__(self):
        raise ZeroDivisionError

    def __call__(self, **named):
        return "called"


class Liar:
    """It says that it is equal to everything, is of another class, is a method, and true."""

    __hash__ = None
    __class__ = type
    __self__ = __func__ = None

    def __eq__(self, other):
        return True

    def __call__(self, **named):
        return "called"


class AttributesRaise:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)

    def __call__(self, **named):
        return "called"


KINDS = [Hostile, Liar]


@pytest.mark.parametrize("cls", KINDS)
def test_a_hostile_sender_is_known_by_its_identity(csignals, cls):
    signal, sender, other = csignals.Signal(), cls(), cls()
    signal.connect(hear, sender=sender)
    for send in ("send", "send_robust"):
        assert [response for _, response in getattr(signal, send)(sender)] == ["heard"]
        # Two liars say that they are the same method.
        assert len(getattr(signal, send)(other)) == (cls is Liar)
    assert signal.has_listeners(sender) is True
    assert signal.disconnect(hear, sender=sender) is True
    assert signal.send(sender) == []


def test_a_sender_whose_attributes_raise_is_refused_where_it_is_asked_for_them(make):
    """As by Django, which asks it in send() as well."""
    signal, sender = make(), AttributesRaise()
    assert outcome(signal.connect, hear, sender=sender) is ZeroDivisionError
    signal.connect(good)
    assert outcome(signal.send, sender) in ([(good, "good")], ZeroDivisionError)
    assert signal.send(None) == [(good, "good")]


@pytest.mark.parametrize("weak", [True, False], ids=["weak", "strong"])
@pytest.mark.parametrize("cls", KINDS)
def test_a_hostile_receiver_is_called_or_refused(csignals, cls, weak):
    signal, receiver = csignals.Signal(), cls()
    signal.connect(good)
    refused = outcome(signal.connect, receiver, weak=weak)
    answers = [response for _, response in signal.send(None)]
    if refused is None:
        assert answers == ["good", "called"]
        assert signal.disconnect(receiver) is True
    else:  # what does not say its class may be async; and one that passes for a method has no two halves
        assert (refused, cls) in ((ZeroDivisionError, Hostile), (TypeError, Liar))
    assert signal.send(None) == [(good, "good")]


class UidRaises:
    def __init__(self):
        self.is_raising = False

    def __eq__(self, other):
        if self.is_raising:
            raise ZeroDivisionError
        return self is other

    __hash__ = None


def test_a_dispatch_uid_that_raises_when_it_is_compared_loses_nobody(make):
    signal, uid = make(), UidRaises()
    signal.connect(hear, dispatch_uid=uid)
    uid.is_raising = True
    assert outcome(signal.connect, good, dispatch_uid="other") in (None, ZeroDivisionError)
    assert outcome(signal.disconnect, dispatch_uid="other") in (True, False, ZeroDivisionError)
    assert signal.lock.acquire(blocking=False)
    signal.lock.release()
    assert [response for _, response in signal.send(None)][:1] == ["heard"]
    uid.is_raising = False
    assert signal.disconnect(dispatch_uid=uid) is True


class UidActs:
    """A dispatch uid that connects and disconnects while it is compared."""

    def __init__(self, act):
        self.act, self.is_acting = act, False

    def __eq__(self, other):
        if not self.is_acting:
            self.is_acting = True
            self.act()
            self.is_acting = False
        return self is other

    def __hash__(self):
        return 1


def test_a_dispatch_uid_may_connect_and_disconnect_while_it_is_compared(csignals):
    """Django deadlocks there."""
    signal = csignals.Signal()
    late = [lambda i=i, **named: i for i in range(10)]
    waiting = iter(late)

    def act():
        receiver = next(waiting, None)
        if receiver is not None:
            signal.connect(receiver)
            signal.send(None)
            signal.disconnect(receiver)
            signal.connect(receiver)

    uid = UidActs(act)
    signal.connect(hear, dispatch_uid=uid)
    for i in range(10):
        signal.connect(good, dispatch_uid=i + 1)
        signal.disconnect(dispatch_uid=i + 1)
    signal.disconnect(dispatch_uid=uid)
    assert [response for _, response in signal.send(None)] == list(range(10))


# --- Classes of signals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [None, 5, (), ([],), ([], [], []), ([5], []), (5, []), ([], 5)], ids=plain_id)
@pytest.mark.parametrize("send", ["send", "send_robust", "has_listeners"])
def test_a_live_receivers_of_any_shape_is_an_error_or_nobody(make, live, send):
    signal = make()
    signal.connect(good)
    signal._live_receivers = lambda sender: live
    result = outcome(getattr(signal, send), None)
    assert is_an_answer(result) or issubclass(result, (AttributeError, RuntimeError))
    del signal._live_receivers
    assert signal.send(None) == [(good, "good")]
