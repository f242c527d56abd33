"""Django is the oracle: a random life of a signal, lived by Django's and by csignals', alone and in Django.

Each signal lives in a world of its own, with its own receivers and senders of the same kinds, so that the
death of one does not touch the others. What happens is noted down by labels, and has to be the same.
"""

import functools
import logging
import traceback
import weakref

import django
import django.dispatch
import pytest
from conftest import StockSignal
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test


class Stop(BaseException):
    """What send_robust does not catch."""


class Forgetful(dict):
    """A cache for Django's signal that keeps nothing, so that unhashable senders do not trip it.

    COMPATIBILITY 2: an unhashable sender raises TypeError in Django, and works in csignals.
    """

    def get(self, sender):
        return None


class Listener:
    def __init__(self, world, label, action):
        self.world, self.label, self.action = world, label, action
        self.__qualname__ = f"object {label}"   # COMPATIBILITY 2: Django cannot log a failure without one

    def __call__(self, **named):
        return self.world.called(self, named)

    def hear(self, **named):
        return self.world.called(self, named)


class Like(Listener):
    """Equal to its kind, and not hashable."""

    def __eq__(self, other):
        return isinstance(other, Like)

    __hash__ = None


class Owner:
    def method(self):
        pass


class Slotted:
    __slots__ = ()


def make_function(world, label, action):
    listener = Listener(world, label, action)

    def function(**named):
        return listener(**named)

    function.label = label
    return function


def make_partial(world, label, action):
    partial = functools.partial(Listener(world, label, action), **{"from partial": 1})
    partial.__qualname__ = f"partial {label}"
    return partial


RECEIVERS = {
    "function": make_function,
    "method": Listener,
    "method of an equal": Like,
    "object": Listener,
    "equal object": Like,
    "partial": make_partial,
}

SENDERS = {
    "none": lambda: None,
    "class": lambda: type("Sender", (), {}),
    "instance": Owner,
    "equal": lambda: Like(None, "sender", None),
    "unhashable": lambda: type("Unhashable", (list,), {})(),
    # Django refers weakly to the bound method itself: it must not be a passing one.
    "method": lambda: Owner().method,
    "string": lambda: "".join(["sen", "der"]),
    "object": object,
    "slotted": Slotted,
}
HAVE_NO_WEAK_REFERENCES = {"none", "string", "object", "slotted"}

ACTIONS = ["return", "return", "return", "raise", "stop", "connect", "disconnect", "kill", "send", "clear", "restore"]


def label_of(receiver):
    receiver = getattr(receiver, "func", getattr(receiver, "__self__", receiver))
    return receiver.label


class World:
    """One signal, with receivers and senders that are its own."""

    def __init__(self, signal):
        self.signal = signal
        self.receivers, self.senders = {}, {}
        self.saved = []
        self.notes = []
        self.depth = 0

    def logged(self, record):
        self.notes.append((record.name, record.levelname, record.msg, *map(str, record.args)))
        return False    # nobody else needs to hear of it

    def set_list(self, entries):
        self.signal.receivers = entries
        self.look()

    def look(self):
        # A strong receiver that was taken off the list by hand, csignals lets go of when it looks next.
        self.signal.has_listeners(None)

    def add_receiver(self, label, kind, action):
        self.receivers[label] = kind, RECEIVERS[kind](self, label, action)

    def add_sender(self, label, kind):
        self.senders[label] = kind, SENDERS[kind]()

    def receiver(self, label):
        kind, receiver = self.receivers[label]
        return receiver.hear if kind.startswith("method") else receiver

    def sender(self, label):
        return self.senders[label][1]

    def sender_label(self, sender):
        return [label for label, (_, mine) in self.senders.items() if mine is sender]

    def called(self, listener, named):
        signal, sender = named.pop("signal"), named.pop("sender")
        call = listener.label, signal is self.signal, self.sender_label(sender), [*named.items()]
        self.notes.append(("called", *call))
        action, other = listener.action
        if action == "raise":
            raise ValueError(listener.label)
        if action == "stop":
            raise Stop(listener.label)
        if action == "connect" and other in self.receivers:
            signal.connect(self.receiver(other))
        if action == "disconnect" and other in self.receivers:
            self.notes.append(signal.disconnect(self.receiver(other)))
        if action == "kill":
            self.receivers.pop(other, None)
        if action == "send" and self.depth < 2:
            self.depth += 1
            try:
                return self.outcome(signal.send, sender, depth=self.depth)
            finally:
                self.depth -= 1
        if action == "clear":
            self.save()
        if action == "restore":
            self.restore()
        return listener.label

    def save(self):
        self.saved = self.signal.receivers
        self.set_list([])

    def restore(self):
        # Not what died meanwhile: by then its id may be another's.
        self.set_list([entry for entry in self.saved if is_alive(entry)])

    def outcome(self, call, *args, **named):
        try:
            result = call(*args, **named)
        except (ValueError, Stop) as error:
            return describe(error)
        if isinstance(result, list):
            return [(label_of(receiver), describe(response)) for receiver, response in result]
        return result

    def entries(self):
        return [entry for entry in self.signal.receivers if is_alive(entry)]


