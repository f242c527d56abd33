"""Receivers and helpers for the tests that compare Django's own signals with those that csignals dispatches."""

import asyncio

import django

HAS_ASYNC = django.VERSION >= (5, 0)


class Listener:
    def hear(self, **named):
        return "method"


def first(**named):
    return "first"


def second(signal, sender, **named):
    return "second", sender, named


def fail(**named):
    raise ValueError("fail")


async def awaited(sender, **named):
    await asyncio.sleep(0)
    return "awaited"


async def awaited_fail(**named):
    await asyncio.sleep(0)
    raise LookupError("awaited")


async def awaited_fail_too(**named):
    raise ArithmeticError("awaited, too")


def connected(make, *receivers, **how):
    signal = make()
    for receiver in receivers:
        signal.connect(receiver, **how)
    return signal


def shape(value):
    """Return a value with names and types in place of objects that differ from run to run."""
    if isinstance(value, (list, tuple)):
        return type(value)(shape(each) for each in value)
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, Exception):
        return type(value), str(value), shape(getattr(value, "exceptions", ()))
    return value if isinstance(value, (str, int, type(None))) else getattr(value, "__name__", type(value))


def outcome(call, *args, **named):
    try:
        return shape(call(*args, **named))
    except Exception as error:
        return "raised", shape(error)
