"""``mute()``: sends that call no receivers, or not all of them, during a ``with`` block.

How a send asks which mutes are active is in _interception.py and _scopes.py.
"""

from __future__ import annotations

import functools
from collections.abc import Coroutine, Iterator

from csignals._dispatch.common import make_id
from csignals._introspection.attributes import in_class, is_function
from csignals._scopes import check_sender, check_signals, find_sender, identities, identity, mutes
from csignals._typing import Any, F


class mute:  # noqa: N801  # used like a function
    """Mute signals during a ``with`` or ``async with`` block, or during each call of a decorated function.

    Without arguments, all signals are muted. A muted send calls no receiver and returns ``[]``, and ``has_listeners``
    returns False. With `receivers` (one receiver, or a list, tuple or set), only those receivers are not called. They
    are recognised as in ``disconnect``. A wrapper of such a receiver, with ``__wrapped__`` as ``functools.wraps`` sets
    it, is not called either: neither a wrapper that was connected, nor one that another package calls instead, as
    Sentry does. With `senders` (likewise), only sends by those senders are muted. A sender of Django's model signals
    may be named ("app.Model"), also if all signals are muted. The model is looked up when the mute is entered, so a
    mute may be made before the models are loaded.

    A mute is active in the current context (``contextvars``): in this thread, this task and the tasks it starts. The
    sends of other threads and tasks are not muted. The mute ends with the block, also in the tasks started during the
    block. Blocks may nest and overlap; each ends independently. A mute may be used again, also while it is active. If
    it is active in several contexts at once, each block must end in the context that entered it.

    A mute decorates functions and other callables, class methods and static methods. If a call returns a coroutine, the
    mute is active while the coroutine runs. It decorates a test class as ``unittest.mock.patch`` does: each method
    whose name starts with ``patch.TEST_PREFIX``, but not ``setUp``. Other classes and generator functions raise
    TypeError.

    Raises TypeError for an object that is not a signal, for a Django signal that csignals does not dispatch, and for a
    receiver that is not callable. Raises ValueError for a string that cannot name a model. Entering the mute raises
    LookupError if the named model does not exist.
    """

    def __init__(self, *signals: Any, receivers: Any = None, senders: Any = None) -> None:
        self._signals = check_signals(signals)
        self._receivers = None if receivers is None else _several(receivers)
        self._senders = None if senders is None else tuple([check_sender(signals, each) for each in _several(senders)])
        for receiver in self._receivers or ():
            if not callable(receiver):
                raise TypeError(f"mute() takes callable receivers, not {receiver!r}")
        self._scopes: list[_Scope] = []

    def __enter__(self) -> mute:
        senders = None if self._senders is None else [find_sender(self._signals, each) for each in self._senders]
        scope = _Scope(self, self._signals, self._receivers, senders)
        mutes.open(scope)
        self._scopes.append(scope)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        # The newest scope of this context. A fixture, or an async generator, may exit in another context.
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
            async def muted_async(*arguments: Any, **named: Any) -> Any:
                with self:
                    return await function(*arguments, **named)

            return muted_async  # type: ignore[return-value]

        @functools.wraps(function)
        def muted(*arguments: Any, **named: Any) -> Any:
            with self:
                result = function(*arguments, **named)
            # The function may wrap a coroutine function, whose code has not run yet.
            return self._await(result) if issubclass(type(result), Coroutine) else result

        return muted  # type: ignore[return-value]

    def _decorate_tests_of(self, cls: type) -> None:
        tests = list(self._decorated_tests_of(cls))  # before the class is changed
        if not tests:
            raise TypeError(MISUSED)
        for owner, name, test in tests:
            setattr(owner, name, test)

    def _decorated_tests_of(self, cls: type) -> Iterator[tuple[type, str, Any]]:
        """Yield the class, the name and the decorated form of each test that ``unittest.mock.patch`` would decorate."""
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
                # Python does not pass the instance to a callable object, and must not pass it to its wrapper.
                is_method = hasattr(type(written), "__get__")
                yield cls, name, self(test) if is_method else staticmethod(self(test))

    async def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self:
            return await coroutine


MISUSED = "mute() decorates functions and test classes; in another class or a generator, use it in a with statement"


class _Scope:
    """The signals, receivers and senders that a mute silences between an ``__enter__`` and its ``__exit__``."""

    is_open = False

    def __init__(
        self, owner: mute, signals: tuple[Any, ...], receivers: tuple[Any, ...] | None, senders: list[Any] | None
    ) -> None:
        self.owner = owner  # keeps alive the objects whose ids are below, except the models
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
