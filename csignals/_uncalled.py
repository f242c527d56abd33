"""Weak receivers that no send has reached: that one of them dies is worth knowing, as somebody meant it to be called.

They are watched in development only (see _watching.py). While there are any, each send asks whether its signal has one
for its sender, and if so takes off whom it reaches. ``_live_receivers`` does so as well, for those who send by what it
returns. Sends that csignals has no part in are not known of.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import CodeType, FunctionType, MethodType
from weakref import ReferenceType, ref

from csignals import _blocks
from csignals._blocks import identities, identity, receiver_identity
from csignals._dispatch_py import NONE_ID, Entry, Receiver
from csignals._names import Description, Memo, describe, describe_sender
from csignals._typing import Any
from csignals._watching import Place, warn

#: Of a function: the number of partials around it, its module, its qualified name, and the code that was written.
Notes = tuple[int, Any, str, CodeType]

#: The most decorators or partials of a receiver that are followed: they may form a circle.
MOST_STEPS = 100


def is_anybody_watched() -> bool:
    return any(any(senders.copy().values()) for senders in uncalled.known.copy().values())


def stop_asking(is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Have sends ask here no longer if nobody is watched. Runs at any time: so it waits for no lock."""
    if not is_finalizing() and not is_anybody_watched():
        _blocks.update(wait=False)


#: Those that are watched: of each signal that had any, a `Senders`. The compiled engine looks here by itself.
uncalled = Memo(after_death=stop_asking)
_collected = Memo()  # those that died, of each signal by what they are called
_blocks.reasons.append(is_anybody_watched)


class NeverCalled:
    """A weak receiver that was collected, and its connection with it, before any send had reached it."""

    __slots__ = ("dispatch_uid", "file", "is_async", "line", "receiver", "sender", "signal")

    def __init__(self, signal: Any, entry: Entry, watch: Watch, sender: str | None) -> None:
        uid, receiver_id = entry[0][0], watch.receiver_id
        description = description_of(watch.notes)
        #: The signal itself.
        self.signal = signal
        #: What the receiver was connected under, if not under itself.
        self.dispatch_uid = None if type(uid) is type(receiver_id) and uid == receiver_id else uid
        self.is_async = len(entry) > 2 and bool(entry[-1])
        #: The receiver's dotted name, and where it is written, as far as it says.
        self.receiver = description.name
        self.file = description.file
        self.line = description.line
        #: The sender that it was connected to, in words, or None.
        self.sender = sender

    @property
    def place(self) -> tuple[Any, ...]:
        """What is known of it once, however often it happens."""
        return self.receiver, self.file, self.line, self.sender


class Senders(dict):  # type: ignore[type-arg]  # subscribing it takes an import
    """Those of a signal that are watched: of each sender, by its id, a `Watches`."""

    __slots__ = ("signal",)

    signal: ReferenceType[Any]


class Watches(dict):  # type: ignore[type-arg]
    """Those of a signal and a sender that are watched, by their ids. It stays, if empty, while the sender lives."""

    __slots__ = "sender", "senders", "words"

    senders: Senders
    sender: ReferenceType[Any] | None  # None for any sender, and for one that has no weak references
    words: str | None  # what the sender is called, where the reference does not tell


class Watch(ref):  # type: ignore[type-arg]
    """A reference to a receiver, or to a method's object, that is waited for to be called, or to die.

    A connect is frequent, and a death is not: so it has what words can be made of, and nothing that holds the receiver.
    Each reference to something else has a callback, as Python 3.15 clears those that have none, of what is collected
    together, only after the callbacks of the others.
    """

    __slots__ = "key", "notes", "place", "receiver_id", "watches"

    watches: Watches  # where it is
    key: tuple[Any, Any]  # the entry's
    receiver_id: Any
    notes: Notes | Description
    place: Place


def watch(signal: Any, entry: Entry, receiver: Any, sender: object, place: Place) -> None:
    """Watch a receiver that was just connected weakly, by this entry and at this place.

    This is most of what a connect costs more in development: so all that is common is done in here.
    """
    kind, target = type(receiver), receiver
    receiver_id: Any = id(receiver)
    if kind is MethodType:
        target = receiver.__self__
        receiver_id = id(target), id(receiver.__func__)
    elif hasattr(receiver, "__func__") and hasattr(receiver, "__self__"):  # it passes for one
        target = receiver.__self__
        receiver_id = receiver_identity(receiver)
    each = Watch(target, note_death)
    each.receiver_id = receiver_id
    if kind is FunctionType and not hasattr(receiver, "__wrapped__"):
        each.notes = 0, receiver.__module__, receiver.__qualname__, receiver.__code__
    else:
        each.notes = notes_of(receiver)
    each.place = place
    each.key = key = entry[0]
    senders = uncalled.known.get(id(signal))
    if senders is None:
        senders = Senders()
        senders.signal = ref(signal, lambda _: None)
        senders = uncalled.keep(signal, senders)
    watches = senders.get(key[1])
    if watches is None:
        watches = _new_watches(senders, key[1], sender)
    each.watches = watches
    watches[id(each)] = each
    if not _blocks.is_asked:
        _blocks.update()


def _new_watches(senders: Senders, sender_id: Any, sender: Any) -> Any:
    watches = Watches()
    watches.senders = senders
    watches.sender = watches.words = None
    if sender is not None:
        is_method = type(sender) is MethodType
        try:
            watches.sender = ref(sender.__self__ if is_method else sender, lambda _: forget(senders, sender_id))
        except TypeError:
            watches.sender = None
        if is_method or watches.sender is None:
            watches.words = describe_sender(sender)
    return senders.setdefault(sender_id, watches)


