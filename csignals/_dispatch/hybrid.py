"""Hybrid receivers under ``asend``, which awaits their async bodies. They are declared in ``signals.py``.

A hybrid receiver is a sync function with two attributes: `sync_call`, which is the function itself, and `async_call`,
its async body. Sync sends call the function, and know nothing of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import MethodType

from csignals._dispatch.common import Receiver, Response, getter, make_id
from csignals._introspection.attributes import is_function
from csignals._introspection.naming import layers
from csignals._typing import Any


class AsyncBody:
    """A hybrid receiver in the list of the async receivers of a send."""

    __slots__ = ("call", "receiver")

    def __init__(self, call: Receiver, receiver: Receiver) -> None:
        self.call = call
        self.receiver = receiver

    def __call__(self, /, **named: Any) -> Any:
        return self.call(**named)


def receiver_of(called: Receiver) -> Receiver:
    """Return the receiver that was connected, which responses, traces and logs name."""
    return called.receiver if isinstance(called, AsyncBody) else called


def is_hybrid(function: Any) -> bool:
    # A wrapper made by functools.wraps has the same attributes, but is not that function. Other objects may have any.
    return is_function(function) and getattr(function, "sync_call", None) is function


def find_bodies(signal: Any, sync: list[Receiver]) -> list[AsyncBody]:
    """Return the async bodies of those sync receivers of a send that are hybrid.

    No hybrid receiver is marked as nonblocking, so sends to nonblocking receivers alone need not ask.
    """
    bodies = []
    for receiver in sync:
        if hasattr(receiver, "async_call") and (call := _async_call_of(signal, receiver)) is not None:
            bodies.append(AsyncBody(call, receiver))
    return bodies


def _async_call_of(signal: Any, receiver: Receiver) -> Receiver | None:
    """Return the async body of a receiver that may be hybrid, or None.

    A replacement of ``_live_receivers``, such as Sentry's, may have wrapped the receiver. As it leaves async receivers
    alone, the body is awaited without the wrapper. A wrapper that was itself connected is called, and is not hybrid.
    """
    for layer in layers(receiver):
        function: Any = layer.__func__ if type(layer) is MethodType else layer
        if is_hybrid(function):
            call: Receiver = function.async_call
            return call if function is layer else MethodType(call, layer.__self__)
        if any(make_id(getter(entry)()) == make_id(layer) for entry in signal.receivers):
            break
    return None


async def await_hybrid(
    await_both: Callable[..., Awaitable[list[Response]]],
    bodies: list[AsyncBody],
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    *arguments: Any,
) -> list[Response]:
    """Call and await the receivers of a send by `await_both`, with the hybrid ones before the other async ones."""
    hybrid = {id(body.receiver) for body in bodies}
    sync = [receiver for receiver in sync if id(receiver) not in hybrid]
    responses = await await_both(signal, sync, [*bodies, *async_], *arguments)
    return [(receiver_of(called), response) for called, response in responses]
