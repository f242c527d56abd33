"""What the engines ask while anybody, in whatever context, mutes, captures or traces signals.

For a send that something is in force for, the Python engine asks here whom it reaches, and keeps what is to be kept of
it; also where the compiled one is in use, except that this records by itself where nothing but traces is in force.
What a block is for, muting.py, testing.py and tracing.py say.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

from csignals import _blocks
from csignals._blocks import MUTES, TRACES, captures, here, mutes, references_to_open_ones, traces
from csignals._dispatch import enter, is_unheard, leave
from csignals._dispatch_py import Receiver, Response, both_kinds, hooks_of
from csignals._typing import Any
from csignals._uncalled import is_awaited, note_called, uncalled
from csignals.tracing import Call, Send

Live = tuple[list[Receiver], list[Receiver]]

__all__ = [
    "Call",
    "Send",
    "Steered",
    "asend",
    "audible",
    "captures",
    "here",
    "is_covered",
    "is_in_force",
    "traces",
    "uncalled",
]


def is_in_force(signal: Any, sender: object) -> bool:
    """Return whether a send is to be done here: because anything is in force for it in this context."""
    return bool(here.get()[TRACES] or traces.everywhere) or is_covered(signal, sender)


def is_covered(signal: Any, sender: object) -> bool:
    """Return whether any mute or capture is in force for a send, or it could reach somebody who is watched."""
    muting, capturing, _ = here.get()
    for references in muting, capturing, captures.everywhere:
        for reference in references:
            block = reference()
            if block is not None and block.is_open and block.covers(signal, sender):
                return True
    return bool(uncalled.known) and is_awaited(signal, sender)


def audible(signal: Any, sender: object, live: Live) -> Live:
    """Return those of a signal's live receivers, the sync and the async ones, that are not muted."""
    for reference in here.get()[MUTES] + mutes.everywhere:
        mute = reference()
        if mute is not None and mute.is_open and mute.covers(signal, sender):
            sync, async_ = live
            live = [each for each in sync if mute.spares(each)], [each for each in async_ if mute.spares(each)]
    if uncalled.known and is_awaited(signal, sender):
        # A subclass's send may call them by itself. has_listeners() calls nobody, but a send mostly follows.
        note_called(signal, sender, (*live[0], *live[1]))
    return live


class Steered:
    """A send that something is in force for: whom it reaches, and what is kept of it."""

    def __init__(self, signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> None:
        self.signal = signal
        self.robust = robust
        self.responses: list[Response] = []
        in_force = captures.in_force()
        self.captured = [each.note(signal, sender, named) for each in in_force if each.covers(signal, sender)]
        self.record: Send | None = None
        try:
            self.sync, self.async_ = _receivers(signal, sender)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        if self.sync or self.async_:
            if uncalled.known:
                note_called(signal, sender, (*self.sync, *self.async_))
            recording = references_to_open_ones(here.get()[TRACES] + traces.everywhere)
            self.record = Send(signal, sender, recording) if recording else None

    def __enter__(self) -> Steered:
        return self

    def calling(self, receiver: Receiver) -> Calling:
        """Return the context in which a sync receiver is to be called."""
        return Calling(self, receiver)

    def await_receivers(self, sender: Any, named: dict[str, Any]) -> None:
        """Add the responses of the async receivers to a sync send."""
        if self.async_:
            await_receivers = hooks_of(self.signal).await_receivers
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

    __slots__ = ("before", "call", "receiver", "steered")

    def __init__(self, steered: Steered, receiver: Receiver) -> None:
        self.steered = steered
        self.receiver = receiver

    def __enter__(self) -> None:
        if self.steered.record is not None:
            self.call = Call(self.steered.record, self.receiver)
            self.before = enter(self.call)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        steered = self.steered
        if steered.record is not None:
            self.call.end(error)
            leave(self.before)
        if not steered.robust or not isinstance(error, Exception):
            return False
        hooks_of(steered.signal).log_failure(steered.signal, self.receiver, error)
        steered.responses.append((self.receiver, error))
        return True


async def asend(
    signal: Any, sender: Any, named: dict[str, Any], robust: bool, await_both: Callable[..., Awaitable[list[Response]]]
) -> list[Response]:
    """Do what ``Signal.asend`` does, or ``asend_robust``. Whose rules of awaiting they are, `await_both` knows."""
    with Steered(signal, sender, named, robust) as steered:
        if signal.receivers:
            sync, async_, record = steered.sync, steered.async_, steered.record
            steered.responses = await await_both(signal, sync, async_, sender, named, robust, record)
    return steered.responses


def _receivers(signal: Any, sender: object) -> Live:
    if not signal.receivers or is_unheard(signal, sender):
        return [], []
    live = both_kinds(signal, signal._live_receivers(sender))
    return audible(signal, sender, live)  # as not every signal's own _live_receivers asks


_blocks.be_asked(sys.modules[__name__])
