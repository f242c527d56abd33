"""A state machine of Hypothesis, whose random runs do the same to two signals, and compare what happens.

The first signal is of Django's own class, the second is dispatched by csignals. Each has a model of its own (model.py).
The rules of the machine are what a run may do to a signal from outside its receivers.
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
    Model,
    describe,
    is_alive,
    listener_of,
)
from tests.differential.scopes import SCOPES, SILENCING
from tests.differential.subclasses import SUBCLASSES, subclass
from tests.helpers.implementations import collect, collect_where_references_are_not_counted, without_collector

HAS_ASYNC = django.VERSION >= (5, 0)
HAS_GROUPS = django.VERSION >= (6, 1)


class EmptyCache(dict):
    """A cache for Django's signal that keeps nothing, so that unhashable senders raise nothing.

    COMPATIBILITY 2: an unhashable sender raises TypeError in Django, and works in csignals.
    """

    def get(self, sender):
        return None

    def __setitem__(self, sender, receivers):
        pass


STRANGE_LISTS = {
    "None": lambda entries: None,
    "tuple": tuple,
    "empty tuple": lambda entries: (),
    "subclass": lambda entries: type("List", (list,), {})(entries),
    "copy": list,
}

MAX_ENTRIES = 16  # a longer list is not multiplied
executed = 0  # the number of rules that both models have executed


def machine(classes, use_caching=False, tools=None, has_async=False):
    """Return a machine that compares the signals of two classes. The first class is Django's own."""
    labels = st.integers(0, 5)
    senders = st.sampled_from([0, 0, 1, 2, 3])
    kinds_of_receivers = [*RECEIVERS, *RECEIVERS, *(ASYNC_RECEIVERS if has_async else ())]
    behaviours = st.tuples(st.sampled_from(kinds_of_receivers), st.tuples(st.sampled_from(ACTIONS), labels))
    uids = st.sampled_from([None, None, None, None, "", 0, "uid", ("uid", 1), ["no hash"], 1, True, b"uid", 1 << 70])
    keywords = st.lists(st.sampled_from(["instance", "created", "raw", "x"]), unique=True, max_size=4)
    scopes = st.sampled_from(SCOPES)

    if has_async:
        SyncToAsync.single_thread_executor.submit(int).result()
        usual_thread_count()

    class SignalMachine(RuleBasedStateMachine):
        models = ()

        def check(self, act):
            """Act on both models, and compare the results and the notes."""
            global executed
            executed += 1
            seen = []
            for model in self.models:
                model.notes.clear()
                logger = logging.getLogger("django.dispatch")
                logger.addFilter(model.logged)
                try:
                    seen.append((act(model), list(model.notes)))
                finally:
                    logger.removeFilter(model.logged)
                if has_async and model.notes:
                    wait_for_threads()
            assert seen[0] == seen[1], f"Django: {seen[0]}, csignals: {seen[1]}"

        @property
        def oracle(self):
            return self.models[0]  # pyright: ignore[reportGeneralTypeIssues]

        def teardown(self):
            self.models = ()
            gc.collect(1)

        @initialize(
            behaviours=st.lists(behaviours, min_size=6, max_size=6),
            kinds=st.lists(st.sampled_from([*SENDERS]), min_size=3, max_size=3),
            subclasses=st.sampled_from(["itself", "itself", "itself", *SUBCLASSES]),
        )
        def begin(self, behaviours, kinds, subclasses):
            self.models = [Model(subclass(subclasses, cls)(use_caching=use_caching)) for cls in classes]
            self.oracle.signal.sender_receivers_cache = EmptyCache()
            for model in self.models:
                for label, behaviour in enumerate(behaviours):
                    model.add_receiver(label, *behaviour)
                for label, kind in enumerate(["none", *kinds]):
                    model.add_sender(label, kind)

        # --- Receivers and senders ---

        @rule(label=labels, behaviour=behaviours)
        def replace_receiver(self, label, behaviour):
            self.check(lambda model: model.receivers.pop(label, None) and None)
            collect_for_both()
            self.check(lambda model: model.add_receiver(label, *behaviour))

        @rule(label=st.integers(1, 3), kind=st.sampled_from([*SENDERS]))
        def add_sender(self, label, kind):
            if label not in self.oracle.senders:
                self.check(lambda model: model.add_sender(label, kind))

        @rule(label=labels, sender=senders, weak=st.booleans(), uid=uids)
        def connect(self, label, sender, weak, uid):
            if label in self.oracle.receivers and sender in self.oracle.senders:
                self.check(
                    lambda model: model.signal.connect(
                        model.receiver(label), sender=model.sender(sender), weak=weak, dispatch_uid=uid
                    )
                )

        @rule(label=labels, sender=senders, uid=uids)
        def disconnect(self, label, sender, uid):
            if label in self.oracle.receivers and sender in self.oracle.senders:
                self.check(
                    lambda model: model.signal.disconnect(
                        model.receiver(label), sender=model.sender(sender), dispatch_uid=uid
                    )
                )

        @rule(label=labels)
        def kill_receiver(self, label):
            self.check(lambda model: model.receivers.pop(label, None) and None)
            collect_for_both()

        @precondition(lambda self: django.VERSION >= (6, 0))  # before 6.0, Django keeps the ids of dead senders
        @rule(label=st.integers(1, 3))
        def kill_sender(self, label):
            # Without a weak reference to a sender, Django keeps its id.
            if label in self.oracle.senders and self.oracle.senders[label][0] not in HAVE_NO_WEAK_REFERENCES:
                self.check(lambda model: model.senders.pop(label) and None)

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
        def change_list(self, how, at):
            def act(model):
                entries = model.signal.receivers
                # Dead entries may be swept at different times, which would shift the others.
                entries[:] = filter(is_alive, entries)
                index = at % (len(entries) or 1)
                if how in ("save", "restore"):
                    getattr(model, how)()
                elif how == "rotate":
                    entries[:] = entries[1:] + entries[:1]
                elif how == "double" and len(entries) < MAX_ENTRIES:
                    model.set_list(entries * 2)
                elif how == "extend":
                    model.signal.receivers += [entry for entry in model.saved if is_alive(entry)]
                elif how == "triple" and len(entries) < MAX_ENTRIES:
                    entries *= 3
                elif how == "cut":
                    del entries[index::2]
                elif how == "again":
                    model.signal.receivers = entries[:]
                elif how in ("reverse", "clear"):
                    getattr(entries, how)()
                elif not entries:
                    pass
                elif how == "pop":
                    entries.pop()
                elif how == "insert":
                    entries.insert(at, entries[-1])
                elif how == "remove":
                    entries.remove(entries[index])
                elif how == "swap":
                    entries[0], entries[index] = entries[index], entries[0]
                elif how == "replace":
                    entries[index] = entries[0]
                model.refresh()

            self.check(act)

        @rule(how=st.sampled_from([*STRANGE_LISTS]), label=labels, sender=senders)
        def use_strange_list(self, how, label, sender):
            def act(model):
                kept = model.entries()
                model.signal.receivers = STRANGE_LISTS[how](kept)
                # connect() cannot append to other iterables, unless it sweeps dead entries, and so makes a list.
                model.has_list = how in ("subclass", "copy")
                sender_here, receiver = model.sender(sender), model.receiver(label)
                results = [
                    model.outcome(model.signal.send, sender_here),
                    # Without a list, Django's method raises TypeError.
                    how == "None" or model.outcome(model.signal.has_listeners, sender_here),
                ]
                if model.has_list:
                    results += [model.signal.connect(receiver), model.signal.disconnect(receiver)]
                model.has_list = True
                model.set_list([entry for entry in kept if is_alive(entry)])
                return results

            if label in self.oracle.receivers and sender in self.oracle.senders:
                self.check(act)

        # --- Sends ---

        @rule(sender=senders, names=keywords, robust=st.booleans(), by_keyword=st.booleans(), scope=scopes)
        def send(self, sender, names, robust, by_keyword, scope):
            named = {name: i for i, name in enumerate(names)}

            def act(model):
                send = model.signal.send_robust if robust else model.signal.send
                sender_here = model.sender(sender)
                with self.intercepted(scope, model, sender_here) as is_silent:
                    if is_silent:
                        return []
                    if by_keyword:
                        return model.outcome(send, sender=sender_here, **named)
                    return model.outcome(send, sender_here, **named)

            if sender in self.oracle.senders:
                self.check(act)

        @precondition(lambda self: has_async)
        @rule(sender=senders, names=keywords, robust=st.booleans(), scope=scopes)
        def send_and_await(self, sender, names, robust, scope):
            named = {name: i for i, name in enumerate(names)}

            def act(model):
                send = model.signal.asend_robust if robust else model.signal.asend
                sender_here = model.sender(sender)
                with self.intercepted(scope, model, sender_here) as is_silent:
                    if is_silent:
                        return []
                    return run_until_complete(model.outcome_later(send, sender_here, **named))

            if sender in self.oracle.senders and (HAS_GROUPS or not self.has_sync_and_async(sender)):
                self.check(act)

        def has_sync_and_async(self, sender):
            """Return whether a sender has sync and async receivers. Before Django 6.1, they run in two threads."""
            return any(all(model.signal._live_receivers(model.sender(sender))) for model in self.models)

        @contextlib.contextmanager
        def intercepted(self, scope, model, sender):
            """Open a scope for csignals' model. For Django's, yield whether the scope would silence the send."""
            if tools is None or scope is None:
                yield False
            elif model is self.oracle:
                yield scope in SILENCING
            else:
                with tools.opened(scope, model, sender):
                    yield False

        @precondition(lambda self: tools is not None)
        @rule(sender=senders, label=labels, robust=st.booleans())
        def send_to_all_but_one(self, sender, label, robust):
            def act(model):
                send = model.signal.send_robust if robust else model.signal.send
                receiver = model.receiver(label)
                if model is self.oracle:
                    model.muted = listener_of(receiver)
                    try:
                        return model.outcome(send, model.sender(sender))
                    finally:
                        model.muted = None
                with tools.package.mute(model.signal, receivers=receiver):
                    return model.outcome(send, model.sender(sender))

            if sender in self.oracle.senders and label in self.oracle.receivers:
                self.check(act)

        @rule(what=st.sampled_from(["listeners", "listeners", "entries", "collect"]), sender=senders)
        def inspect(self, what, sender):
            def act(model):
                if what == "listeners":
                    return model.signal.has_listeners(model.sender(sender))
                if what == "entries":
                    return len(model.entries())
                gc.collect(1)
                return None

            if what == "entries":
                collect_for_both()
            if sender in self.oracle.senders:
                self.check(act)

        # --- Copies ---

        @rule(how=st.sampled_from([*COPIES]), sender=senders)
        def copy(self, how, sender):
            def act(model):
                model.refresh()  # a dead entry would be swept from the list of only one twin
                try:
                    twin = COPIES[how](model.signal)
                except Exception as error:
                    describe(error)
                    return "cannot be copied"
                return model.outcome(twin.send, model.sender(sender))

            if sender in self.oracle.senders:
                self.check(act)
                collect_for_both()
                self.check(lambda model: len(model.entries()))

    return SignalMachine


