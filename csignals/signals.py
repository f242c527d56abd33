"""``Signal`` and ``receiver()``: what a connection is made of. How a send finds and calls receivers is in _dispatch."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from weakref import ReferenceType, WeakMethod, ref

from csignals import _dispatch, devmode
from csignals._dispatch import add_entry, awaiting, code_flags, make_key, put_receivers, remove_entry
from csignals._dispatch.common import Entry, Receiver, StrongRef, is_alive
from csignals._dispatch.hybrid import is_hybrid
from csignals._introspection.attributes import Memo, is_function
from csignals._introspection.naming import describe
from csignals._introspection.signal_names import making_module, name_of
from csignals._scopes import watched
from csignals._typing import Any, F
from csignals.devmode import note_disconnected, watch

# The values of `inspect`, which takes long to import.
CO_VARKEYWORDS = 0x08
CO_COROUTINE = 0x80


class Signal(_dispatch.SignalBase):
    """A notification that senders send and receivers are called with.

    API and semantics are those of ``django.dispatch.Signal`` in Django 6.1. Every method may be called from any thread,
    from a receiver, and from a finalizer. ``use_caching`` is accepted as Django's, and changes nothing: every signal is
    faster than a cached one. ``name`` is shown to people; by default it is the dotted name of the module's global that
    is the signal. Raises TypeError for a name that is not a string.

    Semi-public, as in Django: ``receivers`` (the list that decides who is called; it may be assigned and mutated),
    ``lock`` (held while a method changes that list; reentrant), ``sender_receivers_cache`` (always empty),
    ``_live_receivers``, ``_clear_dead_receivers`` and ``_log_robust_failure``.
    """

    # Slots of a Python class can be deleted, as mock.patch.object() wants. In Python they are attributes.
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
        """The name that the signal was given, or the dotted name under which it is found in a module, or None.

        It is looked up on first use and then kept; while none is found, it is looked up each time. It can be set, to a
        str or None. Thread-safe.
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
        # Some are in slots, or in the compiled base class, where copy.copy() does not look.
        public = "receivers", "lock", "use_caching", "sender_receivers_cache"
        names = *public, "_dead_receivers", "_csignals_module", "_csignals_name"
        return self.__dict__, {name: getattr(self, name) for name in names if hasattr(self, name)}

    asend = awaiting.asend
    asend_robust = awaiting.asend_robust

    def connect(
        self, receiver: Receiver, sender: object = None, weak: bool = True, dispatch_uid: object = None
    ) -> None:
        """Connect `receiver`, a callable that takes keyword arguments, to `sender`, or to any sender.

        By default the signal keeps only a weak reference to the receiver: a lambda, a local function or a method of a
        temporary object is collected unless something else holds it. With ``weak=False`` the signal holds it. A
        receiver that is already connected to this sender, or any receiver under the same `dispatch_uid`, is not added
        twice. A connection ends when its receiver or its sender dies; the signal holds a sender that cannot be weakly
        referenced for as long as the connection lasts.

        Raises TypeError for a receiver that is not callable or, unless ``weak=False``, cannot be weakly referenced.
        Under Django's DEBUG and in Python's development mode, raises ValueError for a receiver that takes no
        ``**kwargs``, and gives a `WeakReceiverWarning` when a weak receiver is collected before it was ever called. As
        Django 6.1's ``Signal.connect``.
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
        if add_entry(self, entry) and weak and devmode.is_debugging() and (place := devmode.calling_place()):
            watch(self, entry, receiver, sender, place)

    def disconnect(self, receiver: Receiver | None = None, sender: object = None, dispatch_uid: object = None) -> bool:
        """Disconnect `receiver`, or the receiver under `dispatch_uid`, from `sender`.

        Returns whether it was connected. As Django 6.1's ``Signal.disconnect``.
        """
        key = make_key(receiver, sender, dispatch_uid)
        is_removed = remove_entry(self, key)
        self._csignals_table = None  # it would keep alive what was disconnected
        if watched.known:
            note_disconnected(self, key)
        return is_removed

    def _clear_dead_receivers(self) -> list[Entry]:
        """Replace the list by one without dead entries, if there may be any. The caller holds the lock.

        Returns the old list, to be freed after the lock, as that may run finalizers.
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
        """Return the callback of weak references: one method object for all of them, held by them alone."""
        callback = self._flag_dead_receivers
        shared = None if self._csignals_callback is None else self._csignals_callback()
        if shared is not None and shared == callback:
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


# send, send_robust, has_listeners and _live_receivers. Not inherited: a C method of a base class tests on each call
# whether the instance's class inherits from it.
_config = _dispatch.DispatchConfig(
    awaiting.await_receivers, lambda signal, *failure: signal._log_robust_failure(*failure)
)
for _name, _method in _dispatch.methods(Signal, _config).items():
    setattr(Signal, _name, _method)


