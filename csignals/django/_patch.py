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
from django.dispatch import Signal, dispatcher

from csignals import _dispatch
from csignals import signal as standalone
from csignals.aio import make_await_receivers

TABLE = "_csignals_table"

_lock = threading.RLock()
_ours: dict[str, Any] = {}      # what is put on the class, by name; made once, so that it is known again
_theirs: dict[str, Any] = {}    # Django's own methods, by name, as they were found


def install() -> None:
    """Dispatch the signals of Django, and of all apps, by csignals. Does nothing if they are already.

    A method that somebody else has replaced on ``django.dispatch.Signal`` stays theirs. Raises
    ImproperlyConfigured for a Django that is too old. Thread-safe.
    """
    if django.VERSION < (5, 0):
        raise ImproperlyConfigured(f"csignals.django needs Django 5.2 or newer, this is {django.get_version()}")
    with _lock:
        if not _ours:
            _ours.update(_replacements())
        for name, ours in _ours.items():
            found = vars(Signal).get(name)
            if _is_pristine(found):
                _theirs[name] = found
            elif not name.startswith("_csignals_"):
                continue
            setattr(Signal, name, ours)


def uninstall() -> None:
    """Give ``django.dispatch.Signal`` its own methods back. Does nothing if it has them.

    A method that somebody else has replaced meanwhile stays theirs, and goes on working. Thread-safe.
    """
    with _lock:
        for name, theirs in _theirs.items():
            if vars(Signal).get(name) is _ours[name]:
                setattr(Signal, name, theirs)
        # Somebody's wrapper around one of our methods still needs what that needs.
        if all(vars(Signal).get(name) is theirs for name, theirs in _theirs.items()):
            for name in _ours:
                if name.startswith("_csignals_") and name in vars(Signal):
                    delattr(Signal, name)
        for each in gc.get_objects():
            if issubclass(type(each), Signal):      # isinstance() would wake up lazy objects
                vars(each).pop(TABLE, None)


def is_installed() -> bool:
    """Return whether csignals dispatches Django's signals, as far as nobody else has taken them over."""
    return any(vars(Signal).get(name) is _ours[name] for name in _theirs)


def _replacements() -> dict[str, Any]:
    original = Signal._clear_dead_receivers

    @functools.wraps(original)
    def clear_dead_receivers(self: Any) -> Any:
        # connect() and disconnect() come by here, and the table must not keep alive what they drop.
        vars(self).pop(TABLE, None)
        return original(self)

    return {
        **{name: _copy(ours, name) for name, ours in _dispatch.methods(Signal).items()},
        "_clear_dead_receivers": clear_dead_receivers,
        "_csignals_await": make_await_receivers(getattr(dispatcher, "_run_parallel", _gather)),
        "_log_robust_failure": _copy(standalone.Signal._log_robust_failure, "_log_robust_failure"),
    }


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
