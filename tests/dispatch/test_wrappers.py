"""Other libraries wrap ``_live_receivers``: sends call the wrapper exactly when stock Django would."""

import asyncio
import random
import weakref
from unittest import mock

import django
import pytest
import wrapt
from django.dispatch import Signal

from tests.helpers.implementations import collect, load, plain_id
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal

HAS_ASYNC = django.VERSION >= (5, 0)
SENDS = ["send", "send_robust", *(["asend", "asend_robust"] if HAS_ASYNC else [])]


def sync(**named):
    return "sync"


def fails(**named):
    raise ValueError("fails")


async def awaited(**named):
    return "awaited"


def wrapper_of(original, calls, adds=False):
    """Return a wrapper that records the senders, and may add a receiver of its own."""

    def wrapper(self, sender):
        calls.append(sender)
        live = original(self, sender)
        if adds:
            (live[0] if HAS_ASYNC else live).append(sync)
        return live

    return wrapper


class Subject:
    """A signal of a class whose ``_live_receivers`` is wrapped, and the senders that the wrapper was called for."""

    def __init__(self, cls, use_caching, adds=False):
        self.cls, self.calls, self.adds = cls, [], adds
        self.signal = cls(use_caching=use_caching)

    def wrapped(self, original=None):
        original = vars(self.cls)["_live_receivers"] if original is None else original
        return mock.patch.object(self.cls, "_live_receivers", wrapper_of(original, self.calls, self.adds))

    def step(self, name, *args):
        """Take a step, and return its result or error, and the senders that the wrapper was called for."""
        self.calls.clear()
        try:
            outcome = getattr(self, name)(*args)
        except ValueError as error:
            outcome = repr(error)
        return outcome, list(self.calls)

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


def random_step(chance, senders):
    receivers = [sync, fails, *([awaited] if HAS_ASYNC and chance.random() < 0.2 else [])]
    kind = chance.choice(["connect", "disconnect", "has_listeners", *["sent"] * 7])
    if kind == "sent":
        return kind, chance.choices(SENDS, [8, 8, 1, 1][: len(SENDS)])[0], chance.choice(senders)
    if kind == "has_listeners":
        return kind, chance.choice(senders)
    return kind, chance.choice(receivers), chance.choice([None, *senders])


@pytest.mark.slow
@pytest.mark.parametrize("first", ["wrapper", "csignals"])
@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_sends_call_wrappers_like_django(drop_in, budget, use_caching, first):
    reached = 0
    for seed in range(15 * budget):
        chance = random.Random(seed)
        senders = [type("Sender", (Sender,), {}) for _ in range(3)]
        ours, stock = Subject(Signal, use_caching), Subject(StockSignal, use_caching)
        if first == "wrapper":
            drop_in.uninstall()
        with ours.wrapped(), stock.wrapped():
            drop_in.install()
            for _ in range(40):
                step = random_step(chance, senders)
                expected, found = stock.step(*step), ours.step(*step)
                assert found == expected, (seed, step)
                reached += bool(expected[0]) and bool(expected[1])
            if first == "wrapper":
                drop_in.uninstall()
        drop_in.install()
    assert reached > 50


@pytest.mark.parametrize("first", ["wrapper", "csignals"])
def test_wrappers_may_add_receivers(drop_in, first):
    """They are called for each new sender, as in Django, whose cache then says that the sender has no receivers."""
    seen = []
    for cls in StockSignal, Signal:
        subject = Subject(cls, True, adds=True)
        subject.connect(sync, Sender)
        if first == "wrapper" and cls is Signal:
            drop_in.uninstall()
        with subject.wrapped():
            drop_in.install()
            seen.append([subject.step("sent", "send", sender) for sender in (object, int, Sender, object)])
            if first == "wrapper":
                drop_in.uninstall()
        drop_in.install()
    assert seen[0][0] == seen[1][0] == ([("sync", "'sync'")], [object])
    assert seen[1][:3] == seen[0][:3]


@pytest.mark.parametrize("name", SENDS)
def test_the_list_overrides_the_cache(drop_in, name):
    """Django does not see receivers that a program puts on the list."""
    subject = Subject(Signal, True)
    subject.connect(sync, Sender)
    with subject.wrapped():
        assert subject.step("sent", name, object) == ([], [object])
        assert subject.step("sent", name, object) == ([], [])
        subject.signal.receivers.append(((id(sync), id(object)), *subject.signal.receivers[0][1:]))
        assert subject.signal.sender_receivers_cache.get(object) is not None
        if django.VERSION < (6, 0):  # the entry has no reference to its sender
            assert subject.step("sent", name, object) == ([("sync", "'sync'")], [object])
    drop_in.uninstall()


