"""The dispatcher in Python: the specification of ``src_pyx/compiled.pyx``, and its fallback.

Here are the routing table, adding and removing entries, and the methods of a signal that dispatch. What an entry is
made of is in ``signals.py``; awaiting is in ``awaiting.py``; what both implementations share is in ``common.py``.

The invariant: **a signal's ``receivers`` list is the truth. The routing table is a memo of that list, checked on every
send.** Programs assign and mutate the list behind the signal's back, so nothing else may decide who is called. (The
compiled code skips the check where it knows that nobody else has had the list.)

An entry of the list is a tuple that is never changed; `common.Entry` has its shapes. ``key`` is
``(dispatch_uid or make_id(receiver), make_id(sender))``; ``receiver`` is the receiver, or a weak reference to it.

Lines marked "For speed" repeat or avoid a call so that the fallback is as fast as its bars in ``bench/bars.py`` ask.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import MethodType
from weakref import ReferenceType

from csignals._dispatch.common import (
    NONE_ID,
    DispatchConfig,
    Entry,
    Getter,
    KnownWrapper,
    LiveReceivers,
    Receiver,
    Response,
    add_config,
    config_of,
    getter,
    is_alive,
    make_id,
    split_sync_async,
    store_no_receivers_locked,
    store_table,
    sweep,
    under_lock,
    wait_and_sweep,
)
from csignals._typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals._dispatch.protocols import Interceptor
else:
    Interceptor = object

Route = tuple[list[Getter], list[Getter]]

LIVE_RECEIVERS, TABLE = "_live_receivers", "_csignals_table"


# --- The routing table ---------------------------------------------------------------------------------------


class RoutingTable:
    """The receivers of each sender, for one state of a signal's ``receivers`` list.

    There is one route for each connected sender, and one for all senders that nobody connected to. So the table's size
    is bounded by the number of connected senders, and a sender needs nothing but an identity.
    """

    __slots__ = ("everyone", "is_selective", "routes", "sender_id", "snapshot")

    def __init__(self, receivers: Iterable[Entry]) -> None:
        entries = list(receivers)
        # A route is made when its sender first sends.
        self.routes: dict[Any, Route | None] = dict.fromkeys(map(id_of_sender, entries))
        # Lists are compared by identity first, and by value only where that fails. Where equal entries could hold
        # different receivers, only identity counts.
        self.snapshot = entries if all(map(is_equal_to_itself_only, entries)) else IdentityList(entries)
        # Only where a bound method is connected as a sender may a sender be a bound method.
        self.sender_id: Callable[[object], Any] = make_id if tuple in map(type, self.routes) else id
        self.everyone = self.make_route(None)
        # Whether only senders whose ids are in `routes` have receivers.
        self.is_selective = self.sender_id is id and self.everyone == ([], [])

    def make_route(self, sender: object) -> Route:
        """Return callables that return the sync and the async receivers for `sender`: two lists."""
        ids = NONE_ID, self.sender_id(sender)
        route: Route = [], []
        for entry in self.snapshot:
            if id_of_sender(entry) in ids:
                route[bool(len(entry) > 2 and entry[-1])].append(getter(entry))
        self.routes[ids[1]] = route
        return route

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a copy of a signal makes its own


def id_of_sender(entry: Entry) -> Any:
    """Return the id of an entry's sender: that of the live sender itself, where the entry refers to it."""
    if not isinstance(entry, tuple):
        raise TypeError(f"Signal.receivers must hold tuples, not {entry!r}")
    (_, sender_id), receiver, *_ = entry
    if tuple.__len__(entry) < 2:  # a subclass may override __iter__
        raise TypeError(f"Signal.receivers must hold pairs or longer tuples, not {entry!r}")
    if receiver is None:
        raise TypeError(f"Signal.receivers must hold receivers, not None: {entry!r}")
    sender = entry[2]() if len(entry) == 4 and entry[2] is not None else None
    return sender_id if sender is None or type(sender_id) is tuple else id(sender)


