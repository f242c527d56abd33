"""Subclasses of Signal that override Django's methods, as pretix and openedx-events define them.

The code imitates these projects and copies nothing: COMPATIBILITY.md, section 3.
"""

import asyncio
from typing import Generic, TypeVar

import django
from django.dispatch import Signal
from django.dispatch.dispatcher import NO_RECEIVERS
from project import PLACE, configure, report

if PLACE == "first":
    configure()

T = TypeVar("T")


class Shop:
    def __init__(self, *plugins):
        self.plugins = plugins


def plugin(name):
    """Mark a receiver as belonging to a plugin."""

    def decorate(receiver):
        receiver.plugin = name
        return receiver

    return decorate


class PluginSignal(Generic[T], Signal):
    """Calls only the receivers whose plugins are active for the sender."""

    def _live_receivers(self, sender):
        live = super()._live_receivers(sender)
        if django.VERSION < (5, 0):
            return self._active(live, sender)
        return tuple(self._active(group, sender) for group in live)

    def _active(self, receivers, sender):
        return sorted(
            (receiver for receiver in receivers if receiver.plugin in getattr(sender, "plugins", ())),
            key=lambda receiver: receiver.plugin,
        )

    def has_no_receivers(self, sender):
        return not self.receivers or self.sender_receivers_cache.get(sender) is NO_RECEIVERS

    def send(self, sender: T, **named):
        if self.has_no_receivers(sender):
            return []
        return [(receiver.plugin, response) for receiver, response in super().send(sender, shop=sender, **named)]

    def send_robust(self, sender: T, **named):
        if self.has_no_receivers(sender):
            return []
        return [(receiver.plugin, str(response)) for receiver, response in super().send_robust(sender, **named)]


class PublicSignal(Signal):
    """Has its own send method, which never raises a receiver's exception."""

    def __init__(self, event_type):
        super().__init__()
        self.event_type = event_type

    def send(self, sender, **named):
        raise NotImplementedError("use send_event()")

    def send_event(self, **named):
        sent = super().send_robust(sender=None, metadata=self.event_type, **named)
        return [[receiver.__name__, str(response)] for receiver, response in sent]


class MarkedSignal(Signal):
    """Marks async sends. Django before 5.0 has no async sends and never calls these methods."""

    async def asend(self, sender, **named):
        return await super().asend(sender, marked="asend", **named)

    async def asend_robust(self, sender, **named):
        return await super().asend_robust(sender, marked="asend_robust", **named)


if PLACE != "first":
    configure()


@plugin("z")
def of_z(shop=None, **named):
    return f"z {sorted(named)} {shop is not None}"


@plugin("a")
def of_a(**named):
    return f"a {sorted(named)}"


@plugin("bad")
def of_bad(**named):
    raise ValueError("bad")


@plugin("late")
async def of_late(**named):
    return "late"


def hear(**named):
    return str(sorted(set(named) - {"signal", "sender"}))


async def hear_awaited(marked=None, **named):
    return f"awaited {marked}"


def fail(metadata=None, marked=None, **named):
    raise ValueError(f"failed at {metadata or marked}")


def plain(sent):
    return [[receiver.__name__, str(response)] for receiver, response in sent]


def plugins_of(use_caching):
    signal = PluginSignal[Shop](use_caching=use_caching)  # pyright: ignore[reportCallIssue]
    shop, other, strange = Shop("a", "z", "late"), Shop("bad"), Shop("unknown")
    sent = [signal.send(shop)]
    for receiver in (of_z, of_bad, of_a):
        signal.connect(receiver)
    signal.connect(of_a, sender=strange, dispatch_uid="for strange only")
    if django.VERSION >= (5, 0):
        signal.connect(of_late)
    sent += [signal.send(shop, x=1), signal.send(strange), signal.send_robust(shop), signal.send_robust(other)]
    try:
        signal.send(other)
    except ValueError as error:
        sent.append(str(error))
    sent.append([signal.has_listeners(each) for each in (shop, other, strange)])
    signal.disconnect(of_z)
    shop.plugins = ("z", "a")
    sent += [signal.send(shop), [len(signal.receivers), isinstance(signal, Signal), signal.use_caching]]
    return sent


async def awaited(signal):
    return {"asend_robust": plain(await signal.asend_robust(None)), "asend": await failing(signal)}


async def failing(signal):
    try:
        return plain(await signal.asend(None))
    except ValueError as error:
        return str(error)


public = PublicSignal("event.type")
public.connect(hear)
public.connect(fail)
observed = {
    "plugins": plugins_of(False),
    "plugins, cached": plugins_of(True),
    "send_event": public.send_event(x=1),
}
try:
    public.send(None)
except NotImplementedError as error:
    observed["send"] = str(error)

if django.VERSION >= (5, 0):
    marked = MarkedSignal()
    marked.connect(hear_awaited)
    marked.connect(hear)
    observed["awaited"] = asyncio.run(awaited(marked))
    marked.connect(fail)
    observed["awaited, failing"] = asyncio.run(awaited(marked))
    observed["sent"] = plain(marked.send_robust(None, x=1))

report(**observed)
