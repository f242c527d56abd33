"""A project with a deferred receiver of any sender on every signal of Django's.

The environment variable `BACKEND` chooses where the calls are made: "file" (a worker reads the messages from a file),
"inline" or "immediate" (Django's Tasks). Without it, the receivers are not connected. With `TEMPLATES`, they are
connected to the signals of ``django.test`` too, whose import loads the handlers of requests.
"""

import os

from tests.deferred.two_databases import DATABASES  # noqa: F401

SECRET_KEY = "for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "everything.urls"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csignals.django",
    "everything",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                ("django.template.loaders.locmem.Loader", {"index.html": "{{ number }}"}),
                "django.template.loaders.app_directories.Loader",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
BACKENDS = {"file": "everything.backends.File", "worker": "everything.backends.Later", "immediate": "django_tasks"}
CSIGNALS = {"DEFERRED": BACKENDS[os.environ["BACKEND"]]} if os.environ.get("BACKEND") in BACKENDS else {}
TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
