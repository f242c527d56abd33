"""``asend``, ``asend_robust``, and async receivers under ``send``: the bridge between sync and async.

The semantics are Django 6.1's. task_group.py has what needs asyncio. It and asgiref are imported on first use, so that
programs without async receivers do not pay for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from csignals._dispatch import find_receivers, pure
from csignals._dispatch.common import AwaitReceivers, Receiver, Response, SendRecorder, config_of
from csignals._dispatch.hybrid import await_hybrid, find_bodies, is_hybrid
from csignals._typing import Any, F

AwaitEach = Callable[
    [Any, list[Receiver], object, dict[str, Any], bool, SendRecorder | None], Awaitable[list[Response]]
]


async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call every live receiver that is connected to `sender`, or to any sender, from async code.

    The sync receivers are called first, one after the other in one hop to a thread (asgiref's
    ``sync_to_async``, thread-sensitive), or without a hop if all of them are `nonblocking`. Then the async ones run
    together, each in a task of its own; a single one is simply awaited. They share one context, and the caller sees
    what they set in it. Hybrid receivers, with an `async_variant` (see `receiver`), are among the async ones.

    Returns a list of pairs (receiver, response), the sync ones first, then the hybrid ones, then the other async ones,
    each kind in order of registration. An exception of a sync receiver propagates and ends the send. One of an async
    receiver cancels the others and propagates; several propagate as an ``ExceptionGroup``. Raises RuntimeError outside
    of a running asyncio event loop. As Django 6.1's ``Signal.asend``, which has no hybrid receivers.
    """
    active = pure.interceptor
    if active is not None and active.is_intercepted(self, sender):
        return await active.asend(self, sender, named, False, _await_both)
    if not self.receivers:
        return []
    sync, async_ = live_of(self, sender)
    return await _await_both(self, sync, async_, sender, named, False) if sync or async_ else []


async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Like `asend`, but an ``Exception`` that a receiver raises is logged and becomes its response.

    As Django 6.1's ``Signal.asend_robust``.
    """
    active = pure.interceptor
    if active is not None and active.is_intercepted(self, sender):
        return await active.asend(self, sender, named, True, _await_both)
    if not self.receivers:
        return []
    sync, async_ = live_of(self, sender)
    return await _await_both(self, sync, async_, sender, named, True) if sync or async_ else []


for _method in asend, asend_robust:
    _method.__qualname__ = f"Signal.{_method.__name__}"


def live_of(signal: Any, sender: object) -> tuple[list[Receiver], list[Receiver]]:
    """Return the sync and the async receivers of an async send."""
    sync, async_, recorder = find_receivers(signal, sender)
    # The recorder is for sync sends. While a span is being recorded, the known wrapper itself makes the spans.
    return (sync, async_) if recorder is None or recorder.caller() is None else signal._live_receivers(sender)


def _await_both(
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None = None,
) -> Awaitable[list[Response]]:
    """Return an awaitable of the responses. Not an async function, as each level of those costs time."""
    task_group = _task_group or _import_task_group()
    if sync:
        return _call_then_await(task_group, signal, sync, async_, sender, named, robust, record)
    return task_group.await_each(signal, async_, sender, named, robust, record)  # type: ignore[no-any-return]


async def _call_then_await(
    task_group: Any,
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None,
) -> list[Response]:
    task_group.check_loop()  # before any receiver is called
    if all(map(is_nonblocking, sync)):
        responses = call_each(signal, sync, sender, named, robust, record)
    elif bodies := find_bodies(signal, sync):
        return await await_hybrid(_await_both, bodies, signal, sync, async_, sender, named, robust, record)
    else:
        from asgiref.sync import sync_to_async

        responses = await sync_to_async(call_each)(signal, sync, sender, named, robust, record)
    responses += await task_group.await_each(signal, async_, sender, named, robust, record)
    return responses


_task_group: Any = None  # the module, once it is needed


def _import_task_group() -> Any:
    global _task_group
    from csignals._dispatch import task_group as _task_group

    return _task_group


def nonblocking(receiver: F) -> F:
    """Mark a sync receiver as one that never blocks, so that ``asend`` may call it on the event loop's thread.

    If all sync receivers of a send are marked, ``asend`` calls them inline instead of in a thread; a hop to a thread
    takes about a thousand times as long. Returns the receiver, a function, with the mark on it; a marked function that
    is a method marks the methods of all instances. A hybrid receiver needs no mark: ``asend`` awaits its async body.
    """
    receiver._csignals_nonblocking = not is_hybrid(receiver)  # type: ignore[attr-defined]
    return receiver


def is_nonblocking(receiver: Receiver) -> bool:
    return getattr(receiver, "_csignals_nonblocking", False) is True


def call_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None = None,
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
            config_of(signal).log_failure(signal, receiver, error)
            response = error
        responses.append((receiver, response))
    return responses


def make_await_receivers(get_await_each: Callable[[], AwaitEach]) -> AwaitReceivers:
    """Return the function with which a sync send awaits receivers."""

    def await_receivers(
        signal: Any,
        receivers: list[Receiver],
        sender: object,
        named: dict[str, Any],
        robust: bool,
        record: SendRecorder | None,
    ) -> list[Response]:
        from asgiref.sync import async_to_sync

        return async_to_sync(get_await_each())(signal, receivers, sender, named, robust, record)

    return await_receivers


await_receivers = make_await_receivers(lambda: (_task_group or _import_task_group()).await_each)
