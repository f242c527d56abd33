"""The dispatch engine in Python: the specification of ``src_pyx/_dispatch_c.pyx``, and its fallback.

Here live the routing table, the adding and removing of entries, and the four methods that every send goes
through, plus the few helpers that both engines share because they are never hot. Not here: what an entry is made
of (``signal.py``), and whatever awaits (``aio.py``).

The one invariant: **a signal's ``receivers`` list is the truth, the routing table a memo of it, checked on
every send.** Programs assign and mutate that list behind the signal's back, so nothing else may decide who
is called. (The compiled engine need not look where it knows that nobody else has had the list.)

An entry of the list is a tuple that is never changed: ``(key, receiver, sender_ref, is_async)`` since
Django 6.0, and here; ``(key, receiver, is_async)`` in Django 5, ``(key, receiver)`` in 4.2. ``key`` is
``(dispatch_uid or make_id(receiver), make_id(sender))``; ``receiver`` is the receiver or a weak reference
to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import MethodType
from weakref import ReferenceType

from csignals._once import refuse_others
from csignals._typing import Any

refuse_others(__name__)

Receiver = Callable[..., Any]
Response = tuple[Receiver, Any]
Entry = tuple[Any, ...]
Getter = Callable[[], Receiver | None]
Route = tuple[list[Getter], list[Getter]]


def make_id(target: Any) -> int | tuple[int, int]:
    """What identifies a receiver or a sender: a bound method by its two halves, all else by itself."""
    if hasattr(target, "__func__"):
        return (id(target.__self__), id(target.__func__))
    return id(target)


NONE_ID = make_id(None)
LIVE_RECEIVERS, TABLE = "_live_receivers", "_csignals_table"


class Held:
    """A reference to a sender that has no weak ones: it keeps the sender, so that its id is not used again."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        self._target = target

    def __call__(self) -> Any:
        return self._target


class RoutingTable:
    """Who receives what, for one state of a signal's ``receivers`` list.

    It holds one route for each connected sender, and one for every sender that nobody connected to: so it
    is bounded by the number of connected senders, and asks nothing of a sender but its identity.
    """

    __slots__ = ("everyone", "is_selective", "routes", "sender_id", "snapshot")

    def __init__(self, receivers: Iterable[Entry]) -> None:
        entries = list(receivers)
        # A route is laid when its sender first sends.
        self.routes: dict[Any, Route | None] = dict.fromkeys(map(id_of_sender, entries))
        # Lists are compared by identity first, and by value only where that fails. Where equal entries
        # could be different receivers all the same, nothing but identity counts.
        self.snapshot = entries if all(map(is_equal_to_itself_only, entries)) else IdentityList(entries)
        # That a sender is a bound method is worth asking only where one is connected.
        self.sender_id: Callable[[object], Any] = make_id if tuple in map(type, self.routes) else id
        self.everyone = self.lay_route(None)
        # Whether only senders whose ids are in `routes` have receivers.
        self.is_selective = self.sender_id is id and self.everyone == ([], [])

    def lay_route(self, sender: object) -> Route:
        """Return how to get at the sync and the async receivers for `sender`: two lists of callables."""
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
    """Return the id of the sender that an entry is for: of the very sender, where the entry has that."""
    if not isinstance(entry, tuple):
        raise TypeError(f"Signal.receivers must hold tuples, not {entry!r}")
    (_, sender_id), receiver, *_ = entry
    if tuple.__len__(entry) < 2:  # a subclass's __iter__ may say what it likes
        raise TypeError(f"Signal.receivers must hold pairs or longer tuples, not {entry!r}")
    if receiver is None:
        raise TypeError(f"Signal.receivers must hold receivers, not None: {entry!r}")
    sender = entry[2]() if len(entry) == 4 and entry[2] is not None else None
    return sender_id if sender is None or type(sender_id) is tuple else id(sender)


def getter(entry: Entry) -> Getter:
    """Return a callable that gives an entry's receiver, or None once that or its sender is dead."""
    receiver = entry[1]
    get = receiver if isinstance(receiver, ReferenceType) else Held(receiver)
    sender_ref = entry[2] if len(entry) == 4 else None
    return get if sender_ref is None or type(sender_ref) is Held else getter_while_alive(sender_ref, get)


def getter_while_alive(sender_ref: Getter, get: Getter) -> Getter:
    return lambda: None if sender_ref() is None else get()


def is_alive(entry: Entry) -> bool:
    return getter(entry)() is not None


