"""A machine of hypothesis' that lives random lives of signals in two worlds, Django's and csignals', and compares them.

What happens in a life from outside of receivers is here: its rules. What a world is, model.py says.
"""

import asyncio
import contextlib
import copy
import functools
import gc
import logging
import pickle
import sys
import threading
import time

import django
from asgiref.sync import SyncToAsync
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.differential.model import (
    ACTIONS,
    ASYNC_RECEIVERS,
    HAVE_NO_WEAK_REFERENCES,
    RECEIVERS,
    SENDERS,
    World,
    describe,
    is_alive,
    listener_of,
)
from tests.differential.scopes import AROUND, SILENCING
from tests.differential.subclasses import SUBCLASSES, subclass
from tests.helpers.implementations import collect, collect_where_references_are_not_counted, without_collector

HAS_ASYNC = django.VERSION >= (5, 0)
HAS_GROUPS = django.VERSION >= (6, 1)


class Forgetful(dict):
    """A cache for Django's signal that keeps nothing, so that unhashable senders do not trip it.

    COMPATIBILITY 2: an unhashable sender raises TypeError in Django, and works in csignals.
    """

    def get(self, sender):
        return None

    def __setitem__(self, sender, receivers):
        pass


STRANGE_LISTS = {
    "none": lambda entries: None,
    "tuple": tuple,
    "no tuple": lambda entries: (),
    "subclass": lambda entries: type("List", (list,), {})(entries),
    "copy": list,
}

MANY = 16  # entries that are not made more
executed = 0  # rules, on both sides


