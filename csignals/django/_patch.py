"""``install()`` and ``uninstall()``: replace methods of ``django.dispatch.Signal``, and restore them.

The methods that send are made in ``csignals._dispatch``; _gather.py has the async ones for Django 5.0 to 6.0.
"""

from __future__ import annotations

import inspect
import threading
from types import FunctionType
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import Signal, dispatcher
from django.utils.inspect import func_accepts_kwargs

from csignals import _dispatch, devmode
from csignals import signals as standalone
from csignals._dispatch import awaiting, pure
from csignals._dispatch.common import remove_tables
from csignals._dispatch.task_group import await_each
from csignals._introspection.attributes import attribute
from csignals._scopes import watched
from csignals.devmode import note_disconnected, watch
from csignals.django import _gather
from csignals.django._settings import asks_sentry
from csignals.django.integrations.sentry import SentryWrapper
from csignals.listing import represent

TABLE = "_csignals_table"
DISPATCHING = "send", "send_robust", "has_listeners", "_live_receivers"

_lock = threading.RLock()
_ours: dict[str, Any] = {}  # csignals' methods by name; made once, so that they are recognised later
_theirs: dict[str, Any] = {}  # Django's own methods by name; None for a method that Django does not define
_is_active = False  # between install() and uninstall()
_sees_sends = False  # whether csignals takes part in every send that calls a receiver
_replaced: set[str] = set()  # names of methods that are csignals' on the class, or in another package's wrapper


def install() -> None:
    """Dispatch the signals of Django and of all apps with csignals. Does nothing if csignals does so already.

    If other code has replaced a method of ``django.dispatch.Signal``, its replacement stays. Raises
    ImproperlyConfigured for Django before 4.2. Thread-safe.
    """
    if django.VERSION < (4, 2):
        raise ImproperlyConfigured(f"csignals.django needs Django 4.2 or newer, but this is {django.get_version()}")
    global _is_active, _sees_sends
    with _lock:
        _is_active = True
        if not _ours:
            _ours.update(_methods())
        take_over()
        for name, ours in _ours.items():
            found = vars(Signal).get(name)
            if _is_pristine(found, name):
                _theirs[name] = found
                _replaced.add(name)
                setattr(Signal, name, ours)
        _sees_sends = "_live_receivers" in _replaced or {"send", "send_robust"} <= _replaced
        if dispatcher.func_accepts_kwargs is func_accepts_kwargs:
            dispatcher.func_accepts_kwargs = _func_accepts_kwargs
        forget_wrapper()


def take_over() -> None:
    """Uninstall the methods of an earlier import of this module, if they are on the class."""
    namespace = getattr(vars(Signal).get("connect"), "__globals__", {})
    if namespace.get("__name__") == __name__ and namespace is not globals():
        namespace["uninstall"]()


def uninstall() -> None:
    """Restore Django's methods on ``django.dispatch.Signal``. Does nothing if they are there.

    If other code has replaced a method after install(), its replacement stays and continues to work: csignals' method,
    which the replacement may call, then does what Django's method does. Thread-safe.
    """
    global _is_active, _sees_sends
    with _lock:
        _is_active = _sees_sends = False
        for name in list(_replaced):
            if vars(Signal).get(name) is _ours[name]:
                if _theirs[name] is None:
                    delattr(Signal, name)
                else:
                    setattr(Signal, name, _theirs[name])
            if vars(Signal).get(name) is _theirs[name]:
                _replaced.remove(name)
        forget_wrapper()
        if dispatcher.func_accepts_kwargs is _func_accepts_kwargs:
            dispatcher.func_accepts_kwargs = func_accepts_kwargs
        remove_tables()


def is_installed() -> bool:
    """Return whether csignals dispatches Django's signals: any method that takes part in a send is csignals'."""
    return any(owner(name) == "csignals" for name in DISPATCHING)


def owner(name: str) -> str:
    """Return the owner of a method of ``django.dispatch.Signal``: "csignals", "django", or the name of a module."""
    method = vars(Signal).get(name)
    if any(method is ours for ours in _ours.values()):
        return "csignals"
    if _is_pristine(method, name):
        return "django"
    # An object of wrapt shows the attributes of the method that it wraps. The owner wrote its wrapper function.
    wrapper = attribute(method, "_self_wrapper") or method
    # Not __module__, which functools.wraps() copies from Django's method.
    namespace = attribute(attribute(wrapper, "__func__") or wrapper, "__globals__") or {}
    return str(namespace.get("__name__") or type(wrapper).__module__)


def was_missed(name: str) -> bool:
    """Return whether other code replaced a method before install(), so that csignals takes no part in it."""
    if name == "_live_receivers" and sentry.is_known(vars(Signal).get(name)):
        return False
    return name not in _replaced and owner(name) not in ("csignals", "django")


def asked() -> str | None:
    """Return the owner of the ``_live_receivers`` that sends must call, or None if csignals chooses the receivers."""
    whose = owner("_live_receivers")
    if whose == "csignals" or not is_installed() or sentry.is_known(vars(Signal)["_live_receivers"]):
        return None
    return whose


