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
from csignals.django._settings import SENTRY_WRAPPER, asks_sentry
from csignals.django.integrations import sentry


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
    #: Whose ``_live_receivers`` each send asks, which costs speed; None if csignals chooses the receivers by itself, as
    #: it also does behind Sentry's.
    asked: str | None


def status() -> Status:
    """Return what csignals does in this project, at this moment; the system check says the same. Thread-safe."""
    return Status(
        is_listed=any(config.name == "csignals.django" for config in apps.app_configs.values()),
        is_installed=_patch.is_installed(),
        implementation=_dispatch.IMPLEMENTATION,
        fallback_reason=_dispatch.FALLBACK_REASON,
        django=django.get_version(),
        owners=MappingProxyType({name: _patch.owner(name) for name in _patch.DISPATCHING}),
        missed=frozenset(filter(_patch.was_missed, _patch.DISPATCHING)),
        asked=_patch.asked(),
    )


def check(**kwargs: Any) -> list[checks.CheckMessage]:
    """Return a line for each reason why a user of the app does not get what it promises."""
    now = status()
    messages: list[checks.CheckMessage] = []
    sending = {name: now.owners[name] for name in ("send", "send_robust")}
    if untouched := [f"Signal.{name}" for name, owner in sending.items() if owner == "django"]:
        messages.append(
            checks.Warning(
                f"csignals.django is in INSTALLED_APPS, but not in force: Django's own is {' and '.join(untouched)}.",
                hint="csignals.django.uninstall() was called, or somebody put Django's methods back.",
                id="csignals.W001",
            )
        )
    for name, owner in sending.items():
        if name in now.missed:
            messages.append(
                checks.Warning(
                    f"Signal.{name} is not dispatched by csignals: {owner} had replaced it before.",
                    hint='Put "csignals.django" first in INSTALLED_APPS.',
                    id="csignals.W002",
                )
            )
        elif owner not in ("csignals", "django"):
            messages.append(
                checks.Info(
                    f"Signal.{name} was replaced by {owner}: csignals dispatches what that passes on.",
                    id="csignals.I001",
                )
            )
    owner = now.owners["_live_receivers"]
    if owner not in ("csignals", "django") and now.is_installed:
        messages.append(_about_live_receivers(owner, now.asked))
    if now.fallback_reason is not None and "csignals" in sending.values():
        messages.append(
            checks.Info(
                f"csignals runs without its compiled code, at a fraction of its speed: {now.fallback_reason}.",
                id="csignals.I002",
            )
        )
    return messages


def _about_live_receivers(owner: str, asked: str | None) -> checks.CheckMessage:
    """Return whose ``_live_receivers`` it is, and whether that costs speed."""
    replaced = f"Signal._live_receivers was replaced by {owner}"
    if asked is None:
        return checks.Info(
            f"{replaced}: csignals does its work in each send, at no cost while no span is being recorded.",
            id="csignals.I003",
        )
    if asks_sentry():
        hint = f'CSIGNALS["{SENTRY_WRAPPER}"] is set.'
    elif owner == sentry.MODULE:
        hint = "csignals does not know what this version of sentry-sdk does there. A newer csignals may."
    else:
        hint = "A send that reaches nobody by Django's own cache does not ask it."
    return checks.Info(f"{replaced}: each send asks it, which costs speed.", hint=hint, id="csignals.I004")
