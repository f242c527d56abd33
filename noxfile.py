"""The test suite on all interpreters (`nox`), and longer checks (`nox --list` names all sessions).

Each session has its own environment, and prints the version of Django in it. The session `interpreters` installs
missing interpreters outside the checkout, with .ci/interpreters. A single session needs only its own interpreter, such
as `nox -s tests-3.12`. Arguments after `--` are passed to pytest, or to the command of the session.
"""

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"  # Debian's interpreters lack ensurepip, which venv needs
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["interpreters", "tests", "compile_314t"]

ROOT = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "csignals", "interpreters")
COMMANDS = Path(os.environ.get("CSIGNALS_INTERPRETERS") or CACHE, "bin")
os.environ["PATH"] = os.pathsep.join([str(COMMANDS), os.environ["PATH"]])

ALL = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "3.13t", "pypy3.11"]

#: The packages that the tests need that are not slow. Those tests run no servers and build nothing.
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

#: All tests but those with a session of their own.
WHOLE = "not django_suite and not wheels and not workers"

#: The percentage of the lines of src_pyx/ that the quick suite runs at least. It may only rise, as may `fail_under` in
#: pyproject.toml, which is for the Python code.
COMPILED_FLOOR = "90"

#: Tests that do not run under a sanitizer: they measure, build, or run other packages in other processes.
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
    """Install the missing interpreters outside the checkout. This takes some minutes, once."""
    session.run(".ci/interpreters", *session.posargs, external=True)


@nox.session(python=ALL)
def tests(session):
    """Run the whole suite, with the newest Django that supports the interpreter."""
    install(session, ".[test]")
    # 3.13t makes functions and classes immortal once a thread has started, so each file gets its own process.
    is_by_file = session.python == "3.13t" and not any(map(os.path.exists, session.posargs))
    files = sorted(Path("tests").rglob("test_*.py")) if is_by_file else [None]
    pytest(session, "-m", WHOLE, files=files)


@nox.session(python=ALL)
def quick(session):
    """Run the part of the suite that is quick and needs few packages, on the compiled implementation.

    On the oldest Python and on PyPy it is the pure Python one as well, or alone. On 3.13t, where nothing dies that has
    a class, the suite slows itself down, so that half of it takes a quarter of the time. On PyPy, which
    takes long, deferred receivers are left out: the session `tests` has them.
    """
    left_out = ["--ignore=tests/deferred"] if is_pypy(session) else []
    compiled = [] if session.python == "3.10" or is_pypy(session) else ["--implementation=cython"]
    with session.chdir(built(session)):
        pytest(session, "-m", "not slow", *compiled, *left_out)


@nox.session(python=["3.11", "3.13"])
def workers(session):
    """Test deferred receivers with servers and workers, which .ci/servers installs."""
    install(session, ".[test,workers]")
    pytest(session, "-m", "workers", "-n", "3", "--dist", "loadgroup")


@nox.session(python="3.14")
def compile_314t(session):
    """Compile and link for the free-threaded 3.14, with the headers of the default build. The result cannot run."""
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
    """Check on a debug build of Python that 10,000 repetitions leak no reference."""
    with session.chdir(built(session)):
        pytest(session, "tests/faults/test_memory.py", "--repetitions=10000", "-o", "faulthandler_timeout=3600")


