"""``asend`` and ``asend_robust`` inside Django 5.0 to 6.0, which await async receivers with ``asyncio.gather``.

Each receiver runs in its own task and context. The first exception is raised, and the other receivers continue to run.
This module is faster than Django where tasks start eagerly (Python 3.12) and no sync receiver must run in a thread: a
receiver that never waits needs no iteration of the event loop.
The versions for Django 6.1 and newer, and for csignals' own signals, are in ``csignals._dispatch``.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from csignals._dispatch import awaiting, pure, task_group
from csignals._dispatch.common import Receiver, Response, SendRecorder
from csignals._dispatch.hybrid import await_hybrid, find_bodies


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
    elif bodies := find_bodies(signal, sync):
        return await await_hybrid(await_both, bodies, signal, sync, async_, sender, named, robust, record)
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


async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
    active = pure.interceptor
    if active is not None and active.is_intercepted(self, sender):
        return await active.asend(self, sender, named, False, await_both)
    if not self.receivers:
        return []
    sync, async_ = awaiting.live_of(self, sender)
    return await _asend(self, sync, async_, sender, named, False) if sync or async_ else []


async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    active = pure.interceptor
    if active is not None and active.is_intercepted(self, sender):
        return await active.asend(self, sender, named, True, await_both)
    if not self.receivers:
        return []
    sync, async_ = awaiting.live_of(self, sender)
    return await _asend(self, sync, async_, sender, named, True) if sync or async_ else []


async def _asend(
    signal: Any, sync: list[Receiver], async_: list[Receiver], sender: object, named: dict[str, Any], robust: bool
) -> list[Response]:
    if not (task_group.STARTS_EAGERLY and all(map(awaiting.is_nonblocking, sync))):
        if bodies := find_bodies(signal, sync):
            return await await_hybrid(_asend, bodies, signal, sync, async_, sender, named, robust)
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