def test_the_cache_is_right_after_uninstalling(drop_in):
    subject = Subject(Signal, True)
    subject.connect(sync, Sender)
    with subject.wrapped():
        assert subject.step("sent", "send", object) == ([], [object])
    drop_in.uninstall()
    assert subject.signal.send(object) == []
    subject.connect(sync, object)
    assert subject.step("sent", "send", object)[0] == [("sync", "'sync'")]
    drop_in.install()


@pytest.mark.parametrize("sender", [None, "text", object(), [], {}], ids=plain_id)
def test_wrappers_get_senders_that_django_rejects(drop_in, sender):
    subject = Subject(Signal, True)
    subject.connect(sync, None)
    with subject.wrapped():
        assert subject.step("sent", "send", sender) == ([("sync", "'sync'")], [sender])
        subject.disconnect(sync, None)
        subject.connect(sync, Sender)
        assert [subject.step("sent", "send", sender) for _ in range(2)] == [([], [sender])] * 2


def test_wrappers_may_return_their_own_receivers(drop_in):
    signal = Signal(use_caching=True)
    signal.connect(sync, sender=Sender)
    answer = ([sync], []) if HAS_ASYNC else [sync]
    with mock.patch.object(Signal, "_live_receivers", return_value=answer) as wrapper:
        assert [signal.send(object) for _ in range(3)] == [[(sync, "sync")]] * 3
    assert wrapper.call_count == 3


def test_subclasses_and_instances_may_wrap(drop_in):
    calls = []

    class Wrapped(Signal):
        _live_receivers = wrapper_of(Signal._live_receivers, calls)

    signal = Wrapped(use_caching=True)
    signal.connect(sync, sender=Sender)
    assert [signal.send(object) for _ in range(3)] == [[]] * 3
    assert calls == [object]
    cached = Signal(use_caching=True)
    cached.connect(sync, sender=Sender)
    cached._live_receivers = wrapper_of(Signal._live_receivers, calls).__get__(cached)
    assert [cached.send(object) for _ in range(3)] == [[]] * 3
    assert calls == [object] * 2
    calls.clear()
    plain = Signal()
    plain.connect(sync)
    plain._live_receivers = lambda sender: calls.append("instance") or (([], []) if HAS_ASYNC else [])
    assert [plain.send(object), calls] == [[], ["instance"]]
    del plain._live_receivers
    assert plain.send(object) == [(sync, "sync")]


class Unhashable:
    """A replacement of the method that is not hashable."""

    __hash__ = None

    def __init__(self, original):
        self.original = original

    def __get__(self, signal, cls=None):
        return self if signal is None else self.original.__get__(signal)


class OnInstancesOnly(Unhashable):
    __hash__ = object.__hash__

    def __get__(self, signal, cls=None):
        if signal is None:
            raise AttributeError("the class has no such attribute")
        return super().__get__(signal)


@pytest.mark.parametrize("kind", [Unhashable, OnInstancesOnly])
def test_any_descriptor_may_replace_the_method(drop_in, kind):
    signal = Signal(use_caching=True)
    signal.connect(sync, sender=Sender)
    with mock.patch.object(Signal, "_live_receivers", kind(vars(Signal)["_live_receivers"])):
        for _ in range(3):
            assert [signal.send(Sender), signal.send_robust(object), signal.has_listeners(Sender)] == [
                [(sync, "sync")],
                [],
                True,
            ]


def test_own_methods_keep_their_ids(implementation, monkeypatch):
    """A second import of csignals.django adds a method. The first one must stay alive: a wrapper could get its id."""
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


def test_wrappers_equal_to_the_method_are_called(drop_in):
    seen = []
    for cls in StockSignal, Signal:
        calls = []

        def wrapper(wrapped, instance, args, kwargs, calls=calls):
            calls.append(args)
            return wrapped(*args, **kwargs)

        signal = cls(use_caching=True)
        signal.connect(sync, sender=Sender)
        with mock.patch.object(cls, "_live_receivers", wrapt.FunctionWrapper(vars(cls)["_live_receivers"], wrapper)):
            for sender in Sender, object, object, Sender:
                signal.send(sender)
        seen.append(calls)
    assert seen[0] == seen[1] == [(Sender,), (object,), (Sender,)]