@nox.session(python="3.13")
def address_sanitizer(session):
    """Run the suite under AddressSanitizer and UndefinedBehaviorSanitizer."""
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1"
    libraries = [
        session.run("gcc", f"-print-file-name={name}.so", external=True, silent=True).strip()
        for name in ("libasan", "libubsan")
    ]
    env = {
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter leaks at its end; `references` finds leaks of csignals
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    with session.chdir(built(session, flags)):
        left_out = [f"--ignore=tests/{name}" for name in UNSANITIZED]
        pytest(session, *left_out, "-o", "faulthandler_timeout=1200", env=env)


@nox.session(python=["3.13t", "3.13"])
def threads(session):
    """Run all operations in 2, 4 and 8 threads at once, for a minute each, without and with the GIL."""
    with session.chdir(built(session)):
        session.run("python", "-m", "tests.faults.stress", *session.posargs)


@nox.session(python="3.13t" if all(map(shutil.which, ["python3.13t", "python3.13t-tsan"])) else False)
def thread_sanitizer(session):
    """Run the session `threads` under ThreadSanitizer, with an interpreter that was built for it."""
    if not session.python:
        session.error("two interpreters are missing: build them with `nox -s interpreters -- 3.13t 3.13t-tsan`")
    checkout = built(session, "-fsanitize=thread -g -O1 -DCSIGNALS_CHECK_LOCKS")
    packages = session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", silent=True)
    suppressed = ROOT / "tests" / "faults" / "thread_sanitizer.txt"
    # The longest history, so that a report has both stacks. One alone does not show which code is at fault.
    options = f"exitcode=66 history_size=7 suppressions={suppressed}"
    env = {"PYTHONPATH": packages.strip(), "TSAN_OPTIONS": options}
    with session.chdir(checkout):
        session.run("python3.13t-tsan", "-m", "tests.faults.stress", *session.posargs, env=env, external=True)


@nox.session(python="3.13")
def fuzz(session):
    """Test a million random sequences of operations, and the compiled functions with a million runs of atheris."""
    install(session, ".[test,fuzz]")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["--runs", "1000000"]))


@nox.session(python="3.13")
def coverage(session):
    """Measure the coverage of the quick suite, for the Python and the compiled code, and compare it with the floors."""
    install(session, ".[test]", "pytest-cov")
    checkout = copy_of_checkout(session)
    with session.chdir(checkout):
        flags = {"CFLAGS": "--coverage -O0", "LDFLAGS": "--coverage", "CSIGNALS_REQUIRE_EXTENSIONS": "1"}
        session.run("python", "setup.py", "-q", "build_ext", "--inplace", "--force", env=flags)
        report = ["--cov=csignals", "--cov-branch", "--cov-report=term:skip-covered"]
        session.run("python", "-m", "pytest", "-n", "2", "-m", "not slow", *report, *session.posargs)
        session.run("python", ROOT / ".ci/compiled_coverage", "build", COMPILED_FLOOR)


@nox.session(python="3.13")
def wheels(session):
    """Build the wheels and the source distribution as for a release, and install and test them as a user does."""
    install(session, ".[test,wheels]")
    pytest(session, "-m", "wheels")


@nox.session(python="3.13")
def lint(session):
    """Run the linters: all hooks of .pre-commit-config.yaml, or those named after `--`."""
    install(session, ".[lint]")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *session.posargs)


def install(session, *packages, env=None):
    """Install packages, preferring older versions with a wheel: not all interpreters have wheels of the newest."""
    required = "0" if is_pypy(session) else "1"
    session.install("--prefer-binary", *packages, env={"CSIGNALS_REQUIRE_EXTENSIONS": required, **(env or {})})


def pytest(session, *args, env=None, python="python", files=(None,)):
    """Run pytest once, or once for each of these files, and fail if any run does."""
    implementation = ["--implementation=python"] if is_pypy(session) else []
    session.run(python, "-m", "csignals", env=env, external=True)
    # With PyPy's slower collector, and with threads, a test may take longer than the usual two minutes.
    patience = ["-o", "faulthandler_timeout=900"] if is_pypy(session) or session.python == "3.13t" else []
    failed = False
    for file in files:
        chosen = [] if file is None else [file]
        command = [python, "-m", "pytest", "-rs", *implementation, *patience, *args, *chosen, *session.posargs]
        try:
            # Pytest exits with 5 if no test of a file is selected.
            session.run(*command, env=env, external=True, success_codes=[0] if file is None else [0, 5])
        except CommandFailed:  # nox prints the command that failed
            failed = True
    if failed:
        session.error("there were failures")


def is_pypy(session):
    return str(session.python).startswith("pypy")


def copy_of_checkout(session):
    """Return a copy of the checkout, so that a build leaves no files in the checkout."""
    copy = Path(session.create_tmp(), "checkout")
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.so", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored)
    if (ROOT / "build/cython").exists():  # so that Cython need not run again
        shutil.copytree(ROOT / "build/cython", copy / "build/cython")
    return copy


def built(session, flags=""):
    """Return a copy of the checkout with the extension built in it. Installs the packages in FEW."""
    install(session, *FEW)
    copy = copy_of_checkout(session)
    env = {"CFLAGS": flags, "LDFLAGS": flags} if flags else {}
    install(session, "--no-deps", "--no-build-isolation", "--editable", copy, env=env)
    return copy
