"""Finalizers and callbacks that connect, disconnect, send and collect, wherever the dispatcher releases an object.

Since Python 3.12, the collector runs only between instructions. So these tests do not rely on the collector: all
objects that the dispatcher holds (receivers, dispatch uids, senders, names, values, responses, entries, lists) act when
they are freed.
"""

import contextlib
import contextvars
import gc
import random
import sys
import weakref

import pytest

from tests.helpers.implementations import collect_where_references_are_not_counted, collecting_after
from tests.helpers.receivers import Sender

MAX_ACTS = 30  # in one step: an object that connects whenever it is compared would make connect() endless


class Model:
    """A signal with receivers that stay, and the acts of objects that are freed, compared or called."""

    def __init__(self, signal, chance, may_register):
        self.signal, self.chance, self.may_register = signal, chance, may_register
        self.calls, self.depth, self.acts, self.left = [], 0, 0, MAX_ACTS
        self.stable = [self.make(i) for i in range(12)]
        self.passing = [self.make(None) for _ in range(8)]
        for i, receiver in enumerate(self.stable):
            signal.connect(receiver, sender=Sender if i % 3 == 0 else None)

    def make(self, i):
        def hear(**named):
            if i is not None and self.depth == 0:
                self.calls.append(i)
            return Acting(self)

        return hear

    def act(self):
        if self.depth >= 2 or not self.left:
            return
        self.depth += 1
        self.acts += 1
        self.left -= 1
        try:
            acts = [self.send, self.send, self.has_listeners]
            if self.may_register:
                acts += [self.connect, self.disconnect, self.connect_acting, self.assign]
            self.chance.choice(acts)()
        finally:
            self.depth -= 1

    def send(self):
        send = self.chance.choice([self.signal.send, self.signal.send_robust])
        name = ActingName(self.chance.choice("abc"))
        name.model = self
        send(self.chance.choice([None, Sender, 5]), **{name: Acting(self)})

    def has_listeners(self):
        assert self.signal.has_listeners(Sender)

    def connect(self):
        self.signal.connect(self.chance.choice(self.passing), sender=self.chance.choice([None, Sender, 5]))

    def disconnect(self):
        self.signal.disconnect(self.chance.choice(self.passing), sender=self.chance.choice([None, Sender, 5]))

    def connect_acting(self):
        """Connect an object that acts when it is freed: as the receiver, the sender or the dispatch uid."""
        kind = self.chance.randrange(6)
        if kind == 0:
            self.signal.connect(Acting(self), weak=False)
        elif kind == 1:
            self.signal.connect(self.passing[0], sender=Acting(self))
        elif kind == 2:
            self.signal.connect(self.passing[1], sender=ActingWithoutReferences(self))
        elif kind == 3:
            self.signal.connect(self.passing[2], dispatch_uid=Acting(self))
        elif kind == 4:
            self.signal.connect(Acting(self).hear)
        else:
            cycle = Acting(self)
            cycle.cycle = cycle
            self.signal.connect(cycle)

    def assign(self):
        """Assign a new list that has only the stable receivers."""
        # No act may come between, as for any program that assigns the list.
        with self.signal.lock:
            depth, self.depth = self.depth, 2
            stable = set(map(id, self.stable))
            old = self.signal.receivers
            self.signal.receivers = [
                entry for entry in old if isinstance(entry[1], weakref.ref) and id(entry[1]()) in stable
            ]
            self.depth = depth
        del old  # the objects that the old list held act now


class Acting:
    """An object that acts when it is freed, compared, hashed or called."""

    def __init__(self, model):
        self.model = model

    def __del__(self):
        self.model.act()

    def __eq__(self, other):
        self.model.act()
        return self is other

    def __hash__(self):
        self.model.act()
        return 1

    def __call__(self, **named):
        self.model.act()
        return Acting(self.model)

    hear = __call__


class ActingWithoutReferences:
    __slots__ = ("model",)

    def __init__(self, model):
        self.model = model

    def __del__(self):
        self.model.act()


class ActingName(str):
    """A keyword's name. Sends compare it with the names that they know."""

    def __eq__(self, other):
        self.model.act()
        return str(self) == other

    def __hash__(self):
        return str.__hash__(self)

    def __del__(self):
        self.model.act()


@pytest.fixture
def collect_always():
    if not hasattr(gc, "set_threshold"):
        pytest.skip("PyPy's collector has no thresholds")
    gc.collect()
    gc.freeze()
    with collecting_after(1):
        yield
    gc.unfreeze()


@pytest.fixture
def unraisable(monkeypatch):
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: found.append(repr(unraisable.exc_value)))
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(6))
def test_acting_finalizers_lose_no_receivers(make, csignals, collect_always, unraisable, seed, budget):
    for repetition in range(budget):
        # Django deadlocks if a finalizer connects or disconnects while the lock is held.
        may_register = make is csignals.Signal
        model = Model(make(), random.Random(seed + 100 * repetition), may_register)
        steps = [model.connect, model.disconnect, model.connect_acting, model.assign, model.send, model.act]
        if not may_register:
            steps = [model.connect, model.disconnect, model.send, model.has_listeners]
        for _ in range(300):
            model.left = MAX_ACTS
            model.chance.choice(steps)()
            model.calls.clear()
            model.signal.send(Sender, a=Acting(model))
            assert model.calls == list(range(12))
        assert model.acts > 300
        model.depth = 10  # no further acts
        gc.collect()
        model.assign()
        reached = [receiver for receiver, _ in model.signal.send(Sender)]
        assert reached == model.stable
        assert unraisable == []


