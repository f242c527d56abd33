"""The app, for ``INSTALLED_APPS``. Importing this module installs: the earlier, the fewer signals go before."""

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

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

            configure_by_settings()  # so that a worker knows the task of the backend
            forget_wrapper()
