"""Calls that wait until the transactions of one or several databases have committed."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Hashable, Iterable
from typing import Any
from weakref import WeakValueDictionary, ref

#: The values of `once_per`.
ONCE_PER = "instance", "transaction"

_COLLECTIONS = list, tuple, set, frozenset, dict

IS_REFCOUNTED = sys.implementation.name == "cpython"


def database_of(named: dict[str, Any]) -> str:
    """Return the alias of the database that a send names as ``using``, or of the default one."""
    from django.db import DEFAULT_DB_ALIAS, connections

    using = named.get("using")
    return using if isinstance(using, str) and using in connections.settings else DEFAULT_DB_ALIAS


def databases_of_rows(values: Iterable[Any]) -> set[str]:
    """Return the databases of the rows among values, also of those in a list, tuple, set or dict."""
    model: Any = getattr(sys.modules.get("django.db.models.base"), "Model", ())
    found: set[str] = set()
    seen: set[int] = set()  # a list may contain itself
    todo = [values]
    while todo:
        for value in todo.pop():
            cls = type(value)
            if issubclass(cls, model):
                if value._state.db is not None:
                    found.add(value._state.db)
            elif cls in _COLLECTIONS and id(value) not in seen:
                seen.add(id(value))
                todo.append(value.values() if cls is dict else value)
    return found


def transactions(databases: Iterable[str]) -> list[Any]:
    """Return Django's connections to those of the databases that are in a transaction. Opens no connection."""
    from django.db import connections

    return [each for each in map(connections.__getitem__, sorted(databases)) if _is_in_transaction(each)]


def _is_in_transaction(connection: Any) -> bool:
    # Without an open connection there is no transaction, and asking Django would open one. With autocommit off,
    # Django's on_commit() raises an error, which is right.
    return bool(connection.in_atomic_block or (connection.connection is not None and not connection.autocommit))


def identity_of(once_per: str, named: dict[str, Any]) -> Hashable:
    """Return what sends have in common that make one call. Raises TypeError without an instance."""
    if once_per == "transaction":
        return None
    if "instance" not in named:
        raise TypeError('once_per="instance" needs sends that have the argument "instance"')
    instance = named["instance"]
    model: Any = getattr(sys.modules.get("django.db.models.base"), "Model", ())
    if issubclass(type(instance), model) and instance.pk is not None:
        return type(instance), str(instance.pk), instance._state.db
    return _Object(instance)


class _Object:
    """Stands for an object, and keeps it alive, so that no other one gets its id."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Object and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def call_after(
    connections: list[Any], call: Callable[[], object], *, robust: bool = False, once: Hashable = None
) -> None:
    """Call a function once all transactions of these connections have committed, unless one is rolled back.

    A rollback to a savepoint that was made before this function was called counts as well. Of the functions that are
    given with the same `once`, for the same connections, only the last one is called.
    """
    if once is None and len(connections) == 1:
        connections[0].on_commit(call, robust=robust)
        return
    waiting = _Waiting(call, len(connections))
    if once is not None:
        waiting.rivals = _rivals.setdefault((tuple(map(id, connections)), once), _Rivals())
        waiting.rivals.append(waiting.steps)
    for number, connection in enumerate(connections):
        step = functools.wraps(call)(_Step(waiting, number))  # Django logs its name
        waiting.steps[number] = ref(step)
        connection.on_commit(step, robust=robust)


#: Of each step of a call, by connection: a reference to it, or None once its connection has committed.
_Steps = dict[int, Any]


class _Rivals(list[_Steps]):
    """The steps of the calls of which only the last one is made."""


#: Only the waiting calls hold their rivals.
_rivals: WeakValueDictionary[Hashable, _Rivals] = WeakValueDictionary()


class _Waiting:
    """A call that waits for commits."""

    rivals: _Rivals | None = None

    def __init__(self, call: Callable[[], object], commits: int) -> None:
        self.call = call
        self.commits = commits  # still to come
        self.steps: _Steps = {}

    def note_commit(self, number: int) -> None:
        self.steps[number] = None
        self.commits -= 1
        if self.commits == 0 and not self._is_replaced():
            self.call()

    def _is_replaced(self) -> bool:
        """Return whether a later call with the same `once` waits for the same commits and was not rolled back."""
        if self.rivals is None or self.rivals[-1] is self.steps:
            return False
        if not IS_REFCOUNTED:
            gc.collect()
        (place,) = (number for number, steps in enumerate(self.rivals) if steps is self.steps)
        return any(map(_is_waiting, self.rivals[place + 1 :]))


def _is_waiting(steps: _Steps) -> bool:
    """Return whether a call still waits for a commit, and was not rolled back.

    A later call can be made first: in a transaction of its own, which another function makes at the same commit.
    """
    left = [step for step in steps.values() if step is not None]
    return bool(left) and all(step() is not None for step in left)


class _Step:
    """What one connection calls when it commits. Only the connection holds it: after a rollback it is gone."""

    def __init__(self, waiting: _Waiting, number: int) -> None:
        self.waiting = waiting
        self.number = number

    def __call__(self) -> None:
        self.waiting.note_commit(self.number)
