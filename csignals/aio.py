"""``asend``, ``asend_robust``, and async receivers under ``send``: the bridge between sync and async.

The semantics are Django 6.1's. asgiref and asyncio are imported when they are first needed, so that programs
without async receivers never pay for them.
"""

from __future__ import annotations

import contextvars
import sys

from csignals._dispatch_py import Ambiguous

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from csignals._dispatch_py import Arguments, Receiver, Response

    RunTogether = Callable[..., Awaitable[list[Any]]]


async def asend(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call every live receiver that is connected to `sender`, or to any sender, from async code.

    The sync receivers are called first, one after the other in one hop to a thread (asgiref's
    ``sync_to_async``, thread-sensitive); then the async ones run together in an ``asyncio.TaskGroup``. They
    share one context, and what they set in it, the caller sees.

    Returns a list of pairs (receiver, response), the sync ones first, each kind in order of registration. An
    exception of a sync receiver propagates and ends the send. One of an async receiver cancels the others
    and propagates; several do so as an ``ExceptionGroup``. As Django 6.1's ``Signal.asend``.
    """
    return await _asend(self, sender, named, robust=False)


async def asend_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Like `asend`, but an ``Exception`` that a receiver raises is logged and becomes its response.

    As Django 6.1's ``Signal.asend_robust``.
    """
    return await _asend(self, sender, named, robust=True)


for _method in asend, asend_robust:
    _method.__qualname__ = f"Signal.{_method.__name__}"


async def _asend(signal: Any, sender: object, named: dict[str, Any], robust: bool) -> list[Response]:
    if not signal.receivers:
        return []
    sync, async_ = signal._live_receivers(sender)
    arguments: Arguments = {"signal": signal, "sender": sender, **named} if "signal" not in named else Ambiguous(named)
    responses: list[Response] = []
    if sync:
        from asgiref.sync import sync_to_async

        responses += await sync_to_async(_call_each)(signal, sync, arguments, robust)
    if async_:
        responses += await _await_each(run_together, signal, async_, arguments, robust)
    return responses


def _call_each(signal: Any, receivers: list[Receiver], arguments: Arguments, robust: bool) -> list[Response]:
    responses = []
    for receiver in receivers:
        try:
            response = receiver(**arguments)
        except Exception as error:
            if not robust:
                raise
            signal._log_robust_failure(receiver, error)
            response = error
        responses.append((receiver, response))
    return responses


def make_await_receivers(run_together: RunTogether) -> Callable[..., list[Response]]:
    """Return the method with which a sync send awaits receivers: all of them in ``run_together(*coroutines)``."""

    def await_receivers(signal: Any, receivers: list[Receiver], arguments: Arguments, robust: bool) -> list[Response]:
        from asgiref.sync import async_to_sync

        return async_to_sync(_await_each)(run_together, signal, receivers, arguments, robust)

    return await_receivers


async def _await_each(
    run_together: RunTogether, signal: Any, receivers: list[Receiver], arguments: Arguments, robust: bool
) -> list[Response]:
    async def await_robust(receiver: Receiver) -> Any:
        try:
            return await receiver(**arguments)
        except Exception as error:
            signal._log_robust_failure(receiver, error)
            return error

    call: Receiver = await_robust if robust else lambda receiver: receiver(**arguments)
    results = await run_together(*[call(receiver) for receiver in receivers])
    return list(zip(receivers, results, strict=True))


async def run_together(*awaitables: Awaitable[Any]) -> list[Any]:
    """Await all at once in one context, whose changes reach the caller, and return the results in order."""
    if sys.version_info >= (3, 11):
        from asyncio import TaskGroup

        group_of_errors = BaseExceptionGroup  # noqa: F821  # a builtin from 3.11 on
    else:
        from exceptiongroup import BaseExceptionGroup as group_of_errors  # noqa: N813  # named like the builtin above
        from taskgroup import TaskGroup

    # A task wants a coroutine; a receiver may return any awaitable.
    async def result_of(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    context = contextvars.copy_context()
    try:
        async with TaskGroup() as group:
            tasks = [group.create_task(result_of(awaitable), context=context) for awaitable in awaitables]
        return [task.result() for task in tasks]
    except group_of_errors as errors:
        if len(errors.exceptions) == 1:
            raise errors.exceptions[0]  # noqa: B904  # with the group as its context, as in Django
        raise
    finally:
        for variable, value in context.items():
            if variable.get(_UNSET) is not value:
                variable.set(value)


_UNSET = object()

await_receivers = make_await_receivers(run_together)