def notes_of(receiver: Receiver) -> Notes | Description:
    """Return what it takes to describe a receiver once it is dead: its words only where they cannot be made later."""
    target: Any = receiver
    partials = 0
    while True:
        kind = type(target)
        if kind is partial and partials < MOST_STEPS:
            partials += 1
            target = target.func
        elif kind is MethodType:
            target = target.__func__
        elif kind is not FunctionType or (written := _written(target)) is None:
            return describe(receiver)
        else:
            return partials, target.__module__, target.__qualname__, written


def _written(function: FunctionType) -> CodeType | None:
    """Return the code below a function's decorators, if these are functions as well."""
    steps = 0
    while hasattr(function, "__wrapped__") and steps < MOST_STEPS:
        steps += 1
        function = function.__wrapped__
        if type(function) is not FunctionType:
            return None
    return function.__code__ if steps < MOST_STEPS else None


def description_of(notes: Notes | Description) -> Description:
    """Return what describe() said, or would have said, of a receiver."""
    if isinstance(notes, Description):
        return notes
    partials, module, name, code = notes
    if type(module) is str and module != "builtins":
        name = f"{module}.{name}"
    name = "functools.partial(" * partials + name + ")" * partials
    is_known = type(code) is CodeType  # PyPy has functions of C that have another
    return Description(name, code.co_filename if is_known else None, code.co_firstlineno if is_known else None)


def note_death(watch: Watch, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Note that a receiver died, unless it was called or disconnected before, or its signal or sender dies as well.

    Runs at any time: so it takes no lock. What may fail, or run anybody's code, comes last.
    """
    if is_finalizing():  # then modules are being emptied
        return
    watches = watch.watches
    signal = watches.senders.signal()
    sender = None if watches.sender is None else watches.sender()
    if not take_off(watch) or signal is None:
        return
    stop_asking()
    entry = entry_of(signal, watch.key)
    if entry is None or (sender is None and watches.sender is not None):
        return
    death = NeverCalled(signal, entry, watch, watches.words or describe_sender(sender))
    deaths = _collected.get(signal)
    if deaths is None:
        _collected.keep(signal, deaths := {})
    deaths[death.place] = death
    for trace in _blocks.traces.opened:
        if not any(other.signal is signal and other.place == death.place for other in trace.never_called):
            trace.never_called.append(death)
    if _blocks.is_dispatched(signal):  # or else others send it, of whom nothing is known
        warn(warning_of(death, is_method=type(watch.receiver_id) is tuple), watch.place)


def warning_of(death: NeverCalled, is_method: bool) -> str:
    written = "" if death.file is None else f" ({death.file}:{death.line})"
    held = "its object" if is_method else "it"
    return (
        f"The receiver {death.receiver}{written} was collected before it was ever called: nothing held {held} but the "
        f"signal, which holds it weakly. Keep a reference to {held}, or connect it with weak=False."
    )


def entry_of(signal: Any, key: Any) -> Entry | None:
    """Return the entry of a signal's list that has this very key."""
    receivers = signal.receivers
    for entry in receivers[:] if isinstance(receivers, list) else ():
        if type(entry) is tuple and entry[0] is key:
            return entry
    return None


def forget(senders: Senders, sender_id: Any) -> None:
    """Watch those of a sender no longer, as it died. Runs at any time: so it takes no lock."""
    watches = senders.pop(sender_id, None)
    if watches:
        watches.clear()  # as they refer to it
        stop_asking()


def take_off(watch: Watch) -> bool:
    """Watch a receiver no longer. Returns whether it was, and no other thread came first."""
    return watch.watches.pop(id(watch), None) is not None


def note_disconnected(signal: Any, key: tuple[Any, Any]) -> None:
    """Take off whom a signal does not have any more, by what the connection was known by.

    Sends go on asking even if nobody else is watched: to end that takes longer than all this, and others follow.
    """
    senders = uncalled.known.get(id(signal))
    watches = None if senders is None else senders.get(key[1])
    if watches:
        for number, each in watches.copy().items():
            if each.key == key:
                watches.pop(number, None)


def is_awaited(signal: Any, sender: object) -> bool:
    """Return whether a send could reach somebody who is watched."""
    senders = uncalled.get(signal)
    return senders is not None and bool(senders.get(NONE_ID) or senders.get(identity(sender)))


def note_called(signal: Any, sender: object, receivers: Iterable[Receiver]) -> None:
    """Take off whom a send is about to call."""
    senders = uncalled.get(signal) or {}
    found_under = [senders.get(sender_id, {}).copy() for sender_id in (NONE_ID, identity(sender))]
    awaited = [each for watches in found_under for each in watches.values()]
    if awaited:
        known_as = [identities(receiver) for receiver in receivers]
        called = {number for numbers in known_as for number in numbers}
        found = [each for each in awaited if each.receiver_id in called]
        # Whoever chooses the receivers in a way of his own may have put anything in the place of any of them.
        if len(found) < len(awaited) and not _are_connected(signal, known_as):
            found = awaited
        for each in found:
            take_off(each)
    stop_asking()


def _are_connected(signal: Any, known_as: list[list[Any]]) -> bool:
    """Return whether each receiver that is known as this is connected, or wraps one that is."""
    connected = set()
    for entry in signal.receivers[:] if isinstance(signal.receivers, list) else ():
        if type(entry) is tuple and len(entry) > 1:
            receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
            connected.add(receiver_identity(receiver))
    return all(not connected.isdisjoint(numbers) for numbers in known_as)


def never_called(signal: Any) -> list[NeverCalled]:
    """Return the weak receivers of a signal that were collected uncalled: those that are written at one place once."""
    return list((_collected.get(signal) or {}).values())
