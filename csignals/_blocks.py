"""Blocks: stretches of a program in which signals are muted, captured or traced. Where each kind of them is in force.

A block is in force in the context that opened it (as ``contextvars`` has them: this thread, this task and the tasks it
starts), or in the whole process. Once it is closed, it is in force nowhere, whichever context closed it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import MethodType
from weakref import ref

from csignals import _dispatch
from csignals._dispatch_py import hooks_of, make_id
from csignals._once import refuse_twice
from csignals._typing import Any

Reference = ref[Any]

refuse_twice(__name__)

CONTEXT, PROCESS = SCOPES = "context", "process"
MOST_WRAPPERS = 100  # one around the other: some may go round in a circle

_lock = threading.RLock()
_asked: Any = None  # the module _steering.py
is_asked = False  # whether sends certainly ask
#: Each says whether there is anything for which sends have to ask.
reasons: list[Callable[[], bool]] = []


#: References to the blocks of each kind that are in force in a context. Some may be closed by now: copies of a context
#: keep what was open when they were made, as long as they live, and shall not keep what a closed block has kept.
here: ContextVar[tuple[tuple[Reference, ...], ...]] = ContextVar("csignals_blocks", default=((), (), ()))


class Kind:
    """The blocks of one kind: mutes, captures or traces."""

    def __init__(self, index: int) -> None:
        self._index = index  # among those of a context
        #: References to those of the whole process.
        self.everywhere: tuple[Reference, ...] = ()
        #: Those that are open anywhere, which keeps them.
        self.opened: tuple[Any, ...] = ()
        reasons.append(self.is_any_open)

    def is_any_open(self) -> bool:
        return any(block.is_open for block in self.opened)

    def in_force(self) -> list[Any]:
        """Return the blocks that are in force in this context, in the order in which they were opened."""
        references = here.get()[self._index] + self.everywhere
        return [block for each in references if (block := each()) is not None and block.is_open] if references else []

    def open(self, block: Any, scope: str = CONTEXT) -> None:
        block.is_open = True
        with _lock:
            self.opened += (block,)
            if scope == PROCESS:
                self.everywhere += (ref(block),)
            else:
                _keep_open_ones_here(self._index, ref(block))
            update()

    def close(self, block: Any) -> None:
        """Close a block. Does nothing if it is closed."""
        with _lock:
            if block.is_open:
                block.is_open = False
                self.opened = tuple([other for other in self.opened if other.is_open])
                self.everywhere = references_to_open_ones(self.everywhere)
                _keep_open_ones_here()
                update()


def references_to_open_ones(references: Iterable[Reference]) -> tuple[Reference, ...]:
    # Whoever closes a block may be another thread, and the last to hold it.
    return tuple([each for each in references if (block := each()) is not None and block.is_open])


def _keep_open_ones_here(index: int = 0, *added: Reference) -> None:
    kinds = list(map(references_to_open_ones, here.get()))
    kinds[index] += added
    here.set(tuple(kinds))


MUTES, CAPTURES, TRACES = range(3)
mutes, captures, traces = Kind(MUTES), Kind(CAPTURES), Kind(TRACES)


def is_any_reason() -> bool:
    return any(holds() for holds in reasons)


def update(wait: bool = True) -> None:
    """Have sends ask what is in force for them, if there is any reason to, or else no longer.

    Unless it may `wait`, it leaves that to whoever is doing the same.
    """
    global is_asked
    if not _lock.acquire(blocking=wait):
        return
    try:
        done = None
        while done is not (is_wanted := is_any_reason()):  # finalizers may come between, and change that
            is_asked = False
            _dispatch.steer(_asked if is_wanted else None)
            is_asked = done = is_wanted
    finally:
        _lock.release()


def be_asked(module: Any) -> None:
    """Have it be this module that sends ask."""
    global _asked
    _asked = module


def check_scope(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError(f"scope must be 'context' or 'process', not {scope!r}")
    return scope


def check_signals(signals: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return signals, as far as csignals dispatches them. Raises TypeError for anything else."""
    for signal in signals:
        if not is_dispatched(signal):
            raise TypeError(f"{signal!r} is no signal, or one of Django's while csignals.django is not installed")
    return signals


def is_dispatched(signal: Any) -> bool:
    try:
        return hooks_of(signal).is_in_force()
    except TypeError:
        return False


def identity(sender: Any) -> Any:
    """Return what make_id() does, without asking the sender: a lazy object stays so."""
    return (id(sender.__self__), id(sender.__func__)) if issubclass(type(sender), MethodType) else id(sender)


def receiver_identity(receiver: Any) -> Any:
    """Return what connect() and disconnect() know a receiver by."""
    try:
        return make_id(receiver)
    except Exception:  # of its __getattr__: such a receiver can be connected under a dispatch_uid only
        return id(receiver)


def identities(receiver: Any) -> list[Any]:
    """Return the identity of a receiver, then those of what it wraps.

    Some put an object of their own in a receiver's place, as Sentry does, which has that as its ``__wrapped__``.
    """
    found: list[Any] = []
    while receiver is not None and len(found) < MOST_WRAPPERS:
        found.append(receiver_identity(receiver))
        try:
            receiver = getattr(receiver, "__wrapped__", None)
        except Exception:
            break
    return found


def check_sender(signals: tuple[Any, ...], sender: Any) -> Any:
    """Return a sender, given for these signals. Raises ValueError for a string that cannot be the name of a model.

    That is known before the models are loaded; find_sender() looks for the model.
    """
    if _is_string(sender) and _is_any_of_models(signals) and str.count(sender, ".") != 1:
        raise ValueError(f"a model is named as 'app_label.ModelName', not {str.__repr__(sender)}")
    return sender


def find_sender(signals: tuple[Any, ...], sender: Any) -> Any:
    """Return a sender, given for these signals: the model, where it is given by its name ("app.Model").

    ``ModelSignal.connect`` takes such names too. Without signals, which is all of them, only a string that looks like a
    model's name is one: others may be senders. Raises LookupError where there is no such model.
    """
    if not _is_string(sender):
        return sender
    models = sys.modules.get("django.db.models.signals")
    is_name = _is_any_of_models(signals) or (
        not signals and models is not None and is_dispatched(models.post_save) and str.count(sender, ".") == 1
    )
    # Not get_model(), which refuses to look as long as any app is being loaded.
    return sys.modules["django.apps"].apps.get_registered_model(*str.split(sender, ".")) if is_name else sender


def _is_string(sender: object) -> bool:
    return issubclass(type(sender), str)


def _is_any_of_models(signals: tuple[Any, ...]) -> bool:
    models = sys.modules.get("django.db.models.signals")
    return models is not None and any(isinstance(each, models.ModelSignal) for each in signals)