def is_equal_to_itself_only(entry: Entry) -> bool:
    """Return whether no other entry that holds another receiver can be equal to this one."""
    receiver = entry[1]
    if issubclass(type(receiver), ReferenceType):
        # The object of a WeakMethod: making the method may fail, as it does for wrapt's.
        receiver = ReferenceType.__call__(receiver)
        # A reference to an object equals one to its method. Their own keys tell them apart; a dispatch uid does not.
        if receiver is not None and not is_own_key(entry[0], receiver):
            return False
    if receiver is None:
        return True
    if type(receiver) is MethodType:
        receiver = receiver.__self__  # on which the equality of references to methods depends
    equals: object = type(receiver).__eq__
    return equals is object.__eq__


def is_own_key(key: Any, target: object) -> bool:
    """Return whether an entry's key was made from the id of its receiver, or of the receiver's object."""
    first = key[0] if type(key) is tuple and key else None
    if type(first) is tuple and first:
        first = first[0]
    return type(first) is int and first == id(target)


class IdentityList(list):  # type: ignore[type-arg]  # subscribing it takes an import
    """A list that equals another one only if both hold the same objects."""

    def __ne__(self, other: Any) -> bool:
        return not isinstance(other, list) or [*map(id, self)] != [*map(id, other)]


# --- Adding and removing entries -----------------------------------------------------------------------------


def make_key(receiver: Any, sender: Any, dispatch_uid: Any) -> tuple[Any, Any]:
    """Return the key of a connection: its entry's first item."""
    return (dispatch_uid or make_id(receiver), NONE_ID if sender is None else make_id(sender))


def code_flags(receiver: Any) -> int:
    """Return the ``co_flags`` of a plain function or its method, or 0 where only `inspect` can tell what it is.

    Here always 0: asking whether a function has attributes would give it a dict for them.
    """
    return 0


def find_entry(signal: Any, key: tuple[Any, Any]) -> tuple[list[Entry], list[Entry], int | None]:
    """Return a signal's list, a copy of it, and the index of `key` in both or None.

    Comparing keys and copying may run anybody's code: the ``__eq__`` of a dispatch uid, or a finalizer that connects or
    disconnects. So this runs without the lock. The caller then takes the lock, compares the list with the copy, and
    changes the list at once or starts again: between these steps nothing is allocated and no code is called.
    """
    if signal._dead_receivers:
        wait_and_sweep(signal)
    receivers = signal.receivers
    snapshot = receivers[:]
    keys = [entry[0] for entry in snapshot]
    return receivers, snapshot, keys.index(key) if key in keys else None


def add_entry(signal: Any, entry: Entry) -> bool:
    """Append an entry to a signal's list unless its key is in it, and return whether the entry was appended."""
    is_swept = False
    while True:
        receivers, snapshot, index = find_entry(signal, entry[0])
        if not under_lock(signal, True, change, signal, receivers, snapshot, index, entry):
            continue
        if index is None:
            return True
        if is_swept or is_alive(snapshot[index]):
            return False
        # A death that no callback reported: callbacks fail without memory or stack, and when interrupted.
        signal._dead_receivers = is_swept = True


def remove_entry(signal: Any, key: tuple[Any, Any]) -> bool:
    """Remove the entry with a key from a signal's list, and return whether there was one."""
    while True:
        receivers, snapshot, index = find_entry(signal, key)
        # The snapshot keeps the removed entry until the lock is released.
        if under_lock(signal, True, change, signal, receivers, snapshot, index, None):
            return index is not None


def change(signal: Any, receivers: list[Entry], snapshot: list[Entry], index: int | None, entry: Entry | None) -> bool:
    """Append an entry unless `index` is given, or remove the one at `index` if `entry` is None.

    Return False, with nothing changed, if the list is not the one that was searched. Call it under the lock.
    """
    if signal.receivers is not receivers or receivers != snapshot:
        return False
    if entry is None:
        if index is not None:
            del receivers[index]
    elif index is None:
        receivers.append(entry)
    return True


# --- Interception --------------------------------------------------------------------------------------------

_interceptor: Interceptor | None = None
interceptor: Interceptor | None = None  # what sends ask now; None while interception is disabled


