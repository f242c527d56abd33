"""Describe the environment of a run, for the report."""

import platform
import subprocess
import sys
import sysconfig
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version

from bench.contestants import left_out, load

PACKAGES = "Django", "celery", "blinker", "psygnal", "PyDispatcher", "pluggy"


def describe():
    """Return lines: the interpreter, the packages, the machine, the date, and the contestants that are left out."""
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    return [
        f"{platform.python_implementation()} {platform.python_version()}, {'with' if has_gil else 'without'} the GIL",
        ", ".join([f"csignals {load('python').__version__}", *filter(None, map(package, PACKAGES))]),
        f"{platform.system()} on {platform.machine()}",
        f"compiled by {compiler()}, Python itself by {platform.python_compiler()}",
        f"{datetime.now(timezone.utc):%d %B %Y}",
        *(f"left out: {name}, as {module} is not installed" for name, module in left_out().items()),
    ]


def package(name):
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return None


def compiler():
    """Return the name and version of the compiler of extensions."""
    command = (sysconfig.get_config_var("CC") or "cc").split()[0]
    try:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.splitlines()[0]