def machine(classes, use_caching=False, tools=None, has_async=False):
    """Return a machine that lives the lives of a signal of Django's own class, the first, and of another class."""
    labels = st.integers(0, 5)
    senders = st.sampled_from([0, 0, 1, 2, 3])
    kinds_of_receivers = [*RECEIVERS, *RECEIVERS, *(ASYNC_RECEIVERS if has_async else ())]
    behaviours = st.tuples(st.sampled_from(kinds_of_receivers), st.tuples(st.sampled_from(ACTIONS), labels))
    uids = st.sampled_from([None, None, None, None, "", 0, "uid", ("uid", 1), ["no hash"], 1, True, b"uid", 1 << 70])
    keywords = st.lists(st.sampled_from(["instance", "created", "raw", "x"]), unique=True, max_size=4)
    arounds = st.sampled_from(AROUND)

    if has_async:
        SyncToAsync.single_thread_executor.submit(int).result()
        own_threads()

    class SignalLife(RuleBasedStateMachine):
        worlds = ()

        def check(self, act):
            """Act in every world, and compare all that was seen."""
            global executed
            executed += 1
            seen = []
            for world in self.worlds:
                world.notes.clear()
                logger = logging.getLogger("django.dispatch")
                logger.addFilter(world.logged)
                try:
                    seen.append((act(world), list(world.notes)))
                finally:
                    logger.removeFilter(world.logged)
                if has_async and world.notes:
                    wait_for_threads()
            assert seen[0] == seen[1], f"in Django's world {seen[0]}, in csignals' {seen[1]}"

        @property
        def world(self):
            return self.worlds[0]  # pyright: ignore[reportGeneralTypeIssues]

        def teardown(self):
            self.worlds = ()
            gc.collect(1)

        @initialize(
            behaviours=st.lists(behaviours, min_size=6, max_size=6),
            kinds=st.lists(st.sampled_from([*SENDERS]), min_size=3, max_size=3),
            subclasses=st.sampled_from(["itself", "itself", "itself", *SUBCLASSES]),
        )
        def begin(self, behaviours, kinds, subclasses):
            self.worlds = [World(subclass(subclasses, cls)(use_caching=use_caching)) for cls in classes]
            self.world.signal.sender_receivers_cache = Forgetful()
            for world in self.worlds:
                for label, behaviour in enumerate(behaviours):
                    world.add_receiver(label, *behaviour)
                for label, kind in enumerate(["none", *kinds]):
                    world.add_sender(label, kind)

        # --- Receivers and senders ---

        @rule(label=labels, behaviour=behaviours)
        def replace_receiver(self, label, behaviour):
            self.check(lambda world: world.receivers.pop(label, None) and None)
            collect_in_all()
            self.check(lambda world: world.add_receiver(label, *behaviour))

        @rule(label=st.integers(1, 3), kind=st.sampled_from([*SENDERS]))
        def add_sender(self, label, kind):
            if label not in self.world.senders:
                self.check(lambda world: world.add_sender(label, kind))

        @rule(label=labels, sender=senders, weak=st.booleans(), uid=uids)
        def connect(self, label, sender, weak, uid):
            if label in self.world.receivers and sender in self.world.senders:
                self.check(
                    lambda world: world.signal.connect(
                        world.receiver(label), sender=world.sender(sender), weak=weak, dispatch_uid=uid
                    )
                )

        @rule(label=labels, sender=senders, uid=uids)
        def disconnect(self, label, sender, uid):
            if label in self.world.receivers and sender in self.world.senders:
                self.check(
                    lambda world: world.signal.disconnect(
                        world.receiver(label), sender=world.sender(sender), dispatch_uid=uid
                    )
                )

        @rule(label=labels)
        def kill_receiver(self, label):
            self.check(lambda world: world.receivers.pop(label, None) and None)
            collect_in_all()

        @precondition(lambda self: django.VERSION >= (6, 0))  # before, Django has the id of a sender outlive it
        @rule(label=st.integers(1, 3))
        def kill_sender(self, label):
            # One that Django does not refer to would leave its id behind there.
            if label in self.world.senders and self.world.senders[label][0] not in HAVE_NO_WEAK_REFERENCES:
                self.check(lambda world: world.senders.pop(label) and None)

        # --- The list ---

        @rule(
            how=st.sampled_from(
                [
                    "save",
                    "restore",
                    "reverse",
                    "rotate",
                    "double",
                    "pop",
                    "clear",
                    "extend",
                    "insert",
                    "remove",
                    "swap",
                    "cut",
                    "triple",
                    "replace",
                    "again",
                ]
            ),
            at=labels,
        )
        def change_the_list(self, how, at):
            def act(world):
                entries = world.signal.receivers
                # Dead entries may be swept by now or not, and would shift the others.
                entries[:] = filter(is_alive, entries)
                at_all = at % (len(entries) or 1)
                if how in ("save", "restore"):
                    getattr(world, how)()
                elif how == "rotate":
                    entries[:] = entries[1:] + entries[:1]
                elif how == "double" and len(entries) < MANY:
                    world.set_list(entries * 2)
                elif how == "extend":
                    world.signal.receivers += [entry for entry in world.saved if is_alive(entry)]
                elif how == "triple" and len(entries) < MANY:
                    entries *= 3
                elif how == "cut":
                    del entries[at_all::2]
                elif how == "again":
                    world.signal.receivers = entries[:]
                elif how in ("reverse", "clear"):
                    getattr(entries, how)()
                elif not entries:
                    pass
                elif how == "pop":
                    entries.pop()
                elif how == "insert":
                    entries.insert(at, entries[-1])
                elif how == "remove":
                    entries.remove(entries[at_all])
                elif how == "swap":
                    entries[0], entries[at_all] = entries[at_all], entries[0]
                elif how == "replace":
                    entries[at_all] = entries[0]
                world.look()

            self.check(act)

        @rule(how=st.sampled_from([*STRANGE_LISTS]), label=labels, sender=senders)
        def have_a_strange_list_for_a_while(self, how, label, sender):
            def act(world):
                kept = world.entries()
                world.signal.receivers = STRANGE_LISTS[how](kept)
                # To others nothing can be connected, unless there are dead ones: then they are made lists.
                world.has_list = how in ("subclass", "copy")
                sender_here, receiver = world.sender(sender), world.receiver(label)
                came_to = [
                    world.outcome(world.signal.send, sender_here),
                    # Where there is no list at all, Django's raises a TypeError.
                    how == "none" or world.outcome(world.signal.has_listeners, sender_here),
                ]
                if world.has_list:
                    came_to += [world.signal.connect(receiver), world.signal.disconnect(receiver)]
                world.has_list = True
                world.set_list([entry for entry in kept if is_alive(entry)])
                return came_to

            if label in self.world.receivers and sender in self.world.senders:
                self.check(act)

        # --- Sends ---

        @rule(sender=senders, names=keywords, robust=st.booleans(), by_keyword=st.booleans(), around=arounds)
        def send(self, sender, names, robust, by_keyword, around):
            named = {name: i for i, name in enumerate(names)}

            def act(world):
                send = world.signal.send_robust if robust else world.signal.send
                sender_here = world.sender(sender)
                with self.in_force(around, world, sender_here) as is_silent:
                    if is_silent:
                        return []
                    if by_keyword:
                        return world.outcome(send, sender=sender_here, **named)
                    return world.outcome(send, sender_here, **named)

            if sender in self.world.senders:
                self.check(act)

        @precondition(lambda self: has_async)
        @rule(sender=senders, names=keywords, robust=st.booleans(), around=arounds)
        def send_and_await(self, sender, names, robust, around):
            named = {name: i for i, name in enumerate(names)}

            def act(world):
                send = world.signal.asend_robust if robust else world.signal.asend
                sender_here = world.sender(sender)
                with self.in_force(around, world, sender_here) as is_silent:
                    if is_silent:
                        return []
                    return run_until_complete(world.outcome_later(send, sender_here, **named))

            if sender in self.world.senders and (HAS_GROUPS or not self.has_both_kinds(sender)):
                self.check(act)

        def has_both_kinds(self, sender):
            """Return whether there are sync and async receivers: before Django 6.1 they run at once, in two threads."""
            return any(all(world.signal._live_receivers(world.sender(sender))) for world in self.worlds)

        @contextlib.contextmanager
        def in_force(self, around, world, sender):
            """Have something be in force, and say whether it is to be done as if it were: in Django's world."""
            if tools is None or around is None:
                yield False
            elif world is self.world:
                yield around in SILENCING
            else:
                with tools.around(around, world, sender):
                    yield False

        @precondition(lambda self: tools is not None)
        @rule(sender=senders, label=labels, robust=st.booleans())
        def send_to_all_but_one(self, sender, label, robust):
            def act(world):
                send = world.signal.send_robust if robust else world.signal.send
                receiver = world.receiver(label)
                if world is self.world:
                    world.unheard = listener_of(receiver)
                    try:
                        return world.outcome(send, world.sender(sender))
                    finally:
                        world.unheard = None
                with tools.package.mute(world.signal, receivers=receiver):
                    return world.outcome(send, world.sender(sender))

            if sender in self.world.senders and label in self.world.receivers:
                self.check(act)

        @rule(what=st.sampled_from(["listeners", "listeners", "entries", "collect"]), sender=senders)
        def look_around(self, what, sender):
            def act(world):
                if what == "listeners":
                    return world.signal.has_listeners(world.sender(sender))
                if what == "entries":
                    return len(world.entries())
                gc.collect(1)
                return None

            if what == "entries":
                collect_in_all()
            if sender in self.world.senders:
                self.check(act)

        # --- Copies ---

        @rule(how=st.sampled_from([*COPIES]), sender=senders)
        def copy(self, how, sender):
            def act(world):
                world.look()  # one that was told of a death would go on with another list than its twin
                try:
                    twin = COPIES[how](world.signal)
                except Exception as error:
                    describe(error)
                    return "cannot be copied"
                return world.outcome(twin.send, world.sender(sender))

            if sender in self.world.senders:
                self.check(act)
                collect_in_all()
                self.check(lambda world: len(world.entries()))

    return SignalLife


