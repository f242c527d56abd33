"""Runs a new Python interpreter, for tests that need a process of their own."""

import os
import subprocess
import sys

from tests.helpers.implementations import environment


def run_python(*arguments, implementation=None, variables=None, timeout=60, **options):
    """Run the interpreter with these arguments, and return the completed process, with its output as text.

    `implementation` is that of csignals; the default is the environment's choice. `variables` are added to the
    environment; a variable that is None is removed from it. The options are those of ``subprocess.run()``.
    """
    inherited = dict(os.environ) if implementation is None else environment(implementation)
    # A pytest in the new process is not one of xdist's workers.
    not_a_worker = dict.fromkeys(name for name in inherited if name.startswith("PYTEST_XDIST_"))
    env = {**inherited, **not_a_worker, **(variables or {})}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={name: value for name, value in env.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )
