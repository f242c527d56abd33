"""The Django project on which the comparison runs: its settings, and its database in memory."""

from collections.abc import Generator
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
    # One request fails on purpose.
    "loggers": {"django": {"handlers": ["null"], "level": "ERROR", "propagate": False}},
}


def configure() -> None:
    """Configure the settings and set Django up. Raises RuntimeError if this process has configured Django already."""
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
        # Real password hashers are slow on purpose.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="csignals.compare.urls",
        SECRET_KEY="protects nothing",
        # Sessions in the database would have random keys that differ from run to run.
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
def fresh_database() -> Generator[None]:
    """Use an empty database during a ``with`` block. Primary keys start at 1 again."""
    forget_database()
    try:
        yield
    finally:
        forget_database()


def forget_database() -> None:
    """Close the connection, which deletes the database in memory. The next query opens a new one."""
    from django.contrib.contenttypes.models import ContentType

    close(connections["default"])
    del connections["default"]
    ContentType.objects.clear_cache()


def close(wrapper: BaseDatabaseWrapper) -> None:
    """Close a connection, also to a database in memory, which Django's own ``close()`` keeps open."""
    if wrapper.connection is not None:
        wrapper.connection.close()
        wrapper.connection = None
