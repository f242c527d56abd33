"""The task backend that brings deferred receivers to workers: its protocol, its options, and how it is chosen."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

from csignals._introspection.naming import dotted_name


@dataclass(frozen=True)
class Options:
    """The options of a deferred receiver. The task backend decides about those that are None."""

    queue: str | None = None
    priority: int | None = None
    delay: float | None = None  #: seconds
    retries: int | None = None
    expires: float | None = None  #: seconds


class Backend(Protocol):
    """Brings messages to workers, which then call ``run(message)``. Any thread may call its methods.

    A backend that keeps its tasks may have more attributes, most of them for ``manage.py signals --deferred``:

    * ``tasks()`` returns an iterable with a `TaskInfo` for each task that failed, waits or runs, of any receiver. It
      raises NotImplementedError, with the reason, if the backend as it is configured cannot list its tasks. A backend
      that can list only some of them has an attribute ``statuses``, such as ``("failed",)``.
    * ``own_packages`` is a frozenset of the packages whose models the backend's workers save. Deferred receivers are
      not called for these, or each task would make another one.
    * ``retry(task)`` takes the `TaskInfo` of a failed task, makes a worker run the task again, and returns True. It
      returns False if the task was retried or deleted meanwhile.
    """

    def prepare(self, options: Options) -> Any:
        """Return a receiver's options in the form that `enqueue` takes. Raise TypeError for unsupported options.

        The first send calls it, and the first send after a change of Django's settings ``CSIGNALS`` or ``TASKS``.
        """

    def enqueue(self, message: str, prepared: Any) -> None:
        """Hand a message over. Raise an exception if that fails."""


@dataclass(frozen=True)
class Configuration:
    """A task backend, and when it gets messages."""

    backend: Backend
    on_commit: bool = True  #: Whether receivers that do not choose wait for the commit.
    is_inline: bool = False  #: Whether it replaces all others, and nothing waits.


configured: Configuration | None = None  # by `configure`
_from_settings: Configuration | None = None  # of Django's CSIGNALS
_renewed: dict[int, tuple[Configuration, Configuration]] | None = None  # receivers' own ones, by id, since a change
_follows_settings = False
inline: list[Configuration] = []  # of `inline_deferred()` blocks that are open
BACKENDS = {
    "celery": "csignals.deferred.backends.celery.Backend",
    "django_tasks": "csignals.deferred.backends.django_tasks.Backend",
}
LONGEST_TIME = 3650 * 86_400  # seconds: RabbitMQ refuses messages that expire later
SETTINGS = {"DEFERRED", "DEFERRED_ON_COMMIT", "SENTRY_WRAPPER"}  # in Django's CSIGNALS


def current(own: Configuration | None) -> Configuration:
    """Return the configuration for a receiver, given its own one or None. Raises LookupError if there is none.

    It is the same object until something changes: what a backend prepared for another object is out of date.
    """
    for each in inline:
        return each
    if own is not None:
        return own if _renewed is None else _renewed.setdefault(id(own), (own, replace(own)))[1]
    return configured or _from_settings or _of_settings()


def own_configuration(backend: Backend | str | None) -> Configuration | None:
    """Return a receiver's own configuration, or None. Without one, that of Django's settings is loaded now."""
    if backend is not None:
        own = Configuration(backend_of(backend))
        _follow_settings()
        return own
    if configured is None and _from_settings is None and has_settings():
        from django.apps import apps
        from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured

        try:
            configure_by_settings()
        except (AppRegistryNotReady, ImproperlyConfigured):
            # A backend may need an app that is being loaded. csignals.django, or the first send, loads it later.
            if apps.ready:
                raise
    return None


def configure(backend: Backend | str | None, *, on_commit: bool = True) -> None:
    """Choose the task backend of deferred receivers that name none, and whether these wait for the commit.

    `backend` is "celery", "django_tasks", the dotted name of a `Backend` or of a class that makes one, or a `Backend`.
    None undoes the choice, so that Django's setting ``CSIGNALS["DEFERRED"]`` counts again. Call it in a module that
    both senders and workers import. Raises ImportError if a package that the backend needs is not installed, and
    TypeError for an object that is not a backend.
    """
    global configured
    configured = None if backend is None else Configuration(backend_of(backend), on_commit)
    _follow_settings()


def configure_by_settings() -> None:
    """Read Django's setting ``CSIGNALS``, and create its backend if it is needed. Raises ImproperlyConfigured."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    global _from_settings
    _follow_settings()
    chosen = getattr(settings, "CSIGNALS", {})
    if (
        not isinstance(chosen, dict)
        or not chosen.keys() <= SETTINGS
        or ("DEFERRED_ON_COMMIT" in chosen and "DEFERRED" not in chosen)
    ):
        raise ImproperlyConfigured(
            "CSIGNALS must be a dict that may have DEFERRED, DEFERRED_ON_COMMIT (with DEFERRED) and SENTRY_WRAPPER, "
            f"not {chosen!r}"
        )
    backend = chosen.get("DEFERRED")
    if configured is not None or _from_settings is not None or backend is None:
        return
    try:
        _from_settings = Configuration(backend_of(backend), chosen.get("DEFERRED_ON_COMMIT", True))
    except (ImportError, TypeError) as error:
        raise ImproperlyConfigured(f'CSIGNALS["DEFERRED"]: {error}') from error


