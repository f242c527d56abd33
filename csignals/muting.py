"""``mute()``: sends that reach nobody, or not everybody, for the length of a block."""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Iterator

from csignals._dispatch.common import make_id
from csignals._introspection.attributes import in_class, is_function
from csignals._scopes import check_sender, check_signals, find_sender, identities, identity, mutes
from csignals._typing import Any, F


class mute:  # noqa: N801  # used like a function
    """Mute signals, for the length of a ``with`` or ``async with`` block, or of a function that this decorates.

    Without arguments all signals are muted. A muted send calls nobody and returns ``[]``, and ``has_listeners``
    says so. With `receivers`, a receiver or a list, tuple or set of them, only those are left out, and what wraps them
    (as ``functools.wraps`` has it): be it what was connected, or what others call in their place, as Sentry does. They
    are told apart as ``disconnect`` does. With `senders`, likewise, only sends by those are muted. Senders of Django's
    model signals may be named ("app.Model"), also where all signals are muted; the models are looked for when the mute
    is entered, so that it may be made before they are loaded.

    It holds in the current context alone (``contextvars``): in this thread, this task and the tasks it
    starts, so that nobody else's sends are silenced; and it ends with the block, in the tasks that it started
    as well. Blocks may nest and overlap: each ends for itself. May be used again, also while it is in use; but one that
    is in use in several contexts at once must be left where it was entered.

    It decorates whatever can be called, and class and static methods; where a call makes a coroutine, it holds while
    that runs. A test class it decorates as ``unittest.mock.patch`` does: each of the methods whose names start with
    ``patch.TEST_PREFIX``, and not ``setUp``. Other classes and generator functions raise TypeError.

    Raises TypeError for what is no signal, or for one of Django's while csignals does not dispatch those, and
    ValueError for a string that cannot be the name of a model. Entering it raises LookupError for the name of a model
    that is not there.
    """

    def __init__(self, *signals: Any, receivers: Any = None, senders: Any = None) -> None:
        self._signals = check_signals(signals)
        self._receivers = None if receivers is None else _several(receivers)
        self._senders = None if senders is None else tuple([check_sender(signals, each) for each in _several(senders)])
        for receiver in self._receivers or ():
            if not callable(receiver):
                raise TypeError(f"mute() takes receivers, which can be called, not {receiver!r}")
        self._scopes: list[_Scope] = []

    def __enter__(self) -> mute:
        senders = None if self._senders is None else [find_sender(self._signals, each) for each in self._senders]
        scope = _Scope(self, self._signals, self._receivers, senders)
        mutes.open(scope)
        self._scopes.append(scope)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        # The newest that was entered here. A fixture, or an async generator, may be left in another context.
        here = [scope for scope in mutes.active() if scope.owner is self]
        scope = (here or self._scopes)[-1]
        self._scopes.remove(scope)
        mutes.close(scope)

    async def __aenter__(self) -> mute:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        import inspect

        method: Any = function
        if isinstance(method, type):
            self._decorate_tests_of(method)
            return function
        if type(method) in (classmethod, staticmethod):
            return type(method)(self(method.__func__))  # type: ignore[no-any-return]
        # An object is called by a method of its class.
        called = in_class(type(function), "__call__")
        functions = [function, called] if is_function(called) else [function]
        if not callable(function) or any(
            inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in functions
        ):
            raise TypeError(MISUSED)
        if any(map(inspect.iscoroutinefunction, functions)):

            @functools.wraps(function)
            async def muted(*arguments: Any, **named: Any) -> Any:
                with self:
                    return await function(*arguments, **named)

        else:

            @functools.wraps(function)
            def muted(*arguments: Any, **named: Any) -> Any:
                with self:
                    result = function(*arguments, **named)
                # It may stand before a coroutine function, which has done nothing yet.
                return self._await(result) if issubclass(type(result), Coroutine) else result

        return muted  # type: ignore[return-value]

    def _decorate_tests_of(self, cls: type) -> None:
        tests = list(self._decorated_tests_of(cls))  # before the class is changed
        if not tests:
            raise TypeError(MISUSED)
        for owner, name, test in tests:
            setattr(owner, name, test)

    def _decorated_tests_of(self, cls: type) -> Iterator[tuple[type, str, Any]]:
        """Yield those of the tests that ``unittest.mock.patch`` would decorate, with the class and the name of each."""
        from unittest.mock import patch

        for name in dir(cls):
            if not name.startswith(patch.TEST_PREFIX) or not callable(test := getattr(cls, name)):
                continue
            written = in_class(cls, name)
            if isinstance(test, type):
                yield from self._decorated_tests_of(test)
            elif type(written) in (classmethod, staticmethod):
                yield cls, name, self(written)
            else:
                # A callable object is not given the instance, and its wrapper shall not be either.
                is_method = hasattr(type(written), "__get__")
                yield cls, name, self(test) if is_method else staticmethod(self(test))

    async def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self:
            return await coroutine


MISUSED = "mute() decorates functions and test classes; in another class or a generator, use it in a with statement"


class _Scope:
    """What is muted between an ``__enter__`` and its ``__exit__``."""

    is_open = False

    def __init__(
        self, owner: mute, signals: tuple[Any, ...], receivers: tuple[Any, ...] | None, senders: list[Any] | None
    ) -> None:
        self.owner = owner  # which keeps alive what the ids are of, all but the models
        self.senders = senders
        self.signal_ids = frozenset(map(id, signals))
        self.receiver_ids = None if receivers is None else frozenset(map(make_id, receivers))
        self.sender_ids = None if senders is None else frozenset(map(identity, senders))

    def matches(self, signal: Any, sender: object) -> bool:
        return (not self.signal_ids or id(signal) in self.signal_ids) and (
            self.sender_ids is None or identity(sender) in self.sender_ids
        )

    def allows(self, receiver: Any) -> bool:
        return self.receiver_ids is not None and self.receiver_ids.isdisjoint(identities(receiver))


def _several(one_or_more: Any) -> tuple[Any, ...]:
    return tuple(one_or_more) if isinstance(one_or_more, (list, tuple, set, frozenset)) else (one_or_more,)
