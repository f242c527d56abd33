"""Every field type, several databases, and one call for a transaction. Django's runner runs the tests of `fields`."""

import os
import re
from pathlib import Path

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent


@pytest.mark.parametrize("tests", ["fields", "values", "databases", "once_per", "limits"])
def test_the_project_passes_its_tests(implementation, tests, tmp_path):
    run_project_tests(implementation, tests, tmp_path)


def run_project_tests(implementation, tests, folder, **database):
    done = run_python(
        "-W",
        "error",
        "-m",
        "django",
        "test",
        f"fields.tests_{tests}",
        "--noinput",
        implementation=implementation,
        variables={
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}",
            "DJANGO_SETTINGS_MODULE": "fields.settings",
            "FOLDER": str(folder),
            "BACKEND": None,
            **database,
        },
        timeout=100,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"Ran (\d+) tests", done.stderr)[1]) > 5
