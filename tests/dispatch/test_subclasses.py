"""Subclasses of Django's Signal that override parts of it: they behave the same with csignals as without."""

import asyncio
import copy
import threading
from typing import Generic, TypeVar

import django.dispatch

from tests.differential.samples import HAS_ASYNC, connected, fail, first, outcome, second, shape
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal

T = TypeVar("T")


def subclasses(base):
    class Overriding(base):
        def send(self, sender, **named):
            return "sent", super().send(sender, **named)

        def _live_receivers(self, sender):
            live = super()._live_receivers(sender)
            (live[0] if HAS_ASYNC else live).reverse()
            return live

        async def asend(self, sender, **named):
            return "asent", self.send(sender, **named)

    class Parametrized(Generic[T], base):
        def send_robust(self, sender, **named):
            return "robust", super().send_robust(sender, **named)

    class Logging(base):
        def _log_robust_failure(self, receiver, err):
            vars(self).setdefault("failures", []).append((receiver, type(err)))

    return Overriding, Parametrized, Logging


def test_subclasses_keep_their_overrides(drop_in):
    seen = []
    for base in (StockSignal, django.dispatch.Signal):
        seen.append([])
        for cls in subclasses(base):
            signal = connected(cls, first, second)
            seen[-1] += [outcome(signal.send, Sender, x=1), outcome(signal._live_receivers, Sender)]
            signal.connect(fail)
            seen[-1] += [
                outcome(signal.send, Sender, x=1),
                outcome(signal.send_robust, Sender, x=1),
                outcome(signal.has_listeners),
                outcome(asyncio.run, signal.asend(Sender)) if HAS_ASYNC else None,
                # Django 4.2 has no such method; csignals calls it there, too.
                shape(vars(signal).get("failures")) if HAS_ASYNC else None,
            ]
    assert seen[0] == seen[1]
    assert "'sent', [('second'" in str(seen[0]) and "'robust', [('first'" in str(seen[0])


def own_registry(base):
    class Registry(base):
        """Keeps entries of its own kind in its list, which only its own methods read."""

        def connect(self, receiver, priority=0):
            self.receivers.append((priority, receiver))

        def _live_receivers(self, sender):
            live = [receiver for _, receiver in sorted(self.receivers, key=lambda pair: pair[0])]
            return (live, []) if HAS_ASYNC else tuple(live)

    return Registry


def muting(base):
    class Muting(base):
        is_muted = False

        @property
        def receivers(self):
            return [] if self.is_muted else self.__dict__["receivers"]

        @receivers.setter
        def receivers(self, receivers):
            self.__dict__["receivers"] = receivers

    return Muting


def watched(base):
    class Watched(base):
        def __getattribute__(self, name):
            return [] if name == "receivers" and watched.is_on else super().__getattribute__(name)

    return Watched


def frozen(base):
    class Frozen(base):
        def __init__(self):
            super().__init__()
            self.__dict__["is_frozen"] = True

        def __setattr__(self, name, value):
            if name not in ("receivers", "_dead_receivers") and "is_frozen" in self.__dict__:
                raise AttributeError(f"frozen: {name}")
            super().__setattr__(name, value)

    return Frozen


def copied(base):
    class Copied(base):
        def __getstate__(self):
            return {name: value for name, value in vars(self).items() if name != "lock"}

        def __setstate__(self, state):
            vars(self).update(state, lock=threading.Lock())

    return Copied


def test_subclasses_may_manage_their_list(drop_in):
    seen = []
    for base in (StockSignal, django.dispatch.Signal):
        signal = own_registry(base)()
        signal.connect(first, 2)
        signal.connect(second, 1)
        calls = signal.send, signal.send_robust, signal.has_listeners, signal._live_receivers
        seen.append([outcome(call, Sender) for call in calls])
        signal = muting(base)()
        signal.connect(first)
        seen[-1].append(outcome(signal.send, Sender))
        signal.is_muted = True
        seen[-1] += [outcome(signal.send, Sender), outcome(signal.send_robust, Sender), signal.has_listeners(Sender)]
        watched.is_on = False
        signal = watched(base)()
        signal.connect(first)
        seen[-1].append(outcome(signal.send, Sender))
        watched.is_on = True
        seen[-1] += [outcome(signal.send, Sender), signal.has_listeners(Sender), signal._live_receivers(Sender)]
    assert seen[0] == seen[1]


def test_subclasses_may_guard_their_attributes(drop_in):
    seen = []
    for base in (StockSignal, django.dispatch.Signal):
        signal = frozen(base)()
        signal.connect(first)
        seen.append([outcome(signal.send, Sender), outcome(signal.send, Sender)])
        signal = copied(base)()
        signal.connect(first, weak=False)
        signal.connect(second, weak=False, sender=Sender)
        signal.send(Sender)
        twin = copy.deepcopy(signal)
        seen[-1] += [outcome(twin.send, Sender), signal.disconnect(first), outcome(twin.send, Sender)]
    assert seen[0] == seen[1]
