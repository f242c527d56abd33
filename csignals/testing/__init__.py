"""Tools for tests of signals: ``capture``, ``assert_sent``, ``assert_not_sent``, ``connected``, ``inline_deferred``.

``SignalTester`` does the same, and ``mute`` and ``trace``, until the end of a test: the pytest fixture ``signals``
(plugin.py) is one. assertions.py compares sends and writes the messages of failures; connected.py connects receivers.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
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
    Options = object  # csignals.deferred is imported on first use

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
    """The sends that a capture recorded, in the order in which they began: a nested send follows the outer one."""

    _signals: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"[{', '.join(show(self))}]"

    def assert_sent(
        self, signal: Any, /, *, sender: object = ANY_SENDER, times: int | None = None, **named: Any
    ) -> list[CapturedSend]:
        """Fail unless `signal` was sent: at least once or, with `times`, exactly that often.

        If `sender` is given, also as None, only sends by that sender count. Only sends whose arguments include `named`
        count. A sender or an argument matches if it is the expected object or equal to it, so ``unittest.mock.ANY``
        matches any; a model may be named, as in `capture`. If ``==`` cannot compare two values, as with two arrays,
        the send may or may not match, and the assertion fails if the result depends on that send. A signal's argument
        named ``times`` cannot be checked.

        Returns the sends that match. Raises AssertionError, whose message lists the sends; ValueError for a signal that
        is not captured; and TypeError for an object that is not a signal, or a signal that csignals does not dispatch.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        return self._check(Expected(signal, sender, named), times)

    def assert_not_sent(self, signal: Any, /, *, sender: object = ANY_SENDER, **named: Any) -> None:
        """Fail if `signal` was sent by `sender`, if given, with arguments that include `named`.

        Compares and raises as `assert_sent` does.
        """
        __tracebackhide__ = True
        self._check(Expected(signal, sender, named), 0)

    def _check(self, expected: Expected, wanted: int | None) -> list[CapturedSend]:
        __tracebackhide__ = True
        if self._signals and not any(signal is expected.signal for signal in self._signals):
            raise ValueError(f"{label_of(expected.signal)} is not captured: pass it to capture(), or pass no signals")
        sends = list(self)  # a copy: __eq__ and __repr__ of arguments are called, and may send
        found, unclear = expected.found_in(sends)
        most = len(found) + unclear
        count = f"between {len(found)} and {most} times" if unclear else times(most)
        if wanted is None:
            is_right, trouble = bool(found), "may have been sent." if unclear else "was not sent."
        else:
            is_right = len(found) == most == wanted
            trouble = f"was sent {count}, not {times(wanted)}." if wanted else f"was sent {count}, but should not be."
        if not is_right:
            raise AssertionError(expected.explain(trouble, sends))
        return found


class capture:  # noqa: N801  # used like a function
    """Record sends during a ``with`` or ``async with`` block. Entering the block returns their list, a `CaptureLog`.

    The capture records the sends of `signals`, or of all signals if none is given; by `sender`, or by any sender if it
    is None. Senders are compared by identity, as in ``connect``. A sender of Django's model signals may be named
    ("app.Model"), also if all signals are captured; the model is looked up when the capture is entered. Sync and async
    sends are recorded, also muted sends and sends without receivers. A send is recorded when it begins, so its
    receivers can read the record. Nothing is recorded after the block.

    Receivers are called as usual. With ``deliver=False`` none is called: the captured sends are muted, so that they
    return ``[]``, and ``has_listeners`` returns False. Otherwise ``has_listeners`` returns what it does without a
    capture. Django calls it before some sends, as when it deletes rows: without receivers, it sends nothing, and
    nothing is captured.

    With `scope` "context", the capture is active in the context that opened it: in this thread, this task and the tasks
    it starts, and in threads that run in a copy of the context, as with ``asyncio.to_thread`` and asgiref's
    ``sync_to_async``. With "process", it is active in all threads, such as those of a live server. Blocks may nest and
    overlap; each records all its sends. A closed capture may be used again.

    Raises TypeError for an object that is not a signal, and for a Django signal that csignals does not dispatch. Raises
    ValueError for another scope, and for a string that cannot name a model. Entering the capture raises LookupError if
    the named model does not exist, and RuntimeError if the capture is open.
    """

    def __init__(self, *signals: Any, sender: object = None, scope: str = CONTEXT, deliver: bool = True) -> None:
        self._signals = check_signals(signals)
        self._sender = check_sender(signals, sender)
        self._scope = check_scope(scope)
        self._deliver = deliver
        self._capture: _Scope | None = None

    def __enter__(self) -> CaptureLog:
        if self._capture is not None:
            raise RuntimeError("this capture is already open: use another one")
        sender = find_sender(self._signals, self._sender)
        self._capture = _Scope(self._signals, sender)
        self._mute = _Scope(self._signals, sender)
        captures.open(self._capture, self._scope)
        if not self._deliver:
            mutes.open(self._mute, self._scope)
        return self._capture.sends

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        scope, self._capture = self._capture, None
        mutes.close(self._mute)
        captures.close(scope)

    async def __aenter__(self) -> CaptureLog:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)


