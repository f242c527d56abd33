import copy
import gc
import sys
from pathlib import Path

import pytest
from django.dispatch import Signal

from tests.helpers.implementations import CHOICES, load

# These test files of the checkout that are not beside an installed package.
if not (Path(__file__).parent.parent / "setup.py").exists():
    collect_ignore = ["bench", "packaging/test_build.py", "packaging/test_wheels.py"]


def pytest_addoption(parser):
    parser.addoption(
        "--implementation",
        choices=[*CHOICES, "both"],
        default="both",
        help="run the tests on this implementation only (default: both)",
    )
    parser.addoption(
        "--budget",
        type=int,
        default=1,
        help="multiply the repetitions of random tests and of stress tests by this number (default: 1)",
    )
    parser.addoption(
        "--repetitions",
        type=int,
        default=200,
        help="how often test_memory.py repeats each operation (default: 200)",
    )


#: Tests with these markers are slow as well, so that `-m "not slow"` leaves them out.
LONG = "exhaustive", "django_suite", "wheels", "workers"


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items):
    for item in items:
        if any(map(item.get_closest_marker, LONG)):
            item.add_marker("slow")


def pytest_collection_finish():
    """Exclude all imported objects from collections, which then take a hundredth of the time."""
    if "hypothesis" in sys.modules:
        use_hypothesis()  # on first use it asks the collector what refers to its random numbers
    freeze()


def freeze():
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


@pytest.fixture(scope="module")
def unfrozen():
    """Have the collector see all objects again, for the tests of a module."""
    if hasattr(gc, "unfreeze"):
        gc.unfreeze()
    yield
    freeze()


def use_hypothesis():
    from hypothesis import given, strategies

    given(strategies.none())(lambda value: None)()


def pytest_configure(config):
    # With pytest-xdist, one process runs all tests of a file, and so builds, compiles or starts fixtures only once.
    if config.getoption("dist", "no") == "load":
        config.option.dist = "loadfile"


def pytest_report_header(config):
    return f"csignals implementation: {config.getoption('--implementation')}"


def pytest_generate_tests(metafunc):
    if "implementation" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--implementation")
        names = list(CHOICES) if chosen == "both" else [chosen]
        metafunc.parametrize("implementation", names, scope="session")


@pytest.fixture(scope="session")
def csignals(implementation):
    """The package, with the implementation under test. Loading it fails if that implementation is missing."""
    return load(implementation)


@pytest.fixture(scope="session")
def budget(request):
    """The number by which tests multiply their repetitions."""
    return request.config.getoption("--budget")


@pytest.fixture
def signal(csignals):
    return csignals.Signal()


@pytest.fixture
def drop_in(implementation):
    """``csignals.django`` with the implementation under test, installed, and uninstalled at the end."""
    package = load(implementation, "csignals.django")
    copy.copy(Signal())  # the first copy leaves an attribute on the class
    before = list(vars(Signal).items())
    package.install()
    yield package
    package.uninstall()
    assert list(vars(Signal).items()) == before


@pytest.fixture(params=["standalone", "in Django"])
def make(request, csignals):
    """The class of the signals: csignals' own, or Django's, which csignals dispatches."""
    if request.param == "standalone":
        return csignals.Signal
    request.getfixturevalue("drop_in")
    return Signal


@pytest.fixture(autouse=True)
def no_garbage_from_other_tests():
    yield
    gc.collect(1)  # collects what the test made; a full collection takes longer


@pytest.fixture(autouse=True, scope="module")
def no_garbage_from_other_modules():
    yield
    gc.collect()