def collect_for_both():
    """Free receivers that are in a cycle with an exception that they raised.

    A collection for one model alone would move the objects of the other one into an older generation.
    """
    collect(1)


COPIES = {"copy": copy.copy}
if sys.implementation.name != "pypy":  # there an RLock, which csignals uses, can be copied; a Lock, Django's, cannot
    COPIES |= {"deepcopy": copy.deepcopy, "pickle": lambda signal: pickle.loads(pickle.dumps(signal))}


@functools.cache
def loop():
    return asyncio.new_event_loop()


def run_until_complete(coroutine):
    return loop().run_until_complete(coroutine)


def wait_for_threads():
    """Wait until asgiref's threads have released the functions that they called: they do so after they return results.

    One thread stays, and releases a function when it calls the next one. The others end.
    """
    SyncToAsync.single_thread_executor.submit(int).result()
    while threading.active_count() > usual_thread_count():
        collect_where_references_are_not_counted()  # a thread ends with its executor
        time.sleep(0.0001)


@functools.cache
def usual_thread_count():
    return threading.active_count()


def run(machine, number=None, **how):
    """Run a machine at random, or the same way each time if the number of a seed is given."""
    if number is not None:
        machine = seed(number)(machine)
    try:
        with without_collector():  # it would run for one of the models at random
            run_state_machine_as_test(
                machine,
                settings=settings(
                    **{"stateful_step_count": 60, "deadline": None, "suppress_health_check": list(HealthCheck), **how}
                ),
            )
    finally:
        gc.collect()