class _Scope:
    """The sends that are captured between an ``__enter__`` and its ``__exit__``, or muted with ``deliver=False``."""

    is_open = False
    owner = None  # no `mute` opened this scope

    def __init__(self, signals: tuple[Any, ...], sender: object) -> None:
        self.sends = CaptureLog()
        self.sends._signals = signals  # keeps alive the objects whose ids are below
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

    The sends of this context are captured and delivered, and checked as by `CaptureLog.assert_sent`. If an exception
    ends the block, it propagates and nothing is checked. Without a ``with`` statement nothing is checked, and a
    RuntimeWarning is given.
    """
    return _AssertionBlock(signal, sender, named, times)


def assert_not_sent(signal: Any, /, *, sender: object = ANY_SENDER, **named: Any) -> _AssertionBlock:
    """Fail at the end of a ``with`` or ``async with`` block if `signal` was sent in it. Otherwise as `assert_sent`."""
    return _AssertionBlock(signal, sender, named, 0)


class _AssertionBlock:
    _was_entered = True  # until __init__ succeeds, so that __del__ does not warn of an invalid call

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
            message = "assert_sent() or assert_not_sent() has checked nothing: use it in a with statement"
            warnings.warn(message, RuntimeWarning, stacklevel=2)


class _InlineBackend:
    """The task backend that runs each message at once, in the send."""

    def prepare(self, options: Options) -> None:
        pass

    def enqueue(self, message: str, prepared: None) -> None:
        from csignals.deferred import run

        run(message)


@contextmanager
def inline_deferred() -> Generator[None]:
    """Call deferred receivers at once during a ``with`` block, in the whole process.

    Arguments are encoded and decoded as for a worker: an argument that cannot travel raises TypeError, and a row is
    fetched again. This needs no task backend, waits for no commit, and ignores options. The send raises what a receiver
    raises. While an event loop is running, an async receiver cannot be called, as under Django's own ``send``.
    """
    from csignals.deferred import configuration

    inline = configuration.Configuration(_InlineBackend(), on_commit=False, is_inline=True)
    configuration.inline.append(inline)
    try:
        yield
    finally:
        configuration.inline.remove(inline)


class SignalTester:
    """Captures, mutes, connections and traces that last until the end of a test, as the fixture ``signals`` of pytest.

    Each method takes effect at once, and does what the function of the same name does in a ``with`` block. They are
    undone in reverse order. ``assert_sent`` and ``assert_not_sent`` are the functions, for a ``with`` block in the
    test. In an async test, call the methods in the test and not in a fixture, which may run in another context. With
    other test frameworks, use this class as a context manager.
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
        """Capture sends, and return their list: see `capture`."""
        return self._open.enter_context(capture(*signals, sender=sender, scope=scope, deliver=deliver))

    def mute(self, *signals: Any, receivers: Any = None, senders: Any = None) -> None:
        """Mute signals: see ``csignals.mute``."""
        self._open.enter_context(mute(*signals, receivers=receivers, senders=senders))

    def connect(self, signal: Any, receiver: Receiver, sender: object = None, dispatch_uid: object = None) -> Receiver:
        """Connect a receiver, and return it: see `connected`."""
        return self._open.enter_context(connected(signal, receiver, sender, dispatch_uid))

    def inline_deferred(self) -> None:
        """Call deferred receivers at once: see `inline_deferred`."""
        self._open.enter_context(inline_deferred())

    def trace(self, scope: str = CONTEXT, max_records: int | None = None) -> Trace:
        """Record the calls of receivers, and return the trace: see ``csignals.trace``."""
        return self._open.enter_context(trace(scope, max_records))
