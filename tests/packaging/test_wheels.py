"""The released files: the source distribution, the compiled wheel and the pure wheel. They install and work.

These tests run on Linux with the extra ``wheels``: ``python -m pytest -m wheels``. Add ``-k "not whole"`` to leave out
the slowest. The files are built from a copy of what git does not ignore. The suite then runs in a folder that has only
the tests.
"""

import faulthandler
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.implementations import VARIABLE

pytestmark = pytest.mark.wheels

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"
NO, REQUIRE = "CSIGNALS_NO_EXTENSIONS", "CSIGNALS_REQUIRE_EXTENSIONS"
TOOLS = str(Path(sys.executable).parent)

# cibuildwheel makes no wheels for the experimental free-threaded 3.13. There, csignals is built and tested from source.
PYTHONS = ["cp310", "cp311", "cp312", "cp313", "cp314", "cp314t", "cp315", "cp315t"]
PLATFORMS = {
    ("linux", "x86_64"): ["manylinux_x86_64", "musllinux_x86_64"],
    ("linux", "aarch64"): ["manylinux_aarch64", "musllinux_aarch64"],
    ("macos", "x86_64"): ["macosx_x86_64"],
    ("macos", "arm64"): ["macosx_arm64"],
    ("windows", "AMD64"): ["win_amd64"],
    ("windows", "ARM64"): ["win_arm64"],
}

# "core" takes a minute, "whole" many minutes.
TESTS = {
    "core": ["tests/dispatch/test_signal.py", "tests/django/test_django.py", "tests/scopes/test_muting.py"],
    "whole": [],
}


def run(*command, cwd=ROOT, timeout=600, **variables):
    """Run a command with the tools of this environment. Return its output, or fail with it."""
    faulthandler.cancel_dump_traceback_later()  # pytest's limit for a test; the command has its own limit
    outer = {name: value for name, value in os.environ.items() if name not in (NO, REQUIRE, VARIABLE)}
    path = os.pathsep.join([TOOLS, outer["PATH"]])
    env = {**outer, "PATH": path, "SOURCE_DATE_EPOCH": EPOCH, **variables}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def not_ignored_by_git():
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name for name in listed if name and (ROOT / name).exists()}


def build(option, source, folder, **variables):
    """Run ``python -m build`` with ``--wheel`` or ``--sdist``, and return the file that it makes."""
    run(sys.executable, "-m", "build", "--no-isolation", option, "-o", folder, source, cwd=source, **variables)
    (made,) = folder.iterdir()
    return made


