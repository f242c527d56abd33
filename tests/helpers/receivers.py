"""Senders and receivers of the usual kinds, for tests that need any sender or receiver."""

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
    """Connect these receivers to a signal, and return the signal."""
    for receiver in receivers:
        signal.connect(receiver, **how)
    return signal
