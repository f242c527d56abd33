"""What is released: the source distribution, the compiled wheels and the pure one, and that they install and work.

Not run by default: ``python -m pytest -m wheels``, with the extra ``wheels``, on Linux; ``-k "not whole"`` leaves out
what takes longest. Nothing is taken from the checkout but the files that git keeps; the suite runs in a folder that
has nothing else but the tests.
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

pytestmark = [pytest.mark.slow, pytest.mark.wheels]

ROOT = Path(__file__).parents[2]
EPOCH = "1700000000"
NO, REQUIRE = "CSIGNALS_NO_EXTENSIONS", "CSIGNALS_REQUIRE_EXTENSIONS"
TOOLS = str(Path(sys.executable).parent)

# There is none for the free-threaded 3.13, which was an experiment: cibuildwheel does not make any. The engine is built
# and tested there, from source.
PYTHONS = ["cp310", "cp311", "cp312", "cp313", "cp314", "cp314t", "cp315", "cp315t"]
PLATFORMS = {
    ("linux", "x86_64"): ["manylinux_x86_64", "musllinux_x86_64"],
    ("linux", "aarch64"): ["manylinux_aarch64", "musllinux_aarch64"],
    ("macos", "x86_64"): ["macosx_x86_64"],
    ("macos", "arm64"): ["macosx_arm64"],
    ("windows", "AMD64"): ["win_amd64"],
    ("windows", "ARM64"): ["win_arm64"],
}

# What the package is for, in a minute; and all that there is, in many.
TESTS = {
    "core": ["tests/dispatch", "tests/django/test_django.py", "tests/scopes/test_muting.py"],
    "whole": [],
}


def run(*command, cwd=ROOT, timeout=600, **variables):
    """Return what the command prints. It has the tools of this environment, and fails with all that it said."""
    faulthandler.cancel_dump_traceback_later()  # pytest's limit for a test: the command has its own
    outer = {name: value for name, value in os.environ.items() if name not in (NO, REQUIRE, VARIABLE)}
    path = os.pathsep.join([TOOLS, outer["PATH"]])
    env = {**outer, "PATH": path, "SOURCE_DATE_EPOCH": EPOCH, **variables}
    done = subprocess.run(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def kept_by_git():
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name for name in listed if name and (ROOT / name).exists()}


def build(what, source, folder, **variables):
    """Return what ``python -m build`` makes of the folder with the sources: a wheel, or a source distribution."""
    run(sys.executable, "-m", "build", "--no-isolation", what, "-o", folder, source, cwd=source, **variables)
    (made,) = folder.iterdir()
    return made


def release(folder):
    """Make all that is released, in a folder of its own: each wheel from the source distribution."""
    for name in kept_by_git():
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "checkout" / name)  # not its mode, which so is the umask's
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
    """The compiled wheel as cibuildwheel's configuration has it made ready for PyPI."""
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
    """A new environment, and a PATH with nothing else: no compiler, no Cython. Runs commands beside the tests alone."""
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
    import tomllib  # which is new in Python 3.11

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packed(wheel):
    """Return the names of the files in the wheel, without those that say what it is."""
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
    with tarfile.open(released.sdist) as archive:
        (top,) = {name.partition("/")[0] for name in archive.getnames()}
        names = {member.name.removeprefix(f"{top}/") for member in archive if member.isfile()}
    ours = {name for name in kept_by_git() if name.startswith(("csignals/", "src_pyx/", "tests/", "bench/"))}
    texts = {"README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md"}
    build = {"pyproject.toml", "setup.py", "MANIFEST.in"}
    written = {"PKG-INFO", "setup.cfg", *(name for name in names if name.startswith("csignals.egg-info/"))}
    assert names == ours | texts | build | written


def test_the_compiled_wheel_has_one_binary(released):
    package = {name for name in kept_by_git() if name.startswith("csignals/")}
    (binary,) = packed(released.compiled) - package
    assert binary.startswith("csignals/_dispatch/compiled.") and binary.endswith(".so")
    assert package <= packed(released.compiled)


def test_the_pure_wheel_has_no_binary(released):
    assert packed(released.pure) == {name for name in kept_by_git() if name.startswith("csignals/")}
    assert released.pure.name.endswith("-py3-none-any.whl")


def test_a_failing_compiler_gives_the_pure_wheel(released):
    assert released.failed.name == released.pure.name
    assert released.failed.read_bytes() == released.pure.read_bytes()


def test_two_builds_have_the_same_bytes(released, tmp_path):
    ours = os.umask(0o077)
    try:
        time.sleep(2)  # which is how exactly a zip file knows the time
        again = release(tmp_path / "a folder of another name")
    finally:
        os.umask(ours)
    for kind, first in vars(released).items():
        assert vars(again)[kind].read_bytes() == first.read_bytes(), kind


def test_the_wheel_is_manylinux_2014(repaired):
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
    # pip takes no source distribution, so nothing is built: not of what csignals depends on either.
    bare("-m", "pip", "install", "-q", "--only-binary", ":all:", f"csignals[suite] @ {wheel.as_uri()}")
    said = bare("-c", "import csignals; print(csignals.__file__); print(csignals.IMPLEMENTATION)")
    file, live = said.splitlines()
    assert Path(file).parents[1].name == "site-packages"
    assert live == implementation
    assert bare("-c", "import importlib.util; print(importlib.util.find_spec('Cython'))") == "None\n"
    print(bare("-m", "pytest", "-q", "--implementation", implementation, *TESTS[tests]))
