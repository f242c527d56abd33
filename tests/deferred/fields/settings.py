"""A project whose models have every field type of Django, in two databases. Nothing is connected by itself."""

import os

from everything.settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "csignals.django", "fields"]
MIDDLEWARE = []
ROOT_URLCONF = None
SILENCED_SYSTEM_CHECKS = ["fields.E210"]  # Pillow is not needed for the name of an image
MEDIA_ROOT = os.environ["FOLDER"]
CSIGNALS = {}