def _follow_settings() -> None:
    """Let changes of Django's settings take effect, as those by ``override_settings``."""
    global _follows_settings
    if not _follows_settings and "django.conf" in sys.modules:
        from django.core.signals import setting_changed

        setting_changed.connect(_forget_settings, weak=False)
        _follows_settings = True


def _forget_settings(*, setting: str, **kwargs: Any) -> None:
    """Have the next send read the settings again, and prepare the options of its receivers again."""
    global configured, _from_settings, _renewed
    if setting in ("CSIGNALS", "TASKS"):
        _from_settings, _renewed = None, {}
        configured = configured and replace(configured)


def has_settings() -> bool:
    """Return whether Django is loaded and configured."""
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    return settings is not None and settings.configured


def _of_settings() -> Configuration:
    if has_settings():
        configure_by_settings()
    if _from_settings is None:
        raise LookupError(
            "deferred receivers have no task backend: choose one by csignals.deferred.configure(), or in Django's "
            'settings by CSIGNALS = {"DEFERRED": "celery"}'
        )
    return _from_settings


def backend_of(backend: Any) -> Backend:
    """Return the task backend for an argument of `configure`."""
    if isinstance(backend, str):
        module, _, name = BACKENDS.get(backend, backend).rpartition(".")
        if not module:
            raise TypeError(
                f"{backend!r} is not a task backend: use {', '.join(map(repr, BACKENDS))}, or a dotted name"
            )
        found = import_module(module)
        if not hasattr(found, name):
            raise ImportError(f"module {module!r} has no attribute {name!r}")
        backend = getattr(found, name)
    if isinstance(backend, type):
        backend = backend()
    if not (callable(getattr(backend, "prepare", None)) and callable(getattr(backend, "enqueue", None))):
        raise TypeError(f"{dotted_name(type(backend))} is not a task backend: it has no prepare() and enqueue()")
    return backend  # type: ignore[no-any-return]


def checked_options(queue: Any, priority: Any, delay: Any, retries: Any, expires: Any) -> Options:
    """Return the options of a deferred receiver. Raises TypeError or ValueError, which names the argument."""
    if queue is not None and not isinstance(queue, str):
        raise TypeError(f"queue must be a string, not {queue!r}")
    if queue == "":
        raise ValueError("queue must not be empty: leave it out for the queue that the task backend chooses")
    _check_integer("priority", priority)
    _check_integer("retries", retries)
    if retries is not None and retries < 0:
        raise ValueError(f"retries must not be negative, but is {retries}")
    return Options(queue, priority, _seconds("delay", delay), retries, _seconds("expires", expires))


def _check_integer(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{name} must be an integer, not {value!r}")


def _seconds(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float | timedelta) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds or a timedelta, not {value!r}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not 0 <= seconds <= LONGEST_TIME:  # nor NaN
        raise ValueError(f"{name} must not be negative, nor more than ten years, but is {value!r}")
    return seconds
