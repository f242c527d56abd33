"""Connects receivers of every kind, in an order that differs from the order of the calls."""

import functools

from django.db.models.signals import m2m_changed, post_save, pre_save
from django.dispatch import receiver

from shop.models import Item, Order
from shop.signals import order_checked, order_packed, order_paid, order_sent


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        return function(*args, **named)

    return wrapper


@receiver([post_save, order_sent])
async def announce(**named):
    """Connected first, but not called first."""


@receiver(post_save, sender=Order, dispatch_uid="index")
@logged
def index(**named):
    pass


@receiver(pre_save)
@receiver(post_save)
def note(**named):
    pass


class Printer:
    def print(self, **named):
        pass

    @classmethod
    def warm(cls, **named):
        pass

    def __call__(self, **named):
        pass


class Reluctant:
    """A receiver whose attributes and repr raise once it is connected."""

    is_connected = False

    def __getattr__(self, name):
        raise RuntimeError(name) if self.is_connected else AttributeError(name)

    def __repr__(self):
        raise RuntimeError

    __str__ = __repr__

    def __call__(self, **named):
        pass


BY_MAIL = "by mail"
printer = Printer()
post_save.connect(printer.print, sender=Order)
post_save.connect(printer.print, sender=Item)
post_save.connect(Printer.warm, sender=Order)
post_save.connect(Printer().print, sender=Order)  # dies immediately
post_save.connect(printer, sender=Order, weak=False)
post_save.connect(functools.partial(index, copies=2), sender=Order, weak=False, dispatch_uid=("copies", 2))
m2m_changed.connect(note, sender=Order.items.through)
order_paid.connect(lambda **named: None, weak=False)
order_paid.connect(Reluctant(), weak=False)
order_paid.connect(print, sender=printer)
order_paid.connect(dict, sender=index)
order_checked.connect(note, sender="shop.Order")
order_sent.connect(note, sender=BY_MAIL)
order_sent.connect(Reluctant(), weak=False, sender=Reluctant())
order_packed.connect(Printer.warm, sender=Printer.warm, weak=False)
Item.cancelled.connect(note, sender=Item)
Reluctant.is_connected = True
