"""What sends ask while any mute, capture or trace is active, or any receiver is watched in development mode.

csignals/__init__.py sets `interceptor` once. A send for which a scope is active runs in Python, also where the compiled
code is in use; except that the compiled code records by itself where only traces are active.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from csignals import _scopes
from csignals._dispatch import CallBase, SendBase, enter, has_no_receivers, leave
from csignals._dispatch.common import LiveReceivers, Receiver, Response, config_of, split_sync_async
from csignals._scopes import TRACES, captures, context_scopes, mutes, traces
from csignals._typing import Any
from csignals.devmode import is_watched, note_called


class ScopeInterceptor:
    """The interceptor: see `csignals._dispatch.protocols.Interceptor`."""

    context_scopes = context_scopes
    watched = _scopes.watched.known

    def process_scopes(self) -> tuple[tuple[_scopes.Reference, ...], ...]:
        return mutes.process_scopes, captures.process_scopes, traces.process_scopes

    def record_classes(self) -> tuple[type[SendBase], type[CallBase]] | None:
        for trace in traces.opened:
            return trace.record_classes  # type: ignore[no-any-return]
        return None

    def is_intercepted(self, signal: Any, sender: object) -> bool:
        is_traced = bool(context_scopes.get()[TRACES] or traces.process_scopes)
        return is_traced or self.needs_more_than_traces(signal, sender)

    def needs_more_than_traces(self, signal: Any, sender: object) -> bool:
        active = mutes.active() + captures.active()
        return any(scope.matches(signal, sender) for scope in active) or is_watched(signal, sender)

    def filter_muted(self, signal: Any, sender: object, live: LiveReceivers) -> LiveReceivers:
        for mute in mutes.active():
            if mute.matches(signal, sender):
                sync, async_ = live
                live = [each for each in sync if mute.allows(each)], [each for each in async_ if mute.allows(each)]
        if is_watched(signal, sender):
            # A subclass's send may call the receivers by itself. has_listeners() calls none, but a send mostly follows.
            note_called(signal, sender, (*live[0], *live[1]))
        return live

    def intercept(self, signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> InterceptedSend:
        return InterceptedSend(signal, sender, named, robust)

    async def asend(
        self,
        signal: Any,
        sender: Any,
        named: dict[str, Any],
        robust: bool,
        await_both: Callable[..., Awaitable[list[Response]]],
    ) -> list[Response]:
        with InterceptedSend(signal, sender, named, robust) as intercepted:
            if signal.receivers:
                sync, async_, record = intercepted.sync, intercepted.async_, intercepted.record
                intercepted.responses = await await_both(signal, sync, async_, sender, named, robust, record)
        return intercepted.responses


interceptor = ScopeInterceptor()


class InterceptedSend:
    """A send while a scope is active for it: its receivers, and what captures and traces record of it."""

    def __init__(self, signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> None:
        self.signal = signal
        self.robust = robust
        self.responses: list[Response] = []
        active = captures.active()
        self.captured = [each.note(signal, sender, named) for each in active if each.matches(signal, sender)]
        self.record: Any = None  # a csignals.tracing.SendRecord
        try:
            self.sync, self.async_ = _receivers(signal, sender)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        if self.sync or self.async_:
            if _scopes.watched.known:
                note_called(signal, sender, (*self.sync, *self.async_))
            recording = traces.active_references()
            if recording and (classes := interceptor.record_classes()) is not None:
                self.record = classes[0](signal, sender, recording)

    def __enter__(self) -> InterceptedSend:
        return self

    def calling(self, receiver: Receiver) -> Calling:
        """Return the context manager in which a sync receiver is called."""
        return Calling(self, receiver)

    def await_receivers(self, sender: Any, named: dict[str, Any]) -> None:
        """Add the responses of the async receivers to those of a sync send."""
        if self.async_:
            await_receivers = config_of(self.signal).await_receivers
            self.responses += await_receivers(self.signal, self.async_, sender, named, self.robust, self.record)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self.record is not None:
            self.record.close(may_go_on=error is not None)
        for each in self.captured:
            if error is None:
                each.responses = self.responses[:]
            else:
                each.exception = error


class Calling:
    """The call of a sync receiver: it is recorded, and in a robust send its failure becomes its response."""

    __slots__ = ("before", "call", "intercepted", "receiver")

    def __init__(self, intercepted: InterceptedSend, receiver: Receiver) -> None:
        self.intercepted = intercepted
        self.receiver = receiver

    def __enter__(self) -> None:
        if self.intercepted.record is not None:
            self.call = self.intercepted.record.begin(self.receiver)
            self.before = enter(self.call)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        intercepted = self.intercepted
        if intercepted.record is not None:
            self.call.end(error)
            leave(self.before)
        if not intercepted.robust or not isinstance(error, Exception):
            return False
        config_of(intercepted.signal).log_failure(intercepted.signal, self.receiver, error)
        intercepted.responses.append((self.receiver, error))
        return True


def _receivers(signal: Any, sender: object) -> LiveReceivers:
    if not signal.receivers or has_no_receivers(signal, sender):
        return [], []
    live = split_sync_async(signal, signal._live_receivers(sender))
    # Not every signal's own _live_receivers asks.
    return interceptor.filter_muted(signal, sender, live)
