"""Blocks: stretches of a program in which signals are muted, captured or traced. Where each kind of them is in force.

A block is in force in the context that opened it (as ``contextvars`` has them: this thread, this task and the tasks it
starts), or in the whole process. Once it is closed, it is in force nowhere, whichever context closed it.
"""

from __future__ import annotations

import sys
import threading
from contextvars import ContextVar
from types import MethodType

from csignals import _dispatch
from csignals._dispatch_py import hooks_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTEXT, PROCESS = SCOPES = "context", "process"

_lock = threading.RLock()
_asked: Any = None      # the module _steering.py
_users = 0      # how many blocks are open, and other things for which sends have to ask


#: The blocks of each kind, as they are in force in a context. Some may be closed by now.
here: ContextVar[tuple[tuple[Any, ...], ...]] = ContextVar("csignals_blocks", default=((), (), ()))


class Kind:
    """The blocks of one kind: mutes, captures or traces."""

    def __init__(self, index: int) -> None:
        self._index = index     # among those of a context
        #: Those of the whole process.
        self.everywhere: tuple[Any, ...] = ()
        #: Those that are open anywhere.
        self.opened: tuple[Any, ...] = ()

    def in_force(self) -> tuple[Any, ...]:
        """Return the blocks that are in force in this context, in the order in which they were opened."""
        blocks = here.get()[self._index]
        return (tuple([block for block in blocks if block.is_open]) if blocks else ()) + self.everywhere

    def open(self, block: Any, scope: str = CONTEXT) -> None:
        block.is_open = True
        with _lock:
            self.opened += (block,)
            if scope == PROCESS:
                self.everywhere += (block,)
            else:
                _keep_open_ones_here(self._index, block)
            use(1)

    def close(self, block: Any) -> None:
        """Close a block. Does nothing if it is closed."""
        with _lock:
            if block.is_open:
                block.is_open = False
                self.opened = tuple([other for other in self.opened if other.is_open])
                self.everywhere = tuple([other for other in self.everywhere if other.is_open])
                _keep_open_ones_here()
                use(-1)


def _keep_open_ones_here(index: int = 0, *added: Any) -> None:
    kinds = [tuple([block for block in blocks if block.is_open]) for blocks in here.get()]
    kinds[index] += added
    here.set(tuple(kinds))


MUTES, CAPTURES, TRACES = range(3)
mutes, captures, traces = Kind(MUTES), Kind(CAPTURES), Kind(TRACES)


def use(change: int, wait: bool = True) -> bool:
    """Have sends ask what is in force for them, from the first user (1) until the last one is gone (-1).

    Returns whether that is done: unless it may `wait`, somebody else's doing the same may be in the way.
    """
    global _users
    if not _lock.acquire(blocking=wait):
        return False
    try:
        _users += change
        _dispatch.steer(_asked if _users else None)
    finally:
        _lock.release()
    return True


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


def identity(target: Any) -> Any:
    """Return what make_id() does, without asking: a lazy object stays so."""
    return (id(target.__self__), id(target.__func__)) if type(target) is MethodType else id(target)


def known_sender(signals: tuple[Any, ...], sender: Any) -> Any:
    """Return a sender, given for these signals: a model by its name ("app.Model") too, as ``ModelSignal.connect`` does.

    Raises LookupError where there is no such model, and ValueError for a string that is no such name.
    """
    models = sys.modules.get("django.db.models.signals")
    if type(sender) is str and models is not None and any(isinstance(each, models.ModelSignal) for each in signals):
        return sys.modules["django.apps"].apps.get_model(sender)
    return sender
