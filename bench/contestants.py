"""The dispatchers that are measured, each through its own API, and how their contracts differ.

The kinds of sends are in ``sends.py``.
"""

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec
from unittest import mock

from bench import build_floor
from bench.receivers import FUNCTION, METHOD, OBJECT, PARTIAL, make_receivers
from tests.helpers.implementations import environment, load


class Sender:
    """The sender. Receivers are connected for it, or for any sender."""


class Contestant:
    """A dispatcher with Django's API. Only the statements are timed, not the methods."""

    contract = ""  # how it differs from Django's
    send = "signal.send(sender=sender, {named})"
    send_robust = "signal.send_robust(sender=sender, {named})"
    connect = "signal.connect(receiver)"
    disconnect = "signal.disconnect(receiver)"
    has_senders = True  # whether receivers can be connected for one sender
    has_pairs = True  # whether a send returns pairs (receiver, response)
    is_thread_safe = True
    order = "first to last"  # of the calls: "first to last", "last to first" or None

    def __init__(self, name, module):
        self.name = name
        self.module = module  # the module that it needs

    def is_here(self):
        return find_spec(self.module) is not None

    def holds(self, kind, weak):
        """Return whether it supports this kind of receiver, held weakly or strongly."""
        return True

    def names(self):
        """Return the names in the statements other than signal, sender and receiver."""
        return {}

    def parameters(self, keywords):
        """Return the parameters of a receiver of sends with these keywords."""
        return "signal, sender, **named"

    def passed(self, signal, keywords):
        """Return the arguments that a receiver should get: positional ones, and keyword arguments."""
        return (), {"signal": signal, "sender": Sender, **keywords}

    def signal(self, connections, keywords=(), weak=True):
        """Return a new signal with these receivers, each for a sender or, with None, for any sender."""
        signal = self.new(keywords)
        for receiver, sender in connections:
            self.add(signal, receiver, sender, weak)
        return signal

    def new(self, keywords):
        return self.signal_class()()

    def add(self, signal, receiver, sender, weak=True):
        signal.connect(receiver, sender=sender, weak=weak)

    def remove(self, signal, receiver, sender):
        signal.disconnect(receiver, sender=sender)


class Standalone(Contestant):
    def __init__(self, name, module, implementation):
        super().__init__(name, module)
        self.implementation = implementation

    def signal_class(self):
        return load(self.implementation).Signal

    def environment(self):
        """Return the environment variables with which a new process uses this implementation."""
        return environment(self.implementation)


class InDjango(Standalone):
    def signal_class(self):
        return dispatcher_with(self.implementation).Signal


class Django(Contestant):
    def signal_class(self):
        return dispatcher_alone().Signal


class CachedDjango(Django):
    contract = "a sender must support weak references"

    def new(self, keywords):
        return self.signal_class()(use_caching=True)


class Celery(Contestant):
    contract = "every send is robust"
    send_robust = Contestant.send

    def signal_class(self):
        from celery.utils.dispatch import Signal

        return Signal


class Blinker(Contestant):
    contract = "no order; receivers are not passed the signal"
    send = "signal.send(sender, {named})"
    send_robust = None
    order = None

    def parameters(self, keywords):
        return "sender, **named"

    def passed(self, signal, keywords):
        return (), {"sender": Sender, **keywords}

    def signal_class(self):
        from blinker import Signal

        return Signal

    def add(self, signal, receiver, sender, weak=True):
        signal.connect(receiver, weak=weak, **({} if sender is None else {"sender": sender}))


class Psygnal(Contestant):
    contract = "no pairs; positional arguments only, also for the sender; functions are held strongly"
    send = "signal.emit(sender, {values})"
    send_robust = None
    has_senders = has_pairs = False

    def holds(self, kind, weak):
        return kind != OBJECT and weak == (kind == METHOD)

    def parameters(self, keywords):
        return "*values"

    def passed(self, signal, keywords):
        return (Sender, *keywords.values()), {}

    def new(self, keywords):
        from psygnal import SignalInstance

        return SignalInstance((object,) * (1 + len(keywords)))

    def add(self, signal, receiver, sender, weak=True):
        signal.connect(receiver)


