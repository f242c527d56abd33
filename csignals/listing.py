"""``list_receivers()`` and a signal's ``repr()``: which receivers are connected to a signal.

No send uses this module. It reads the entries of ``signal.receivers`` in the form of any supported Django version, and
leaves out the entries by which no send could call a receiver.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any
from weakref import ReferenceType

from csignals._dispatch import SignalBase
from csignals._dispatch.common import NONE_ID
from csignals._introspection.attributes import attribute, module_of_class
from csignals._introspection.naming import describe, describe_sender, dotted_name, layers
from csignals._introspection.signal_names import name_of
from csignals._scopes import receiver_identity
from csignals.devmode import NeverCalled, never_called

SHOWN = 3  # receivers in a repr()
RUNS = "_csignals_runs"  # the attribute that the decorators of csignals.deferred set on a receiver


@dataclass(frozen=True)
class ReceiverInfo:
    """A connection of a receiver to a signal. A receiver that is connected twice has two."""

    #: The receiver's dotted name; for an object without a name, that of its class; for a partial, with its function.
    receiver: str
    #: The file and line where the receiver is written; None if it is not written in Python.
    file: str | None
    line: int | None
    #: The sender's dotted name, a string itself, or the class of an object without a name. None for any sender.
    sender: str | None
    #: Whether the signal holds the receiver weakly.
    is_weak: bool
    #: Whether the receiver is awaited. Under Django 4.2, none is.
    is_async: bool
    #: The dispatch uid, or None.
    dispatch_uid: Any
    #: Whether the receiver was collected before any send called it. Known in development only.
    is_collected: bool = False
    #: "after the commit" or "deferred", for a receiver of csignals.deferred; None for a receiver that the send runs.
    runs: str | None = None

    def __str__(self) -> str:
        place = f" at {self.file}:{self.line}" if self.file else ""
        sender = "any sender" if self.sender is None else self.sender
        kinds = f"{'weak' if self.is_weak else 'strong'}, {'async' if self.is_async else 'sync'}"
        runs = "" if self.runs is None else f", {self.runs}"
        uid = "" if self.dispatch_uid is None else f", dispatch_uid={describe_uid(self.dispatch_uid)}"
        collected = ", collected and never called" if self.is_collected else ""
        return f"{self.receiver}{place}, for {sender}, {kinds}{runs}{uid}{collected}"


def list_receivers(signal: Any) -> list[ReceiverInfo]:
    """Return the receivers of a signal of csignals or Django, in the order in which a send calls them.

    This is the order of connection, with sync receivers before async ones. Dead receivers are left out. In Python's
    development mode and under Django's DEBUG, the list ends with the weak receivers that were collected before any send
    called them (`is_collected`): the program did not keep a reference to them.

    An override of ``_live_receivers`` is not called, so its choice is not shown. Raises TypeError for an object that is
    not a signal. Thread-safe.
    """
    if not issubclass(type(signal), signal_classes()):
        raise TypeError(f"list_receivers() takes a signal, not {dotted_name(type(signal))}")
    return lists_of([signal])[0]


def lists_of(signals: Iterable[Any]) -> list[list[ReceiverInfo]]:
    """Return the receivers of each signal. Searches once for all senders of which only the id is known."""
    signals = list(signals)
    lists = [_live_connections(signal) for signal in signals]
    senders = _find_senders({each.sender_id for connections in lists for each in connections if each.sender is None})
    return [
        [each.info(senders) for each in connections] + [_info_of_collected(each) for each in never_called(signal)]
        for signal, connections in zip(signals, lists, strict=True)
    ]


def _info_of_collected(death: NeverCalled) -> ReceiverInfo:
    return ReceiverInfo(
        receiver=death.receiver,
        file=death.file,
        line=death.line,
        sender=death.sender,
        is_weak=True,
        is_async=death.is_async,
        dispatch_uid=death.dispatch_uid,
        is_collected=True,
    )


def signal_classes() -> tuple[type, ...]:
    """Return the base class of csignals' signals, and Django's ``Signal`` if Django is loaded."""
    dispatcher = sys.modules.get("django.dispatch.dispatcher")
    found = getattr(dispatcher, "Signal", None)
    return (SignalBase, found) if isinstance(found, type) else (SignalBase,)


def represent(signal: Any) -> str:
    """Return a signal's ``repr()``: its name, and its first receivers. Raises nothing."""
    try:
        start = f"<{type(signal).__name__} {name_of(signal) or f'at {id(signal):#x}'}"
        connections = _live_connections(signal)
        names = ", ".join([describe(each.receiver).name for each in connections[:SHOWN]])
    except Exception:  # a subclass may do anything
        return object.__repr__(signal)
    if not connections:
        return f"{start}: no receivers>"
    more = f" and {len(connections) - SHOWN} more" if len(connections) > SHOWN else ""
    return f"{start}: {len(connections)} receiver{'s' if len(connections) > 1 else ''} ({names}{more})>"