def _is_original(method: Any) -> bool:
    """Return whether sends may skip a known wrapper of this ``_live_receivers``."""
    is_original = method is _ours["_live_receivers"] or _is_pristine(method, "_live_receivers")
    return is_original and _is_active and not asks_sentry()


sentry = SentryWrapper(_is_original)


def forget_wrapper() -> None:
    """Make sends check again whether ``_live_receivers`` is a known wrapper. Call this when the answer may change."""
    sentry.forget()
    pure.forget_wrapper()
    Signal._csignals_mark = None  # CPython changes the version of the class, which sends compare
    del Signal._csignals_mark


def _methods() -> dict[str, Any]:
    has_async = django.VERSION >= (5, 0)
    has_groups = django.VERSION >= (6, 1)
    config = _dispatch.DispatchConfig(
        await_receivers=awaiting.make_await_receivers(lambda: await_each if has_groups else _gather.await_each),
        log_failure=_log_failure if has_async else standalone.Signal._log_robust_failure,
        has_live_list=not has_async,
        # Django's own receiver warns with a stacklevel, and Django's tests check the line of the warning.
        keep_frames=(setting_changed,),
        # After uninstall(), another package's wrapper may still call our methods. They must store nothing on signals.
        is_active=lambda: _is_active,
        wrapper=sentry,
        no_receivers=dispatcher.NO_RECEIVERS,
    )
    methods = {
        **_dispatch.methods(Signal, config),
        "connect": _connect,
        "disconnect": _disconnect,
        "__repr__": represent,
    }
    if has_async:
        methods["_log_robust_failure"] = _log_robust_failure
        module = awaiting if has_groups else _gather
        methods |= {"asend": module.asend, "asend_robust": module.asend_robust}
    copies = {name: _copy(ours, name) for name, ours in methods.items()}
    pure.add_own_method(copies["_live_receivers"])
    return copies


def _connect(self: Any, receiver: Any, sender: Any = None, weak: Any = True, dispatch_uid: Any = None) -> Any:
    place = devmode.calling_place() if weak and _sees_sends and devmode.is_debugging() else None
    if place is None:
        return _theirs["connect"](self, receiver, sender, weak, dispatch_uid)
    before = self.receivers
    size = len(before) if before else 0
    result = _theirs["connect"](self, receiver, sender, weak, dispatch_uid)
    after = self.receivers
    # Django appends to the list, or to a new list without the dead entries. It leaves the old list unchanged then.
    new = after[size:] if after is before else _not_in(before, after)
    if new:
        key = _dispatch.make_key(receiver, sender, dispatch_uid)
        for entry in new:
            if entry[0] == key:  # otherwise another thread connected it
                watch(self, entry, receiver, sender, place)
    return result


def _not_in(before: Any, after: list[Any]) -> list[Any]:
    known = set(map(id, before or ()))
    return [entry for entry in after if id(entry) not in known]


def _disconnect(self: Any, receiver: Any = None, sender: Any = None, dispatch_uid: Any = None) -> Any:
    disconnected = _theirs["disconnect"](self, receiver, sender, dispatch_uid)
    # The table must not keep the receiver alive. Do this without the lock, which a finalizer may take.
    vars(self).pop(TABLE, None)
    if watched.known:
        note_disconnected(self, _dispatch.make_key(receiver, sender, dispatch_uid))
    return disconnected


def _func_accepts_kwargs(func: Any) -> bool:
    """Return what Django's function does, but without its cache, which keeps 512 receivers alive under DEBUG."""
    is_method = inspect.ismethod(func)
    function = func.__func__ if is_method else func
    hash(function)  # raises TypeError for an unhashable function, as Django's cache does
    return standalone.accepts_kwargs(func, lambda: list(standalone.parameters_of(function).values())[is_method:])


def _log_robust_failure(self: Any, receiver: Any, err: Exception) -> None:
    # Log as Django does. Django's own method needs a __qualname__.
    log = _theirs["_log_robust_failure"] if hasattr(receiver, "__qualname__") else standalone.Signal._log_robust_failure
    log(self, receiver, err)


def _log_failure(signal: Any, receiver: Any, err: Exception) -> None:
    signal._log_robust_failure(receiver, err)


def _copy(ours: Any, name: str) -> Any:
    """Return a copy of a function with the names of Django's method, and any other object unchanged."""
    if type(ours) is not FunctionType:
        return ours
    copy = FunctionType(ours.__code__, ours.__globals__, name, ours.__defaults__, ours.__closure__)
    copy.__doc__ = ours.__doc__ or getattr(Signal, name).__doc__
    copy.__module__ = Signal.__module__
    copy.__qualname__ = f"{Signal.__qualname__}.{name}"
    return copy


def _is_pristine(method: Any, name: str) -> bool:
    """Return whether a method is the one that Django defines. Comparing names is not enough: a wrapper copies them."""
    if method is None:
        return name == "__repr__"  # Django does not define it
    return (
        type(method) is FunctionType
        and method.__globals__ is vars(dispatcher)
        and not hasattr(method, "__wrapped__")
        and (method.__code__.co_name, method.__code__.co_filename) == (name, dispatcher.receiver.__code__.co_filename)
    )