class PyDispatcher(Contestant):
    contract = "any object is a signal; the signature of a receiver chooses its arguments"
    send = "send(signal=signal, sender=sender, {named})"
    send_robust = "send_robust(signal=signal, sender=sender, {named})"
    connect = "connect(receiver, signal)"
    disconnect = "disconnect(receiver, signal)"

    def holds(self, kind, weak):
        return kind != PARTIAL

    def names(self):
        from pydispatch import dispatcher, robust

        return {
            "send": dispatcher.send,
            "send_robust": robust.sendRobust,
            "connect": dispatcher.connect,
            "disconnect": dispatcher.disconnect,
        }

    def new(self, keywords):
        return Sender()

    def add(self, signal, receiver, sender, weak=True):
        from pydispatch import dispatcher

        dispatcher.connect(receiver, signal, dispatcher.Any if sender is None else sender, weak)

    def remove(self, signal, receiver, sender):
        from pydispatch import dispatcher

        dispatcher.disconnect(receiver, signal, sender)


class Pluggy(Contestant):
    contract = "no pairs; the sender is an ordinary argument; receivers are held strongly, and the last is called first"
    send = "signal.hook.event(sender=sender, {named})"
    send_robust = connect = disconnect = None  # plugins are registered, not receivers
    has_senders = has_pairs = False
    order = "last to first"

    def holds(self, kind, weak):
        return kind in (FUNCTION, METHOD) and not weak

    def parameters(self, keywords):
        return ", ".join(["sender", *keywords])

    def passed(self, signal, keywords):
        return (), {"sender": Sender, **keywords}

    def new(self, keywords):
        import pluggy

        (event,) = make_receivers(1, self.parameters(keywords))
        manager = pluggy.PluginManager("bench")
        manager.add_hookspecs(Plugin(pluggy.HookspecMarker("bench")(event)))
        return manager

    def add(self, signal, receiver, sender, weak=True):
        import pluggy

        pluggy.HookimplMarker("bench")(getattr(receiver, "__func__", receiver))
        signal.register(Plugin(receiver))


class Plugin:
    def __init__(self, event):
        self.event = event


class Floor(Contestant):
    contract = (
        "only strong receivers for any sender; bound methods are made anew for each call, as from weak references"
    )
    send_robust = connect = disconnect = None
    is_thread_safe = False

    def holds(self, kind, weak):
        return kind == FUNCTION or (kind == METHOD and weak)

    def signal(self, connections, keywords=(), weak=False):
        return floor().Floor([receiver for receiver, sender in connections if sender in (None, Sender)])


COMPILED, FALLBACK = ("csignals._dispatch.compiled", "cython"), ("csignals._dispatch.pure", "python")
CONTESTANTS = [
    Floor("floor", "setuptools"),
    Standalone("csignals", *COMPILED),
    Standalone("csignals fallback", *FALLBACK),
    InDjango("csignals in Django", *COMPILED),
    InDjango("fallback in Django", *FALLBACK),
    Django("Django", "django"),
    CachedDjango("Django cached", "django"),
    Celery("celery", "celery"),
    Blinker("blinker", "blinker"),
    Psygnal("psygnal", "psygnal"),
    PyDispatcher("PyDispatcher", "pydispatch"),
    Pluggy("pluggy", "pluggy"),
]


def present():
    """Return the contestants whose module is installed."""
    return [contestant for contestant in CONTESTANTS if contestant.is_here()]


def left_out():
    """Return the other contestants: the module that each needs, by its name."""
    return {contestant.name: contestant.module for contestant in CONTESTANTS if not contestant.is_here()}


@cache
def floor():
    return build_floor.load()


def copy_of_dispatcher():
    return load("python", "csignals.compare.sends").stock_dispatcher()


@cache
def dispatcher_alone():
    """Return a copy of Django's dispatcher that is not patched."""
    return copy_of_dispatcher()


@cache
def dispatcher_with(implementation):
    """Return a copy of Django's dispatcher in which this implementation of csignals is installed.

    ``csignals.django`` patches one class, Django's own. So a copy of ``csignals.django`` patches a copy of that class,
    and both implementations are there at the same time.
    """
    dispatcher = copy_of_dispatcher()
    parts = "csignals", "csignals._dispatch", "csignals._dispatch.awaiting", "csignals.signals"
    original = load(implementation, "csignals.django._patch")
    patch = module_from_spec(original.__spec__)
    with mock.patch.dict(sys.modules, {name: load(implementation, name) for name in parts}):
        original.__spec__.loader.exec_module(patch)
    patch.Signal, patch.dispatcher = dispatcher.Signal, dispatcher
    patch.install()
    return dispatcher
