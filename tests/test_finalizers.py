"""Finalizers and callbacks that connect, disconnect, send and collect, wherever the engine lets go of anything.

The collector runs on Python's terms, since 3.12 only between instructions. So it is not left to it: whatever the engine
holds (receivers, dispatch uids, senders, names, values, responses, entries, whole lists) acts when it is let go of.
"""

import gc
import random
import sys
import weakref

import pytest
from implementations import collect_where_references_are_not_counted, collecting_after

MOST_ACTS = 30      # in one step: who connects whenever keys are compared would have connect() compare for ever


class Sender:
    pass


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
        del old     # what it held acts now


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
        world.depth = 10    # no more
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
    signal.connect(lambda **named: None)    # dead at once
    collect_where_references_are_not_counted()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.send(None)
        assert signal.lock.acquire(blocking=False)
        signal.lock.release()
    Raising.is_raising = False
    assert [receiver for receiver, _ in signal.send(None)] == [hear]
    assert len(signal.receivers) == 1
