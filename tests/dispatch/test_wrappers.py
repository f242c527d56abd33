"""Others wrap ``_live_receivers``: a send asks them whenever stock Django would, and at no other time."""

import asyncio
import random
import weakref
from unittest import mock

import django
import pytest
import wrapt
from django.dispatch import Signal

from tests.helpers.implementations import collect, load, plain_id
from tests.helpers.stock_django import StockSignal

HAS_ASYNC = django.VERSION >= (5, 0)
SENDS = ["send", "send_robust", *(["asend", "asend_robust"] if HAS_ASYNC else [])]


class Sender:
    """Made anew for each life of a signal."""


def sync(**named):
    return "sync"


def fails(**named):
    raise ValueError("fails")


async def awaited(**named):
    return "awaited"


def wrapper_of(original, asked, adds=False):
    """Return a wrapper that notes who was asked for, and may add a receiver of its own."""

    def wrapper(self, sender):
        asked.append(sender)
        live = original(self, sender)
        if adds:
            (live[0] if HAS_ASYNC else live).append(sync)
        return live

    return wrapper


class Life:
    """A signal of a class whose ``_live_receivers`` is wrapped, and what becomes of it."""

    def __init__(self, cls, use_caching, adds=False):
        self.cls, self.asked, self.adds = cls, [], adds
        self.signal = cls(use_caching=use_caching)

    def wrapped(self, original=None):
        original = vars(self.cls)["_live_receivers"] if original is None else original
        return mock.patch.object(self.cls, "_live_receivers", wrapper_of(original, self.asked, self.adds))

    def step(self, name, *args):
        """Take a step, and return what came of it: the responses, or the error, and who was asked for."""
        self.asked.clear()
        try:
            outcome = getattr(self, name)(*args)
        except ValueError as error:
            outcome = repr(error)
        return outcome, list(self.asked)

    def connect(self, receiver, sender):
        self.signal.connect(receiver, sender=sender)

    def disconnect(self, receiver, sender):
        return self.signal.disconnect(receiver, sender=sender)

    def has_listeners(self, sender):
        return self.signal.has_listeners(sender)

    def sent(self, name, sender):
        sent = getattr(self.signal, name)(sender)
        if asyncio.iscoroutine(sent):
            sent = asyncio.run(sent)
        return [(receiver.__name__, repr(response)) for receiver, response in sent]


def some_step(chance, senders):
    receivers = [sync, fails, *([awaited] if HAS_ASYNC and chance.random() < 0.2 else [])]
    kind = chance.choice(["connect", "disconnect", "has_listeners", *["sent"] * 7])
    if kind == "sent":
        return kind, chance.choices(SENDS, [8, 8, 1, 1][: len(SENDS)])[0], chance.choice(senders)
    if kind == "has_listeners":
        return kind, chance.choice(senders)
    return kind, chance.choice(receivers), chance.choice([None, *senders])


@pytest.mark.slow
@pytest.mark.parametrize("came", ["before", "after"])
@pytest.mark.parametrize("use_caching", [False, True], ids=["", "cached"])
def test_wrappers_are_asked_just_when_django_asks(drop_in, budget, use_caching, came):
    reached = 0
    for seed in range(15 * budget):
        chance = random.Random(seed)
        senders = [type("Sender", (Sender,), {}) for _ in range(3)]
        ours, stock = Life(Signal, use_caching), Life(StockSignal, use_caching)
        if came == "before":
            drop_in.uninstall()
        with ours.wrapped(), stock.wrapped():
            drop_in.install()
            for _ in range(40):
                step = some_step(chance, senders)
                expected, found = stock.step(*step), ours.step(*step)
                assert found == expected, (seed, step)
                reached += bool(expected[0]) and bool(expected[1])
            if came == "before":
                drop_in.uninstall()
        drop_in.install()
    assert reached > 50


@pytest.mark.parametrize("came", ["before", "after"])
def test_wrappers_that_add_receivers_are_asked_for_each_new_sender(drop_in, came):
    """As in Django, whose cache then says that nobody listens."""
    seen = []
    for cls in StockSignal, Signal:
        life = Life(cls, True, adds=True)
        life.connect(sync, Sender)
        if came == "before" and cls is Signal:
            drop_in.uninstall()
        with life.wrapped():
            drop_in.install()
            seen.append([life.step("sent", "send", sender) for sender in (object, int, Sender, object)])
            if came == "before":
                drop_in.uninstall()
        drop_in.install()
    assert seen[0][0] == seen[1][0] == ([("sync", "'sync'")], [object])
    assert seen[1][:3] == seen[0][:3]


@pytest.mark.parametrize("name", SENDS)
def test_the_list_is_believed_rather_than_the_cache(drop_in, name):
    """Where a program puts receivers on the list, Django goes on not to see them."""
    life = Life(Signal, True)
    life.connect(sync, Sender)
    with life.wrapped():
        assert life.step("sent", name, object) == ([], [object])
        assert life.step("sent", name, object) == ([], [])
        life.signal.receivers.append(((id(sync), id(object)), *life.signal.receivers[0][1:]))
        assert life.signal.sender_receivers_cache.get(object) is not None
        if django.VERSION < (6, 0):  # the entry has no reference to its sender
            assert life.step("sent", name, object) == ([("sync", "'sync'")], [object])
    drop_in.uninstall()


