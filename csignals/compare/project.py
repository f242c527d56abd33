"""The Django project that the comparison runs on, and its database in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

TEMPLATES = {
    "login.html": "Please log in.",
    "page.html": "{{ title }}",
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    # One request is meant to fail.
    "loggers": {"django": {"handlers": ["null"], "level": "ERROR", "propagate": False}},
}


def configure() -> None:
    """Set Django up. Raises RuntimeError if this process has configured it already."""
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "csignals.compare.apps.CompareConfig",
        ],
        LOGGING=LOGGING,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        # The real ones are slow on purpose.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="csignals.compare.urls",
        SECRET_KEY="protects nothing",
        # Rows of sessions would have random keys, different from run to run.
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", TEMPLATES)]},
            }
        ],
        USE_TZ=True,
    )
    django.setup()


@contextmanager
def fresh_database() -> Iterator[None]:
    """An empty database for the time of a ``with`` block: its tables and primary keys start anew."""
    forget_database()
    try:
        yield
    finally:
        forget_database()


def forget_database() -> None:
    """Close the connection, with which a database in memory goes, and let the next use open a new one."""
    from django.contrib.contenttypes.models import ContentType

    close(connections["default"])
    del connections["default"]
    ContentType.objects.clear_cache()


def close(wrapper: BaseDatabaseWrapper) -> None:
    """Close a connection for good: Django's own ``close()`` spares a database in memory."""
    if wrapper.connection is not None:
        wrapper.connection.close()
        wrapper.connection = None
