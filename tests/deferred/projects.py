"""Runs Python in one of the Django projects in this folder, in a process of its own."""

import os
import re
from pathlib import Path

from tests.helpers.interpreter import run_python

HERE = Path(__file__).parent


def variables_of(project, folder):
    """Return the environment variables of a project whose databases and files are in a folder."""
    return {
        "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}",
        "DJANGO_SETTINGS_MODULE": f"{project}.settings",
        "FOLDER": str(folder),
    }


def run_in(project, implementation, folder, *arguments, **variables):
    """Run the interpreter in a project, and return the completed process, which has succeeded."""
    done = run_python(
        "-W",
        "error",
        *arguments,
        implementation=implementation,
        variables={**variables_of(project, folder), "BACKEND": None, **variables},
        timeout=100,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def run_tests_of(tests, implementation, folder, more_than=5, **variables):
    """Have Django's runner run tests, as "project" or "project.module": more than a number of them."""
    command = "-m", "django", "test", tests, "--noinput"
    done = run_in(tests.partition(".")[0], implementation, folder, *command, **variables)
    assert int(re.search(r"Ran (\d+) tests", done.stderr)[1]) > more_than
