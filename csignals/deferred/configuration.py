"""The task backend that brings deferred receivers to workers: its protocol, its options, and how it is chosen."""

from __future__ import annotations

import sys
from dataclasses import dataclass
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
    """Brings messages to workers, which then call ``run(message)``. Any thread may call both methods."""

    def prepare(self, options: Options) -> Any:
        """Return a receiver's options in the form that `enqueue` takes. Raise TypeError for unsupported options."""

    def enqueue(self, message: str, prepared: Any) -> None:
        """Hand a message over. Raise an exception if that fails."""


@dataclass(frozen=True)
class Configuration:
    """A task backend, and when it gets messages."""

    backend: Backend
    on_commit: bool = True  #: Whether receivers that do not choose wait for the commit.
    is_inline: bool = False  #: Whether it replaces all others, and nothing waits.


configured: Configuration | None = None
inline: list[Configuration] = []  # of `inline_deferred()` blocks that are open
BACKENDS = {
    "celery": "csignals.deferred.backends.celery.Backend",
    "django_tasks": "csignals.deferred.backends.django_tasks.Backend",
}
SETTINGS = {"DEFERRED", "DEFERRED_ON_COMMIT", "SENTRY_WRAPPER"}  # in Django's CSIGNALS


def current(own: Configuration | None) -> Configuration:
    """Return the configuration for a receiver, given its own one or None. Raises LookupError if there is none."""
    for each in inline:
        return each
    return own or configured or _of_settings()


def own_configuration(backend: Backend | str | None) -> Configuration | None:
    """Return a receiver's own configuration, or None. Without one, that of Django's settings is loaded now."""
    if backend is not None:
        return Configuration(backend_of(backend))
    if configured is None and has_settings():
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
    None undoes the choice. Call it in a module that both senders and workers import; ``csignals.django`` calls it for
    the setting ``CSIGNALS``. Raises ImportError if a package that the backend needs is not installed, and TypeError for
    an object that is not a backend.
    """
    global configured
    configured = None if backend is None else Configuration(backend_of(backend), on_commit)


def configure_by_settings() -> None:
    """Configure by Django's setting ``CSIGNALS``, unless `configure` was called. Raises ImproperlyConfigured."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

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
    if configured is not None or "DEFERRED" not in chosen:
        return
    try:
        configure(chosen["DEFERRED"], on_commit=chosen.get("DEFERRED_ON_COMMIT", True))
    except (ImportError, TypeError) as error:
        raise ImproperlyConfigured(f'CSIGNALS["DEFERRED"]: {error}') from error


def has_settings() -> bool:
    """Return whether Django is loaded and configured."""
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    return settings is not None and settings.configured


def _of_settings() -> Configuration:
    if has_settings():
        configure_by_settings()
    if configured is None:
        raise LookupError(
            "deferred receivers have no task backend: choose one by csignals.deferred.configure(), or in Django's "
            'settings by CSIGNALS = {"DEFERRED": "celery"}'
        )
    return configured


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
