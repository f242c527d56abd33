"""Weak receivers that no send has reached: that one of them dies is worth knowing, as somebody meant it to be called.

They are watched in development only (see _watching.py). While there are any, each send asks whether its signal has one
for its sender, and if so takes off whom it reaches. Sends that csignals has no part in are not known of.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType
from weakref import ReferenceType, ref

from csignals import _blocks, _watching
from csignals._blocks import identities, identity
from csignals._dispatch_py import NONE_ID
from csignals._names import Description, Memo, describe, describe_sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any, TypeAlias

    from csignals._dispatch_py import Entry, Receiver

    #: Of a function: the number of partials around it, its module, its qualified name, and the code that was written.
    Notes: TypeAlias = tuple[int, Any, str, CodeType]


def stop_asking(is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Have sends ask here no longer if nobody is watched. Runs at any time: so it waits for no lock."""
    if not is_finalizing() and not uncalled.known:
        _blocks.update(wait=False)


#: Those that are watched, of each signal by the id of the sender, then by their own. The compiled engine looks here by
#: itself.
uncalled = Memo(after_death=stop_asking)
_collected = Memo()     # those that died, of each signal by what they are called


class NeverCalled:
    """A weak receiver that was collected, and its connection with it, before any send had reached it."""

    __slots__ = ("dispatch_uid", "file", "is_async", "line", "receiver", "sender", "signal")

    def __init__(self, signal: Any, watch: Watch) -> None:
        description = watch.description()
        #: The signal itself.
        self.signal = signal
        #: What the receiver was connected under, if not under itself.
        self.dispatch_uid = watch.dispatch_uid()
        self.is_async = watch.is_async
        #: The receiver's dotted name, and where it is written, as far as it says.
        self.receiver = description.name
        self.file = description.file
        self.line = description.line
        #: The sender that it was connected to, in words, or None.
        self.sender = watch.sender

    @property
    def place(self) -> tuple[Any, ...]:
        """What is known of it once, however often it happens."""
        return self.receiver, self.file, self.line, self.sender


class Watch(ref):   # type: ignore[type-arg]  # subscribing it takes an import
    """A reference to a receiver, or to a method's object, that is waited for to be called, or to die.

    It notes little: a connect is frequent, and a death is not. All the references in it have callbacks, as Python 3.15
    clears the others, of what is collected together, only after those are called. It keeps nothing that could hold the
    receiver.
    """

    __slots__ = (
        "is_async", "is_method", "key", "notes", "place", "receiver_id", "sender", "sender_reference", "signal",
    )  # fmt: skip

    signal: ReferenceType[Any]
    sender_reference: ReferenceType[Any] | None     # None for any sender, and for one that has no weak references
    key: tuple[Any, Any]
    receiver_id: Any
    is_async: bool
    is_method: bool
    sender: str | None
    notes: Notes | Description
    place: _watching.Place

    def description(self) -> Description:
        """Return what the receiver was called, and where it is written: what describe() said of it."""
        if isinstance(self.notes, Description):
            return self.notes
        partials, module, name, code = self.notes
        if type(module) is str and module != "builtins":
            name = f"{module}.{name}"
        name = "functools.partial(" * partials + name + ")" * partials
        return Description(name, code.co_filename, code.co_firstlineno)

    def dispatch_uid(self) -> Any:
        uid = self.key[0]
        return None if type(uid) is type(self.receiver_id) and uid == self.receiver_id else uid


