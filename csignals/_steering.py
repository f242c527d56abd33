"""What the engines ask while anybody, in whatever context, mutes, captures or traces signals.

A send that something is in force for is done here, in Python, from its beginning to its end; except that the compiled
engine records by itself where nothing but traces is in force. What a block is for, muting.py, testing.py and
tracing.py say.
"""

from __future__ import annotations

import sys

from csignals import _blocks, aio
from csignals._blocks import MUTES, TRACES, captures, here, mutes, traces
from csignals._dispatch_py import both_kinds, hooks_of
from csignals.tracing import Call, Send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from csignals._dispatch_py import Receiver, Response

    Live = tuple[list[Receiver], list[Receiver]]

__all__ = [
    "Call", "Send", "asend", "audible", "captures", "here", "is_covered", "is_in_force", "mutes", "send", "traces",
    "uncalled",
]  # fmt: skip


uncalled: dict[int, Any] = {}


def is_in_force(signal: Any, sender: object) -> bool:
    """Return whether a send is to be done here: because anything is in force for it in this context."""
    return bool(here.get()[TRACES] or traces.everywhere) or is_covered(signal, sender)


def is_covered(signal: Any, sender: object) -> bool:
    """Return whether any mute or capture is in force for a send."""
    muting, capturing, _ = here.get()
    for blocks in muting, capturing, captures.everywhere:
        for block in blocks:
            if block.is_open and block.covers(signal, sender):
                return True
    return False


def audible(signal: Any, sender: object, live: Live) -> Live:
    """Return those of a signal's live receivers, the sync and the async ones, that are not muted."""
    for mute in here.get()[MUTES]:
        if mute.is_open and mute.covers(signal, sender):
            sync, async_ = live
            live = [each for each in sync if mute.spares(each)], [each for each in async_ if mute.spares(each)]
    return live


def send(signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> list[Response]:
    """Do what ``Signal.send`` does, or ``send_robust``, as far as what is in force allows."""
    captured = _captured(signal, sender, named)
    if captured:
        with _Outcome(captured) as outcome:
            return outcome.note(_send(signal, sender, named, robust))
    return _send(signal, sender, named, robust)


def _send(signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> list[Response]:
    sync, async_ = _receivers(signal, sender)
    if not sync and not async_:
        return []
    record = _new_record(signal, sender)
    try:
        responses = aio.call_each(signal, sync, sender, named, robust, record)
        if async_:
            responses += hooks_of(signal).await_receivers(signal, async_, sender, named, robust, record)
        return responses
    finally:
        if record is not None:
            record.close()


async def asend(
    signal: Any, sender: Any, named: dict[str, Any], robust: bool, await_both: Callable[..., Awaitable[list[Response]]]
) -> list[Response]:
    """Do what ``Signal.asend`` does, or ``asend_robust``. Whose rules of awaiting they are, `await_both` knows."""
    with _Outcome(_captured(signal, sender, named)) as outcome:
        sync, async_ = _receivers(signal, sender)
        if not sync and not async_:
            return outcome.note([])
        record = _new_record(signal, sender)
        try:
            return outcome.note(await await_both(signal, sync, async_, sender, named, robust, record))
        finally:
            if record is not None:
                record.close()


def _receivers(signal: Any, sender: object) -> Live:
    if not signal.receivers:
        return [], []
    live = both_kinds(signal, signal._live_receivers(sender))
    return audible(signal, sender, live)    # as not every signal's own _live_receivers asks


def _new_record(signal: Any, sender: object) -> Send | None:
    in_force = traces.in_force()
    return Send(signal, sender, in_force) if in_force else None


def _captured(signal: Any, sender: object, named: dict[str, Any]) -> list[Any]:
    """Return what the captures in force keep of a send."""
    in_force = captures.in_force()
    return [each.note(signal, sender, named) for each in in_force if each.covers(signal, sender)] if in_force else []


class _Outcome:
    """What a send that is captured comes to: its responses, or an exception."""

    def __init__(self, captured: list[Any]) -> None:
        self.captured = captured

    def __enter__(self) -> _Outcome:
        return self

    def note(self, responses: list[Response]) -> list[Response]:
        for each in self.captured:
            each.responses = responses[:]
        return responses

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        for each in self.captured:
            each.exception = error


_blocks.be_asked(sys.modules[__name__])