def is_equal_to_itself_only(entry: Entry) -> bool:
    receiver = entry[1]
    if issubclass(type(receiver), ReferenceType):
        # Of a WeakMethod this is the object: to make the method of it anew may fail, as it does for wrapt's.
        receiver = ReferenceType.__call__(receiver)
        # A reference to an object equals one to its method: only their own keys tell them apart, not a dispatch uid.
        if receiver is not None and not is_own_key(entry[0], receiver):
            return False
    if receiver is None:
        return True
    if type(receiver) is MethodType:
        receiver = receiver.__self__  # what the equality of its references depends on
    equals: object = type(receiver).__eq__
    return equals is object.__eq__


def is_own_key(key: Any, target: object) -> bool:
    """Return whether the key of an entry comes from its receiver, or from the receiver's object, by its id."""
    first = key[0] if type(key) is tuple and key else None
    if type(first) is tuple and first:
        first = first[0]
    return type(first) is int and first == id(target)


class IdentityList(list):  # type: ignore[type-arg]  # of entries; subscribing it takes an import
    def __ne__(self, other: Any) -> bool:
        return not isinstance(other, list) or [*map(id, self)] != [*map(id, other)]


def make_key(receiver: Any, sender: Any, dispatch_uid: Any) -> tuple[Any, Any]:
    """Return what a connection is known by: an entry's first item."""
    return (dispatch_uid or make_id(receiver), NONE_ID if sender is None else make_id(sender))


def code_flags(receiver: Any) -> int:
    """Return the ``co_flags`` of a plain function or its method, or 0 where only `inspect` knows what it is.

    Here always 0: to find out that a function has no attributes would give it a dict for them.
    """
    return 0


def look_up(signal: Any, key: tuple[Any, Any]) -> tuple[list[Entry], list[Entry], int | None]:
    """Return a signal's list, a copy of it, and the index of `key` in both or None.

    Comparing keys and making copies may run anybody's code: a dispatch uid's ``__eq__``, or a finalizer
    that connects or disconnects. So this is done without the lock. Whoever then changes the list takes the
    lock, compares the list with the copy, and changes it at once or looks up anew: between these steps
    nothing is allocated and nothing is called, so nobody comes between.
    """
    if signal._dead_receivers:
        wait_and_sweep(signal)
    receivers = signal.receivers
    snapshot = receivers[:]
    keys = [entry[0] for entry in snapshot]
    return receivers, snapshot, keys.index(key) if key in keys else None


def add_entry(signal: Any, entry: Entry) -> bool:
    """Append an entry to a signal's list, unless there is one with the same key, and return whether it was appended."""
    is_swept = False
    while True:
        receivers, snapshot, index = look_up(signal, entry[0])
        if not under_lock(signal, True, change, signal, receivers, snapshot, index, entry):
            continue
        if index is None:
            return True
        if is_swept or is_alive(snapshot[index]):
            return False
        # A death that nobody reported: a callback fails where memory or stack has run out, or where it is interrupted.
        signal._dead_receivers = is_swept = True


def remove_entry(signal: Any, key: tuple[Any, Any]) -> bool:
    """Take the entry with a key off a signal's list, and return whether there was one."""
    while True:
        receivers, snapshot, index = look_up(signal, key)
        # What is taken off is still in the snapshot, and freed after the lock.
        if under_lock(signal, True, change, signal, receivers, snapshot, index, None):
            return index is not None


def change(signal: Any, receivers: list[Entry], snapshot: list[Entry], index: int | None, entry: Entry | None) -> bool:
    """Append an entry that is not there; if it is None, take off the one that is. Unless the list is another by now.

    Returns whether it is the one that was looked through. To be called under the lock.
    """
    if signal.receivers is not receivers or receivers != snapshot:
        return False
    if entry is None:
        if index is not None:
            del receivers[index]
    elif index is None:
        receivers.append(entry)
    return True


steering: Any = None  # the module _steering.py, while anybody mutes, captures, traces or watches signals


def steer(by: Any) -> None:
    """Have sends ask the module `by` what is in force for them; or nobody, if it is None."""
    global steering
    steering = by


class SignalBase:
    """What a signal keeps for the engine."""

    # Compiled, the class has no annotations; nor here, as they would be those of a user's subclass.
    _dead_receivers = False
    _csignals_table = None  # type: RoutingTable | None
    _csignals_callback = None  # type: ReferenceType[Callable[[object], None]] | None