def test_what_the_cache_says_is_right_after_uninstalling(drop_in):
    life = Life(Signal, True)
    life.connect(sync, Sender)
    with life.wrapped():
        assert life.step("sent", "send", object) == ([], [object])
    drop_in.uninstall()
    assert life.signal.send(object) == []
    life.connect(sync, object)
    assert life.step("sent", "send", object)[0] == [("sync", "'sync'")]
    drop_in.install()


@pytest.mark.parametrize("sender", [None, "text", object(), [], {}], ids=plain_id)
def test_senders_that_django_refuses_are_served_behind_a_wrapper(drop_in, sender):
    life = Life(Signal, True)
    life.connect(sync, None)
    with life.wrapped():
        assert life.step("sent", "send", sender) == ([("sync", "'sync'")], [sender])
        life.disconnect(sync, None)
        life.connect(sync, Sender)
        assert [life.step("sent", "send", sender) for _ in range(2)] == [([], [sender])] * 2


def test_an_answer_of_the_wrapper_s_own_is_taken_each_time(drop_in):
    signal = Signal(use_caching=True)
    signal.connect(sync, sender=Sender)
    answer = ([sync], []) if HAS_ASYNC else [sync]
    with mock.patch.object(Signal, "_live_receivers", return_value=answer) as wrapper:
        assert [signal.send(object) for _ in range(3)] == [[(sync, "sync")]] * 3
    assert wrapper.call_count == 3


def test_subclasses_and_instances_may_wrap_as_well(drop_in):
    asked = []

    class Wrapped(Signal):
        _live_receivers = wrapper_of(Signal._live_receivers, asked)

    signal = Wrapped(use_caching=True)
    signal.connect(sync, sender=Sender)
    assert [signal.send(object) for _ in range(3)] == [[]] * 3
    assert asked == [object]
    cached = Signal(use_caching=True)
    cached.connect(sync, sender=Sender)
    cached._live_receivers = wrapper_of(Signal._live_receivers, asked).__get__(cached)
    assert [cached.send(object) for _ in range(3)] == [[]] * 3
    assert asked == [object] * 2
    asked.clear()
    plain = Signal()
    plain.connect(sync)
    plain._live_receivers = lambda sender: asked.append("instance") or (([], []) if HAS_ASYNC else [])
    assert [plain.send(object), asked] == [[], ["instance"]]
    del plain._live_receivers
    assert plain.send(object) == [(sync, "sync")]


class Unhashable:
    """What replaces the method, and has no hash."""

    __hash__ = None

    def __init__(self, original):
        self.original = original

    def __get__(self, signal, cls=None):
        return self if signal is None else self.original.__get__(signal)


class OnInstancesOnly(Unhashable):
    __hash__ = object.__hash__

    def __get__(self, signal, cls=None):
        if signal is None:
            raise AttributeError("there is none on the class")
        return super().__get__(signal)


@pytest.mark.parametrize("kind", [Unhashable, OnInstancesOnly])
def test_descriptors_of_any_kind_may_replace_it(drop_in, kind):
    signal = Signal(use_caching=True)
    signal.connect(sync, sender=Sender)
    with mock.patch.object(Signal, "_live_receivers", kind(vars(Signal)["_live_receivers"])):
        for _ in range(3):
            assert [signal.send(Sender), signal.send_robust(object), signal.has_listeners(Sender)] == [
                [(sync, "sync")],
                [],
                True,
            ]


def test_no_wrapper_gets_the_id_of_an_own_method(implementation, monkeypatch):
    """Another import of csignals.django has a method of its own, and that of the one before may be gone."""
    module = load(implementation, "csignals._dispatch.pure")
    monkeypatch.setattr(module, "own_method", module.own_method)
    monkeypatch.setattr(module, "own_ids", module.own_ids.copy())

    def add_method():
        def method(self, sender):
            return [], []

        module.add_own_method(method)
        return weakref.ref(method)

    death = add_method()
    add_method()
    collect()
    assert death() is not None


def test_what_compares_equal_to_the_method_is_asked_all_the_same(drop_in):
    seen = []
    for cls in StockSignal, Signal:
        asked = []

        def wrapper(wrapped, instance, args, kwargs, asked=asked):
            asked.append(args)
            return wrapped(*args, **kwargs)

        signal = cls(use_caching=True)
        signal.connect(sync, sender=Sender)
        with mock.patch.object(cls, "_live_receivers", wrapt.FunctionWrapper(vars(cls)["_live_receivers"], wrapper)):
            for sender in Sender, object, object, Sender:
                signal.send(sender)
        seen.append(asked)
    assert seen[0] == seen[1] == [(Sender,), (object,), (Sender,)]
