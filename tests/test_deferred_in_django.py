"""What Django's own test runner finds of receivers after the commit and in workers: the tests of `tests/store`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from implementations import environment

HERE = Path(__file__).parent


def test_the_project_passes_its_tests(implementation, tmp_path):
    run_tests_of_the_project(implementation, tmp_path)


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
