"""The three states of the build, each with the wheel that comes of it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from implementations import compiled

ROOT = Path(__file__).parent.parent
SOURCES = ["pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in", "csignals", "src_pyx"]
NO, REQUIRE = "CSIGNALS_NO_EXTENSIONS", "CSIGNALS_REQUIRE_EXTENSIONS"


@pytest.fixture
def build(tmp_path):
    """Return a function that builds a wheel of a copy of the sources: its process, and the wheel if there is one."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path)

    def build(**variables):
        env = {name: value for name, value in os.environ.items() if name not in (NO, REQUIRE)}
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
        done = subprocess.run(
            command, cwd=tmp_path, env={**env, **variables}, capture_output=True, text=True, timeout=300
        )
        return done, next(tmp_path.glob("wheels/*.whl"), None)

    return build


NO_COMPILER = {"CC": "no-such-compiler", "CXX": "no-such-compiler"}


def binaries(wheel):
    return [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".pyd"))]


def is_said_to_be_pure(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
    return "Root-Is-Purelib: true" in archive.read(metadata).decode()


@compiled
def test_by_default_the_wheel_has_the_compiled_engine(build):
    done, wheel = build()
    assert done.returncode == 0, done.stderr
    assert len(binaries(wheel)) == 1
    assert binaries(wheel)[0].startswith("csignals/_dispatch_c.")
    assert not wheel.name.endswith("none-any.whl")
    assert not is_said_to_be_pure(wheel)
    names = zipfile.ZipFile(wheel).namelist()
    assert {"csignals/py.typed", "csignals/_dispatch_c.pyi", "csignals/django/apps.py"} <= set(names)
    assert "csignals/django/management/commands/signals.py" in names
    assert not [name for name in names if name.endswith((".c", ".pyx", ".pxd")) or name.startswith(("tests", "bench"))]


@pytest.mark.parametrize("variables", [{NO: "1"}, NO_COMPILER], ids=["CSIGNALS_NO_EXTENSIONS", "no compiler"])
def test_without_extensions_or_without_a_compiler_the_wheel_is_truly_pure(build, variables):
    done, wheel = build(**variables)
    assert done.returncode == 0, done.stderr
    assert wheel.name.endswith("-py3-none-any.whl")
    assert binaries(wheel) == []
    assert is_said_to_be_pure(wheel)


def test_required_extensions_that_cannot_be_built_fail_the_build(build):
    done, wheel = build(**{REQUIRE: "1"}, **NO_COMPILER)
    assert done.returncode != 0
    assert wheel is None
    assert "no-such-compiler" in done.stdout + done.stderr


def test_asking_for_both_is_refused(build):
    done, wheel = build(**{NO: "1", REQUIRE: "1"})
    assert done.returncode != 0
    assert wheel is None
    assert f"{NO}=1 and {REQUIRE}=1 contradict each other: set one of them." in done.stdout + done.stderr
