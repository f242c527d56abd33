"""``status()`` and the system check: whether csignals dispatches Django's signals, and what stands in the way."""

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
    """Whether csignals dispatches the signals of this project, and how, at this moment."""

    #: Whether the app is in ``INSTALLED_APPS``, and loaded.
    is_listed: bool
    #: Whether csignals dispatches Django's signals, unless other code replaces a method: see `owners`.
    is_installed: bool
    #: "cython" for the compiled code, or "python" for the fallback.
    implementation: str
    #: The reason for the fallback; None with the compiled code.
    fallback_reason: str | None
    #: The version of Django.
    django: str
    #: The owner of each method of ``django.dispatch.Signal``: "csignals", "django", or the module that replaced it.
    owners: Mapping[str, str]
    #: The methods that were replaced before csignals was installed, so that csignals takes no part in them.
    missed: frozenset[str]
    #: The owner of the ``_live_receivers`` that each send calls, which makes it slower; None if csignals chooses the
    #: receivers, as it also does under Sentry's wrapper.
    asked: str | None


def status() -> Status:
    """Return whether and how csignals dispatches the signals of this project. Thread-safe."""
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
    """Return a message for each reason why csignals does not dispatch, or dispatches more slowly."""
    now = status()
    messages: list[checks.CheckMessage] = []
    sending = {name: now.owners[name] for name in ("send", "send_robust")}
    if untouched := [f"Signal.{name}" for name, owner in sending.items() if owner == "django"]:
        messages.append(
            checks.Warning(
                f"csignals.django is in INSTALLED_APPS, but Django's methods are active: {' and '.join(untouched)}.",
                hint="csignals.django.uninstall() was called, or other code restored Django's methods.",
                id="csignals.W001",
            )
        )
    for name, owner in sending.items():
        if name in now.missed:
            messages.append(
                checks.Warning(
                    f"csignals does not dispatch Signal.{name}: {owner} replaced it before csignals was installed.",
                    hint='Put "csignals.django" first in INSTALLED_APPS.',
                    id="csignals.W002",
                )
            )
        elif owner not in ("csignals", "django"):
            messages.append(
                checks.Info(
                    f"{owner} replaced Signal.{name}: csignals dispatches the sends that it passes on.",
                    id="csignals.I001",
                )
            )
    owner = now.owners["_live_receivers"]
    if owner not in ("csignals", "django") and now.is_installed:
        messages.append(_about_live_receivers(owner, now.asked))
    if now.fallback_reason is not None and "csignals" in sending.values():
        messages.append(
            checks.Info(
                f"csignals runs without its compiled code, much more slowly: {now.fallback_reason}.",
                id="csignals.I002",
            )
        )
    return messages


def _about_live_receivers(owner: str, asked: str | None) -> checks.CheckMessage:
    """Return a message that names the owner of ``_live_receivers``, and says whether sends call it."""
    replaced = f"{owner} replaced Signal._live_receivers"
    if asked is None:
        return checks.Info(
            f"{replaced}: csignals does its work instead, at no cost while no span is being recorded.",
            id="csignals.I003",
        )
    if asks_sentry():
        hint = f'CSIGNALS["{SENTRY_WRAPPER}"] is set.'
    elif owner == sentry.MODULE:
        hint = "csignals does not know this version of sentry-sdk. A newer csignals may."
    else:
        hint = "With use_caching, a send does not call it if Django's own cache has no receivers for the sender."
    return checks.Info(f"{replaced}: each send calls it, which makes sends slower.", hint=hint, id="csignals.I004")