def _checked_name(name: str | None) -> str | None:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"a signal's name must be a str, not {type(name).__name__}")
    return name


def _weak_reference(target: Any, callback: Callable[[object], None]) -> ReferenceType[Any]:
    is_method = hasattr(target, "__self__") and hasattr(target, "__func__")
    return WeakMethod(target, callback) if is_method else ref(target, callback)


def _sender_reference(sender: object, callback: Callable[[object], None]) -> ReferenceType[Any] | StrongRef:
    """Return a reference that tells whether the sender is alive: while it is, no other object can have its id."""
    try:
        return _weak_reference(sender, callback)
    except TypeError:
        return StrongRef(sender)


def is_async_receiver(receiver: object) -> bool:
    """Return whether a receiver is a coroutine function."""
    import inspect

    if inspect.iscoroutinefunction(receiver):
        return True
    # Before Python 3.12, only asyncio's own function knows the functions that asgiref or asyncio marked.
    asyncio = sys.modules.get("asyncio") if sys.version_info < (3, 12) else None
    return asyncio is not None and bool(asyncio.iscoroutinefunction(receiver))


def _check(receiver: object) -> None:
    if not callable(receiver):
        raise TypeError("Signal receivers must be callable.")
    if devmode.is_debugging() and not _accepts_kwargs(receiver):
        raise ValueError("Signal receivers must accept keyword arguments (**kwargs).")


def _accepts_kwargs(receiver: Receiver) -> bool:
    try:
        return accepts_kwargs(receiver, lambda: parameters_of(receiver).values())
    except (TypeError, ValueError):  # a callable of C without a signature
        return True


def accepts_kwargs(receiver: Any, parameters: Callable[[], Iterable[Any]]) -> bool:
    """Return whether a receiver's parameters include ``**kwargs``. True is kept for as long as its function lives."""
    is_method = type(receiver) is MethodType
    function, memo = receiver.__func__ if is_method else receiver, _accepting[is_method]
    if memo.get(function) is None:
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters()):
            return False
        memo.keep(function, True)
    return True


_accepting = Memo(), Memo()  # functions that take **kwargs, called as they are and as methods


def parameters_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return a function's parameters. Its annotations may name objects that do not exist yet."""
    import inspect

    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF).parameters
    return inspect.signature(function).parameters


def receiver(signal: Any, **kwargs: Any) -> Callable[[F], F]:
    """Return a decorator that connects a function to a signal, or to each of a list or tuple of signals.

    The keyword arguments are passed to ``Signal.connect``. The decorator returns the function unchanged, except for the
    attribute `async_variant`: a decorator that makes the receiver hybrid, with an async body beside its sync one. Sync
    sends call the sync body, and ``asend`` awaits the async one::

        @receiver(order_paid)
        def index(sender, **kwargs): ...


        @index.async_variant
        async def index(sender, **kwargs): ...

    `async_variant` returns the connected function, which now has the attributes `sync_call` (itself) and `async_call`.
    As it refers to itself, a hybrid receiver that nothing else holds is disconnected by the garbage collector, and not
    at once. `async_variant` raises TypeError for an object that is not a coroutine function or takes no ``**kwargs``,
    for a receiver that is async itself, and for one that is hybrid already.
    """

    def decorator(function: F) -> F:
        if is_function(function):
            function.async_variant = _AsyncVariant(function)  # type: ignore[attr-defined]
        for each in signal if isinstance(signal, (list, tuple)) else [signal]:
            each.connect(function, **kwargs)
        return function

    return decorator


class _AsyncVariant:
    """The decorator ``async_variant`` of a receiver."""

    __slots__ = ("_receiver",)

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = ref(receiver)  # which dies with its last user, as before it was decorated

    def __call__(self, function: Receiver) -> Receiver:
        receiver: Any = self._receiver()
        if receiver is None:
            raise TypeError("async_variant was called after its receiver was collected")
        name = describe(receiver).name
        if is_async_receiver(receiver):
            raise TypeError(f"{name} is async: put @receiver on a sync function, and @async_variant on the async one")
        if is_hybrid(receiver):
            raise TypeError(f"{name} already has an async variant, {describe(receiver.async_call).name}")
        if not is_async_receiver(function):
            raise TypeError(f"the async variant of {name} must be an async function, not {describe(function).name}")
        if not _accepts_kwargs(function):
            raise TypeError(f"the async variant of {name} must accept keyword arguments (**kwargs), as receivers must")
        receiver.async_call = function
        receiver.sync_call = receiver  # this makes it hybrid
        awaiting.nonblocking(receiver)  # takes away a mark that it had before
        return receiver  # type: ignore[no-any-return]
