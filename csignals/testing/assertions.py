"""What an assertion of testing.py expects of sends, and the words in which it fails.

The words are bounded, whatever was sent, and no ``__repr__`` can make them fail.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from csignals._dispatch.common import Response
from csignals._introspection.signal_names import labels_of
from csignals._scopes import check_sender, check_signals, find_sender

# Of at most 20 lines: one says what is wrong, and two how much is left out.
MOST_SENDS = 10
MOST_OTHERS = 7
LONGEST_LINE = 500  # of characters

_repr = reprlib.Repr()
_repr.maxlevel = 3
_repr.maxstring = _repr.maxother = _repr.maxlong = 80


class CapturedSend:
    """A send that a capture has seen. It is to be read, and keeps alive what it has."""

    __slots__ = ("exception", "named", "responses", "sender", "signal")

    signal: Any  #: The signal.
    sender: Any  #: The sender, as it was given to ``send``.
    named: dict[str, Any]  #: The other arguments: a copy of the dict, not of what is in it.
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
    """Sends of a signal: by a sender and with named arguments, as far as those are given."""

    def __init__(self, signal: Any, sender: object, named: dict[str, Any]) -> None:
        signals = (self.signal,) = check_signals((signal,))
        # A sender is an argument like any other, and no other can have its name.
        sender = find_sender(signals, check_sender(signals, sender))
        self.arguments = named if sender is ANY_SENDER else {"sender": sender, **named}

    def found_in(self, sends: Iterable[CapturedSend]) -> tuple[list[CapturedSend], int]:
        """Return those sends that are expected, and how many others may be, as it cannot be told."""
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
        """Return the names of the arguments in which a send of the signal is another one, or may be.

        That is where ``==`` fails, or gives what is neither true nor false, as with arrays: those have the exception.
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
        """Return a message that says what the trouble is, and what was sent."""
        signals = {id(send.signal): send.signal for send in sends if send.signal is not self.signal}
        labels = labels_of([self.signal, *list(signals.values())[:MOST_OTHERS]])
        name, *others = labels.values()
        head = f"{one_line(f'{name}({shown_arguments(self.arguments)}')}) {trouble}"
        if not sends:
            return f"{head} No send was captured."
        lines = [f"{head} What was sent:", *self._own_lines(name, sends)]
        counts = Counter(id(send.signal) for send in sends)
        lines += [one_line(f"{other} {times(counts[number])}") for number, other in zip(signals, others, strict=False)]
        if len(signals) > MOST_OTHERS:
            lines.append(f"... and {len(signals) - MOST_OTHERS} other signals")
        return "\n  ".join(lines)

    def _own_lines(self, name: str, sends: Iterable[CapturedSend]) -> list[str]:
        """Return a line for each send of the signal, the nearest first."""
        own = [(send, self.differences(send)) for send in sends if send.signal is self.signal]
        own.sort(key=lambda each: len(each[1]))
        lines = [one_line(f"{name}: {self._compared(*each)}") for each in own[:MOST_SENDS]]
        if len(own) > MOST_SENDS:
            lines.append(f"... and {times(len(own) - MOST_SENDS)} more")
        return lines

    def _compared(self, send: CapturedSend, differences: dict[str, Exception | None]) -> str:
        # First what is expected, so that it cannot be cut off.
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
    """Return a line for each of the first sends, and one for the others."""
    first = sends[:MOST_SENDS]
    labels = labels_of(send.signal for send in first)
    lines = [one_line(f"<send of {labels[id(send.signal)]}({shown_arguments(arguments_of(send))})>") for send in first]
    return [*lines, f"... and {len(sends) - MOST_SENDS} more"] if len(sends) > MOST_SENDS else lines


def arguments_of(send: CapturedSend) -> dict[str, Any]:
    return {"sender": send.sender, **send.named}


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def shown(value: object) -> str:
    """Return a short ``repr`` of anything."""
    try:
        return str.__str__(_repr.repr(value))
    except Exception:  # of somebody's __repr__
        return object.__repr__(value)


def shown_arguments(arguments: dict[str, Any]) -> str:
    return ", ".join([f"{name}={shown(value)}" for name, value in arguments.items()])


def one_line(text: str) -> str:
    """Return a text with its ends of lines escaped, and cut if it is long."""
    line = "\\n".join(text.splitlines())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..."