def note_death(watch: Watch, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Note that a receiver died, unless it was called or disconnected before, or its signal or sender dies as well.

    Runs at any time: so it takes no lock. What may fail, or run anybody's code, comes last.
    """
    if is_finalizing():     # then modules are being emptied
        return
    signal, sender = watch.signal(), watch.sender_reference
    is_of_dead_sender = sender is not None and sender() is None
    if signal is None or not take_off(signal, watch):
        return
    stop_asking()
    if is_of_dead_sender or not is_connected(signal, watch.key):
        return
    death = NeverCalled(signal, watch)
    deaths = _collected.get(signal)
    if deaths is None:
        _collected.keep(signal, deaths := {})
    deaths[death.place] = death
    for trace in _blocks.traces.opened:
        if not any(other.signal is signal and other.place == death.place for other in trace.never_called):
            trace.never_called.append(death)
    if _blocks.is_dispatched(signal):   # or else others send it, of whom nothing is known
        _watching.warn(warning_of(death, watch.is_method), watch.place)


def warning_of(death: NeverCalled, is_method: bool) -> str:
    written = "" if death.file is None else f" ({death.file}:{death.line})"
    held = "its object" if is_method else "it"
    return (
        f"The receiver {death.receiver}{written} was collected before it was ever called: nothing held {held} but the "
        f"signal, which holds it weakly. Keep a reference to {held}, or connect it with weak=False."
    )


def watch(signal: Any, entry: Entry, receiver: Receiver, sender: object) -> None:
    """Watch a receiver that was just connected weakly, by this entry. To be called by ``connect`` itself."""
    target: Any = receiver
    receiver_id = identity(receiver)
    if type(receiver) is MethodType:
        target = receiver.__self__
    elif hasattr(receiver, "__self__") and hasattr(receiver, "__func__"):   # it passes for one
        target = receiver.__self__
        receiver_id = identities(receiver)[0]
    each = Watch(target, note_death)
    each.signal = ref(signal, ignore)
    each.key = key = entry[0]
    each.receiver_id = receiver_id
    each.is_async = len(entry) > 2 and bool(entry[-1])
    each.is_method = target is not receiver
    each.notes = notes_of(receiver)
    each.place = _watching.calling_place(sys._getframe(1))
    each.sender = describe_sender(sender)
    each.sender_reference = None if sender is None else _sender_reference(each, sender)
    senders = uncalled.get(signal)
    if senders is None:
        uncalled.keep(signal, senders := {})
    senders.setdefault(key[1], {})[id(each)] = each
    if not _blocks.is_asked:
        _blocks.update()


def _sender_reference(watch: Watch, sender: Any) -> ReferenceType[Any] | None:
    target = sender.__self__ if type(sender) is MethodType else sender
    try:
        return ref(target, lambda _: forget(watch))
    except TypeError:
        return None


def notes_of(receiver: Receiver) -> Notes | Description:
    """Return what it takes to describe a receiver once it is dead: its words only where they cannot be made later."""
    target: Any = receiver
    partials = 0
    for _ in range(100):    # as it may go round in a circle
        kind = type(target)
        if kind is partial:
            partials += 1
            target = target.func
        elif kind is MethodType:
            target = target.__func__
        elif kind is not FunctionType or (written := _written(target)) is None:
            break
        else:
            return partials, target.__module__, target.__qualname__, written
    return describe(receiver)


def _written(function: FunctionType) -> CodeType | None:
    """Return the code below a function's decorators, if these are functions as well."""
    for _ in range(100):
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is None:
            return function.__code__
        if type(wrapped) is not FunctionType:
            break
        function = wrapped
    return None


def ignore(reference: object) -> None:
    """Be the callback of a reference that needs one for no other reason than to be cleared in time."""


def forget(watch: Watch) -> None:
    """Watch a receiver no longer, as its sender died. Runs at any time: so it takes no lock."""
    signal = watch.signal()
    if signal is not None and take_off(signal, watch):
        stop_asking()


def take_off(signal: Any, watch: Watch) -> bool:
    """Watch a receiver no longer. Returns whether it was."""
    sender_id = watch.key[1]
    senders = uncalled.get(signal) or {}
    watches = senders.get(sender_id, {})
    if watches.pop(id(watch), None) is None:    # it was not, or another thread came first
        return False
    watch.sender_reference = None   # which holds the watch
    if not watches:
        senders.pop(sender_id, None)
    if not senders:
        uncalled.forget(signal)
    return True


def is_connected(signal: Any, key: Any) -> bool:
    receivers = signal.receivers
    return isinstance(receivers, list) and any(type(entry) is tuple and entry[0] is key for entry in receivers[:])


def note_disconnected(signal: Any, key: tuple[Any, Any]) -> None:
    """Take off whom a signal does not have any more, by what the connection was known by."""
    watches = (uncalled.get(signal) or {}).get(key[1])
    if watches:
        for each in watches.copy().values():
            if each.key == key:     # sends go on asking: to end that takes longer than all this, and others follow
                take_off(signal, each)


def is_awaited(signal: Any, sender: object) -> bool:
    """Return whether a send could reach somebody who is watched."""
    senders = uncalled.get(signal)
    return senders is not None and (NONE_ID in senders or identity(sender) in senders)


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
            take_off(signal, each)
    stop_asking()


def _are_connected(signal: Any, known_as: list[list[Any]]) -> bool:
    """Return whether each receiver that is known as this is connected, or wraps one that is."""
    connected = set()
    for entry in signal.receivers[:] if isinstance(signal.receivers, list) else ():
        if type(entry) is tuple and len(entry) > 1:
            receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
            connected.update(identities(receiver)[:1])
    return all(not connected.isdisjoint(numbers) for numbers in known_as)


def is_anybody_watched() -> bool:
    return bool(uncalled.known)


_blocks.reasons.append(is_anybody_watched)


def never_called(signal: Any) -> list[NeverCalled]:
    """Return the weak receivers of a signal that were collected uncalled: those that are written at one place once."""
    return list((_collected.get(signal) or {}).values())
