"""What the specification and the compiled code share: keys, references, locking, and the configuration of each class.

Nothing here is hot. How a send finds and calls its receivers is in pure.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from weakref import ReferenceType

from csignals._introspection.attributes import Memo
from csignals._typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals._dispatch.protocols import SendRecorder as SendRecorder
else:
    SendRecorder = object  # `typing`, which protocols.py imports, takes long to import

Receiver = Callable[..., Any]
Response = tuple[Receiver, Any]
#: ``(key, receiver, sender_ref, is_async)`` since Django 6.0, ``(key, receiver, is_async)`` in Django 5,
#: ``(key, receiver)`` in 4.2.
Entry = tuple[Any, ...]
#: The sync and the async receivers of a send.
LiveReceivers = tuple[list[Receiver], list[Receiver]]


# --- Keys ----------------------------------------------------------------------------------------------------


def make_id(target: Any) -> int | tuple[int, int]:
    """Return the identity of a receiver or sender: two ids for a bound method, one for any other object."""
    if hasattr(target, "__func__"):
        return (id(target.__self__), id(target.__func__))
    return id(target)


NONE_ID = make_id(None)


# --- References ----------------------------------------------------------------------------------------------


class StrongRef:
    """A reference to a sender that has no weak references. It holds the sender, so that its id is not used again."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        self._target = target

    def __call__(self) -> Any:
        return self._target


Getter = Callable[[], Any]


def getter(entry: Entry) -> Getter:
    """Return a callable that returns an entry's receiver, or None once the receiver or its sender is dead."""
    receiver = entry[1]
    get = receiver if isinstance(receiver, ReferenceType) else StrongRef(receiver)
    sender_ref = entry[2] if len(entry) == 4 else None
    if sender_ref is None or type(sender_ref) is StrongRef:
        return get
    return lambda: None if sender_ref() is None else get()


def is_alive(entry: Entry) -> bool:
    return getter(entry)() is not None


# --- Locking -------------------------------------------------------------------------------------------------


def under_lock(signal: Any, wait: bool, act: Callable[..., Any], *args: Any) -> Any:
    """Call `act` while holding a signal's lock, and return its result, which is thus freed after the lock.

    Without `wait`, `act` is not called if another thread holds the lock. The lock is taken and noted in one step of
    the interpreter, so that an interrupt (Ctrl+C) comes before both or after both; ``with`` does not promise that.
    """
    is_taken = [False]
    try:
        for is_taken[0] in map(signal.lock.acquire, (wait,)):
            if is_taken[0]:
                return act(*args)
    finally:
        if is_taken[0]:
            signal.lock.release()


def sweep(signal: Any) -> None:
    """Remove dead entries from the list after a death, unless another thread holds the lock.

    A send never waits: the holder of the lock registers or removes a receiver, and sweeps as well.
    """
    under_lock(signal, False, clear_dead, signal)


def wait_and_sweep(signal: Any) -> None:
    """Remove dead entries before a receiver is registered or removed, which waits for the lock."""
    under_lock(signal, True, clear_dead, signal)


def clear_dead(signal: Any) -> Any:
    try:
        return signal._clear_dead_receivers()
    except BaseException:
        signal._dead_receivers = True  # as before
        raise


# --- The configuration of each class of signals --------------------------------------------------------------


class KnownWrapper:
    """A wrapper of ``_live_receivers`` whose work sends do themselves, so that they need not call it."""

    #: The context variables of the scopes in which it may be recording. If empty, `caller` is asked on every send.
    scopes: tuple[ContextVar[Any], ...] = ()

    def is_known(self, method: Any) -> bool:
        """Return whether a function is this wrapper, and wraps only csignals' or Django's own method."""
        raise NotImplementedError

    def caller(self, signal: Any) -> Callable[..., Any] | None:
        """Return the function that calls each receiver, as ``caller(receiver, **named)``, or None to call directly."""
        raise NotImplementedError


AwaitReceivers = Callable[[Any, list[Receiver], object, dict[str, Any], bool, SendRecorder | None], list[Response]]


class DispatchConfig:
    """What differs between classes of signals: csignals' own, and Django's in each version."""

    def __init__(
        self,
        await_receivers: AwaitReceivers,
        log_failure: Callable[[Any, Receiver, Exception], None],
        has_live_list: bool = False,
        keep_frames: tuple[Any, ...] = (),
        is_active: Callable[[], bool] = lambda: True,
        wrapper: KnownWrapper | None = None,
        no_receivers: object = None,
    ) -> None:
        #: Awaits the async receivers of a sync send.
        self.await_receivers = await_receivers
        #: Logs the exception that a receiver raised in a robust send.
        self.log_failure = log_failure
        #: Whether ``_live_receivers`` returns one list, as in Django 4.2, which has no async receivers.
        self.has_live_list = has_live_list
        #: The signals whose receivers look at the calling frames: their ``send`` runs in Python, to be such a frame.
        self.keep_frames = keep_frames
        #: Returns whether csignals dispatches these signals: False for Django's while csignals is uninstalled.
        self.is_active = is_active
        #: The known wrapper of ``_live_receivers``.
        self.wrapper = wrapper
        #: The value that the signals' cache has for a sender without receivers, or None.
        self.no_receivers = no_receivers


_configs: dict[type, DispatchConfig] = {}


def add_config(cls: type, config: DispatchConfig) -> None:
    _configs[cls] = config


def config_of(signal: Any) -> DispatchConfig:
    """Return the configuration of a signal's class. It stays after `uninstall`: others may have wrapped the methods."""
    for cls in type(signal).__mro__:
        if cls in _configs:
            return _configs[cls]
    raise TypeError(f"csignals does not dispatch {signal!r}")


def split_sync_async(signal: Any, live: Any) -> Any:
    """Return the sync and the async receivers in what ``_live_receivers`` returned."""
    return (live, ()) if config_of(signal).has_live_list else live


_with_table = Memo()  # the signals in whose __dict__ there may be a routing table


def store_table(signal: Any, table: object) -> None:
    """Store a signal's routing table. Not through setattr(), which a subclass may have overridden."""
    if config_of(signal).is_active():
        vars(signal)["_csignals_table"] = table
        if not _with_table.get(signal):
            _with_table.put(signal, True)


def remove_tables() -> None:
    """Remove the tables that store_table() has stored."""
    for signal in _with_table.living():
        vars(signal).pop("_csignals_table", None)


# --- A signal's cache, as Django keeps it --------------------------------------------------------------------


def store_no_receivers_locked(signal: Any, sender: object, entries: Iterable[Entry], no_receivers: object) -> None:
    """Store in a signal's cache that a sender has no receivers, if the list still has these entries."""
    if [*map(id, signal.receivers)] == [*map(id, entries)]:
        signal.sender_receivers_cache[sender] = no_receivers
