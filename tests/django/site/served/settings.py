"""Settings of the served project. ``SERVED_FILES`` is the folder for all it writes, ``SERVED_BY`` the dispatcher."""

import os
from pathlib import Path

FILES = Path(os.environ["SERVED_FILES"])

SECRET_KEY = "not one"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "served.urls"
WSGI_APPLICATION = "served.wsgi.application"
LOGIN_URL = "/login"
USE_TZ = True

INSTALLED_APPS = [
    *(["csignals.django"] if os.environ["SERVED_BY"] != "django" else []),
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "served.apps.ServedConfig",
]

# Without CsrfViewMiddleware, as the clients are no browsers and would only fetch tokens.
MIDDLEWARE = [
    "served.urls.say_who_answers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

# `timeout` is how long a writer waits for its turn; Django's default of five seconds is short on a busy machine.
# A connection lasts for one request (CONN_MAX_AGE is 0): Django closes it on request_finished.
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FILES / "db.sqlite3", "OPTIONS": {"timeout": 20}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The default hasher takes most of a second per login, on purpose, and nothing here is secret.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Django's own logging writes errors to nobody when DEBUG is off.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
