"""Finalizers and callbacks that connect, disconnect, send and collect, wherever the engine lets go of anything.

The collector runs on Python's terms, since 3.12 only between instructions. So it is not left to it: whatever the engine
holds (receivers, dispatch uids, senders, names, values, responses, entries, whole lists) acts when it is let go of.
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

MOST_ACTS = 30  # in one step: who connects whenever keys are compared would have connect() compare for ever


class World:
    """A signal with receivers that stay, and what acts on it when it is let go of."""

    def __init__(self, signal, chance, may_register):
        self.signal, self.chance, self.may_register = signal, chance, may_register
        self.calls, self.depth, self.acts, self.left = [], 0, 0, MOST_ACTS
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
        name.world = self
        send(self.chance.choice([None, Sender, 5]), **{name: Acting(self)})

    def has_listeners(self):
        assert self.signal.has_listeners(Sender)

    def connect(self):
        self.signal.connect(self.chance.choice(self.passing), sender=self.chance.choice([None, Sender, 5]))

    def disconnect(self):
        self.signal.disconnect(self.chance.choice(self.passing), sender=self.chance.choice([None, Sender, 5]))

    def connect_acting(self):
        """Connect what acts when it is let go of: as a receiver, or as what it is connected to, or under."""
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
        """Have the list be another, without what comes and goes."""
        # Nothing may come between, as for anybody who assigns the list.
        with self.signal.lock:
            depth, self.depth = self.depth, 2
            stable = set(map(id, self.stable))
            old = self.signal.receivers
            self.signal.receivers = [
                entry for entry in old if isinstance(entry[1], weakref.ref) and id(entry[1]()) in stable
            ]
            self.depth = depth
        del old  # what it held acts now


class Acting:
    """It acts when it is let go of, when it is compared or hashed, and when it is called."""

    def __init__(self, world):
        self.world = world

    def __del__(self):
        self.world.act()

    def __eq__(self, other):
        self.world.act()
        return self is other

    def __hash__(self):
        self.world.act()
        return 1

    def __call__(self, **named):
        self.world.act()
        return Acting(self.world)

    hear = __call__


class ActingWithoutReferences:
    __slots__ = ("world",)

    def __init__(self, world):
        self.world = world

    def __del__(self):
        self.world.act()


class ActingName(str):
    """A keyword's name, which sends compare with those that they know."""

    def __eq__(self, other):
        self.world.act()
        return str(self) == other

    def __hash__(self):
        return str.__hash__(self)

    def __del__(self):
        self.world.act()


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_doubled_whatever_acts_when_it_is_let_go_of(
    make, csignals, collect_always, unraisable, seed, budget
):
    for repetition in range(budget):
        # Django deadlocks where a finalizer registers anything while its lock is held.
        may_register = make is csignals.Signal
        world = World(make(), random.Random(seed + 100 * repetition), may_register)
        steps = [world.connect, world.disconnect, world.connect_acting, world.assign, world.send, world.act]
        if not may_register:
            steps = [world.connect, world.disconnect, world.send, world.has_listeners]
        for _ in range(300):
            world.left = MOST_ACTS
            world.chance.choice(steps)()
            world.calls.clear()
            world.signal.send(Sender, a=Acting(world))
            assert world.calls == list(range(12))
        assert world.acts > 300
        world.depth = 10  # no more
        gc.collect()
        world.assign()
        reached = [receiver for receiver, _ in world.signal.send(Sender)]
        assert reached == world.stable
        assert unraisable == []


def test_a_death_that_could_not_be_reported_does_not_make_its_successor_deaf(csignals):
    """A callback fails where the stack or memory ran out, or where it was interrupted; then an id is used again."""
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


def test_a_sweep_that_fails_is_done_again(make):
    """Whatever ends it: what a dead receiver leaves behind must not stay."""

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


# --- While gc clears what nobody can reach -------------------------------------------------------------------------


class Clearing:
    """Acts on an object while gc is clearing it, with what it refers to.

    By then gc has cleared its weak references and called its finalizers: but one of these makes another reference, and
    the markers, of which gc knows nothing, have callbacks.
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
        with contextlib.suppress(Exception):  # such a signal may have lost anything
            call()


def test_a_signal_may_be_used_while_gc_clears_the_keys_of_its_list(csignals, collecting_by_hand):
    clearing = Clearing(use)
    signal = csignals.Signal()
    receivers = signal.receivers
    gc.collect(0)  # what it keeps is younger: gc clears that first
    signal.connect(hear, weak=False)
    signal.connect(use, weak=False)
    clearing.leave_behind(signal)
    del signal
    gc.collect()
    assert receivers[-1][1] is use


def test_a_signal_may_be_used_while_gc_clears_what_its_table_refers_to(csignals, collecting_by_hand):
    instance = Instance()
    older = csignals.Signal()
    older.connect(instance.hear)
    older.send(None)
    clearing = Clearing(use)
    signal = csignals.Signal()
    receivers = signal.receivers = list(older.receivers)
    signal._csignals_table, older._csignals_table, older.receivers = older._csignals_table, None, []
    signal.send(None)
    receivers[0][1]._func_ref = weakref.ref(Instance)  # from now on the table alone holds the other one
    clearing.leave_behind(signal)
    del signal
    gc.collect()
    older.connect(hear)
    assert older.send(None) == [(hear, "heard")]


def test_a_context_may_be_used_while_gc_clears_the_call_it_is_in(csignals, collecting_by_hand):
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
