"""The test suite on every interpreter, and the longer runs: `nox` does the first, `nox --list` names all.

Each session has an environment of its own, and shows which Django it got. The interpreters that the machine lacks are
laid by .ci/interpreters, which the session `interpreters` runs, outside the checkout; others may do with less, as
`nox -s tests-3.12`. What comes after `--` goes to pytest, or to what a session runs instead.
"""

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"  # Debian's interpreters cannot make environments by themselves
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["interpreters", "tests", "compile_314t"]

ROOT = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "csignals", "interpreters")
COMMANDS = Path(os.environ.get("CSIGNALS_INTERPRETERS") or CACHE, "bin")
os.environ["PATH"] = os.pathsep.join([str(COMMANDS), os.environ["PATH"]])

ALL = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.13t", "pypy3.11"]

#: What the tests need that are not slow: those run no servers, build nothing, and use no other packages.
FEW = [
    "Cython>=3.3.1",
    "Django",
    "hypothesis",
    "opentelemetry-sdk",
    "pytest",
    "pytest-benchmark",
    "rich",
    "sentry-sdk",
    "setuptools>=77",
    "trio",
    "wrapt",
]

#: What no sanitizer is used for: it measures, builds, or is mostly the doing of others, in processes of theirs.
UNSANITIZED = [
    "bench",
    "compare",
    "django/test_django_suite.py",
    "django/test_packages.py",
    "django/test_servers.py",
    "introspection/test_compiled_receivers.py",
    "introspection/test_receiver_identity.py",
    "packaging/test_build.py",
]


@nox.session(python=False)
def interpreters(session):
    """Find the interpreters, and lay the missing ones outside the checkout: once, for some minutes."""
    session.run(".ci/interpreters", *session.posargs, external=True)


@nox.session(python=ALL)
def tests(session):
    """The whole suite, with the newest Django that the interpreter can have."""
    install(session, ".[test]")
    pytest(session)


@nox.session(python=ALL)
def quick(session):
    """The part of the suite that is quick, and needs little."""
    with session.chdir(built(session)):
        pytest(session, "-m", "not slow")


@nox.session(python=["3.11", "3.13"])
def workers(session):
    """Deferred receivers with the servers and workers of their engines, which .ci/servers lays."""
    install(session, ".[test,workers]")
    pytest(session, "-m", "workers")


@nox.session(python="3.14")
def compile_314t(session):
    """Compile and link for the free-threaded 3.14, with the headers of the plain one; it cannot be run."""
    session.install("Cython>=3.3.1", "setuptools>=77")
    made = Path(session.create_tmp(), "made")
    command = ["build_ext", "--force", "--build-lib", made, "--build-temp", made / "objects"]
    env = {
        "CFLAGS": "-DPy_GIL_DISABLED=1",
        "SETUPTOOLS_EXT_SUFFIX": ".cpython-314t-x86_64-linux-gnu.so",
        "CSIGNALS_REQUIRE_EXTENSIONS": "1",
    }
    with session.chdir(copy_of_checkout(session)):
        session.run("python", "setup.py", "-q", *command, env=env)
    (library,) = made.glob("csignals/_dispatch/compiled.cpython-314t-*.so")
    session.log(f"compiled and linked: {library.name}, {library.stat().st_size} bytes")


@nox.session(python="python3.14d")
def references(session):
    """Every reference counted, on a debug build: 10,000 repetitions leave nothing behind."""
    with session.chdir(built(session)):
        pytest(session, "tests/faults/test_memory.py", "--repetitions=10000", "-o", "faulthandler_timeout=3600")


