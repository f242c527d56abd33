"""Puts the engine's methods in place of those of ``django.dispatch.Signal``, and takes them out again."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from collections.abc import Coroutine
from types import FunctionType
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import Signal, dispatcher

from csignals import _dispatch
from csignals import signal as standalone
from csignals.aio import make_await_receivers

TABLE = "_csignals_table"

_lock = threading.RLock()
_ours: dict[str, Any] = {}      # what is put on the class, by name; made once, so that it is known again
_theirs: dict[str, Any] = {}    # Django's own methods, by name, as far as they are replaced


def install() -> None:
    """Dispatch the signals of Django, and of all apps, by csignals. Does nothing if they are already.

    A method that somebody else has replaced on ``django.dispatch.Signal`` stays theirs. Raises
    ImproperlyConfigured for a Django that is too old. Thread-safe.
    """
    if django.VERSION < (4, 2):
        raise ImproperlyConfigured(f"csignals.django needs Django 4.2 or newer, this is {django.get_version()}")
    with _lock:
        if not _ours:
            _ours.update(_replacements())
        for name, ours in _ours.items():
            found = vars(Signal).get(name)
            if _is_pristine(found):
                _theirs[name] = found
                setattr(Signal, name, ours)


def uninstall() -> None:
    """Give ``django.dispatch.Signal`` its own methods back. Does nothing if it has them.

    A method that somebody else has replaced meanwhile stays theirs, and goes on working: if it calls the one
    that it found, which is csignals', that does what Django's would do. Thread-safe.
    """
    with _lock:
        for name, theirs in list(_theirs.items()):
            if vars(Signal).get(name) is _ours[name]:
                setattr(Signal, name, theirs)
            if vars(Signal).get(name) is theirs:
                del _theirs[name]
        for each in gc.get_objects():
            if issubclass(type(each), Signal):      # isinstance() would wake up lazy objects
                vars(each).pop(TABLE, None)


def is_installed() -> bool:
    """Return whether csignals dispatches Django's signals, as far as nobody else has taken them over."""
    return any(vars(Signal).get(name) is ours for name, ours in _ours.items())


def owner(name: str) -> str:
    """Return whose a method of ``django.dispatch.Signal`` is: "csignals", "django", or the name of a module."""
    method = vars(Signal).get(name)
    if name in _ours and method is _ours[name]:
        return "csignals"
    if _is_pristine(method):
        return "django"
    # Not __module__: functools.wraps() makes that Django's.
    return str(getattr(method, "__globals__", {}).get("__name__") or type(method).__module__)


def was_missed(name: str) -> bool:
    """Return whether somebody has replaced a method before csignals could, so that it has no part in it."""
    return name not in _theirs and not _is_pristine(vars(Signal).get(name))


def _replacements() -> dict[str, Any]:
    has_async = django.VERSION >= (5, 0)
    log_failure = standalone.Signal._log_robust_failure
    hooks = _dispatch.Hooks(
        await_receivers=make_await_receivers(getattr(dispatcher, "_run_parallel", _gather)),
        log_failure=(lambda signal, *failure: signal._log_robust_failure(*failure)) if has_async else log_failure,
        has_live_list=not has_async,
        # Django's own receiver warns with a stacklevel, and its tests look where that points.
        keep_frames=(setting_changed,),
    )
    methods = {name: _copy(ours, name) for name, ours in _dispatch.methods(Signal, hooks).items()}
    original_clear = Signal._clear_dead_receivers

    @functools.wraps(original_clear)
    def clear_dead_receivers(self: Any) -> Any:
        # connect() and disconnect() come by here, and the table must not keep alive what they drop.
        vars(self).pop(TABLE, None)
        return original_clear(self)

    methods["_clear_dead_receivers"] = clear_dead_receivers
    if has_async:
        original_log = Signal._log_robust_failure

        @functools.wraps(original_log)
        def log_robust_failure(self: Any, receiver: Any, err: Exception) -> None:
            # Django's record, wherever Django can make one.
            (original_log if hasattr(receiver, "__qualname__") else log_failure)(self, receiver, err)

        methods["_log_robust_failure"] = log_robust_failure
    return methods


def _copy(ours: Any, name: str) -> Any:
    """Return a method under the names of Django's, as far as it is a function."""
    if type(ours) is not FunctionType:
        return ours
    copy = FunctionType(ours.__code__, ours.__globals__, name, ours.__defaults__, ours.__closure__)
    copy.__doc__ = ours.__doc__
    copy.__module__ = Signal.__module__
    copy.__qualname__ = f"{Signal.__qualname__}.{name}"
    return copy


def _is_pristine(method: object) -> bool:
    """Return whether a method is Django's own: functools.wraps() gives a wrapper the names of one, but not this."""
    return getattr(method, "__globals__", None) is vars(dispatcher) and not hasattr(method, "__wrapped__")


async def _gather(*coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
    return await asyncio.gather(*coroutines)
