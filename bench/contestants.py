"""The dispatchers that are measured, each under its own API, and where their contracts differ.

What is sent, and to whom, is in ``sends.py``.
"""

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec
from unittest import mock

from bench import build_floor
from bench.receivers import FUNCTION, METHOD, OBJECT, PARTIAL, make_receivers
from tests.helpers.implementations import environment, load


class Sender:
    """Who sends. Receivers are connected to it, or to any sender."""


class Contestant:
    """A dispatcher with Django's API. The statements are what is timed; what the methods do is not."""

    contract = ""  # where it does less than Django's, or something else
    send = "signal.send(sender=sender, {named})"
    send_robust = "signal.send_robust(sender=sender, {named})"
    connect = "signal.connect(receiver)"
    disconnect = "signal.disconnect(receiver)"
    has_senders = True  # receivers for one sender only
    has_pairs = True  # a send returns (receiver, response)
    is_thread_safe = True
    order = "first to last"  # of the calls: or "last to first", or None

    def __init__(self, name, module):
        self.name = name
        self.module = module  # without which it cannot take part

    def is_here(self):
        return find_spec(self.module) is not None

    def holds(self, kind, weak):
        """Return whether it knows this kind of receiver, and holds it so."""
        return True

    def names(self):
        """Return what the statements name besides signal, sender and receiver."""
        return {}

    def parameters(self, keywords):
        """Return those of a receiver of sends with these keywords."""
        return "signal, sender, **named"

    def passed(self, signal, keywords):
        """Return what a receiver should be passed: positional arguments, and those with keywords."""
        return (), {"signal": signal, "sender": Sender, **keywords}

    def signal(self, connections, keywords=(), weak=True):
        """Return a new signal with these receivers, each for a sender or, with None, for any."""
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
    def __init__(self, name, module, engine):
        super().__init__(name, module)
        self.engine = engine

    def signal_class(self):
        return load(self.engine).Signal

    def environment(self):
        """Return the variables that make a new process use this engine."""
        return environment(self.engine)


class InDjango(Standalone):
    def signal_class(self):
        return dispatcher_with(self.engine).Signal


class Django(Contestant):
    def signal_class(self):
        return dispatcher_alone().Signal


class CachedDjango(Django):
    contract = "a sender must have weak references"

    def new(self, keywords):
        return self.signal_class()(use_caching=True)


class Celery(Contestant):
    contract = "every send is a robust one"
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
    contract = "no pairs; positional arguments only, the sender being one of them; functions are held strongly"
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
    contract = "any object is a signal; what a receiver is passed is chosen by its signature"
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
    contract = "no pairs; the sender is an argument like others; held strongly, and the last one is called first"
    send = "signal.hook.event(sender=sender, {named})"
    send_robust = connect = disconnect = None  # plugins come and go, not receivers
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
    contract = "strong receivers for any sender, and nothing else; bound methods are made anew, as from weak references"
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
    """Return the contestants that are installed here."""
    return [contestant for contestant in CONTESTANTS if contestant.is_here()]


def left_out():
    """Return for each contestant that is not, what it needs."""
    return {contestant.name: contestant.module for contestant in CONTESTANTS if not contestant.is_here()}


@cache
def floor():
    return build_floor.load()


def copy_of_dispatcher():
    return load("python", "csignals.compare.sends").stock_dispatcher()


@cache
def dispatcher_alone():
    """Return a copy of Django's dispatcher, which nobody patches."""
    return copy_of_dispatcher()


@cache
def dispatcher_with(engine):
    """Return a copy of Django's dispatcher that csignals is installed in, on this engine.

    ``csignals.django`` patches one class, Django's own. So a copy of it gets a copy to patch, and those of both
    engines are there at a time.
    """
    dispatcher = copy_of_dispatcher()
    parts = "csignals", "csignals._dispatch", "csignals._dispatch.awaiting", "csignals.signals"
    original = load(engine, "csignals.django._patch")
    patch = module_from_spec(original.__spec__)
    with mock.patch.dict(sys.modules, {name: load(engine, name) for name in parts}):
        original.__spec__.loader.exec_module(patch)
    patch.Signal, patch.dispatcher = dispatcher.Signal, dispatcher
    patch.install()
    return dispatcher
