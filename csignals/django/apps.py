"""The app, for ``INSTALLED_APPS``. Importing this module installs: the earlier, the fewer signals go before."""

from django.apps import AppConfig

from csignals.django import install

install()


class CsignalsConfig(AppConfig):
    name = "csignals.django"
    label = "csignals"
    verbose_name = "csignals"
