import copy
import gc
from pathlib import Path

import pytest
from django.dispatch import Signal

from tests.helpers.implementations import CHOICES, load

# What these test is in a checkout, and not beside an installed package.
if not (Path(__file__).parent.parent / "setup.py").exists():
    collect_ignore = ["bench", "packaging/test_build.py", "packaging/test_wheels.py"]


def pytest_addoption(parser):
    parser.addoption(
        "--implementation",
        choices=[*CHOICES, "both"],
        default="both",
        help="run the tests on this engine only (default: both)",
    )
    parser.addoption(
        "--budget",
        type=int,
        default=1,
        help="repeat what depends on chance, or on how much is tried, so many times as often (default: 1)",
    )
    parser.addoption(
        "--repetitions",
        type=int,
        default=200,
        help="how often test_memory.py does what shall leave nothing behind (default: 200)",
    )


def pytest_collection_finish():
    """Have collections look only at what the tests make, not at all that has been imported: they take a hundredth."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def pytest_configure(config):
    # With pytest-xdist: what the tests of a file build, compile or start once, one process does.
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
    """The package, on the engine under test. It fails to load where that is not there."""
    return load(implementation)


@pytest.fixture(scope="session")
def budget(request):
    """How many times as often as usual the tests are to repeat what they do."""
    return request.config.getoption("--budget")


@pytest.fixture
def signal(csignals):
    return csignals.Signal()


@pytest.fixture
def drop_in(implementation):
    """``csignals.django`` on the engine under test, installed, and taken out again at the end."""
    package = load(implementation, "csignals.django")
    copy.copy(Signal())  # which leaves something on the class
    before = list(vars(Signal).items())
    package.install()
    yield package
    package.uninstall()
    assert list(vars(Signal).items()) == before


@pytest.fixture(params=["standalone", "in Django"])
def make(request, csignals):
    """What makes a signal: csignals' own class, or Django's, which csignals dispatches."""
    if request.param == "standalone":
        return csignals.Signal
    request.getfixturevalue("drop_in")
    return Signal


@pytest.fixture(autouse=True)
def no_garbage_from_other_tests():
    yield
    gc.collect(1)  # what the test made; to look through all that there is takes a quarter of a second


@pytest.fixture(autouse=True, scope="module")
def no_garbage_from_other_modules():
    yield
    gc.collect()