def set_interceptor(new: Interceptor) -> None:
    """Set the object that sends ask while interception is enabled. Called once, when csignals is imported."""
    global _interceptor
    _interceptor = new


def enable_interception(is_enabled: bool) -> None:
    """Have sends ask the interceptor, or ask it no longer. Call it again when what the interceptor returns changes."""
    global interceptor
    interceptor = _interceptor if is_enabled else None


# --- A signal's state ----------------------------------------------------------------------------------------


class SignalBase:
    """Per-signal dispatch state."""

    # The compiled class has no annotations, and a user's subclass would inherit them: hence the type comments.
    _dead_receivers = False
    _csignals_table = None  # type: RoutingTable | None  # pyright: ignore[reportTypeCommentUsage]
    _csignals_callback = None  # type: ReferenceType[Callable[[object], None]] | None  # pyright: ignore[reportTypeCommentUsage]


def put_receivers(signal: Any, receivers: list[Entry]) -> None:
    """Give a signal a list that nothing else refers to."""
    signal.receivers = receivers


# --- Finding the receivers of a send -------------------------------------------------------------------------


def live_receivers(self: Any, sender: object) -> LiveReceivers:
    """Return the sync and the async receivers that are alive, as two new lists, in order of registration."""
    if self._dead_receivers:
        sweep(self)
    try:
        table = self._csignals_table
    except AttributeError:  # a signal of Django's, the first time
        table = None
    if table is None or table.snapshot != self.receivers:
        table = RoutingTable(self.receivers or ())
        store_table(self, table)
    sync_route, async_route = table.routes.get(table.sender_id(sender), table.everyone) or table.make_route(sender)
    sync: list[Receiver] = []
    async_: list[Receiver] = []
    if sync_route:  # For speed: a loop over an empty list costs more than this test.
        for get in sync_route:
            receiver = get()
            if receiver is not None:
                sync.append(receiver)
    if async_route:
        for get in async_route:
            receiver = get()
            if receiver is not None:
                async_.append(receiver)
    if not sync and not async_:
        # For speed: the common case of is_own() first.
        is_own_method = getattr(type(self), LIVE_RECEIVERS, None) is own_method
        if not (is_own_method and LIVE_RECEIVERS not in self.__dict__) and not is_own(self):
            store_no_receivers(self, sender, table)  # a wrapper called this method
    active = interceptor  # another thread may disable it
    return (sync, async_) if active is None else active.filter_muted(self, sender, (sync, async_))


def live_list(self: Any, sender: object) -> list[Receiver]:
    """Return the receivers that are alive, as a new list, in order of registration. As in Django 4.2."""
    return live_receivers(self, sender)[0]


def is_own(signal: Any) -> bool:
    """Return whether a signal's ``_live_receivers`` is csignals'."""
    return id(getattr(type(signal), LIVE_RECEIVERS, None)) in own_ids and LIVE_RECEIVERS not in vars(signal)


def find_receivers(signal: Any, sender: object) -> tuple[Any, Any, Recorder | None]:
    """Return the sync and the async receivers of a send, and the recorder of a known wrapper, or None.

    The receivers are those that ``_live_receivers`` returns. A replacement of that method is called, as Django calls
    it, unless the signal's cache says that the sender has no receivers, or the replacement is a known wrapper.
    """
    method = getattr(type(signal), LIVE_RECEIVERS, None)
    if id(method) != unknown_id and LIVE_RECEIVERS not in vars(signal):
        is_wrapped = id(method) not in own_ids
        if not is_wrapped or is_wrapper(method):
            sync, async_ = live_receivers(signal, sender)
            return sync, async_, recorder_of(signal) if is_wrapped and sync else None
    if getattr(signal, "use_caching", False) and has_no_receivers(signal, sender):
        return (), (), None
    live = signal._live_receivers(sender)
    sync, async_ = split_sync_async(signal, live) if _live_lists else live
    return sync, async_, None


def set_find_receivers(function: Callable[[Any, object], tuple[Any, Any, Any]]) -> None:
    """Have the sends in this module find receivers by the compiled function, whose routing tables the signals have."""
    global find_receivers
    find_receivers = function  # type: ignore[assignment]


