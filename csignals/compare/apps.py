"""The app of the project that the comparison runs on."""

from django.apps import AppConfig


class CompareConfig(AppConfig):
    name = "csignals.compare"
    label = "csignals_compare"
    default_auto_field = "django.db.models.BigAutoField"