def test_unreported_deaths_do_not_block_successors(csignals):
    """A callback of a weak reference fails without stack or memory, or if interrupted. Then the id is used again."""
    signal = csignals.Signal()

    def successor(**named):
        pass

    signal.connect(lambda **named: None)
    collect_where_references_are_not_counted()
    _, dead, *rest = signal.receivers[0]
    assert dead() is None
    signal.receivers = [((id(successor), id(None)), dead, *rest)]
    signal.connect(successor)
    assert [receiver for receiver, _ in signal.send(None)] == [successor]
    assert len(signal.receivers) == 1


def test_failed_sweeps_are_repeated(make):
    """After any exception: the entry of a dead receiver must not stay."""

    class Raising(weakref.ref):
        is_raising = True

        def __call__(self):
            if self.is_raising:
                raise KeyboardInterrupt
            return super().__call__()

    signal = make()

    def hear(**named):
        pass

    signal.connect(hear)
    key, _, *rest = signal.receivers[0]
    signal.receivers[0] = key, Raising(hear), *rest
    signal.connect(lambda **named: None)  # dead at once
    collect_where_references_are_not_counted()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.send(None)
        assert signal.lock.acquire(blocking=False)
        signal.lock.release()
    Raising.is_raising = False
    assert [receiver for receiver, _ in signal.send(None)] == [hear]
    assert len(signal.receivers) == 1


# --- While gc clears unreachable objects --------------------------------------------------------------------------


class Clearing:
    """Acts on an object while gc is clearing it and the objects that it refers to.

    By then gc has cleared the object's weak references, and called its finalizers. But a finalizer makes a new weak
    reference, and the markers, which gc does not track, have callbacks.
    """

    def __init__(self, act):
        self.act, self.found, self.callbacks = act, None, []
        self.markers = [[self.marker()] for _ in range(20)]

    def marker(self):
        code = self.__class__.marker.__code__.replace(co_name=f"marker_{len(self.callbacks)}")
        self.callbacks.append(weakref.ref(code, self.on_clearing))
        return code

    def on_clearing(self, _):
        found = self.found and self.found()
        if found is not None:
            self.act(found)

    def leave_behind(self, subject):
        for each in self.markers:
            each += self.markers, subject
        subject_and_finalizer = [subject, Finalized(self, subject)]
        subject_and_finalizer.append(subject_and_finalizer)
        self.markers = None


class Finalized:
    def __init__(self, clearing, subject):
        self.clearing, self.subject = clearing, subject

    def __del__(self):
        self.clearing.found = weakref.ref(self.subject)


def hear(**named):
    return "heard"


class Instance:
    def hear(self, **named):
        return "heard"


@pytest.fixture
def collecting_by_hand():
    gc.disable()
    yield
    gc.enable()


def use(signal):
    for call in (
        lambda: signal.send(None),
        signal.has_listeners,
        lambda: signal.connect(use),
        lambda: signal.disconnect(hear),
    ):
        with contextlib.suppress(Exception):  # a signal that is being cleared may have lost any attribute
            call()


def test_signals_work_while_gc_clears_keys(csignals, collecting_by_hand):
    clearing = Clearing(use)
    signal = csignals.Signal()
    receivers = signal.receivers
    gc.collect(0)  # the objects connected below are younger: gc clears them first
    signal.connect(hear, weak=False)
    signal.connect(use, weak=False)
    clearing.leave_behind(signal)
    del signal
    gc.collect()
    assert receivers[-1][1] is use


def test_signals_work_while_gc_clears_tables(csignals, collecting_by_hand):
    instance = Instance()
    older = csignals.Signal()
    older.connect(instance.hear)
    older.send(None)
    clearing = Clearing(use)
    signal = csignals.Signal()
    receivers = signal.receivers = list(older.receivers)
    signal._csignals_table, older._csignals_table, older.receivers = older._csignals_table, None, []
    signal.send(None)
    receivers[0][1]._func_ref = weakref.ref(Instance)  # from now on only the table holds the former reference
    clearing.leave_behind(signal)
    del signal
    gc.collect()
    older.connect(hear)
    assert older.send(None) == [(hear, "heard")]


def test_contexts_work_while_gc_clears_calls(csignals, collecting_by_hand):
    inner, outer = csignals.Signal(), csignals.Signal()
    inner.connect(hear)
    left, responses = [], []

    def nest(**named):
        left.append(Clearing(lambda context: responses.append(context.run(inner.send, None))))
        context = contextvars.copy_context()
        context.run(inner.send, None)
        context.run(contextvars.ContextVar("me").set, context)
        left.append(context)

    outer.connect(nest)
    with csignals.trace():
        outer.send(None)
    clearing, context = left
    left.clear()
    clearing.leave_behind(context)
    del context
    with csignals.trace(scope="process"):
        gc.collect()
        assert all(response == [(hear, "heard")] for response in responses)
