"""The engine by which deferred receivers come to workers: what it is asked for, and how one is chosen."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from csignals._names import dotted_name


@dataclass(frozen=True)
class Options:
    """What an engine is asked for; what is None is left to it."""

    queue: str | None = None
    priority: int | None = None
    delay: float | None = None  #: seconds
    retries: int | None = None
    expires: float | None = None  #: seconds


class Engine(Protocol):
    """What brings messages to workers, which then call ``run(message)``. Both methods are called by any thread."""

    def prepare(self, options: Options) -> Any:
        """Return what `enqueue` wants of a receiver's options, which is kept. TypeError for one that it has not."""

    def enqueue(self, message: str, prepared: Any) -> None:
        """Hand a message over, and raise whatever goes wrong."""


@dataclass(frozen=True)
class Configuration:
    """An engine, and when it is handed what."""

    engine: Engine
    on_commit: bool = True  #: Whether receivers that do not say wait for the commit.
    is_inline: bool = False  #: Whether it takes the place of all others, and nothing waits.


configured: Configuration | None = None
inline: list[Configuration] = []  # of the tests' blocks that are open
ENGINES = {"celery": "csignals.engines.celery.Engine", "django_tasks": "csignals.engines.django_tasks.Engine"}
SETTINGS = {"DEFERRED", "DEFERRED_ON_COMMIT", "SENTRY_WRAPPER"}  # in Django's CSIGNALS


def current(own: Configuration | None) -> Configuration:
    """Return what a receiver's calls are handed to, which may have an engine of its own. Raises LookupError."""
    for each in inline:
        return each
    return own or configured or _of_settings()


def own_configuration(engine: Engine | str | None) -> Configuration | None:
    """Return what a receiver has chosen. If nothing, what Django's settings have is looked at, so that it is loaded."""
    if engine is not None:
        return Configuration(engine_of(engine))
    if configured is None and has_settings():
        from django.apps import apps
        from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured

        try:
            configure_by_settings()
        except (AppRegistryNotReady, ImproperlyConfigured):
            # An engine may want what is being loaded. Then csignals.django does it after that, or the first send.
            if apps.ready:
                raise
    return None


def configure(engine: Engine | str | None, *, on_commit: bool = True) -> None:
    """Choose the engine of deferred receivers that name none, and whether they wait for the commit.

    "celery", "django_tasks", the dotted name of an `Engine` or of a class that makes one, or an `Engine`. To be called
    where both senders and workers import it, as it is by ``csignals.django`` for the setting ``CSIGNALS``. None takes
    it back. Raises ImportError where what it needs is not installed, TypeError for what is no engine.
    """
    global configured
    configured = None if engine is None else Configuration(engine_of(engine), on_commit)


def configure_by_settings() -> None:
    """Do what Django's settings say in ``CSIGNALS``, unless `configure` was called. Raises ImproperlyConfigured."""
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
    """Return whether Django is loaded, and configured."""
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    return settings is not None and settings.configured


def _of_settings() -> Configuration:
    if has_settings():
        configure_by_settings()
    if configured is None:
        raise LookupError(
            "no engine for deferred receivers: choose one by csignals.deferred.configure(), or in Django's settings "
            'by CSIGNALS = {"DEFERRED": "celery"}'
        )
    return configured


def engine_of(engine: Any) -> Engine:
    """Return an engine, for what `configure` takes."""
    if isinstance(engine, str):
        module, _, name = ENGINES.get(engine, engine).rpartition(".")
        if not module:
            raise TypeError(f"{engine!r} is no engine: {', '.join(map(repr, ENGINES))}, or a dotted name")
        found = import_module(module)
        if not hasattr(found, name):
            raise ImportError(f"module {module!r} has no attribute {name!r}")
        engine = getattr(found, name)
    if isinstance(engine, type):
        engine = engine()
    if not (callable(getattr(engine, "prepare", None)) and callable(getattr(engine, "enqueue", None))):
        raise TypeError(f"{dotted_name(type(engine))} is no engine: it has no prepare() and enqueue()")
    return engine  # type: ignore[no-any-return]
