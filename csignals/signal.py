"""``Signal`` and ``receiver()``: what an entry is made of. How entries are kept and called is the engine's affair."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from weakref import ReferenceType, WeakMethod, ref

from csignals import _dispatch, _watching, aio
from csignals._dispatch import add_entry, code_flags, make_key, put_receivers, remove_entry
from csignals._dispatch_py import Entry, Held, Receiver, is_alive
from csignals._names import Memo
from csignals._signal_names import making_module, name_of
from csignals._typing import Any, F
from csignals._uncalled import note_disconnected, uncalled, watch

# As in `inspect`, which takes long to import.
CO_VARKEYWORDS = 0x08
CO_COROUTINE = 0x80


class Signal(_dispatch.SignalBase):
    """Something that senders say has happened, and that receivers are told.

    API and semantics are those of ``django.dispatch.Signal`` in Django 6.1. Every method may be called from
    any thread, from a receiver, and from a finalizer. ``use_caching`` is taken for Django's sake: the
    routing table makes every signal faster than a cached one. ``name`` is for people: without one, a signal goes by
    the name under which it stands in its module. Raises TypeError for a name that is no string.

    Semi-public, as in Django: ``receivers`` (the list that decides who is called; it may be assigned and
    mutated), ``lock`` (held while a method changes that list; reentrant), ``sender_receivers_cache``
    (empty, as there is nothing to clear), ``_live_receivers``, ``_clear_dead_receivers`` and
    ``_log_robust_failure``.
    """

    # Python's slots can be empty, as mock.patch.object() wants; the Python engine needs none.
    __slots__ = (
        ("_csignals_module", "_csignals_name", "lock", "sender_receivers_cache", "use_caching")
        if _dispatch.IMPLEMENTATION == "cython"
        else ()
    )

    receivers: list[Entry]

    def __init__(self, use_caching: bool = False, *, name: str | None = None) -> None:
        put_receivers(self, [])
        self.lock = threading.RLock()
        self.use_caching = use_caching
        self.sender_receivers_cache: dict[Any, Any] = {}
        self._dead_receivers = False
        self._csignals_module = making_module()
        if name is not None:  # a subclass may have a name of its own
            self._csignals_name = _checked_name(name)

    @property
    def name(self) -> str | None:
        """The name that the signal was given, or the dotted one under which it is found in its module, or None.

        It is looked up when it is first asked for, and then kept; while it is not found, each time. It can be set, to
        a str or None. Thread-safe.
        """
        return name_of(self)

    @name.setter
    def name(self, name: str | None) -> None:
        self._csignals_name = _checked_name(name)

    def __repr__(self) -> str:
        try:
            from csignals.listing import represent
        except Exception:  # while the interpreter shuts down
            return object.__repr__(self)
        return represent(self)

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        # Some are in slots of the compiled base class, where copy.copy() does not look.
        public = "receivers", "lock", "use_caching", "sender_receivers_cache"
        names = *public, "_dead_receivers", "_csignals_module", "_csignals_name"
        return self.__dict__, {name: getattr(self, name) for name in names if hasattr(self, name)}

    asend = aio.asend
    asend_robust = aio.asend_robust

    def connect(
        self, receiver: Receiver, sender: object = None, weak: bool = True, dispatch_uid: object = None
    ) -> None:
        """Connect `receiver`, a callable that takes keyword arguments, to `sender`, or to any sender.

        By default the signal keeps only a weak reference to the receiver: a lambda, a local function or a
        method of a temporary object is gone again unless something else holds it. With ``weak=False`` the
        signal holds it. A receiver that is already connected to this sender, or any receiver under the same
        `dispatch_uid`, is not added twice. A connection ends when its receiver or its sender dies; a sender
        that cannot be weakly referenced is held for as long as the connection lasts.

        Raises TypeError for a receiver that is not callable or, unless ``weak=False``, has no weak
        references. Raises ValueError for one that takes no ``**kwargs``, where Django's settings say DEBUG
        or Python is in development mode; there, a weak receiver that is collected before it was ever called is
        warned of (`WeakReceiverWarning`). As Django 6.1's ``Signal.connect``.
        """
        flags = code_flags(receiver)
        if not flags & CO_VARKEYWORDS:
            _check(receiver)
        key = make_key(receiver, sender, dispatch_uid)
        reference: Any = receiver
        sender_reference = None
        if weak or sender is not None:
            callback = self._death_callback()
            if weak:
                reference = _weak_reference(receiver, callback)
            if sender is not None:
                sender_reference = _sender_reference(sender, callback)
        is_async = bool(flags & CO_COROUTINE) if flags else is_async_receiver(receiver)
        entry = key, reference, sender_reference, is_async
        if add_entry(self, entry) and weak and _watching.is_debugging() and (place := _watching.calling_place()):
            watch(self, entry, receiver, sender, place)

    def disconnect(self, receiver: Receiver | None = None, sender: object = None, dispatch_uid: object = None) -> bool:
        """End the connection of `receiver`, or of the receiver under `dispatch_uid`, to `sender`.

        Returns whether there was one. As Django 6.1's ``Signal.disconnect``.
        """
        key = make_key(receiver, sender, dispatch_uid)
        is_removed = remove_entry(self, key)
        self._csignals_table = None  # it must not keep alive what was disconnected
        if uncalled.known:
            note_disconnected(self, key)
        return is_removed

    def _clear_dead_receivers(self) -> list[Entry]:
        """Replace the list by one without dead entries, if there may be any. The caller holds the lock.

        Returns the old list: to be let go of after the lock, as that may run finalizers.
        """
        receivers = self.receivers
        while self._dead_receivers:
            self._dead_receivers = False
            receivers = self.receivers
            snapshot = receivers[:]
            live = [entry for entry in snapshot if is_alive(entry)]
            if self.receivers is receivers and receivers == snapshot:
                put_receivers(self, live)
            else:
                self._dead_receivers = True
        return receivers

    def _flag_dead_receivers(self, reference: object = None) -> None:
        # Called when a receiver or a sender dies, perhaps while the lock is held.
        self._dead_receivers = True

    def _death_callback(self) -> Callable[[object], None]:
        """Return what references call: the same method object for all of them, held by nobody else."""
        callback = self._flag_dead_receivers
        shared = None if self._csignals_callback is None else self._csignals_callback()
        if shared == callback:
            return shared
        self._csignals_callback = ref(callback)
        return callback

    def _log_robust_failure(self, receiver: Receiver, err: Exception) -> None:
        import logging

        logging.getLogger("django.dispatch").error(
            "Error calling %s in Signal.send_robust() (%s)",
            getattr(receiver, "__qualname__", None) or repr(receiver),
            err,
            exc_info=err,
        )


# send, send_robust, has_listeners and _live_receivers: made for this very class, as a C method that is made for
# a base class asks on each call whether this one inherits from it.
_hooks = _dispatch.Hooks(aio.await_receivers, lambda signal, *failure: signal._log_robust_failure(*failure))
for _name, _method in _dispatch.methods(Signal, _hooks).items():
    setattr(Signal, _name, _method)


def _checked_name(name: str | None) -> str | None:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"A signal's name must be a str, not {type(name).__name__}")
    return name


def _weak_reference(target: Any, callback: Callable[[object], None]) -> ReferenceType[Any]:
    is_method = hasattr(target, "__self__") and hasattr(target, "__func__")
    return WeakMethod(target, callback) if is_method else ref(target, callback)


def _sender_reference(sender: object, callback: Callable[[object], None]) -> ReferenceType[Any] | Held:
    """Return what tells whether the sender is alive: as long as it is, no other object can have its id."""
    try:
        return _weak_reference(sender, callback)
    except TypeError:
        return Held(sender)


def is_async_receiver(receiver: object) -> bool:
    """Return whether a receiver is called by awaiting it."""
    import inspect

    if inspect.iscoroutinefunction(receiver):
        return True
    # Before Python 3.12, only asyncio's own function knows those that asgiref or asyncio marked.
    asyncio = sys.modules.get("asyncio") if sys.version_info < (3, 12) else None
    return asyncio is not None and bool(asyncio.iscoroutinefunction(receiver))


def _check(receiver: object) -> None:
    if not callable(receiver):
        raise TypeError("Signal receivers must be callable.")
    if _watching.is_debugging() and not _accepts_kwargs(receiver):
        raise ValueError("Signal receivers must accept keyword arguments (**kwargs).")


def _accepts_kwargs(receiver: Receiver) -> bool:
    try:
        return accepts_kwargs(receiver, lambda: parameters_of(receiver).values())
    except (TypeError, ValueError):  # a callable of C that does not say
        return True


def accepts_kwargs(receiver: Any, parameters: Callable[[], Iterable[Any]]) -> bool:
    """Return whether a receiver's parameters include ``**kwargs``. A yes is kept for as long as its function lives."""
    is_method = type(receiver) is MethodType
    function, memo = receiver.__func__ if is_method else receiver, _accepting[is_method]
    if memo.get(function) is None:
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters()):
            return False
        memo.keep(function, True)
    return True


_accepting = Memo(), Memo()  # functions that take **kwargs, called as they are and as methods


def parameters_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return a function's parameters; its annotations may name what is not there yet."""
    import inspect

    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF).parameters
    return inspect.signature(function).parameters


def receiver(signal: Any, **kwargs: Any) -> Callable[[F], F]:
    """Return a decorator that connects a function to a signal, or to each of a list or tuple of signals.

    The keyword arguments go to ``Signal.connect``. The function comes back unchanged.
    """

    def decorator(function: F) -> F:
        for each in signal if isinstance(signal, (list, tuple)) else [signal]:
            each.connect(function, **kwargs)
        return function

    return decorator