def release(folder):
    """Make all released files in a new folder. The wheels are built from the source distribution."""
    for name in not_ignored_by_git():
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "checkout" / name)  # without its mode, so that the umask decides
    made = SimpleNamespace(sdist=build("--sdist", folder / "checkout", folder / "sdist"))
    kinds = {"compiled": {REQUIRE: "1"}, "pure": {NO: "1"}, "failed": {"CC": "false"}}
    for kind, variables in kinds.items():
        with tarfile.open(made.sdist) as archive:
            archive.extractall(folder / kind, filter="data")
        (source,) = (folder / kind).iterdir()
        setattr(made, kind, build("--wheel", source, folder / f"{kind}-wheel", **variables))
    return made


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    return release(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def repaired(released, tmp_path_factory):
    """The compiled wheel after the repair command of cibuildwheel's configuration."""
    folder = tmp_path_factory.mktemp("repaired")
    (command,) = (
        override["repair-wheel-command"]
        for override in configuration()["tool"]["cibuildwheel"]["overrides"]
        if override["select"] == "*-manylinux_x86_64"
    )
    run(*command.format(wheel=released.compiled, dest_dir=folder).split())
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture
def bare(tmp_path):
    """Return a function that runs Python in a new environment, without compiler and Cython, beside the tests."""
    environment, folder = tmp_path / "environment", tmp_path / "folder"
    run(sys.executable, "-m", "venv", environment)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    path = str(environment / "bin")

    def run_there(*arguments, **variables):
        return run(f"{path}/python", *arguments, cwd=folder, PATH=path, timeout=3600, **variables)

    assert shutil.which("cc", path=path) is None
    assert shutil.which("gcc", path=path) is None
    return run_there


def configuration():
    import tomllib  # new in Python 3.11

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packed(wheel):
    """Return the names of the files in the wheel, without its metadata."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.mark.parametrize("place", PLATFORMS, ids="-".join)
def test_all_promised_wheels_are_offered(place):
    platform, architecture = place
    offered = run("cibuildwheel", "--print-build-identifiers", "--platform", platform, "--archs", architecture, ".")
    assert set(offered.split()) == {f"{python}-{tag}" for python in PYTHONS for tag in PLATFORMS[place]}


def test_release_tools_are_the_tested_tools():
    pinned = (ROOT / ".github" / "release-tools.txt").read_text(encoding="utf-8").split()
    extra = configuration()["project"]["optional-dependencies"]["wheels"]
    tools = [tool for tool in extra if "==" in tool and ";" not in tool]
    assert len(tools) == 2
    assert set(tools) <= set(pinned)


def test_the_sdist_has_package_and_tests(released):
    """It has the files that git does not ignore and what a build needs, and nothing else."""
    with tarfile.open(released.sdist) as archive:
        (top,) = {name.partition("/")[0] for name in archive.getnames()}
        names = {member.name.removeprefix(f"{top}/") for member in archive if member.isfile()}
    ours = {name for name in not_ignored_by_git() if name.startswith(("csignals/", "src_pyx/", "tests/", "bench/"))}
    texts = {"README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"}
    build = {"pyproject.toml", "setup.py", "MANIFEST.in"}
    written = {"PKG-INFO", "setup.cfg", *(name for name in names if name.startswith("csignals.egg-info/"))}
    assert names == ours | texts | build | written


def test_the_compiled_wheel_has_one_binary(released):
    package = {name for name in not_ignored_by_git() if name.startswith("csignals/")}
    (binary,) = packed(released.compiled) - package
    assert binary.startswith("csignals/_dispatch/compiled.") and binary.endswith(".so")
    assert package <= packed(released.compiled)


def test_the_pure_wheel_has_no_binary(released):
    assert packed(released.pure) == {name for name in not_ignored_by_git() if name.startswith("csignals/")}
    assert released.pure.name.endswith("-py3-none-any.whl")


def test_a_failing_compiler_gives_the_pure_wheel(released):
    assert released.failed.name == released.pure.name
    assert released.failed.read_bytes() == released.pure.read_bytes()


def test_two_builds_have_the_same_bytes(released, tmp_path):
    """The folder, the time and the umask do not matter."""
    ours = os.umask(0o077)
    try:
        time.sleep(2)  # the resolution of times in a zip file
        again = release(tmp_path / "a folder of another name")
    finally:
        os.umask(ours)
    for kind, first in vars(released).items():
        assert vars(again)[kind].read_bytes() == first.read_bytes(), kind


def test_the_wheel_is_manylinux_2014(repaired):
    """It needs no external library, and contains none."""
    assert "manylinux2014_x86_64" in repaired.name.removesuffix(".whl").split("-")[-1].split(".")
    assert not [name for name in packed(repaired) if ".libs/" in name]
    assert "requires no external shared libraries" in run("auditwheel", "show", repaired)


def test_twine_accepts_every_file(released, repaired):
    run("twine", "check", "--strict", released.sdist, repaired, released.pure)


def test_all_classifiers_are_known():
    from trove_classifiers import classifiers

    assert set(configuration()["project"]["classifiers"]) <= classifiers


@pytest.mark.parametrize("tests", TESTS)
@pytest.mark.parametrize("kind", ["compiled", "pure"])
def test_the_suite_passes_on_installed_wheels(bare, released, repaired, kind, tests):
    wheel, implementation = (repaired, "cython") if kind == "compiled" else (released.pure, "python")
    # With --only-binary, pip builds nothing, not even a dependency.
    bare("-m", "pip", "install", "-q", "--only-binary", ":all:", f"csignals[suite] @ {wheel.as_uri()}")
    printed = bare("-c", "import csignals; print(csignals.__file__); print(csignals.IMPLEMENTATION)")
    file, live = printed.splitlines()
    assert Path(file).parents[1].name == "site-packages"
    assert live == implementation
    assert bare("-c", "import importlib.util; print(importlib.util.find_spec('Cython'))") == "None\n"
    print(bare("-m", "pytest", "-q", "--implementation", implementation, *TESTS[tests]))
