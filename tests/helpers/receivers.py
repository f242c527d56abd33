"""Senders and receivers of the usual shapes, for any test whose point is not their shape."""

import asyncio


class Sender:
    pass


class Other:
    pass


class Listener:
    def hear(self, **named):
        return "hear"


def one(**named):
    return "one"


def two(**named):
    return "two"


def fail(**named):
    raise ValueError("bad luck")


async def awaited(**named):
    await asyncio.sleep(0)
    return "awaited"


def connected(signal, *receivers, **how):
    """Return a signal with these receivers."""
    for receiver in receivers:
        signal.connect(receiver, **how)
    return signal
