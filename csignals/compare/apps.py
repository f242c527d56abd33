"""The app config of the Django project on which the comparison runs."""

from django.apps import AppConfig


class CompareConfig(AppConfig):
    name = "csignals.compare"
    label = "csignals_compare"
    default_auto_field = "django.db.models.BigAutoField"