def describe(response):
    if not isinstance(response, BaseException):
        return response
    # Its frames refer to it in turn, and to receivers, which would live on until the collector comes by.
    traceback.clear_frames(response.__traceback__)
    response.__traceback__ = None
    return type(response), str(response)


def is_alive(entry):
    references = [part for part in entry[1:3] if isinstance(part, weakref.ReferenceType)]
    return all(reference() is not None for reference in references)


def machine(make_signal):
    """Return a machine that lives the lives of a signal of Django's own and of another."""
    labels = st.integers(0, 5)
    senders = st.sampled_from([0, 0, 1, 2, 3])
    behaviours = st.tuples(st.sampled_from([*RECEIVERS]), st.tuples(st.sampled_from(ACTIONS), labels))
    uids = st.sampled_from([None, None, None, "", "uid", ("uid", 1), ["no hash"]])
    keywords = st.lists(st.sampled_from(["instance", "created", "raw", "x"]), unique=True, max_size=4)

    class SignalLife(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            django_signal = StockSignal()
            django_signal.sender_receivers_cache = Forgetful()
            self.worlds = [World(django_signal), World(make_signal())]

        def check(self, act):
            """Act in every world, and compare all that was seen."""
            seen = []
            for world in self.worlds:
                world.notes.clear()
                logger = logging.getLogger("django.dispatch")
                logger.addFilter(world.logged)
                try:
                    seen.append((act(world), list(world.notes)))
                finally:
                    logger.removeFilter(world.logged)
            assert seen[0] == seen[1]

        @property
        def world(self):
            return self.worlds[0]

        @initialize(
            behaviours=st.lists(behaviours, min_size=6, max_size=6),
            kinds=st.lists(st.sampled_from([*SENDERS]), min_size=3, max_size=3),
        )
        def begin(self, behaviours, kinds):
            for world in self.worlds:
                for label, behaviour in enumerate(behaviours):
                    world.add_receiver(label, *behaviour)
                for label, kind in enumerate(["none", *kinds]):
                    world.add_sender(label, kind)

        @rule(label=labels, behaviour=behaviours)
        def replace_receiver(self, label, behaviour):
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

        @precondition(lambda self: django.VERSION >= (6, 0))    # before, Django has the id of a sender outlive it
        @rule(label=st.integers(1, 3))
        def kill_sender(self, label):
            # One that Django does not refer to would leave its id behind there.
            if label in self.world.senders and self.world.senders[label][0] not in HAVE_NO_WEAK_REFERENCES:
                self.check(lambda world: world.senders.pop(label) and None)

        @rule(how=st.sampled_from(["save", "restore", "reverse", "rotate", "double", "pop", "clear", "extend"]))
        def change_the_list(self, how):
            def act(world):
                entries = world.signal.receivers
                # Dead entries may be swept by now or not, and would shift the others.
                entries[:] = filter(is_alive, entries)
                if how in ("save", "restore"):
                    getattr(world, how)()
                elif how == "rotate":
                    entries[:] = entries[1:] + entries[:1]
                elif how == "double":
                    world.set_list(entries * 2)
                elif how == "extend":
                    world.signal.receivers += [entry for entry in world.saved if is_alive(entry)]
                elif how == "pop":
                    if entries:
                        entries.pop()
                else:
                    getattr(entries, how)()
                world.look()

            self.check(act)

        @rule(sender=senders, names=keywords, robust=st.booleans(), by_keyword=st.booleans())
        def send(self, sender, names, robust, by_keyword):
            named = {name: i for i, name in enumerate(names)}

            def act(world):
                send = world.signal.send_robust if robust else world.signal.send
                if by_keyword:
                    return world.outcome(send, sender=world.sender(sender), **named)
                return world.outcome(send, world.sender(sender), **named)

            if sender in self.world.senders:
                self.check(act)

        @rule(sender=senders)
        def ask_for_listeners(self, sender):
            if sender in self.world.senders:
                self.check(lambda world: world.signal.has_listeners(world.sender(sender)))

        @rule()
        def count_entries(self):
            self.check(lambda world: len(world.entries()))

    return SignalLife


def run(make_signal, **how):
    run_state_machine_as_test(
        machine(make_signal),
        settings=settings(
            stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck), **how
        ),
    )


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_a_random_life_is_the_same_as_in_django(csignals, use_caching):
    run(lambda: csignals.Signal(use_caching=use_caching), max_examples=150)


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_a_random_life_in_django_is_the_same_as_before(drop_in, use_caching):
    run(lambda: django.dispatch.Signal(use_caching=use_caching), max_examples=150)


def test_the_comparison_notices_a_difference(csignals):
    """A check that cannot fail is none."""

    class Wrong(csignals.Signal):
        def send(self, sender, **named):
            return super().send(sender, **named)[::-1]

    with pytest.raises(AssertionError):
        run(Wrong, max_examples=3000, database=None, phases=[Phase.generate])
