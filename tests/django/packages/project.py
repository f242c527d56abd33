"""The Django project of each script in this folder: one file, a database in memory, with or without csignals.

A script calls `configure`, uses its package, and ends with `report`. ``test_packages.py`` runs the script. This module
and the scripts must also run without csignals, except ``sentry_intercepted.py``.
"""

import json
import os
import sys
import weakref

import django
from django.apps import AppConfig
from django.conf import settings

PLACE = os.environ["PROJECT_CSIGNALS"]  # the place of csignals in INSTALLED_APPS: "first", "last" or "nowhere"


class ProjectConfig(AppConfig):
    """Makes the script itself an app, so that it can define models."""

    name = "__main__"
    label = "project"

    def import_models(self):
        super().import_models()
        self.models_module = self.module


def configure(*apps, **options):
    installed = [*apps, "project.ProjectConfig"]
    if PLACE != "nowhere":
        installed.insert({"first": 0, "last": len(installed)}[PLACE], "csignals.django")
    settings.configure(
        INSTALLED_APPS=installed,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="secret",
        USE_TZ=True,
        **options,
    )
    django.setup()
    _moments.append(_active())


def create_tables():
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


def uninstall():
    if PLACE != "nowhere":
        import csignals.django

        csignals.django.uninstall()
        assert not csignals.django.is_installed()


def install():
    if PLACE != "nowhere":
        import csignals.django

        csignals.django.install()


heard = []  # receivers append to it, `listen` empties it


def listen():
    """Return the items of `heard` since the last call."""
    result = heard[:]
    heard.clear()
    return result


def names(receivers):
    """Return the names of the live receivers in a signal's list."""
    found = [entry[1]() if isinstance(entry[1], weakref.ReferenceType) else entry[1] for entry in receivers]
    return [receiver.__qualname__ for receiver in found if receiver is not None]


_moments = []


def report(**observed):
    """Print the observations, and the active dispatcher after `django.setup()` and at the end."""
    from django.db import connections

    connections.close_all()
    json.dump({"observed": observed, "csignals": [*_moments, _active()]}, sys.stdout)


def _active():
    """Return the implementation, whether csignals is installed, and the module of `Signal.send`."""
    if not any(name.partition(".")[0] == "csignals" for name in sys.modules):
        return None
    from django.dispatch import Signal

    import csignals.django

    made_in = getattr(Signal.send, "__globals__", {"__name__": type(Signal.send).__name__})
    return [csignals.IMPLEMENTATION, csignals.django.is_installed(), made_in["__name__"]]
