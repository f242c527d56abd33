"""Tells what csignals does in this project: as data, and as a system check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import django
from django.apps import apps
from django.core import checks

from csignals import _dispatch
from csignals.django import _patch

METHODS = "send", "send_robust", "has_listeners", "_live_receivers"


@dataclass(frozen=True)
class Status:
    """What csignals does in this project, at this moment."""

    #: Whether the app is one of those that are loaded: it is in ``INSTALLED_APPS``.
    is_listed: bool
    #: Whether csignals dispatches Django's signals, as far as nobody else has taken them over.
    is_installed: bool
    #: "cython", or "python" for the fallback.
    implementation: str
    #: Why it is the fallback; None if it is not.
    fallback_reason: str | None
    #: The version of Django.
    django: str
    #: Whose each method of ``django.dispatch.Signal`` is: "csignals", "django", or the module that replaced it.
    owners: Mapping[str, str]
    #: Those of them that were replaced before csignals came, so that it has no part in them.
    missed: frozenset[str]


def status() -> Status:
    """Return what csignals does in this project, at this moment; the system check says the same. Thread-safe."""
    return Status(
        is_listed=any(config.name == "csignals.django" for config in apps.app_configs.values()),
        is_installed=_patch.is_installed(),
        implementation=_dispatch.IMPLEMENTATION,
        fallback_reason=_dispatch.FALLBACK_REASON,
        django=django.get_version(),
        owners=MappingProxyType({name: _patch.owner(name) for name in METHODS}),
        missed=frozenset(filter(_patch.was_missed, METHODS)),
    )


def check(**kwargs: Any) -> list[checks.CheckMessage]:
    """Return a line for each reason why a user of the app does not get what it promises."""
    now = status()
    if not now.is_installed:
        return [
            checks.Warning(
                "csignals.django is in INSTALLED_APPS, but Django dispatches its signals itself.",
                hint="csignals.django.uninstall() was called, or another package has replaced all that it replaces.",
                id="csignals.W001",
            )
        ]
    messages: list[checks.CheckMessage] = []
    for name in "send", "send_robust":
        if name in now.missed:
            messages.append(
                checks.Warning(
                    f"Signal.{name} is not dispatched by csignals: {now.owners[name]} had replaced it before.",
                    hint='Put "csignals.django" first in INSTALLED_APPS.',
                    id="csignals.W002",
                )
            )
        elif now.owners[name] != "csignals":
            messages.append(
                checks.Info(
                    f"Signal.{name} was replaced by {now.owners[name]}: csignals dispatches what that passes on.",
                    id="csignals.I001",
                )
            )
    if now.fallback_reason is not None:
        messages.append(
            checks.Info(
                f"csignals runs without its compiled engine, at a fraction of its speed: {now.fallback_reason}.",
                id="csignals.I002",
            )
        )
    return messages
