"""``asend``, ``asend_robust``, and async receivers under ``send``: the bridge between sync and async.

The semantics are Django 6.1's. What needs asyncio is in _together.py. That and asgiref are imported when they are
first needed, so that programs without async receivers never pay for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from csignals import _dispatch_py
from csignals._dispatch import find_receivers
from csignals._dispatch_py import Receiver, Response, hooks_of
from csignals._typing import Any, F

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.tracing import Send
else:
    Send = object  # aio.py needs no tracing.py

AwaitEach = Callable[[Any, list[Receiver], object, dict[str, Any], bool, Send | None], Awaitable[list[Response]]]


async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call every live receiver that is connected to `sender`, or to any sender, from async code.

    The sync receivers are called first, one after the other in one hop to a thread (asgiref's
    ``sync_to_async``, thread-sensitive), or without one where all of them are `nonblocking`. Then the async ones
    run together, each in a task of its own; a single one is simply awaited. They share one context, and what they
    set in it, the caller sees.

    Returns a list of pairs (receiver, response), the sync ones first, each kind in order of registration. An
    exception of a sync receiver propagates and ends the send. One of an async receiver cancels the others
    and propagates; several do so as an ``ExceptionGroup``. Raises RuntimeError outside of a running asyncio
    event loop. As Django 6.1's ``Signal.asend``.
    """
    by = _dispatch_py.steering
    if by is not None and by.is_in_force(self, sender):
        return await by.asend(self, sender, named, False, _await_both)  # type: ignore[no-any-return]
    return await _to_await(self, sender, named, False) if self.receivers else []


async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Like `asend`, but an ``Exception`` that a receiver raises is logged and becomes its response.

    As Django 6.1's ``Signal.asend_robust``.
    """
    by = _dispatch_py.steering
    if by is not None and by.is_in_force(self, sender):
        return await by.asend(self, sender, named, True, _await_both)  # type: ignore[no-any-return]
    return await _to_await(self, sender, named, True) if self.receivers else []


for _method in asend, asend_robust:
    _method.__qualname__ = f"Signal.{_method.__name__}"


def _to_await(signal: Any, sender: object, named: dict[str, Any], robust: bool) -> Awaitable[list[Response]]:
    """Return what gives the responses when it is awaited. A plain function, as each level of those costs time."""
    sync, async_ = live_of(signal, sender)
    return _await_both(signal, sync, async_, sender, named, robust)


def live_of(signal: Any, sender: object) -> tuple[list[Receiver], list[Receiver]]:
    """Return the sync and the async receivers of an async send."""
    sync, async_, recorder = find_receivers(signal, sender)
    # The recorder is for sync sends: while a span is being recorded, the known wrapper makes it around each receiver.
    return (sync, async_) if recorder is None or recorder.caller() is None else signal._live_receivers(sender)


def _await_both(
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: Send | None = None,
) -> Awaitable[list[Response]]:
    together = _together or _import_together()
    if sync:
        return _call_then_await(together, signal, sync, async_, sender, named, robust, record)
    return together.await_each(signal, async_, sender, named, robust, record)  # type: ignore[no-any-return]


async def _call_then_await(
    together: Any,
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: Send | None,
) -> list[Response]:
    together.check_loop()  # before anybody is called
    if all(map(is_nonblocking, sync)):
        responses = call_each(signal, sync, sender, named, robust, record)
    else:
        from asgiref.sync import sync_to_async

        responses = await sync_to_async(call_each)(signal, sync, sender, named, robust, record)
    responses += await together.await_each(signal, async_, sender, named, robust, record)
    return responses


_together: Any = None  # the module, once it is needed


def _import_together() -> Any:
    global _together
    from csignals import _together

    return _together


def nonblocking(receiver: F) -> F:
    """Mark a sync receiver as one that never blocks, so that ``asend`` may call it on the event loop's thread.

    Where all sync receivers of a send are marked, ``asend`` calls them inline, in place of a hop to a thread, which
    takes about a thousand times as long. Returns the receiver, a function, unchanged but for its mark; methods of
    that name are marked with it.
    """
    receiver._csignals_nonblocking = True  # type: ignore[attr-defined]
    return receiver


def is_nonblocking(receiver: Receiver) -> bool:
    return getattr(receiver, "_csignals_nonblocking", False) is True


def call_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: Send | None = None,
) -> list[Response]:
    """Call sync receivers, and return the pairs (receiver, response)."""
    responses = []
    for receiver in receivers:
        try:
            if record is None:
                response = receiver(signal=signal, sender=sender, **named)
            else:
                response = record.call_sync(receiver, sender, named)
        except Exception as error:
            if not robust:
                raise
            hooks_of(signal).log_failure(signal, receiver, error)
            response = error
        responses.append((receiver, response))
    return responses


def make_await_receivers(get_await_each: Callable[[], AwaitEach]) -> Callable[..., list[Response]]:
    """Return the method with which a sync send awaits receivers."""

    def await_receivers(
        signal: Any, receivers: list[Receiver], sender: object, named: dict[str, Any], robust: bool, record: Send | None
    ) -> list[Response]:
        from asgiref.sync import async_to_sync

        return async_to_sync(get_await_each())(signal, receivers, sender, named, robust, record)

    return await_receivers


await_receivers = make_await_receivers(lambda: (_together or _import_together()).await_each)
