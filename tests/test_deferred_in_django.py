"""What Django's own test runner finds of receivers after the commit and in workers: the tests of `tests/store`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from implementations import environment

HERE = Path(__file__).parent


def test_the_project_passes_its_tests(implementation, tmp_path):
    run_tests_of_the_project(implementation, tmp_path)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"DEFERED": "celery"}, "CSIGNALS is a dict with the keys DEFERRED and DEFERRED_ON_COMMIT, and not {'DEFERED'"),
        ("celery", "CSIGNALS is a dict with"),
        ({"DEFERRED": "celeri"}, "'celeri' is no engine: 'celery', 'django_tasks'"),
        ({"DEFERRED": "no_such_module.Engine"}, "No module named 'no_such_module'"),
        ({"DEFERRED": "csignals.Engine"}, "has no attribute 'Engine'"),
        ({"DEFERRED": "csignals.Signal"}, "is no engine"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_at_the_start(implementation, setting, message):
    code = f'''
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS={setting!r})
import django
django.setup()
'''
    done = subprocess.run([sys.executable, "-c", code], env=environment(implementation), capture_output=True, text=True)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith("django.core.exceptions.ImproperlyConfigured: ") and message in error


@pytest.mark.parametrize("on_commit", [True, False])
def test_the_setting_chooses_the_engine_and_whether_commits_are_waited_for(implementation, on_commit):
    code = f'''
from django.conf import settings
CSIGNALS = {{"DEFERRED": "builtins.Engine", "DEFERRED_ON_COMMIT": {on_commit}}}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS=CSIGNALS, DATABASES=DATABASES)
import builtins, sys, types

class Engine:
    def prepare(self, options): pass
    def enqueue(self, message, prepared): print("enqueued")

builtins.Engine = Engine
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
'''
    done = subprocess.run([sys.executable, "-c", code], env=environment(implementation), capture_output=True, text=True)
    found = done.stdout.split("\n")[:3]
    assert found == (["in it", "enqueued", "after it"] if on_commit else ["enqueued", "in it", "after it"]), done.stderr


def run_tests_of_the_project(implementation, folder, **database):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "store", "--noinput"],
        env={
            **environment(implementation), "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
            "DJANGO_SETTINGS_MODULE": "store.settings", "FOLDER": str(folder), **database,
        },
        cwd=folder, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"Ran (\d+) tests", done.stderr)[1]) > 20