def is_wrapper(method: Any) -> bool:
    """Return whether a replacement of ``_live_receivers`` is the known wrapper, and remember it."""
    global wrapper_method, unknown_id
    if wrapper is not None and wrapper.is_known(method):
        wrapper_method = method
        return True
    unknown_id = id(method)  # another method that gets this id is called as well, which does no harm
    return False


def forget_wrapper() -> None:
    """Forget which replacement of ``_live_receivers`` is the known wrapper."""
    global wrapper_method, unknown_id
    wrapper_method, unknown_id = NO_METHOD, 0


def recorder_of(signal: Any) -> Recorder | None:
    """Return what calls the receivers of a send behind the known wrapper, or None to call them directly."""
    known: Any = wrapper
    caller = known.caller(signal)
    return None if caller is None else Recorder(known, caller)


class Recorder:
    """Calls the sync receivers of a send that a known wrapper may record."""

    def __init__(self, wrapper: KnownWrapper, caller: Callable[..., Any]) -> None:
        self._scopes = wrapper.scopes
        self._caller = caller

    def caller(self) -> Callable[..., Any] | None:
        """Return the function that calls the next receiver, as ``caller(receiver, **named)``, or None."""
        return self._caller if is_recording(self._scopes) else None


def call_recorded(recorder: Recorder, receiver: Receiver, arguments: Any) -> Any:
    """Call a receiver by its recorder's caller, if there is one, and return its response."""
    caller = recorder.caller()
    return receiver(**arguments) if caller is None else caller(receiver, **arguments)


def is_recording(scopes: tuple[ContextVar[Any], ...]) -> bool:
    """Return whether a scope of this context has a span that may be sent. True if the scopes are not known."""
    for variable in scopes:
        scope = variable.get()
        span = None if scope is None else scope._span
        if span is not None:
            # A span of a transaction is sent with it. A streamed span has no transaction.
            recorded = getattr(span, "containing_transaction", span)
            if recorded is not None and recorded.sampled is not False:
                return True
    return not scopes


def has_no_receivers(signal: Any, sender: object) -> bool:
    """Return whether a sender has no receivers, and the signal's cache, which Django's ``send`` asks first, says so."""
    table = vars(signal).get(TABLE)
    if type(table) is not RoutingTable or table.snapshot != signal.receivers:
        return cache_has_no_receivers(signal, sender) and live_receivers(signal, sender) == ([], [])
    route = table.routes.get(table.sender_id(sender), table.everyone)
    return route == ([], []) and cache_has_no_receivers(signal, sender)


def cache_has_no_receivers(signal: Any, sender: object) -> bool:
    """Return whether a signal's cache says that a sender has no receivers."""
    try:
        return signal.use_caching and signal.sender_receivers_cache.get(sender) is no_receivers is not None
    except Exception:  # there is no cache, or Django refuses such a sender
        return False


def store_no_receivers(signal: Any, sender: object, table: Any) -> None:
    """Store in a signal's cache that a sender has no receivers, as Django's own ``_live_receivers`` does.

    This happens under the lock, so that the cache is right after ``uninstall()`` too. Nothing is stored while another
    thread holds the lock, or for a sender that Django refuses.
    """
    if not getattr(signal, "use_caching", False):
        return
    try:
        if signal.sender_receivers_cache.get(sender) is not no_receivers:
            under_lock(signal, False, store_no_receivers_locked, signal, sender, table.snapshot, no_receivers)
    except Exception:
        return


# --- The methods of a signal ---------------------------------------------------------------------------------


def has_listeners(self: Any, sender: object = None) -> bool:
    """Return whether a send from `sender` would reach a receiver.

    As Django's, it calls ``_live_receivers``, so that an override of that method is followed.
    """
    live = self._live_receivers(sender)
    sync, async_ = split_sync_async(self, live) if _live_lists else live
    active = interceptor
    if active is not None:
        sync, async_ = active.filter_muted(self, sender, (sync, async_))
    return bool(sync) or bool(async_)


