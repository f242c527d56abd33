"""Awaits receivers together, as ``asyncio.TaskGroup`` does, but faster where they do not have to wait.

It imports asyncio, so it is imported only when there is something to await.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import CancelledError, Task, current_task, get_running_loop
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from functools import partial
from types import coroutine
from typing import Any

from csignals._dispatch import call_all
from csignals._dispatch.common import Receiver, Response, SendRecorder
from csignals._dispatch.hybrid import receiver_of

Call = tuple[Receiver, Awaitable[Any]]

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

STARTS_EAGERLY = sys.version_info >= (3, 12)  # whether a task can run until it first waits when it is made

eager_task: Callable[..., Task[Any]] = Task  # to be called as from Python 3.12 on

_UNSET = object()


def no_loop() -> RuntimeError:
    return RuntimeError("asend() and asend_robust() need a running event loop of asyncio, and there is none")


def check_loop() -> None:
    """Raise RuntimeError unless an event loop of asyncio's kind is running: under trio there is none."""
    try:
        get_running_loop()
    except RuntimeError:
        raise no_loop() from None


async def await_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None = None,
) -> list[Response]:
    """Await async receivers together in one context, whose changes reach the caller.

    Returns the pairs (receiver, response), in order. As in a TaskGroup, the first failure cancels the others,
    several failures come as an ExceptionGroup, and a receiver that cancels itself fails nothing (its response is
    None). A single failure comes bare.
    """
    if not receivers:
        return []
    try:
        loop = get_running_loop()
    except RuntimeError:
        raise no_loop() from None
    if len(receivers) == 1 and (caller := counting_task(loop)) is not None:
        return [(receivers[0], await _await_one(caller, signal, receivers[0], sender, named, robust, record))]
    calls = start_each(signal, receivers, sender, named, robust, record)
    context = copy_context()
    try:
        is_plain = STARTS_EAGERLY and loop.get_task_factory() is None
        tasks, responses, group = [], [], None
        for receiver, awaitable in calls:
            if not is_plain:
                # Without `context`, which not every factory takes, nor every Python.
                task = loop.create_task(run_in(context, as_coroutine(awaitable)))
            else:
                try:
                    task = eager_task(awaitable, loop=loop, context=context, eager_start=True)
                except TypeError:
                    task = eager_task(as_coroutine(awaitable), loop=loop, context=context, eager_start=True)
            tasks.append(task)
            try:
                responses.append((receiver, task.result()))
            except BaseException:  # it has to wait, or has failed
                group = group or _Group()
                group.watch(task)
        if group is None:
            return responses
        await group.join(loop)
        return responses_of(calls, tasks)
    finally:
        if context:
            for variable, value in context.items():
                if variable.get(_UNSET) is not value:
                    variable.set(value)


def counting_task(loop: asyncio.AbstractEventLoop) -> Any:
    """Return the current task if it counts its cancellations, as asyncio's do from Python 3.11 on; or None.

    There is no current task in a coroutine that a loop's callback drives.
    """
    task = current_task(loop)
    return task if hasattr(task, "cancelling") else None


async def _await_one(
    task: Any,
    signal: Any,
    receiver: Receiver,
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None,
) -> Any:
    """Return the response of a receiver that is awaited in the caller's own task, as if it had its own.

    A cancellation of the caller reaches the receiver, and reaches the caller even if the receiver swallows it. A
    CancelledError that the receiver raises itself does not reach the caller: the response is None.
    """
    cancellations = task.cancelling()
    try:
        if robust:
            response = await await_robust(signal, receiver, sender, named, record)
        elif record is not None:
            response = await record.call_async(receiver, sender, named)
        else:
            response = await receiver(signal=signal, sender=sender, **named)
    except CancelledError:
        if task.cancelling() > cancellations:
            raise
        return None
    except BaseException:
        if task.cancelling() > cancellations:
            cancel_again(task)
        raise
    if task.cancelling() > cancellations:
        raise CancelledError
    return response


def cancel_again(task: Any) -> None:
    """Cancel a task at its next await, as an exception has replaced the CancelledError that it was to get."""
    task.uncancel()
    task.cancel()


