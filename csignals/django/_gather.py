"""``asend`` and ``asend_robust`` inside Django 5.0 to 6.0, which awaits async receivers by ``asyncio.gather``.

Each receiver has a task and a context of its own; the first failure is raised, and the others run on. What is quicker
here is that a receiver that never waits costs no trip through the event loop. That takes tasks that start eagerly, so
Python 3.12; and where a sync receiver must go to a thread, nothing of it would be seen, and Django's own method does
the work.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from csignals import _together, aio
from csignals._dispatch import call_all

if TYPE_CHECKING:
    from csignals._dispatch_py import Receiver, Response


async def await_each(
    signal: Any, receivers: list[Receiver], sender: object, named: dict[str, Any], robust: bool
) -> list[Response]:
    """Await async receivers as Django does in ``send``."""
    calls = call(robust)(signal, receivers, sender, named)
    responses = await asyncio.gather(*[awaitable for _, awaitable in calls])
    return list(zip(receivers, responses, strict=True))


def call(robust: bool) -> Callable[..., list[Any]]:
    return _together.call_robustly if robust else call_all


def methods(original: Callable[[str], Callable[..., Awaitable[list[Response]]]]) -> dict[str, Any]:
    """Return the methods by name, given what finds Django's own by name. None where Python has no eager tasks."""
    if not _together.STARTS_EAGERLY:
        return {}

    async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
        return await _asend(original("asend"), self, sender, named, robust=False)

    async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
        return await _asend(original("asend_robust"), self, sender, named, robust=True)

    return {"asend": asend, "asend_robust": asend_robust}


async def _asend(
    original: Callable[..., Awaitable[list[Response]]], signal: Any, sender: Any, named: dict[str, Any], robust: bool
) -> list[Response]:
    if not signal.receivers:
        return []
    sync, async_ = signal._live_receivers(sender)
    if not all(map(aio.is_nonblocking, sync)):
        return await original(signal, sender, **named)
    _together.check_loop()
    tasks = _together.start_eagerly(call(robust)(signal, async_, sender, named))
    # Django starts both kinds at once, the async receivers first, and has the sync ones in a context of their own.
    try:
        responses = contextvars.copy_context().run(aio.call_each, signal, sync, sender, named, robust)
    except BaseException:
        # The async ones run on, and nobody is going to ask what they raise.
        asyncio.gather(*tasks, return_exceptions=True)
        raise
    if all(task.done() and not task.cancelled() and task.exception() is None for task in tasks):
        results = [task.result() for task in tasks]
    else:
        results = await asyncio.gather(*tasks)
    return responses + list(zip(async_, results, strict=True))
