"""The comparison of captured sends with an expected send, and the message of an assertion that fails.

The message has a limited length for any arguments, and an exception in a ``__repr__`` cannot break it. The assertions
themselves are in ``csignals.testing``.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from csignals._dispatch.common import Response
from csignals._introspection.signal_names import labels_of
from csignals._scopes import check_sender, check_signals, find_sender

# A message has at most 20 lines: these, one that says what is wrong, and two that count the rest.
MAX_SENDS = 10
MAX_OTHERS = 7
MAX_LINE = 500  # in characters

_repr = reprlib.Repr()
_repr.maxlevel = 3
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


class CapturedSend:
    """A send that a capture recorded, to be read. It keeps its signal, sender and arguments alive."""

    __slots__ = ("exception", "named", "responses", "sender", "signal")

    signal: Any  #: The signal.
    sender: Any  #: The sender, as it was passed to ``send``.
    named: dict[str, Any]  #: The other arguments, in a shallow copy.
    responses: list[Response] | None  #: What ``send`` returned; None while it runs, and if it raised.
    exception: BaseException | None  #: What ``send`` raised.

    def __init__(self, signal: Any, sender: Any, named: dict[str, Any]) -> None:
        self.signal = signal
        self.sender = sender
        self.named = dict(named)
        self.responses = None
        self.exception = None

    def __repr__(self) -> str:
        return show([self])[0]


class _AnySender:
    def __repr__(self) -> str:
        return "any sender"


ANY_SENDER = _AnySender()


class Expected:
    """An expected send: the signal, and the sender and the named arguments, if they are given."""

    def __init__(self, signal: Any, sender: object, named: dict[str, Any]) -> None:
        signals = (self.signal,) = check_signals((signal,))
        # The sender is compared like any other argument. No other argument can be named `sender`.
        sender = find_sender(signals, check_sender(signals, sender))
        self.arguments = named if sender is ANY_SENDER else {"sender": sender, **named}

    def found_in(self, sends: Iterable[CapturedSend]) -> tuple[list[CapturedSend], int]:
        """Return the sends that match, and the number of sends that may match, as ``==`` fails."""
        found = []
        unclear = 0
        for send in sends:
            if send.signal is self.signal:
                differences = self.differences(send).values()
                if not differences:
                    found.append(send)
                elif None not in differences:
                    unclear += 1
        return found, unclear

    def differences(self, send: CapturedSend) -> dict[str, Exception | None]:
        """Return the arguments in which a send of the signal differs from the expected one, or may differ.

        The value is None for an argument that differs, and an exception if ``==`` raised it or if its result has no
        truth value, as with arrays.
        """
        sent = arguments_of(send)
        found: dict[str, Exception | None] = {}
        for name, value in self.arguments.items():
            try:
                if name not in sent or not (value is sent[name] or value == sent[name]):
                    found[name] = None
            except Exception as error:
                found[name] = error
        return found

    def explain(self, trouble: str, sends: Sequence[CapturedSend]) -> str:
        """Return the message: what is wrong, and which sends were captured."""
        signals = {id(send.signal): send.signal for send in sends if send.signal is not self.signal}
        labels = labels_of([self.signal, *list(signals.values())[:MAX_OTHERS]])
        name, *others = labels.values()
        head = f"{one_line(f'{name}({shown_arguments(self.arguments)}')}) {trouble}"
        if not sends:
            return f"{head} No send was captured."
        lines = [f"{head} Captured sends:", *self._own_lines(name, sends)]
        counts = Counter(id(send.signal) for send in sends)
        lines += [one_line(f"{other} {times(counts[number])}") for number, other in zip(signals, others, strict=False)]
        if len(signals) > MAX_OTHERS:
            lines.append(f"... and {len(signals) - MAX_OTHERS} other signals")
        return "\n  ".join(lines)

    def _own_lines(self, name: str, sends: Iterable[CapturedSend]) -> list[str]:
        """Return a line for each send of the signal, beginning with those that differ least."""
        own = [(send, self.differences(send)) for send in sends if send.signal is self.signal]
        own.sort(key=lambda each: len(each[1]))
        lines = [one_line(f"{name}: {self._compared(*each)}") for each in own[:MAX_SENDS]]
        if len(own) > MAX_SENDS:
            lines.append(f"... and {times(len(own) - MAX_SENDS)} more")
        return lines

    def _compared(self, send: CapturedSend, differences: dict[str, Exception | None]) -> str:
        # The expected arguments come first, so that the end of a long line does not cut them off.
        sent = arguments_of(send)
        words = []
        for name in dict.fromkeys(["sender", *self.arguments, *sent]):
            if name not in sent:
                words.append(f"no {name}")
            elif name in differences:
                error = differences[name]
                how = "not" if error is None else f"{type(error).__name__} at =="
                words.append(f"{name}={shown(sent[name])} ({how} {shown(self.arguments[name])})")
            else:
                words.append(f"{name}={shown(sent[name])}")
        return ", ".join(words)


def show(sends: Sequence[CapturedSend]) -> list[str]:
    """Return a line for each of the first sends, and one line that counts the others."""
    first = sends[:MAX_SENDS]
    labels = labels_of(send.signal for send in first)
    lines = [one_line(f"<send of {labels[id(send.signal)]}({shown_arguments(arguments_of(send))})>") for send in first]
    return [*lines, f"... and {len(sends) - MAX_SENDS} more"] if len(sends) > MAX_SENDS else lines


def arguments_of(send: CapturedSend) -> dict[str, Any]:
    return {"sender": send.sender, **send.named}


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def shown(value: object) -> str:
    """Return a short ``repr`` of any object."""
    try:
        return str.__str__(_repr.repr(value))
    except Exception:  # from the object's __repr__
        return object.__repr__(value)


def shown_arguments(arguments: dict[str, Any]) -> str:
    return ", ".join([f"{name}={shown(value)}" for name, value in arguments.items()])


def one_line(text: str) -> str:
    """Return a text with its line ends escaped, cut off at MAX_LINE."""
    line = "\\n".join(text.splitlines())
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 3]}..."
