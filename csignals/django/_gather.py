"""``asend`` and ``asend_robust`` inside Django 5.0 to 6.0, which await async receivers with ``asyncio.gather``.

Each receiver runs in its own task and context. The first exception is raised, and the other receivers continue to run.
This module is faster than Django because a receiver that never waits needs no iteration of the event loop. This needs
tasks that start eagerly (Python 3.12), and gains nothing if a sync receiver must run in a thread. In these two cases
Django's own method does the work, unless the send is muted, captured or traced, or the signal's cache may raise.
The versions for Django 6.1 and newer, and for csignals' own signals, are in ``csignals._dispatch``.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from csignals._dispatch import awaiting, pure, task_group
from csignals._dispatch.common import Receiver, Response, SendRecorder


async def await_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None = None,
) -> list[Response]:
    """Await async receivers as Django's ``send`` does."""
    calls = task_group.start_each(signal, receivers, sender, named, robust, record)
    responses = await asyncio.gather(*[awaitable for _, awaitable in calls])
    return list(zip(receivers, responses, strict=True))


async def await_both(
    signal: Any,
    sync: list[Receiver],
    async_: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None,
) -> list[Response]:
    """Call and await receivers that the caller has chosen, as Django's ``asend`` does."""
    task_group.check_loop()
    if not sync or (task_group.STARTS_EAGERLY and all(map(awaiting.is_nonblocking, sync))):
        call_each = _call_each_inline
    else:
        from asgiref.sync import sync_to_async

        call_each = sync_to_async(awaiting.call_each)
    calls = task_group.start_each(signal, async_, sender, named, robust, record)
    # The async receivers begin first.
    responses, results = await asyncio.gather(
        call_each(signal, sync, sender, named, robust, record),
        asyncio.gather(*[awaitable for _, awaitable in calls]),
    )
    return responses + list(zip(async_, results, strict=True))


async def _call_each_inline(*arguments: Any) -> list[Response]:
    return awaiting.call_each(*arguments)


def methods(original: Callable[[str], Callable[..., Awaitable[list[Response]]]]) -> dict[str, Any]:
    """Return the methods by name. `original` returns Django's own method of a name."""

    async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
        return await _asend(original("asend"), self, sender, named, robust=False)

    async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
        return await _asend(original("asend_robust"), self, sender, named, robust=True)

    return {"asend": asend, "asend_robust": asend_robust}


async def _asend(
    original: Callable[..., Awaitable[list[Response]]], signal: Any, sender: Any, named: dict[str, Any], robust: bool
) -> list[Response]:
    active = pure.interceptor
    if active is not None and active.is_intercepted(signal, sender):
        return await active.asend(signal, sender, named, robust, await_both)
    is_for_django = not _cache_may_fail(signal, sender)
    if is_for_django and not task_group.STARTS_EAGERLY:
        return await original(signal, sender, **named)
    if not signal.receivers:
        return []
    sync, async_ = awaiting.live_of(signal, sender)
    if not (task_group.STARTS_EAGERLY and all(map(awaiting.is_nonblocking, sync))):
        if is_for_django:
            return await original(signal, sender, **named)
        return await await_both(signal, sync, async_, sender, named, robust, None)
    task_group.check_loop()
    if asyncio.get_running_loop().get_task_factory() is not None:
        return await await_both(signal, sync, async_, sender, named, robust, None)
    tasks = task_group.start_eagerly(task_group.start_each(signal, async_, sender, named, robust, None))
    # Django starts both kinds at once, the async receivers first, and runs the sync ones in a copy of the context.
    try:
        responses = contextvars.copy_context().run(awaiting.call_each, signal, sync, sender, named, robust)
    except BaseException:
        # The async receivers continue to run. Retrieve their exceptions, so that asyncio does not log them.
        asyncio.gather(*tasks, return_exceptions=True)
        raise
    if all(task.done() and not task.cancelled() and task.exception() is None for task in tasks):
        results = [task.result() for task in tasks]
    else:
        results = await asyncio.gather(*tasks)
    return responses + list(zip(async_, results, strict=True))


def _cache_may_fail(signal: Any, sender: object) -> bool:
    """Return whether Django's own method may raise for a sender when it reads the signal's cache.

    Django reads it even if ``use_caching`` is False: it is a dict then, and the sender must be hashable. With
    ``use_caching``, the sender must also support weak references.
    """
    try:
        hash(sender)
    except Exception:
        return True
    return bool(signal.use_caching)