def collect_in_all():
    """Let receivers die that what they raised refers to, in cycles.

    In one world alone, that would make older, and so more lasting, what the others have.
    """
    collect(1)


COPIES = {"copy": copy.copy}
if sys.implementation.name != "pypy":  # its RLocks, of which csignals has one, can be copied; its Locks cannot
    COPIES |= {"deepcopy": copy.deepcopy, "pickle": lambda signal: pickle.loads(pickle.dumps(signal))}


@functools.cache
def loop():
    return asyncio.new_event_loop()


def run_until_complete(coroutine):
    return loop().run_until_complete(coroutine)


def wait_for_threads():
    """Wait until the threads of asgiref have let go of what they called: that is after they have said what it returned.

    One stays, and is done with that once it does the next thing; the others end.
    """
    SyncToAsync.single_thread_executor.submit(int).result()
    while threading.active_count() > own_threads():
        collect_where_references_are_not_counted()  # a thread ends with its executor
        time.sleep(0.0001)


@functools.cache
def own_threads():
    return threading.active_count()


def run(life, number=None, **how):
    """Live lives of a machine. With a seed, they are the same each time."""
    if number is not None:
        life = seed(number)(life)
    try:
        with without_collector():  # which of two worlds it would come by in, is chance
            run_state_machine_as_test(
                life,
                settings=settings(
                    **{"stateful_step_count": 60, "deadline": None, "suppress_health_check": list(HealthCheck), **how}
                ),
            )
    finally:
        gc.collect()