def start_each(
    signal: Any,
    receivers: list[Receiver],
    sender: object,
    named: dict[str, Any],
    robust: bool,
    record: SendRecorder | None,
) -> list[Call]:
    """Return the pairs (receiver, awaitable). With `robust`, the awaitable returns an Exception as the response."""
    if robust:
        return [(receiver, await_robust(signal, receiver, sender, named, record)) for receiver in receivers]
    if record is not None:
        return [(receiver, record.call_async(receiver, sender, named)) for receiver in receivers]
    return call_all(signal, receivers, sender, named)


async def await_robust(
    signal: Any, receiver: Receiver, sender: object, named: dict[str, Any], record: SendRecorder | None
) -> Any:
    """Return the response of a receiver, or the Exception that it raised, which is logged."""
    try:
        if record is not None:
            return await record.call_async(receiver, sender, named)
        return await receiver(signal=signal, sender=sender, **named)
    except Exception as error:
        signal._log_robust_failure(receiver_of(receiver), error)
        return error


async def run_in(context: Context, inner: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a context that others share, in a task that has a context of its own."""
    return await _steps_in(context, inner)


@coroutine
def _steps_in(context: Context, inner: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    step: Callable[[], Any] = partial(inner.send, None)
    while True:
        try:
            awaited = context.run(step)
        except StopIteration as end:
            return end.value
        try:
            step = partial(inner.send, (yield awaited))
        except BaseException as error:
            step = partial(inner.throw, error)


def start_eagerly(calls: list[Call]) -> list[Task[Any]]:
    """Return a task for each call, with a context of its own, which has run until it had to wait."""
    loop = get_running_loop()
    return [
        eager_task(as_coroutine(awaitable), loop=loop, context=copy_context(), eager_start=True)
        for _, awaitable in calls
    ]


def as_coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """Return a coroutine, of which a task can be made; a receiver may return any awaitable."""
    return awaitable if asyncio.iscoroutine(awaitable) else _await(awaitable)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def responses_of(calls: list[Call], tasks: list[Task[Any]]) -> list[Response]:
    """Return the pairs (receiver, response). The response of a receiver that cancelled itself is None."""
    return [
        (receiver, None if task.cancelled() else task.result())
        for (receiver, _), task in zip(calls, tasks, strict=True)
    ]


class _Group:
    """A task group for tasks that have begun already, which ``asyncio.TaskGroup`` does not take."""

    def __init__(self) -> None:
        self.unfinished: set[Task[Any]] = set()
        self.errors: list[BaseException] = []
        self.is_aborting = False
        self.waiter: asyncio.Future[None] | None = None

    def watch(self, task: Task[Any]) -> None:
        """Add a task. If it has failed already, that counts when the loop comes to it, as in a TaskGroup."""
        self.unfinished.add(task)
        # Not the task that the callback gets: a task factory may return a wrapper.
        task.add_done_callback(lambda _: self.note(task))

    def note(self, task: Task[Any]) -> None:
        self.unfinished.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)
            self.abort()
        if not self.unfinished and self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def abort(self) -> None:
        if not self.is_aborting:
            self.is_aborting = True
            for task in self.unfinished:
                task.cancel()

    async def join(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until all tasks have ended. Raises their errors, or the CancelledError that ended the waiting."""
        cancelled = None
        while self.unfinished:
            self.waiter = loop.create_future()
            try:
                await self.waiter
            except CancelledError as error:
                if not self.is_aborting:
                    cancelled = error
                    self.abort()
        try:
            for each in self.errors:
                if isinstance(each, (KeyboardInterrupt, SystemExit)):
                    raise each
            if self.errors:
                task = counting_task(loop)
                if task is not None and task.cancelling():
                    cancel_again(task)
                if len(self.errors) == 1:
                    raise self.errors[0]
                raise BaseExceptionGroup("unhandled errors in a TaskGroup", self.errors)
            if cancelled is not None:
                raise cancelled
        finally:
            self.errors = []  # they hold this frame
