"""For tests of what sends and receives signals: ``capture``, ``assert_sent``, ``assert_not_sent``, ``connected``.

``Signals`` has all of it, and ``mute`` and ``trace``, until the end of a test: the pytest plugin's fixture ``signals``.
How a failure is put into words, _expecting.py knows; how a receiver is connected for a while, _connecting.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from csignals._dispatch.common import Receiver
from csignals._introspection.signal_names import label_of
from csignals._scopes import CONTEXT, captures, check_scope, check_sender, check_signals, find_sender, identity, mutes
from csignals.muting import mute
from csignals.testing.assertions import ANY_SENDER, CapturedSend, Expected, show, times
from csignals.testing.connected import connected
from csignals.tracing import Trace, trace

if TYPE_CHECKING:
    from csignals.deferred import Options
else:
    Options = object  # csignals.deferred is imported when it is needed

__all__ = [
    "CaptureLog",
    "CapturedSend",
    "SignalTester",
    "assert_not_sent",
    "assert_sent",
    "capture",
    "connected",
    "inline_deferred",
]


class CaptureLog(list[CapturedSend]):
    """The sends that a capture has seen, in the order in which they began: nested ones after those around them."""

    _signals: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"[{', '.join(show(self))}]"

    def assert_sent(
        self, signal: Any, /, *, sender: object = ANY_SENDER, times: int | None = None, **named: Any
    ) -> list[CapturedSend]:
        """Fail unless `signal` was sent: at least once or, with `times`, exactly that often.

        Only sends by `sender` count, if that is given (also if it is None), and only those whose named arguments
        include `named`. A sender or an argument is the expected one if it is the same object or equal to it, so
        that ``unittest.mock.ANY`` fits all; a model may be named, too, as in `capture`. What ``==`` does not compare,
        such as another array, may be the expected one or not: it fails if that decides. (An argument that is itself
        called `times` cannot be asked for.)

        Returns the sends that count. Raises AssertionError, which says what was sent instead; ValueError for a
        signal that was not captured, and TypeError for one that csignals does not dispatch.
        """
        __tracebackhide__ = True  # pytest shows where it was called
        return self._check(Expected(signal, sender, named), times)

    def assert_not_sent(self, signal: Any, /, *, sender: object = ANY_SENDER, **named: Any) -> None:
        """Fail if `signal` was sent: by `sender` and with the arguments `named`, if those are given.

        Compares and raises as `assert_sent`.
        """
        __tracebackhide__ = True
        self._check(Expected(signal, sender, named), 0)

    def _check(self, expected: Expected, wanted: int | None) -> list[CapturedSend]:
        __tracebackhide__ = True
        if self._signals and not any(signal is expected.signal for signal in self._signals):
            raise ValueError(f"{label_of(expected.signal)} is none of the signals that were captured")
        sends = list(self)  # Comparing and showing run anybody's code, which may send.
        found, unclear = expected.found_in(sends)
        most = len(found) + unclear
        count = f"between {len(found)} and {most} times" if unclear else times(most)
        if wanted is None:
            is_right, trouble = bool(found), "may have been sent." if unclear else "was not sent."
        else:
            is_right = len(found) == most == wanted
            trouble = f"was sent {count}, not {times(wanted)}." if wanted else f"was sent {count}, and should not be."
        if not is_right:
            raise AssertionError(expected.explain(trouble, sends))
        return found


class capture:  # noqa: N801  # used like a function
    """Record sends for the length of a ``with`` or ``async with`` block, which gives their list: `CaptureLog`.

    The sends of `signals`, or of all signals if there are none; by `sender`, or by anybody if it is None. A sender is
    told by identity, as ``connect`` does; those of Django's model signals may be named ("app.Model"), also where all
    signals are captured: the model is looked for when the capture is entered. Sends count, sync and async, also those
    that are muted or have no receivers. Each is recorded when it begins, so that its receivers may look. Nothing is
    added after the block.

    Receivers are called nevertheless. With ``deliver=False`` nobody is: those sends are muted, too, so that they
    return ``[]``, and ``has_listeners`` says False. Otherwise that says what it would without the capture: where
    Django asks it first and finds no receiver, as when it deletes rows, it sends nothing, and nothing is captured.

    With `scope` "context", it holds where it is opened: in this thread, this task and the tasks it starts, and in
    threads to which the context is copied, as ``asyncio.to_thread`` and asgiref's ``sync_to_async`` do. What other
    threads send, such as a live server's, or the test's own, is seen with "process". Blocks may nest and overlap:
    each sees everything. May be used again, once it is closed.

    Raises TypeError for what is no signal, or for one of Django's while csignals does not dispatch those;
    ValueError for another scope, and for a string that cannot be the name of a model. Entering it raises LookupError
    for the name of a model that is not there, and RuntimeError while it is open.
    """

    def __init__(self, *signals: Any, sender: object = None, scope: str = CONTEXT, deliver: bool = True) -> None:
        self._signals = check_signals(signals)
        self._sender = check_sender(signals, sender)
        self._scope = check_scope(scope)
        self._deliver = deliver
        self._capture: _Scope | None = None

    def __enter__(self) -> CaptureLog:
        if self._capture is not None:
            raise RuntimeError("this capture is open already")
        sender = find_sender(self._signals, self._sender)
        self._capture = _Scope(self._signals, sender)
        self._mute = _Scope(self._signals, sender)
        captures.open(self._capture, self._scope)
        if not self._deliver:
            mutes.open(self._mute, self._scope)
        return self._capture.sends

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        block, self._capture = self._capture, None
        mutes.close(self._mute)
        captures.close(block)

    async def __aenter__(self) -> CaptureLog:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)


class _Scope:
    """What is captured between an ``__enter__`` and its ``__exit__``; or, with ``deliver=False``, muted."""

    is_open = False
    owner = None  # a mute's

    def __init__(self, signals: tuple[Any, ...], sender: object) -> None:
        self.sends = CaptureLog()
        self.sends._signals = signals  # which keeps alive what the ids are of
        self.signal_ids = frozenset(map(id, signals))
        self.sender = sender
        self.sender_id = None if sender is None else identity(sender)

    def matches(self, signal: Any, sender: object) -> bool:
        return (not self.signal_ids or id(signal) in self.signal_ids) and (
            self.sender_id is None or identity(sender) == self.sender_id
        )

    def note(self, signal: Any, sender: object, named: dict[str, Any]) -> CapturedSend:
        send = CapturedSend(signal, sender, named)
        self.sends.append(send)
        return send

    def allows(self, receiver: object) -> bool:
        return False


def assert_sent(
    signal: Any, /, *, sender: object = ANY_SENDER, times: int | None = None, **named: Any
) -> _AssertionBlock:
    """Fail at the end of a ``with`` or ``async with`` block unless `signal` was sent in it.

    The sends of this context are captured and delivered, and checked as by `CaptureLog.assert_sent`. An exception that
    ends the block propagates, and nothing is checked. Without a ``with`` statement nothing is checked either, and a
    RuntimeWarning says so.
    """
    return _AssertionBlock(signal, sender, named, times)


def assert_not_sent(signal: Any, /, *, sender: object = ANY_SENDER, **named: Any) -> _AssertionBlock:
    """Fail at the end of a ``with`` or ``async with`` block if `signal` was sent in it: else as `assert_sent`."""
    return _AssertionBlock(signal, sender, named, 0)


class _AssertionBlock:
    _was_entered = True  # as long as there is nothing to be entered

    def __init__(self, signal: Any, sender: object, named: dict[str, Any], wanted: int | None) -> None:
        check_sender(check_signals((signal,)), sender)
        self._arguments = signal, sender, named
        self._wanted = wanted
        self._capture = capture()
        self._was_entered = False

    def __enter__(self) -> CaptureLog:
        self._was_entered = True
        self._expected = Expected(*self._arguments)
        self._sends = self._capture.__enter__()
        return self._sends

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        __tracebackhide__ = True
        self._capture.__exit__(kind, error, traceback)
        if kind is None:
            self._sends._check(self._expected, self._wanted)

    async def __aenter__(self) -> CaptureLog:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        if not self._was_entered:
            message = "assert_sent() or assert_not_sent() was not used in a with statement, and has asserted nothing"
            warnings.warn(message, RuntimeWarning, stacklevel=2)


class _InlineBackend:
    """The task backend that runs messages at once."""

    def prepare(self, options: Options) -> None:
        pass

    def enqueue(self, message: str, prepared: None) -> None:
        from csignals.deferred import run

        run(message)


@contextmanager
def inline_deferred() -> Iterator[None]:
    """Call deferred receivers at once during a block, in the whole process.

    Arguments travel as they do otherwise: one that cannot travel is a TypeError, and a row is fetched again. No task
    backend is needed, no commit is waited for, and options have no effect. The send raises what a receiver raises. An
    async receiver cannot be called while an event loop is running, as under Django's own ``send``.
    """
    from csignals.deferred import configuration

    inline = configuration.Configuration(_InlineBackend(), on_commit=False, is_inline=True)
    configuration.inline.append(inline)
    try:
        yield
    finally:
        configuration.inline.remove(inline)


class SignalTester:
    """What a test does with signals until its end, which undoes it in reverse: the fixture ``signals`` is one.

    Each method takes effect at once, and does what the function of its name does for the length of a block;
    except that ``assert_sent`` and ``assert_not_sent`` are for blocks of their own. In an async test, call them in
    the test itself: a fixture's context may be another one. May be a context manager for other frameworks, too.
    """

    assert_sent = staticmethod(assert_sent)
    assert_not_sent = staticmethod(assert_not_sent)

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> SignalTester:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._open.close()

    def capture(self, *signals: Any, sender: object = None, scope: str = CONTEXT, deliver: bool = True) -> CaptureLog:
        """Capture sends, and return the list to which they come: see `capture`."""
        return self._open.enter_context(capture(*signals, sender=sender, scope=scope, deliver=deliver))

    def mute(self, *signals: Any, receivers: Any = None, senders: Any = None) -> None:
        """Mute signals: see ``csignals.mute``."""
        self._open.enter_context(mute(*signals, receivers=receivers, senders=senders))

    def connect(self, signal: Any, receiver: Receiver, sender: object = None, dispatch_uid: object = None) -> Receiver:
        """Connect a receiver, and return it: see `connected`."""
        return self._open.enter_context(connected(signal, receiver, sender, dispatch_uid))

    def inline_deferred(self) -> None:
        """Have deferred receivers be called at once: see `inline_deferred`."""
        self._open.enter_context(inline_deferred())

    def trace(self, scope: str = CONTEXT, max_records: int | None = None) -> Trace:
        """Record the calls of receivers, and return the record: see ``csignals.trace``."""
        return self._open.enter_context(trace(scope, max_records))
