"""Settings of the served project. It writes to the folder ``SERVED_FILES``. ``SERVED_BY`` names the dispatcher."""

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

# Without CsrfViewMiddleware: the clients are not browsers and would only fetch tokens.
MIDDLEWARE = [
    "served.urls.add_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

# `timeout` limits how long a writer waits. Django's default of five seconds is too short on a busy machine.
# CONN_MAX_AGE is 0, so Django closes the connection on request_finished.
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FILES / "db.sqlite3", "OPTIONS": {"timeout": 20}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The default hasher is slow on purpose, and these tests need no security.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Django's default logging does not print errors while DEBUG is off.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
