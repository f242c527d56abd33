"""Subclasses of a signal's class, as programs write them, for machine.py."""

import functools
from typing import Generic, TypeVar

T = TypeVar("T")


def generic(cls):
    class Typed(cls, Generic[T]):
        pass

    return Typed


def with_other_receivers(cls):
    class Backwards(cls):
        def _live_receivers(self, sender):
            live = super()._live_receivers(sender)
            return live[::-1] if isinstance(live, list) else tuple([receivers[::-1] for receivers in live])

    return Backwards


def with_its_own_methods(cls):
    class Wrapped(cls):
        def connect(self, receiver, sender=None, weak=True, dispatch_uid=None):
            return super().connect(receiver, sender, weak, dispatch_uid)

        def send(self, sender, **named):
            return super().send(sender=sender, wrapped=1, **named)

        def send_robust(self, sender, **named):
            return super().send_robust(sender, **named, wrapped=1)

        def has_listeners(self, sender=None):
            return super().has_listeners(sender)

    return Wrapped


def with_a_list_of_its_own(cls):
    """Return a subclass that keeps the list elsewhere: its property hides the base class's attribute."""

    class Guarded(cls):
        @property
        def receivers(self):
            return self.guarded

        @receivers.setter
        def receivers(self, receivers):
            self.guarded = receivers

    return Guarded


SUBCLASSES = {
    "itself": lambda cls: cls,
    "subclass": lambda cls: type("Sub", (cls,), {}),
    "generic": generic,
    "other receivers": with_other_receivers,
    "own methods": with_its_own_methods,
    "own list": with_a_list_of_its_own,
}


@functools.cache
def subclass(kind, cls):
    return SUBCLASSES[kind](cls)