def put_receivers(signal: Any, receivers: list[Entry]) -> None:
    """Have a signal hold a list that nobody else holds."""
    signal.receivers = receivers


def live_receivers(self: Any, sender: object) -> tuple[list[Receiver], list[Receiver]]:
    """Return the sync and the async receivers that are alive, as two new lists, in order of registration."""
    if self._dead_receivers:
        sweep(self)
    try:
        table = self._csignals_table
    except AttributeError:  # one of Django's, the first time
        table = None
    if table is None or table.snapshot != self.receivers:
        table = RoutingTable(self.receivers or ())
        keep(self, table)
    sync_route, async_route = table.routes.get(table.sender_id(sender), table.everyone) or table.lay_route(sender)
    sync: list[Receiver] = []
    async_: list[Receiver] = []
    if sync_route:  # a loop over nothing costs more than the question
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
        is_own_method = getattr(type(self), LIVE_RECEIVERS, None) is own_method  # the common case of is_own()
        if not (is_own_method and LIVE_RECEIVERS not in self.__dict__) and not is_own(self):
            note_unheard(self, sender, table)  # a wrapper called this
    by = steering  # another thread may end it
    return (sync, async_) if by is None else by.audible(self, sender, (sync, async_))


def live_list(self: Any, sender: object) -> list[Receiver]:
    """Return the receivers that are alive, as a new list, in order of registration. As in Django 4.2."""
    return live_receivers(self, sender)[0]


def is_own(signal: Any) -> bool:
    """Return whether a signal has csignals' ``_live_receivers``."""
    return id(getattr(type(signal), LIVE_RECEIVERS, None)) in own_ids and LIVE_RECEIVERS not in vars(signal)


def find_receivers(signal: Any, sender: object) -> tuple[Any, Any, Recorder | None]:
    """Return the sync and the async receivers of a send, and the recorder of a known wrapper, or None.

    They are those that ``_live_receivers`` returns. Where others have replaced that, it is asked, as Django asks it;
    but not where the signal's cache says that nobody listens, nor where the replacement is a known wrapper.
    """
    method = getattr(type(signal), LIVE_RECEIVERS, None)
    if id(method) != unknown_id and LIVE_RECEIVERS not in vars(signal):
        is_wrapped = id(method) not in own_ids
        if not is_wrapped or is_wrapper(method):
            sync, async_ = live_receivers(signal, sender)
            return sync, async_, recorder_of(signal) if is_wrapped and sync else None
    if getattr(signal, "use_caching", False) and is_unheard(signal, sender):
        return (), (), None
    live = signal._live_receivers(sender)
    sync, async_ = both_kinds(signal, live) if _live_lists else live
    return sync, async_, None


def is_wrapper(method: Any) -> bool:
    """Return whether what has replaced ``_live_receivers`` is the known wrapper, and remember it."""
    global wrapper_method, unknown_id
    if wrapper is not None and wrapper.is_known(method):
        wrapper_method = method
        return True
    unknown_id = id(method)  # another method that gets this id is asked as well: no harm in that
    return False


def look_anew() -> None:
    """Find out anew what has replaced ``_live_receivers``."""
    global wrapper_method, unknown_id
    wrapper_method, unknown_id = NO_METHOD, 0


def recorder_of(signal: Any) -> Recorder | None:
    """Return what calls the receivers of a send where the known wrapper is in place, or None to call them directly."""
    known: Any = wrapper
    caller = known.caller(signal)
    return None if caller is None else Recorder(known, caller)


class Recorder:
    """What calls the sync receivers of a send that a known wrapper may record."""

    def __init__(self, wrapper: KnownWrapper, caller: Callable[..., Any]) -> None:
        self._scopes = wrapper.scopes
        self._caller = caller

    def caller(self) -> Callable[..., Any] | None:
        """Return what calls the next receiver, as ``caller(receiver, **named)``, or None to call it directly."""
        return self._caller if is_recording(self._scopes) else None


def call_recorded(recorder: Recorder, receiver: Receiver, arguments: Any) -> Any:
    """Call a receiver as a recorder says, and return its response."""
    caller = recorder.caller()
    return receiver(**arguments) if caller is None else caller(receiver, **arguments)


def is_recording(scopes: tuple[ContextVar[Any], ...]) -> bool:
    """Return whether a scope of this context has a span that may be sent, or it is not known which scopes there are."""
    for variable in scopes:
        scope = variable.get()
        span = None if scope is None else scope._span
        if span is not None:
            # What is sent of a transaction is that one's affair. A span that is streamed has none.
            recorded = getattr(span, "containing_transaction", span)
            if recorded is not None and recorded.sampled is not False:
                return True
    return not scopes


