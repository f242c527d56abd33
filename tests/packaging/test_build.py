"""The three modes of the build, and the wheel that each produces."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers.implementations import compiled

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]
SOURCES = ["pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in", "csignals", "src_pyx"]
NO, REQUIRE = "CSIGNALS_NO_EXTENSIONS", "CSIGNALS_REQUIRE_EXTENSIONS"


@pytest.fixture
def build(tmp_path):
    """Return a function that builds a wheel of a copy of the sources, and returns the process and the wheel or None."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path)

    def build(python=sys.executable, **variables):
        env = {name: value for name, value in os.environ.items() if name not in (NO, REQUIRE)}
        command = [python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
        done = subprocess.run(
            command, cwd=tmp_path, env={**env, **variables}, capture_output=True, text=True, timeout=300
        )
        return done, next(tmp_path.glob("wheels/*.whl"), None)

    return build


@pytest.fixture
def python_without_cython(tmp_path):
    """The interpreter of an environment that has only pip and setuptools."""
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    builder.create(tmp_path / "environment")
    python = builder.ensure_directories(tmp_path / "environment").env_exe
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    for name in "pip", "setuptools":
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}:
            found = Path(distribution.locate_file(top))
            if found.is_dir():
                shutil.copytree(found, Path(packages, top), ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, packages)
    return python


@pytest.fixture
def old_cython(tmp_path):
    """Environment variables with which Python imports a Cython that is too old."""
    package = tmp_path / "old" / "Cython"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '3.3.0'")
    (package / "Build.py").write_text("def cythonize(*args, **named): raise AssertionError('called')")
    return {"PYTHONPATH": str(package.parent)}


NO_COMPILER = {"CC": "no-such-compiler", "CXX": "no-such-compiler"}


def binaries(wheel):
    return [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".pyd"))]


def is_marked_pure(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
    return "Root-Is-Purelib: true" in archive.read(metadata).decode()


@compiled
def test_the_default_wheel_is_compiled(build):
    done, wheel = build()
    assert done.returncode == 0, done.stderr
    assert len(binaries(wheel)) == 1
    assert binaries(wheel)[0].startswith("csignals/_dispatch/compiled.")
    assert not wheel.name.endswith("none-any.whl")
    assert not is_marked_pure(wheel)
    names = zipfile.ZipFile(wheel).namelist()
    assert {"csignals/py.typed", "csignals/_dispatch/compiled.pyi", "csignals/django/apps.py"} <= set(names)
    assert "csignals/django/management/commands/signals.py" in names
    assert not [name for name in names if name.endswith((".c", ".pyx", ".pxd")) or name.startswith(("tests", "bench"))]


@pytest.mark.parametrize("variables", [{NO: "1"}, NO_COMPILER], ids=["CSIGNALS_NO_EXTENSIONS", "no compiler"])
def test_wheels_without_extensions_are_pure(build, variables):
    done, wheel = build(**variables)
    assert done.returncode == 0, done.stderr
    assert wheel.name.endswith("-py3-none-any.whl")
    assert binaries(wheel) == []
    assert is_marked_pure(wheel)


NOT_BUILT = "csignals: the extension cannot be built: "


def test_wheels_without_cython_are_pure(build, python_without_cython):
    done, wheel = build(python_without_cython)
    assert done.returncode == 0, done.stderr
    assert wheel.name.endswith("-py3-none-any.whl")
    assert binaries(wheel) == []
    assert is_marked_pure(wheel)


def test_wheels_with_old_cython_are_pure(build, old_cython):
    done, wheel = build(**old_cython)
    assert done.returncode == 0, done.stderr
    assert wheel.name.endswith("-py3-none-any.whl")
    assert binaries(wheel) == []


@compiled
def test_the_build_reports_missing_cython(build, python_without_cython, old_cython):
    done, _ = build(python_without_cython, PIP_VERBOSE="1")
    assert f"{NOT_BUILT}ModuleNotFoundError(\"No module named 'Cython'\")" in done.stdout + done.stderr
    assert "csignals: building with the Python implementation only" in done.stdout + done.stderr
    done, _ = build(python_without_cython, PIP_VERBOSE="1", **old_cython)
    assert f"{NOT_BUILT}ImportError('Cython 3.3.0 is too old: install 3.3.1 or newer')" in done.stdout + done.stderr


def test_required_extensions_need_cython(build, python_without_cython, old_cython):
    for variables, message in (
        ({}, "ModuleNotFoundError: No module named 'Cython'"),
        (old_cython, "ImportError: Cython 3.3.0 is too old"),
    ):
        done, wheel = build(python_without_cython, **{REQUIRE: "1"}, **variables)
        assert done.returncode != 0
        assert wheel is None
        assert message in done.stdout + done.stderr


def test_both_files_require_the_same_cython():
    (version,) = re.findall(r'"Cython>=([\d.]+)"\]\nbuild-backend', (ROOT / "pyproject.toml").read_text())
    assert f"CYTHON = {version.replace('.', ', ')} " in (ROOT / "setup.py").read_text()


def test_required_extensions_need_a_compiler(build):
    done, wheel = build(**{REQUIRE: "1"}, **NO_COMPILER)
    assert done.returncode != 0
    assert wheel is None
    assert "no-such-compiler" in done.stdout + done.stderr


def test_contradicting_variables_fail_the_build(build):
    done, wheel = build(**{NO: "1", REQUIRE: "1"})
    assert done.returncode != 0
    assert wheel is None
    assert f"{NO}=1 and {REQUIRE}=1 contradict each other: set one of them." in done.stdout + done.stderr
