"""``connected()``: connect a receiver while a block runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import takewhile
from typing import Any
from weakref import ReferenceType

from csignals._dispatch import make_key
from csignals._dispatch.common import Receiver
from csignals._introspection.naming import describe
from csignals._scopes import receiver_identity
from csignals.testing.assertions import shown


class connected:  # noqa: N801  # used like a function
    """Connect `receiver` to `signal` while a ``with`` or ``async with`` block runs, which gets the receiver.

    The signal holds the receiver, so a lambda will do. `sender` and `dispatch_uid` are those of ``connect``. For one of
    Django's model signals the sender may be ``"app.Model"``, even if that model is loaded later. The signal may be one
    of csignals or of Django, whether csignals dispatches it or not.

    The end of the block disconnects the receiver. A receiver that was connected before stays connected: if the block
    disconnected it, the earlier connection is put back in its place. Other connections are left alone. Blocks may nest
    and overlap, but those that connect the same receiver to the same signal and sender must nest.

    Raises what ``connect`` raises; ValueError if another receiver has the `dispatch_uid`; RuntimeError if the block
    is entered while it runs. Thread-safe.
    """

    def __init__(self, signal: Any, receiver: Receiver, sender: object = None, dispatch_uid: object = None) -> None:
        self._signal = signal
        self._receiver = receiver
        self._given_sender = sender
        self._dispatch_uid = dispatch_uid
        self._is_open = False

    def __enter__(self) -> Receiver:
        if self._is_open:
            raise RuntimeError("this connection is open already")
        self._is_open, self._is_connected = True, False
        try:
            _with_sender(self._signal, self._given_sender, self._connect)
        except BaseException:
            self._is_open = False
            raise
        return self._receiver

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._is_open = False
        if self._is_connected and self._is_in_list() != self._was_connected:
            if self._signal.receivers is not None:  # Django's disconnect() needs a list
                self._signal.disconnect(self._receiver, sender=self._sender, dispatch_uid=self._dispatch_uid)
            if self._was_connected:
                self._put_back()

    async def __aenter__(self) -> Receiver:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def _connect(self, sender: object) -> None:
        if self._is_connected or not self._is_open:
            return  # the model is loaded after the block, or while the same block runs again
        key = make_key(self._receiver, sender, self._dispatch_uid)
        before = list(self._signal.receivers or ())
        self._signal.connect(self._receiver, sender=sender, weak=False, dispatch_uid=self._dispatch_uid)
        # The entry is None if the signal's class puts something else in the receiver's place.
        self._entry = next((entry for entry in self._signal.receivers or () if entry[0] == key), None)
        self._predecessors = list(takewhile(lambda entry: entry is not self._entry, before))
        self._was_connected = len(self._predecessors) < len(before)
        if self._was_connected:
            self._check(self._entry)
        self._sender = sender
        self._is_connected = True

    def _check(self, entry: Any) -> None:
        receiver = entry[1]() if isinstance(entry[1], ReferenceType) else entry[1]
        if receiver_identity(receiver) != receiver_identity(self._receiver):
            uid = shown(self._dispatch_uid)
            raise ValueError(f"another receiver has the dispatch_uid {uid}: {describe(receiver).name}")

    def _is_in_list(self) -> bool:
        return self._entry is None or any(entry is self._entry for entry in self._signal.receivers or ())

    def _put_back(self) -> None:
        signal, predecessors = self._signal, set(map(id, self._predecessors))
        with signal.lock:
            if not self._is_in_list():
                receivers: list[Any] = list(signal.receivers or ())
                places = [place for place, entry in enumerate(receivers, 1) if id(entry) in predecessors]
                receivers.insert(max(places, default=0), self._entry)
                signal.receivers = receivers
                signal.sender_receivers_cache.clear()


def _with_sender(signal: Any, sender: object, function: Callable[[object], None]) -> None:
    """Call a function with the sender, or with the model that a model signal's sender names, once that is loaded."""
    signals = sys.modules.get("django.db.models.signals")
    if isinstance(sender, str) and signals is not None and isinstance(signal, signals.ModelSignal):
        from django.apps import apps
        from django.db.models.utils import make_model_tuple

        apps.lazy_model_operation(function, make_model_tuple(sender))
    else:
        function(sender)