def describe_uid(uid: Any) -> str:
    """Return the ``repr()`` of a dispatch uid that is a plain value, and a description of any other."""
    if type(uid) is tuple:
        return f"({', '.join(map(describe_uid, uid))})"
    return repr(uid) if type(uid) in (str, bytes, int, float, bool, type(None)) else str(describe_sender(uid))


# --- Entries -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Connection:
    """The content of an entry of ``signal.receivers`` whose receiver and sender are alive."""

    receiver: Any
    uid: Any  # the dispatch uid, or the id of the receiver
    sender: Any  # None if only its id is known, and for any sender
    sender_id: Any  # for a bound method, the id of its function
    is_weak: bool
    is_async: bool

    def info(self, senders: dict[Any, Any]) -> ReceiverInfo:
        sender = senders.get(self.sender_id) if self.sender is None else self.sender
        description = describe(self.receiver)
        return ReceiverInfo(
            receiver=description.name,
            file=description.file,
            line=description.line,
            sender=f"id {self.sender_id}" if sender is None and self.sender_id != NONE_ID else describe_sender(sender),
            is_weak=self.is_weak,
            is_async=self.is_async,
            dispatch_uid=None if self._is_own_uid() else self.uid,
            runs=_runs(self.receiver),
        )

    def _is_own_uid(self) -> bool:
        own = receiver_identity(self.receiver)
        try:
            return type(own) is type(self.uid) and bool(own == self.uid)
        except Exception:  # from the __eq__ of an item of a tuple
            return False


def _runs(receiver: Any) -> str | None:
    """Return the mark that a decorator of csignals.deferred set on a receiver or on a function that it wraps."""
    try:
        return next((runs for layer in layers(receiver) if type(runs := attribute(layer, RUNS)) is str), None)
    except Exception:  # from a property of the receiver
        return None


def _live_connections(signal: Any) -> list[_Connection]:
    """Return the live connections of a signal, in the order of a send."""
    receivers = getattr(signal, "receivers", None)
    if not isinstance(receivers, (list, tuple)):
        return []
    connections = [each for each in map(_read, list(receivers)) if each is not None]
    return sorted(connections, key=lambda each: each.is_async)


def _read(entry: Any) -> _Connection | None:
    """Read an entry in any of the three forms that `csignals._dispatch.common.Entry` has."""
    try:
        (uid, sender_id), receiver, *rest = entry
        sender_ref = rest[0] if len(rest) > 1 else None
        sender = None if sender_ref is None else sender_ref()
        is_weak = issubclass(type(receiver), ReferenceType)
        receiver = receiver() if is_weak else receiver
        if receiver is None or (sender is None and sender_ref is not None):
            return None
        if type(sender_id) is tuple:
            _, sender_id = sender_id
        hash(sender_id)
        return _Connection(receiver, uid, sender, sender_id, is_weak, is_async=bool(rest and rest[-1]))
    except Exception:  # other code has put an object there that is not an entry
        return None


def _find_senders(ids: set[Any]) -> dict[Any, Any]:
    """Return the possible senders that have these ids. Before Django 6.0, an entry has only the id of the sender."""
    if ids <= {NONE_ID}:
        return {}
    return {id(each): each for each in gc.get_objects() if id(each) in ids and _may_send(type(each))}


def _may_send(kind: type) -> bool:
    """Return whether objects of a class may be senders. A dict or list rather has the id of a sender that has died."""
    if module_of_class(kind) == "builtins":
        return issubclass(kind, (type, FunctionType, ModuleType))
    return kind is not _Connection
