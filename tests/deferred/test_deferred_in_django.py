"""Receivers that run after the commit and in workers, in a Django project. Django's test runner runs its tests."""

import json
import re

import pytest

from tests.deferred.projects import run_in, run_tests_of
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive


def test_the_project_passes_its_tests(implementation, tmp_path):
    run_tests_of("store", implementation, tmp_path, more_than=20)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"DEFERED": "celery"}, "and SENTRY_WRAPPER, not {'DEFERED'"),
        ("celery", "CSIGNALS must be a dict"),
        ({"DEFERRED_ON_COMMIT": False}, "CSIGNALS must be a dict"),
        ({"DEFERRED": "celeri"}, "'celeri' is not a task backend: use 'celery', 'django_tasks'"),
        ({"DEFERRED": "no_such_module.Backend"}, "No module named 'no_such_module'"),
        ({"DEFERRED": "csignals.Backend"}, "has no attribute 'Backend'"),
        ({"DEFERRED": "csignals.Signal"}, "is not a task backend"),
    ],
)
def test_wrong_settings_raise_at_startup(implementation, setting, message):
    code = f"""
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS={setting!r})
import django
django.setup()
"""
    done = run_python("-c", code, implementation=implementation)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: ") and message in error


@pytest.mark.parametrize("on_commit", [True, False])
def test_settings_choose_backend_and_commit_behaviour(implementation, on_commit):
    code = f"""
from django.conf import settings
CSIGNALS = {{"DEFERRED": "builtins.Backend", "DEFERRED_ON_COMMIT": {on_commit}}}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS=CSIGNALS, DATABASES=DATABASES)
import builtins, sys, types

class Backend:
    def prepare(self, options): pass
    def enqueue(self, message, prepared): print("enqueued")

builtins.Backend = Backend
import django
django.setup()
from django.test.signals import template_rendered
from django.db import transaction
from csignals.deferred import deferred
module = sys.modules["receivers"] = types.ModuleType("receivers")
exec("def receive(**named): pass", vars(module))
receiver = deferred(module.receive)
template_rendered.connect(receiver)
with transaction.atomic():
    template_rendered.send(None)
    print("in it")
print("after it")
"""
    done = run_python("-c", code, implementation=implementation)
    found = done.stdout.split("\n")[:3]
    assert found == (["in it", "enqueued", "after it"] if on_commit else ["enqueued", "in it", "after it"]), done.stderr


PREPARED = """
from django.conf import settings
settings.configure(INSTALLED_APPS={apps}, CSIGNALS={csignals})
import builtins, sys, types

class Backend:
    def __init__(self): print("made")
    def prepare(self, options): pass
    def enqueue(self, message, prepared): print("enqueued")

class Other(Backend):
    def enqueue(self, message, prepared): print("enqueued by another")

class Late(Backend):
    def __init__(self):
        from django.apps import apps
        apps.check_apps_ready()

builtins.Backend, builtins.Other, builtins.Late = Backend, Other, Late
import django
from csignals import Signal
from csignals.deferred import configure, deferred
module = sys.modules["receivers"] = types.ModuleType("receivers")
module.signal = Signal()
exec("def receive(**named): pass", vars(module))
"""
DECLARED = "module.signal.connect(deferred(module.receive), weak=False)\nprint('declared')\n"
GIVEN = "module.signal.connect(deferred(backend='builtins.Other')(module.receive), weak=False)\nprint('declared')\n"
SENT = "module.signal.send(None)\n"
LATE = f"{DECLARED}django.setup()\n{SENT}"
LATER = f"{DECLARED}builtins.Later = Backend\ndjango.setup()\n{SENT}"
CALLED = f"configure('builtins.Other')\ndjango.setup()\n{DECLARED}{SENT}"


@pytest.mark.parametrize(
    ("apps", "csignals", "code", "printed"),
    [
        # A worker needs the backend's task but never sends, so declaring a receiver creates the backend.
        ([], {"DEFERRED": "builtins.Backend"}, DECLARED + SENT, ["made", "declared", "enqueued"]),
        ([], {}, GIVEN + SENT, ["made", "declared", "enqueued by another"]),
        # The app creates the backend before that.
        (["csignals.django"], {"DEFERRED": "builtins.Backend"}, f"django.setup()\n{DECLARED}", ["made", "declared"]),
        # A backend may need loaded apps.
        (["csignals.django"], {"DEFERRED": "builtins.Late"}, LATE, ["declared", "enqueued"]),
        # The module of a backend may still be loading.
        (["csignals.django"], {"DEFERRED": "builtins.Later"}, LATER, ["declared", "made", "enqueued"]),
        # configure() overrides the setting.
        (["csignals.django"], {"DEFERRED": "builtins.Backend"}, CALLED, ["made", "declared", "enqueued by another"]),
        (["csignals.django"], {}, CALLED, ["made", "declared", "enqueued by another"]),
    ],
)
def test_the_backend_is_created_as_needed(implementation, apps, csignals, code, printed):
    code = PREPARED.format(apps=apps, csignals=csignals) + code
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout.split("\n")[:-1] == printed, done.stderr


def test_the_command_shows_deferred_receivers(implementation, tmp_path):
    done = run_in("store", implementation, tmp_path, "-m", "django", "signals")
    (saved,) = re.findall(r"^django.db.models.signals.post_save\n((?: .*\n)+)", done.stdout, re.MULTILINE)
    (heard, worked), columns = zip(*[line.split(None, 1) for line in saved.splitlines()], strict=True)
    assert (heard, worked) == ("store.models.hear_save", "store.models.work_on")
    assert columns[0].endswith("weak  sync, after the commit")
    assert columns[1].endswith("weak  sync, deferred")
    listed = json.loads(run_in("store", implementation, tmp_path, "-m", "django", "signals", "--json").stdout)
    (saved,) = [each["receivers"] for each in listed if each["name"] == "django.db.models.signals.post_save"]
    assert [each["runs"] for each in saved] == ["after the commit", "deferred"]
