"""``asend`` and ``asend_robust`` inside Django 5.0 to 6.0, which awaits async receivers by ``asyncio.gather``.

Each receiver has a task and a context of its own; the first failure is raised, and the others run on. What is quicker
here is that a receiver that never waits costs no trip through the event loop. That takes tasks that start eagerly, so
Python 3.12; and where a sync receiver must go to a thread, nothing of it would be seen. There, Django's own method does
the work; except for a send that somebody mutes, captures or traces, and where the signal's cache could be amiss.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

from csignals._dispatch import awaiting, pure, task_group
from csignals._dispatch.common import Receiver, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals._dispatch.protocols import SendRecorder
else:
    SendRecorder = object


async def await_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None = None,
) -> list[Response]:
    """Await async receivers as Django does in ``send``."""
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
    """Do the whole work of Django's ``asend``, for receivers that somebody else has chosen."""
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
    """Return the methods by name, given what finds Django's own by name."""

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
    # Django starts both kinds at once, the async receivers first, and has the sync ones in a context of their own.
    try:
        responses = contextvars.copy_context().run(awaiting.call_each, signal, sync, sender, named, robust)
    except BaseException:
        # The async ones run on, and nobody is going to ask what they raise.
        asyncio.gather(*tasks, return_exceptions=True)
        raise
    if all(task.done() and not task.cancelled() and task.exception() is None for task in tasks):
        results = [task.result() for task in tasks]
    else:
        results = await asyncio.gather(*tasks)
    return responses + list(zip(async_, results, strict=True))


def _cache_may_fail(signal: Any, sender: object) -> bool:
    """Return whether Django's own method could go wrong for a sender, as that looks into the signal's cache.

    It does so even where the cache is not in use, a dict then. One that is takes senders with weak references only.
    """
    try:
        hash(sender)
    except Exception:
        return True
    return bool(signal.use_caching)