def is_unheard(signal: Any, sender: object) -> bool:
    """Return whether nobody listens to a sender, and the signal's cache says so, which Django's ``send`` asks first."""
    table = vars(signal).get(TABLE)
    if type(table) is not RoutingTable or table.snapshot != signal.receivers:
        return is_noted(signal, sender) and live_receivers(signal, sender) == ([], [])
    return table.routes.get(table.sender_id(sender), table.everyone) == ([], []) and is_noted(signal, sender)


def is_noted(signal: Any, sender: object) -> bool:
    """Return whether a signal's cache says that nobody listens to a sender."""
    try:
        return signal.use_caching and signal.sender_receivers_cache.get(sender) is no_receivers is not None
    except Exception:  # there is no cache, or Django refuses such a sender
        return False


def note_unheard(signal: Any, sender: object, table: Any) -> None:
    """Note in a signal's cache that nobody listens to a sender, if its table says so, as Django's method does.

    It is noted under the lock, so that it is right after ``uninstall()``, too. Nothing is noted while another thread
    holds the lock, or for a sender that Django refuses.
    """
    if not getattr(signal, "use_caching", False):
        return
    try:
        if signal.sender_receivers_cache.get(sender) is not no_receivers:
            under_lock(signal, False, note_unheard_locked, signal, sender, table.snapshot)
    except Exception:
        return


def note_unheard_locked(signal: Any, sender: object, entries: Iterable[Entry]) -> None:
    if [*map(id, signal.receivers)] == [*map(id, entries)]:
        signal.sender_receivers_cache[sender] = no_receivers


def has_listeners(self: Any, sender: object = None) -> bool:
    """Return whether a send from `sender` would reach a receiver.

    Like Django's: it asks ``_live_receivers``, so that an override of that is followed.
    """
    live = self._live_receivers(sender)
    sync, async_ = both_kinds(self, live) if _live_lists else live
    by = steering
    if by is not None:
        sync, async_ = by.audible(self, sender, (sync, async_))
    return bool(sync) or bool(async_)


