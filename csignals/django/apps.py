"""The app for ``INSTALLED_APPS``. Importing this module calls ``install()``, so put it first: before any app sends."""

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

            configure_by_settings()  # so that a worker has the task of the backend
            forget_wrapper()
