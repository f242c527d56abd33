"""The served project's commands, as ``django-admin startproject`` makes them."""

import os

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "served.settings")
    execute_from_command_line()