def send(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call every live receiver that is connected to `sender`, or to any sender.

    Receivers are called as ``receiver(signal=self, sender=sender, **named)``, in order of registration, the async ones
    together after the sync ones (through asgiref's ``async_to_sync``). All of them are looked up before the first is
    called: a receiver that is disconnected, or dies, during the send is still called.

    Returns a list of pairs (receiver, response). An exception raised by a receiver propagates, and the receivers after
    it are not called. Thread-safe; never waits for a lock. As Django 6.1's ``Signal.send``.
    """
    active = interceptor
    if active is not None and active.is_intercepted(self, sender):
        # Receivers are called from this frame, as some look at the frames that called them.
        with active.intercept(self, sender, named, False) as intercepted:
            for receiver in intercepted.sync:
                with intercepted.calling(receiver):
                    intercepted.responses.append((receiver, receiver(signal=self, sender=sender, **named)))
            intercepted.await_receivers(sender, named)
        return intercepted.responses
    receivers = self.receivers
    if not receivers:
        return []
    # For speed: find_receivers() inline.
    try:
        method, table = type(self)._live_receivers, self._csignals_table
    except AttributeError:  # a signal of Django's, the first time; or a descriptor without a value for the class
        method = table = None
    is_own_method = method is own_method or method is wrapper_method or id(method) in own_ids
    if (
        type(table) is not RoutingTable
        or table.snapshot != receivers
        or self._dead_receivers  # which must be swept even if the sender has no receivers
        or LIVE_RECEIVERS in self.__dict__
    ):
        receivers = table = None  # they may be the last to hold a dead sender's receiver
        sync, async_, recorder = find_receivers(self, sender)
    elif (
        table.is_selective
        and id(sender) not in table.routes
        and (is_own_method or cache_has_no_receivers(self, sender))
    ):
        return []
    elif is_own_method:
        sync, async_ = table.routes.get(table.sender_id(sender), table.everyone) or table.make_route(sender)
        sync = [receiver for get in sync if (receiver := get()) is not None]
        if async_:
            async_ = [receiver for get in async_ if (receiver := get()) is not None]
        recorder = recorder_of(self) if method is wrapper_method and sync else None
    else:
        sync, async_, recorder = find_receivers(self, sender)
    if not sync and not async_:
        return []
    receivers = table = None  # so that receivers that are disconnected meanwhile can die
    responses: list[Response] = []
    if recorder is None and type(sync) is list and len(sync) == 1 and not async_:  # For speed: the common case.
        for receiver in sync:
            responses.append((receiver, receiver(signal=self, sender=sender, **named)))
        return responses
    arguments: Arguments = {"signal": self, "sender": sender, **named} if "signal" not in named else Ambiguous(named)
    for receiver in sync:
        response = receiver(**arguments) if recorder is None else call_recorded(recorder, receiver, arguments)
        responses.append((receiver, response))
    if async_:
        responses += config_of(self).await_receivers(self, async_, sender, named, False, None)
    return responses


def send_from_inside(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call ``send`` from one more frame, as Django 4.2's list comprehension is a frame before Python 3.12."""
    return send(self, sender, **named)


def send_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Like `send`, but an ``Exception`` that a receiver raises is logged and becomes its response.

    The record goes to the logger ``django.dispatch`` at level ERROR, through ``_log_robust_failure``, which a subclass
    may override. A BaseException that is not an Exception propagates. As Django 6.1's ``Signal.send_robust``.
    """
    active = interceptor
    if active is not None and active.is_intercepted(self, sender):
        with active.intercept(self, sender, named, True) as intercepted:
            for receiver in intercepted.sync:
                with intercepted.calling(receiver):
                    intercepted.responses.append((receiver, receiver(signal=self, sender=sender, **named)))
            intercepted.await_receivers(sender, named)
        return intercepted.responses
    receivers = self.receivers
    if not receivers:
        return []
    # For speed: find_receivers() inline.
    try:
        method, table = type(self)._live_receivers, self._csignals_table
    except AttributeError:  # a signal of Django's, the first time; or a descriptor without a value for the class
        method = table = None
    is_own_method = method is own_method or method is wrapper_method or id(method) in own_ids
    if (
        type(table) is not RoutingTable
        or table.snapshot != receivers
        or self._dead_receivers  # which must be swept even if the sender has no receivers
        or LIVE_RECEIVERS in self.__dict__
    ):
        receivers = table = None  # they may be the last to hold a dead sender's receiver
        sync, async_, recorder = find_receivers(self, sender)
    elif (
        table.is_selective
        and id(sender) not in table.routes
        and (is_own_method or cache_has_no_receivers(self, sender))
    ):
        return []
    elif is_own_method:
        sync, async_ = table.routes.get(table.sender_id(sender), table.everyone) or table.make_route(sender)
        sync = [receiver for get in sync if (receiver := get()) is not None]
        if async_:
            async_ = [receiver for get in async_ if (receiver := get()) is not None]
        recorder = recorder_of(self) if method is wrapper_method and sync else None
    else:
        sync, async_, recorder = find_receivers(self, sender)
    if not sync and not async_:
        return []
    receivers = table = None  # as in send()
    arguments: Arguments = {"signal": self, "sender": sender, **named} if "signal" not in named else Ambiguous(named)
    responses = []
    for receiver in sync:
        try:
            response = receiver(**arguments) if recorder is None else call_recorded(recorder, receiver, arguments)
        except Exception as error:
            config_of(self).log_failure(self, receiver, error)
            response = error
        responses.append((receiver, response))
    if async_:
        responses += config_of(self).await_receivers(self, async_, sender, named, True, None)
    return responses


def call_all(
    signal: Any, receivers: Iterable[Receiver], sender: object, named: dict[str, Any]
) -> list[tuple[Receiver, Any]]:
    """Call receivers, and return the pairs (receiver, result): the result of an async one is an awaitable."""
    return [(receiver, receiver(signal=signal, sender=sender, **named)) for receiver in receivers]


class Ambiguous:
    """Keyword arguments that have `signal` twice: a call with them gets its TypeError from Python itself."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named

    def keys(self) -> list[str]:
        return ["signal", "sender", *self._named]

    def __getitem__(self, name: str) -> Any:
        return self._named.get(name)


Arguments = dict[str, Any] | Ambiguous


# --- The methods of each class of signals --------------------------------------------------------------------

_live_lists = False  # whether `_live_receivers` of any class returns one list
#: The functions that are csignals' ``_live_receivers`` on some class, by id, as others may be equal; and the last one.
own_ids: dict[int, Any] = {id(method): method for method in (live_receivers, live_list)}
own_method: Any = live_receivers
no_receivers: object = None  # what Django's caches have for a sender without receivers
wrapper: KnownWrapper | None = None
NO_METHOD = object()
wrapper_method = NO_METHOD  # the last method that was found to be the known wrapper
unknown_id = 0  # of the last method that was found not to be


def python_send(config: DispatchConfig, robust: bool) -> Callable[..., list[Response]]:
    """Return the function with as many frames between a receiver and the caller of ``send`` as Django has."""
    if robust:
        return send_robust
    return send_from_inside if config.has_live_list and sys.version_info < (3, 12) else send


def methods(cls: type, config: DispatchConfig) -> dict[str, Any]:
    """Return the methods with which this implementation dispatches a class of signals."""
    global _live_lists, no_receivers, wrapper
    add_config(cls, config)
    _live_lists = _live_lists or config.has_live_list
    no_receivers = no_receivers or config.no_receivers
    wrapper = config.wrapper or wrapper
    return {
        "_live_receivers": live_list if config.has_live_list else live_receivers,
        "has_listeners": has_listeners,
        "send": python_send(config, robust=False),
        "send_robust": python_send(config, robust=True),
    }


def add_own_method(method: Any) -> None:
    """Add a copy of csignals' ``_live_receivers``, which Django's class has, to those that sends need not call."""
    global own_method
    own_method = own_ids[id(method)] = method  # which keeps it, so that no other function gets its id


for _method, _name in (
    (live_receivers, "_live_receivers"),
    (live_list, "_live_receivers"),
    (has_listeners, "has_listeners"),
    (send, "send"),
    (send_from_inside, "send"),
    (send_robust, "send_robust"),
):
    _method.__qualname__ = f"Signal.{_name}"  # which Python's TypeErrors name
