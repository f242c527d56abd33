"""The app, for ``INSTALLED_APPS``. Importing this module installs: the earlier, the fewer signals go before."""

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from csignals.django import install
from csignals.django._patch import look_anew
from csignals.django._status import check

install()


class CsignalsConfig(AppConfig):
    name = "csignals.django"
    label = "csignals"
    verbose_name = "csignals"

    def ready(self) -> None:
        checks.register(check)
        if hasattr(settings, "CSIGNALS"):
            from csignals._engine_choice import configure_by_settings

            configure_by_settings()  # so that a worker knows the engine's task
            look_anew()
