"""What is connected to a signal, to be read: as data by ``list_receivers()``, and in a signal's ``repr()``.

Nothing here is part of a send. Entries are read in the shapes that any Django gives them; those that no send could
reach anybody by are left out.
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
RUNS = "_csignals_runs"  # what the decorators of csignals.deferred leave on a receiver


@dataclass(frozen=True)
class ReceiverInfo:
    """A receiver as it is connected to a signal: one that is connected twice has two of these."""

    #: Its dotted name. What has none is called by its class, a partial by what it is made of.
    receiver: str
    #: Where it is written; None for what is not written in Python.
    file: str | None
    line: int | None
    #: The dotted name of its sender; a string is its own, what has none is called by its class. None for any sender.
    sender: str | None
    #: Whether the signal does not keep it alive.
    is_weak: bool
    #: Whether it is awaited; Django 4.2 awaits none.
    is_async: bool
    #: What it was connected under, if not under itself.
    dispatch_uid: Any
    #: Whether it is gone: a weak receiver that was collected, and that no send had reached. Known in development only.
    is_collected: bool = False
    #: "after the commit" or "deferred", for what csignals.deferred runs then or in a worker; None for what a send runs.
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
    """Return the receivers of a signal, be it csignals' or Django's, in the order in which a send calls them.

    That is the order of connection, sync receivers before async ones; those that are dead are left out. In Python's
    development mode and Django's DEBUG there come after them, as `is_collected`, the weak receivers that died while
    they were connected, and had never been called: somebody forgot to hold them.

    Whom an override of ``_live_receivers`` chooses is not known here. Raises TypeError for what is no signal.
    Thread-safe.
    """
    if not issubclass(type(signal), signal_classes()):
        raise TypeError(f"list_receivers() takes a signal, not {dotted_name(type(signal))}")
    return lists_of([signal])[0]


def lists_of(signals: Iterable[Any]) -> list[list[ReceiverInfo]]:
    """Return the receivers of each of several signals, after one search for senders that only their ids tell."""
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
    """Return csignals' class and Django's, if that is loaded."""
    dispatcher = sys.modules.get("django.dispatch.dispatcher")
    found = getattr(dispatcher, "Signal", None)
    return (SignalBase, found) if isinstance(found, type) else (SignalBase,)


def represent(signal: Any) -> str:
    """Return a signal's ``repr()``: what it is called, and its first receivers. Raises nothing."""
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
    """Return the ``repr()`` of a dispatch uid, as far as it is that of a plain value."""
    if type(uid) is tuple:
        return f"({', '.join(map(describe_uid, uid))})"
    return repr(uid) if type(uid) in (str, bytes, int, float, bool, type(None)) else str(describe_sender(uid))


# --- Entries -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Connection:
    """What an entry of a signal's list says, while its receiver and its sender live."""

    receiver: Any
    uid: Any  # what stands for the receiver in the key
    sender: Any  # None where only its id is known, or where there is none
    sender_id: Any  # that of the function for a bound method
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
        except Exception:  # of an item's __eq__
            return False


def _runs(receiver: Any) -> str | None:
    """Return what a decorator of csignals.deferred has left on a receiver, or on what is below other decorators."""
    try:
        return next((runs for layer in layers(receiver) if type(runs := attribute(layer, RUNS)) is str), None)
    except Exception:  # of somebody's property
        return None


def _live_connections(signal: Any) -> list[_Connection]:
    """Return what is connected to a signal and alive, in the order of a send."""
    receivers = getattr(signal, "receivers", None)
    if not isinstance(receivers, (list, tuple)):
        return []
    connections = [each for each in map(_read, list(receivers)) if each is not None]
    return sorted(connections, key=lambda each: each.is_async)


def _read(entry: Any) -> _Connection | None:
    """Return what an entry says: ``(key, receiver)``, ``(key, receiver, is_async)`` or one with a sender between."""
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
    except Exception:  # somebody has put there what is no entry
        return None


def _find_senders(ids: set[Any]) -> dict[Any, Any]:
    """Return the objects that have these ids, as far as they could be senders: before 6.0, Django keeps no more."""
    if ids <= {NONE_ID}:
        return {}
    return {id(each): each for each in gc.get_objects() if id(each) in ids and _may_send(type(each))}


def _may_send(kind: type) -> bool:
    """Return whether this is no dict or the like, which more likely has the id of a sender that is gone."""
    if module_of_class(kind) == "builtins":
        return issubclass(kind, (type, FunctionType, ModuleType))
    return kind is not _Connection