def send(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call every live receiver that is connected to `sender`, or to any sender.

    Receivers are called as ``receiver(signal=self, sender=sender, **named)``, in order of registration, the
    async ones together after the sync ones (through asgiref's ``async_to_sync``). All of them are looked up
    before the first is called: one that is disconnected, or dies, during the send is still called.

    Returns a list of pairs (receiver, response). An exception raised by a receiver propagates, and those
    after it are not called. Thread-safe; never waits for a lock. As Django 6.1's ``Signal.send``.
    """
    by = steering
    if by is not None and by.is_in_force(self, sender):
        # Called from this frame, as ever: some look at the frames that called them.
        with by.Steered(self, sender, named, False) as steered:
            for receiver in steered.sync:
                with steered.calling(receiver):
                    steered.responses.append((receiver, receiver(signal=self, sender=sender, **named)))
            steered.await_receivers(sender, named)
        return steered.responses  # type: ignore[no-any-return]
    receivers = self.receivers
    if not receivers:
        return []
    try:
        method, table = type(self)._live_receivers, self._csignals_table
    except AttributeError:  # one of Django's, the first time; or a descriptor has none for the class
        method = table = None
    is_own_method = method is own_method or method is wrapper_method or id(method) in own_ids
    # For speed, this repeats find_receivers() inline: it saves two calls.
    if (
        type(table) is not RoutingTable
        or table.snapshot != receivers
        or self._dead_receivers  # to be swept, even if nobody listens
        or LIVE_RECEIVERS in self.__dict__
    ):
        receivers = table = None  # they may be all that keeps a dead sender's receiver alive
        sync, async_, recorder = find_receivers(self, sender)
    elif table.is_selective and id(sender) not in table.routes and (is_own_method or is_noted(self, sender)):
        return []
    elif is_own_method:
        sync, async_ = table.routes.get(table.sender_id(sender), table.everyone) or table.lay_route(sender)
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
    if recorder is None and type(sync) is list and len(sync) == 1 and not async_:  # so common that it is worth it
        for receiver in sync:
            responses.append((receiver, receiver(signal=self, sender=sender, **named)))
        return responses
    arguments: Arguments = {"signal": self, "sender": sender, **named} if "signal" not in named else Ambiguous(named)
    for receiver in sync:
        response = receiver(**arguments) if recorder is None else call_recorded(recorder, receiver, arguments)
        responses.append((receiver, response))
    if async_:
        responses += hooks_of(self).await_receivers(self, async_, sender, named, False, None)
    return responses


def send_from_inside(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Call ``send``, and be the frame of Django 4.2's list comprehension in it, which Python 3.12 made vanish."""
    return send(self, sender, **named)


def send_robust(self: Any, sender: Any, **named: Any) -> list[Response]:
    """Like `send`, but an ``Exception`` that a receiver raises is logged and becomes its response.

    The record goes to the logger ``django.dispatch`` at level ERROR, through ``_log_robust_failure``, which
    a subclass may override. A BaseException that is no Exception propagates. As Django 6.1's
    ``Signal.send_robust``.
    """
    by = steering
    if by is not None and by.is_in_force(self, sender):
        with by.Steered(self, sender, named, True) as steered:
            for receiver in steered.sync:
                with steered.calling(receiver):
                    steered.responses.append((receiver, receiver(signal=self, sender=sender, **named)))
            steered.await_receivers(sender, named)
        return steered.responses  # type: ignore[no-any-return]
    receivers = self.receivers
    if not receivers:
        return []
    try:
        method, table = type(self)._live_receivers, self._csignals_table
    except AttributeError:  # one of Django's, the first time; or a descriptor has none for the class
        method = table = None
    is_own_method = method is own_method or method is wrapper_method or id(method) in own_ids
    # For speed, this repeats find_receivers() inline: it saves two calls.
    if (
        type(table) is not RoutingTable
        or table.snapshot != receivers
        or self._dead_receivers  # to be swept, even if nobody listens
        or LIVE_RECEIVERS in self.__dict__
    ):
        receivers = table = None  # they may be all that keeps a dead sender's receiver alive
        sync, async_, recorder = find_receivers(self, sender)
    elif table.is_selective and id(sender) not in table.routes and (is_own_method or is_noted(self, sender)):
        return []
    elif is_own_method:
        sync, async_ = table.routes.get(table.sender_id(sender), table.everyone) or table.lay_route(sender)
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
            hooks_of(self).log_failure(self, receiver, error)
            response = error
        responses.append((receiver, response))
    if async_:
        responses += hooks_of(self).await_receivers(self, async_, sender, named, True, None)
    return responses


def call_all(
    signal: Any, receivers: Iterable[Receiver], sender: object, named: dict[str, Any]
) -> list[tuple[Receiver, Any]]:
    """Call receivers, and return the pairs (receiver, what it returns): of async ones, what is to be awaited."""
    return [(receiver, receiver(signal=signal, sender=sender, **named)) for receiver in receivers]


class Ambiguous:
    """Keyword arguments with `signal` twice: each call with them gets its TypeError from Python itself."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named

    def keys(self) -> list[str]:
        return ["signal", "sender", *self._named]

    def __getitem__(self, name: str) -> Any:
        return self._named.get(name)


Arguments = dict[str, Any] | Ambiguous


class Hooks:
    """What is not the same for every class of signals: csignals' own, and those of each version of Django."""

    def __init__(
        self,
        await_receivers: Callable[[Any, list[Receiver], object, dict[str, Any], bool, Any], list[Response]],
        log_failure: Callable[[Any, Receiver, Exception], None],
        has_live_list: bool = False,
        keep_frames: tuple[Any, ...] = (),
        is_in_force: Callable[[], bool] = lambda: True,
        wrapper: KnownWrapper | None = None,
        no_receivers: object = None,
    ) -> None:
        self.await_receivers = await_receivers
        self.log_failure = log_failure
        #: Whether this is Django 4.2's: ``_live_receivers`` returns one list, as if there were no async receivers.
        self.has_live_list = has_live_list
        #: The signals whose receivers look at the frames that called them: ``send`` must be one, even if compiled.
        self.keep_frames = keep_frames
        #: Whether csignals dispatches these signals: not those of Django while it is uninstalled.
        self.is_in_force = is_in_force
        #: What csignals knows of a wrapper that others put around ``_live_receivers``.
        self.wrapper = wrapper
        #: What the cache of one of these signals has for a sender to which nobody listens, or None.
        self.no_receivers = no_receivers


class KnownWrapper:
    """A wrapper of ``_live_receivers`` whose work sends do themselves, so that they need not ask it."""

    #: The context variables with the scopes in which it may be recording. If none, `caller` is asked on every send.
    scopes: tuple[ContextVar[Any], ...] = ()

    def is_known(self, method: Any) -> bool:
        """Return whether a function is this wrapper, around nothing but csignals' or Django's own method."""
        raise NotImplementedError

    def caller(self, signal: Any) -> Callable[..., Any] | None:
        """Return what calls a receiver as ``caller(receiver, **named)``, or None if this send is not recorded."""
        raise NotImplementedError


_hooks: dict[type, Hooks] = {}
_live_lists = False  # whether any of them has one
#: The functions that are csignals' ``_live_receivers`` on some class: by id, as others may be equal; and the last one.
own_ids: dict[int, Any] = {id(method): method for method in (live_receivers, live_list)}
own_method: Any = live_receivers
no_receivers: object = None  # that of Django's caches
wrapper: KnownWrapper | None = None
NO_METHOD = object()
wrapper_method = NO_METHOD  # the last method that is that wrapper
unknown_id = 0  # of the last method that is not


def hooks_of(signal: Any) -> Hooks:
    """Return the hooks of a signal's class. They stay when its methods go: somebody may have wrapped those."""
    for cls in type(signal).__mro__:
        if cls in _hooks:
            return _hooks[cls]
    raise TypeError(f"csignals does not dispatch {signal!r}")


def both_kinds(signal: Any, live: Any) -> Any:
    """Return the sync and the async receivers, out of what ``_live_receivers`` returned."""
    return (live, ()) if hooks_of(signal).has_live_list else live


def keep(signal: Any, table: object) -> None:
    """Have a signal keep its table. Not through setattr(): it is none of a subclass's business."""
    if hooks_of(signal).is_in_force():
        vars(signal)["_csignals_table"] = table


def python_send(hooks: Hooks, robust: bool) -> Callable[..., list[Response]]:
    """Return the function that takes as many frames between a receiver and its caller as Django's does."""
    if robust:
        return send_robust
    return send_from_inside if hooks.has_live_list and sys.version_info < (3, 12) else send


def methods(cls: type, hooks: Hooks) -> dict[str, Any]:
    """Return the methods with which this engine dispatches a class of signals."""
    global _live_lists, no_receivers, wrapper
    _hooks[cls] = hooks
    _live_lists = _live_lists or hooks.has_live_list
    no_receivers = no_receivers or hooks.no_receivers
    wrapper = hooks.wrapper or wrapper
    return {
        "_live_receivers": live_list if hooks.has_live_list else live_receivers,
        "has_listeners": has_listeners,
        "send": python_send(hooks, robust=False),
        "send_robust": python_send(hooks, robust=True),
    }


def own(method: Any) -> None:
    """Have a function be known as csignals' ``_live_receivers``."""
    global own_method
    own_method = own_ids[id(method)] = method  # which is kept, so that no other has its id


for _method, _name in (
    (live_receivers, "_live_receivers"),
    (live_list, "_live_receivers"),
    (has_listeners, "has_listeners"),
    (send, "send"),
    (send_from_inside, "send"),
    (send_robust, "send_robust"),
):
    _method.__qualname__ = f"Signal.{_name}"  # what Python's TypeErrors name


def sweep(signal: Any) -> None:
    """Take dead entries off the list, as a death was reported, unless somebody holds the lock.

    A send never waits: whoever holds the lock registers something, and sweeps as well.
    """
    under_lock(signal, False, clear_dead, signal)


def wait_and_sweep(signal: Any) -> None:
    """Like sweep(), but for whoever registers something, and so waits for the lock."""
    under_lock(signal, True, clear_dead, signal)


def under_lock(signal: Any, wait: bool, act: Callable[..., Any], *args: Any) -> Any:
    """Call something while holding a signal's lock, and return what it returns: to be freed once the lock is.

    Where it may not `wait`, and somebody else holds the lock, nothing is called. It is taken and noted in one step of
    Python's, so that an interrupt (Ctrl+C) comes before that or after; `with` does not promise as much.
    """
    is_taken = [False]
    try:
        for is_taken[0] in map(signal.lock.acquire, (wait,)):
            if is_taken[0]:
                return act(*args)
    finally:
        if is_taken[0]:
            signal.lock.release()


def clear_dead(signal: Any) -> Any:
    try:
        return signal._clear_dead_receivers()
    except BaseException:
        signal._dead_receivers = True  # as before
        raise
