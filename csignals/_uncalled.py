"""Weak receivers that no send has reached: that one of them dies is worth knowing, as somebody meant it to be called.

They are watched in development only (see _watching.py). While there are any, each send asks whether its signal has one
for its sender, and if so takes off whom it reaches. Sends that csignals has no part in are not known of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from weakref import ReferenceType, WeakMethod, ref

from csignals import _blocks
from csignals._blocks import identities, identity, receiver_identity
from csignals._dispatch_py import NONE_ID, Entry, Receiver
from csignals._names import Memo, describe, describe_sender
from csignals._typing import Any


def stop_asking(is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Have sends ask here no longer if nobody is watched. Runs at any time: so it waits for no lock."""
    if not is_finalizing() and not uncalled.known:
        _blocks.update(wait=False)


#: Those that are watched, of each signal by the id of the sender. The compiled engine looks here by itself.
uncalled = Memo(after_death=stop_asking)
_collected = Memo()     # those that died, of each signal by what they are called


class NeverCalled:
    """A weak receiver that was collected, and its connection with it, before any send had reached it."""

    __slots__ = ("dispatch_uid", "file", "is_async", "line", "receiver", "sender", "signal")

    def __init__(self, signal: Any, watch: Watch) -> None:
        #: The signal itself.
        self.signal = signal
        #: What the receiver was connected under, if not under itself.
        self.dispatch_uid = watch.dispatch_uid
        self.is_async = watch.is_async
        #: The receiver's dotted name, and where it is written, as far as it says.
        self.receiver = watch.description.name
        self.file = watch.description.file
        self.line = watch.description.line
        #: The sender that it was connected to, in words, or None.
        self.sender = watch.sender

    @property
    def place(self) -> tuple[Any, ...]:
        """What is known of it once, however often it happens."""
        return self.receiver, self.file, self.line, self.sender


class Watch:
    """A receiver that is waited for to be called, or to die."""

    __slots__ = (
        "description", "dispatch_uid", "is_async", "key", "receiver_id", "reference", "sender", "sender_id", "signal",
    )  # fmt: skip

    def __init__(self, signal: Any, entry: Entry, receiver: Receiver, sender: object) -> None:
        self.signal = ref(signal)
        self.key = entry[0]
        self.receiver_id = own_uid = receiver_identity(receiver)
        uid, self.sender_id = self.key
        self.dispatch_uid = None if type(uid) is type(own_uid) and uid == own_uid else uid
        self.is_async = len(entry) > 2 and bool(entry[-1])
        self.sender = describe_sender(sender)
        self.description = describe(receiver)
        target: Any = receiver
        if isinstance(entry[1], WeakMethod):
            target = target.__self__
        self.reference: ReferenceType[Any] | None = ref(target, self.note_death)

    def note_death(self, reference: object, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Note that it died, unless it was called or disconnected before. Runs at any time: so it takes no lock."""
        if is_finalizing():     # then modules are being emptied
            return
        signal = self.signal()
        if signal is None or not take_off(signal, self):
            return
        stop_asking()
        if not is_connected(signal, self.key):
            return
        death = NeverCalled(signal, self)
        deaths = _collected.get(signal)
        if deaths is None:
            _collected.keep(signal, deaths := {})
        deaths[death.place] = death
        for trace in _blocks.traces.opened:
            if not any(other.signal is signal and other.place == death.place for other in trace.never_called):
                trace.never_called.append(death)


def watch(signal: Any, entry: Entry, receiver: Receiver, sender: object) -> None:
    """Watch a receiver that was just connected weakly, by this entry."""
    each = Watch(signal, entry, receiver, sender)
    senders = uncalled.get(signal)
    if senders is None:
        uncalled.keep(signal, senders := {})
    senders.setdefault(each.sender_id, []).append(each)
    _blocks.update()


def take_off(signal: Any, watch: Watch) -> bool:
    """Watch a receiver no longer. Returns whether it was."""
    senders = uncalled.get(signal) or {}
    watches = senders.get(watch.sender_id, [])
    try:
        watches.remove(watch)
    except ValueError:      # it was not, or another thread came first
        return False
    watch.reference = None
    if not watches:
        senders.pop(watch.sender_id, None)
    if not senders:
        uncalled.forget(signal)
    return True


def is_connected(signal: Any, key: Any) -> bool:
    receivers = signal.receivers
    return isinstance(receivers, list) and any(type(entry) is tuple and entry[0] is key for entry in receivers[:])


def is_awaited(signal: Any, sender: object) -> bool:
    """Return whether a send could reach somebody who is watched."""
    senders = uncalled.get(signal)
    return senders is not None and (NONE_ID in senders or identity(sender) in senders)


def note_called(signal: Any, sender: object, receivers: Iterable[Receiver]) -> None:
    """Take off whom a send is about to call."""
    senders = uncalled.get(signal) or {}
    awaited = [each for sender_id in (NONE_ID, identity(sender)) for each in senders.get(sender_id, ())[:]]
    if awaited:
        known_as = [identities(receiver) for receiver in receivers]
        called = {number for numbers in known_as for number in numbers}
        found = [each for each in awaited if each.receiver_id in called]
        # Whoever chooses the receivers in a way of his own may have put anything in the place of any of them.
        if len(found) < len(awaited) and not _are_connected(signal, known_as):
            found = awaited
        for each in found:
            take_off(signal, each)
    stop_asking()


def _are_connected(signal: Any, known_as: list[list[Any]]) -> bool:
    """Return whether each receiver that is known as this is connected, or wraps one that is."""
    connected = set()
    for entry in signal.receivers[:] if isinstance(signal.receivers, list) else ():
        if type(entry) is tuple and len(entry) > 1:
            receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
            connected.add(receiver_identity(receiver))
    return all(not connected.isdisjoint(numbers) for numbers in known_as)


def is_anybody_watched() -> bool:
    return bool(uncalled.known)


_blocks.reasons.append(is_anybody_watched)


def never_called(signal: Any) -> list[NeverCalled]:
    """Return the weak receivers of a signal that were collected uncalled: those that are written at one place once."""
    return list((_collected.get(signal) or {}).values())
