"""``connected()``: a receiver that is connected for the length of a block, and a list that is then as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import ReferenceType

from csignals._dispatch import make_key
from csignals._dispatch.common import Entry, Receiver
from csignals._introspection.naming import describe
from csignals._scopes import receiver_identity
from csignals.testing.assertions import shown

_open = []  # type: list[connected]


class connected:  # noqa: N801  # used like a function
    """Connect `receiver` to `signal` for the length of a ``with`` or ``async with`` block, which gives it back.

    The signal holds the receiver, so that a lambda will do. `sender` and `dispatch_uid` are ``connect``'s; for a
    model signal of Django's the sender may be ``"app.Model"``, also of a model that is yet to come. Signals may be
    csignals' or Django's, whether csignals dispatches those or not.

    Afterwards this connection is gone, and every other one is in its place. A receiver that was connected before
    stays so: in its old place, even if it was disconnected in the block, or disconnected and connected again.
    Connections that others made or ended meanwhile stay made or ended. Blocks may nest and overlap.

    Raises what ``connect`` raises, and ValueError if another receiver has the `dispatch_uid`; RuntimeError if it
    is entered while it is open. Thread-safe.
    """

    def __init__(self, signal: Any, receiver: Receiver, sender: object = None, dispatch_uid: object = None) -> None:
        self._signal = signal
        self._receiver = receiver
        self._given_sender = sender
        self._dispatch_uid = dispatch_uid

    def __enter__(self) -> Receiver:
        if self in _open:
            raise RuntimeError("this connection is open already")
        self._key: tuple[Any, Any] | None = None  # once there is a connection
        self._own: Entry | None = None  # the entry that is ours
        self._earlier: Entry | None = None  # or the one that was there before us
        self._predecessors: list[Entry] = []
        _open.append(self)
        try:
            _with_sender(self._signal, self._given_sender, self._connect)
        except BaseException:
            _open.remove(self)
            raise
        return self._receiver

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        _open.remove(self)
        if self._key is None:
            return
        if self._earlier is not None:
            if self._entry(self._key) is not self._earlier:
                self._put_back(self._earlier)
            return
        if self._own is not None:
            for other in tuple(_open):
                if other._earlier is self._own:  # so that it is for the other to end it
                    other._own, other._earlier = self._own, None
                    return
            if self._entry(self._key) is not self._own:
                return
        self._signal.disconnect(self._receiver, sender=self._sender, dispatch_uid=self._dispatch_uid)

    async def __aenter__(self) -> Receiver:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def _connect(self, sender: object) -> None:
        if self not in _open:
            return  # the model has come after the block
        key = make_key(self._receiver, sender, self._dispatch_uid)
        before = self._entries()
        self._signal.connect(self._receiver, sender=sender, weak=False, dispatch_uid=self._dispatch_uid)
        entry = self._entry(key)
        for index, other in enumerate(before):
            if other is entry:
                self._check(entry)
                self._earlier, self._predecessors = entry, before[:index]
                break
        else:
            self._own = entry  # None if the class of the signal keeps its receivers in a way of its own
        self._key, self._sender = key, sender

    def _check(self, entry: Entry) -> None:
        receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
        if receiver_identity(receiver) != receiver_identity(self._receiver):
            uid = shown(self._dispatch_uid)
            raise ValueError(f"another receiver has the dispatch_uid {uid}: {describe(receiver).name}")

    def _entries(self) -> list[Entry]:
        return list(self._signal.receivers or ())

    def _entry(self, key: tuple[Any, Any]) -> Entry | None:
        return next((entry for entry in self._entries() if entry[0] == key), None)

    def _put_back(self, entry: Entry) -> None:
        predecessors = set(map(id, self._predecessors))
        signal = self._signal
        while True:
            # As look_up() does it: comparing keys may run anybody's code, and so is done without the lock.
            receivers = signal.receivers
            now = list(receivers or ())
            changed = [other for other in now if other[0] != self._key]
            places = [index for index, other in enumerate(changed, 1) if id(other) in predecessors]
            changed.insert(max(places, default=0), entry)
            with signal.lock:
                if signal.receivers is receivers and (receivers or []) == now:
                    signal.receivers = changed
                    signal.sender_receivers_cache.clear()
                    return


def _with_sender(signal: Any, sender: object, function: Callable[[object], None]) -> None:
    """Call a function with the sender: with the model, once it is there, where the sender is the name of one."""
    signals = sys.modules.get("django.db.models.signals")
    if isinstance(sender, str) and signals is not None and isinstance(signal, signals.ModelSignal):
        from django.apps import apps
        from django.db.models.utils import make_model_tuple

        apps.lazy_model_operation(function, make_model_tuple(sender))
    else:
        function(sender)
