"""Scopes: the mutes, captures and traces that are active, in a context or in the whole process.

A scope is active in the context that opened it (as in ``contextvars``: this thread, this task, and the tasks it
starts), or in the whole process. Once it is closed it is active nowhere, whichever context closed it. What a scope does
is in muting.py, testing and tracing. While any scope is active, sends ask _interception.py.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import MethodType
from weakref import ref

from csignals._dispatch import enable_interception
from csignals._dispatch.common import config_of, make_id
from csignals._introspection.attributes import Memo
from csignals._typing import Any

Reference = ref[Any]

CONTEXT, PROCESS = SCOPES = "context", "process"
MAX_WRAPPERS = 100  # around a receiver: a `__wrapped__` may lead in a circle

_lock = threading.RLock()

#: References to the scopes of each kind that are active in a context. Some may be closed: a copy of a context has those
#: that were open when it was made, for as long as it lives, and must not keep alive what a closed scope holds.
context_scopes: ContextVar[tuple[tuple[Reference, ...], ...]] = ContextVar("csignals_scopes", default=((), (), ()))


class ScopeRegistry:
    """The scopes of one kind: mutes, captures or traces."""

    def __init__(self, index: int) -> None:
        self._index = index  # in the tuples of `context_scopes`
        #: References to the scopes that are active in the whole process.
        self.process_scopes: tuple[Reference, ...] = ()
        #: The scopes that are open in any context. This keeps them alive.
        self.opened: tuple[Any, ...] = ()

    def is_any_open(self) -> bool:
        return any(scope.is_open for scope in self.opened)

    def active(self) -> list[Any]:
        """Return the scopes that are active in this context, in the order in which they were opened."""
        references = context_scopes.get()[self._index] + self.process_scopes
        return [scope for each in references if (scope := each()) is not None and scope.is_open] if references else []

    def active_references(self) -> tuple[Reference, ...]:
        """Return references to the scopes that are active in this context."""
        return open_references(context_scopes.get()[self._index] + self.process_scopes)

    def open(self, scope: Any, where: str = CONTEXT) -> None:
        scope.is_open = True
        with _lock:
            self.opened += (scope,)
            if where == PROCESS:
                self.process_scopes += (ref(scope),)
            else:
                _keep_open_in_context(self._index, ref(scope))
            update_interception()

    def close(self, scope: Any) -> None:
        """Close a scope. Does nothing if it is closed."""
        with _lock:
            if scope.is_open:
                scope.is_open = False
                self.opened = tuple([other for other in self.opened if other.is_open])
                self.process_scopes = open_references(self.process_scopes)
                _keep_open_in_context()
                update_interception()


def open_references(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return those of some references whose scopes are open."""
    # Another thread may close a scope, and be the last to hold it.
    return tuple([each for each in references if (scope := each()) is not None and scope.is_open])


def _keep_open_in_context(index: int = 0, *added: Reference) -> None:
    kinds = list(map(open_references, context_scopes.get()))
    kinds[index] += added
    context_scopes.set(tuple(kinds))


MUTES, CAPTURES, TRACES = range(3)
mutes, captures, traces = ScopeRegistry(MUTES), ScopeRegistry(CAPTURES), ScopeRegistry(TRACES)


def stop_if_idle(is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
    """Disable interception if nothing needs it. Runs at any time, also in a weak reference's callback: never waits."""
    if not is_finalizing() and not is_any_watched():
        update_interception(wait=False)


#: Of each signal, the weak receivers that devmode.py watches: a dict by the sender's id of dicts by the receiver's.
watched = Memo(after_death=stop_if_idle)


def is_any_watched() -> bool:
    return any(any(senders.copy().values()) for senders in watched.known.copy().values())


def is_interception_needed() -> bool:
    return mutes.is_any_open() or captures.is_any_open() or traces.is_any_open() or is_any_watched()


is_enabled = False  # whether sends certainly ask the interceptor


def update_interception(wait: bool = True) -> None:
    """Enable interception while any scope is active or any receiver is watched; else disable it.

    Without `wait`, another thread that is doing this does it for this one too.
    """
    global is_enabled
    if not _lock.acquire(blocking=wait):
        return
    try:
        done = None
        while done is not (is_needed := is_interception_needed()):  # finalizers may run meanwhile, and change that
            is_enabled = False
            enable_interception(is_needed)
            is_enabled = done = is_needed
    finally:
        _lock.release()


# --- Arguments that name signals, senders and receivers ------------------------------------------------------


def check_scope(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError(f"scope must be 'context' or 'process', not {scope!r}")
    return scope


def check_signals(signals: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the signals. Raises TypeError for an object that is not a signal that csignals dispatches."""
    for signal in signals:
        if not is_dispatched(signal):
            raise TypeError(
                f"{signal!r} is not a signal that csignals dispatches. For Django's signals, put "
                '"csignals.django" in INSTALLED_APPS or call csignals.django.install().'
            )
    return signals


def is_dispatched(signal: Any) -> bool:
    try:
        return config_of(signal).is_active()
    except TypeError:
        return False


def identity(sender: Any) -> Any:
    """Return what make_id() returns, without asking the sender: a lazy object is not evaluated."""
    return (id(sender.__self__), id(sender.__func__)) if issubclass(type(sender), MethodType) else id(sender)


def receiver_identity(receiver: Any) -> Any:
    """Return the id by which connect() and disconnect() know a receiver."""
    try:
        return make_id(receiver)
    except Exception:  # from its __getattr__: such a receiver can be connected under a dispatch_uid only
        return id(receiver)


def identities(receiver: Any) -> list[Any]:
    """Return the identities of a receiver and of the receivers that it wraps (``__wrapped__``).

    Some packages replace a receiver by a wrapper, as Sentry does.
    """
    found: list[Any] = []
    while receiver is not None and len(found) < MAX_WRAPPERS:
        found.append(receiver_identity(receiver))
        try:
            receiver = getattr(receiver, "__wrapped__", None)
        except Exception:
            break
    return found


def check_sender(signals: tuple[Any, ...], sender: Any) -> Any:
    """Return the sender. Raises ValueError for a string that cannot name a model, if a signal is a model signal.

    This does not need the models to be loaded; find_sender() looks for the model.
    """
    if _is_string(sender) and _is_any_model_signal(signals) and str.count(sender, ".") != 1:
        raise ValueError(f"a model is named as 'app_label.ModelName', not {str.__repr__(sender)}")
    return sender


def find_sender(signals: tuple[Any, ...], sender: Any) -> Any:
    """Return the sender: the model, where it is named as "app.Model". Raises LookupError if there is no such model.

    ``ModelSignal.connect`` takes such names too. Without signals, which means all of them, a string is taken as a name
    only if it looks like a model's: other strings may be senders.
    """
    if not _is_string(sender):
        return sender
    models = sys.modules.get("django.db.models.signals")
    is_name = _is_any_model_signal(signals) or (
        not signals and models is not None and is_dispatched(models.post_save) and str.count(sender, ".") == 1
    )
    # Not get_model(), which raises while any app is being loaded.
    return sys.modules["django.apps"].apps.get_registered_model(*str.split(sender, ".")) if is_name else sender


def _is_string(sender: object) -> bool:
    return issubclass(type(sender), str)


def _is_any_model_signal(signals: tuple[Any, ...]) -> bool:
    models = sys.modules.get("django.db.models.signals")
    return models is not None and any(isinstance(each, models.ModelSignal) for each in signals)