@nox.session(python="3.13")
def address_sanitizer(session):
    """The suite under AddressSanitizer and UndefinedBehaviorSanitizer."""
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1"
    libraries = [
        session.run("gcc", f"-print-file-name={name}.so", external=True, silent=True).strip()
        for name in ("libasan", "libubsan")
    ]
    env = {
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",  # those of the interpreter, at its end: `references` is what finds ours
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    with session.chdir(built(session, flags)):
        left_out = [f"--ignore=tests/{name}" for name in UNSANITIZED]
        pytest(session, *left_out, "-o", "faulthandler_timeout=1200", env=env)


@nox.session(python=["3.13t", "3.13"])
def threads(session):
    """Threads that do all at once, 2, 4 and 8 of them for a minute each, without the GIL and with it."""
    with session.chdir(built(session)):
        session.run("python", "-m", "tests.faults.stress", *session.posargs)


@nox.session(python="3.13t" if all(map(shutil.which, ["python3.13t", "python3.13t-tsan"])) else False)
def thread_sanitizer(session):
    """The same under ThreadSanitizer, which the interpreter has been built for as well."""
    if not session.python:
        session.error("two interpreters are missing: `nox -s interpreters -- 3.13t 3.13t-tsan` builds them in minutes")
    checkout = built(session, "-fsanitize=thread -g -O1 -DCSIGNALS_CHECK_LOCKS")
    packages = session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", silent=True)
    suppressed = ROOT / "tests" / "faults" / "thread_sanitizer.txt"
    # The longest history, so that a report has both its stacks: from one alone it cannot be told whose it is.
    options = f"exitcode=66 history_size=7 suppressions={suppressed}"
    env = {"PYTHONPATH": packages.strip(), "TSAN_OPTIONS": options}
    with session.chdir(checkout):
        session.run("python3.13t-tsan", "-m", "tests.faults.stress", *session.posargs, env=env, external=True)


@nox.session(python="3.13")
def fuzz(session):
    """Random lives of signals, and atheris on the compiled functions: a million of each."""
    install(session, ".[test,fuzz]")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["--runs", "1000000"]))


@nox.session(python="3.13")
def wheels(session):
    """What is released, built and installed as by those who download it."""
    install(session, ".[test,wheels]")
    pytest(session, "-m", "wheels")


@nox.session(python="3.13")
def lint(session):
    """What is said of the sources, the types and the workflows."""
    install(session, ".[lint]")
    session.run("ruff", "check", ".")
    session.run("cython-lint", "src_pyx")
    session.run("mypy", "csignals")
    session.run("zizmor", "--quiet", "--offline", "--pedantic", ".github")
    workflows = sorted(Path(".github/workflows").glob("*.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")


def install(session, *packages, env=None):
    """Install packages, of each the newest that has a wheel or needs none: not every interpreter is offered all."""
    required = "0" if is_pypy(session) else "1"
    session.install("--prefer-binary", *packages, env={"CSIGNALS_REQUIRE_EXTENSIONS": required, **(env or {})})


def pytest(session, *args, env=None, python="python"):
    engine = ["--implementation=python"] if is_pypy(session) else []
    session.run(python, "-m", "csignals", env=env, external=True)
    runs, codes = [args], [0]
    if session.python == "3.13t" and not args and not any(map(os.path.exists, session.posargs)):
        # It makes functions and classes immortal once a thread has started: a process for each file; 5: none is in it.
        runs, codes = [[file] for file in sorted(Path("tests").rglob("test_*.py"))], [0, 5]
    # Where the collector is slow, and with threads, a test may take more than the usual two minutes.
    patience = ["-o", "faulthandler_timeout=900"] if is_pypy(session) or session.python == "3.13t" else []
    failed = False
    for files in runs:
        command = [python, "-m", "pytest", "-rs", *engine, *patience, *files, *session.posargs]
        try:
            session.run(*command, env=env, external=True, success_codes=codes)
        except CommandFailed:  # nox says of what
            failed = True
    if failed:
        session.error("there were failures")


def is_pypy(session):
    return str(session.python).startswith("pypy")


def copy_of_checkout(session):
    """Return a copy of the checkout, for a build that is not to be left in it."""
    copy = Path(session.create_tmp(), "checkout")
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.so", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    if (ROOT / "build/cython").exists():  # so that Cython need not do it again
        shutil.copytree(ROOT / "build/cython", copy / "build/cython")
    return copy


def built(session, flags=""):
    """Return a copy of the checkout with the engine built in it, in an environment that has FEW packages."""
    install(session, *FEW)
    copy = copy_of_checkout(session)
    env = {"CFLAGS": flags, "LDFLAGS": flags} if flags else {}
    install(session, "--no-deps", "--no-build-isolation", "--editable", copy, env=env)
    return copy
