"""The app for ``INSTALLED_APPS``. Importing this module calls ``install()``, so put it first: before any app sends."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.signals import setting_changed

from csignals.django import install
from csignals.django._patch import forget_wrapper
from csignals.django._status import check

install()


class CsignalsConfig(AppConfig):
    name = "csignals.django"
    label = "csignals"
    verbose_name = "csignals"

    def ready(self) -> None:
        checks.register(check)
        if hasattr(settings, "CSIGNALS"):
            from csignals.deferred.configuration import configure_by_settings

            configure_by_settings()  # so that a worker has the task of the backend
            forget_wrapper()
            # Not without the setting: other apps, such as the debug toolbar, show each receiver.
            setting_changed.connect(_forget_wrapper, weak=False)


def _forget_wrapper(*, setting: str, **kwargs: Any) -> None:
    """Have sends check again whether the changed settings want Sentry's wrapper called."""
    if setting == "CSIGNALS":
        forget_wrapper()
