"""``csignals.django`` reports its state: by ``status()``, and by the messages of ``manage.py check``."""

from unittest import mock

import django
import pytest
import wrapt
from django.core import checks
from django.dispatch import Signal

from tests.helpers.implementations import environment, load
from tests.helpers.interpreter import run_python

OWNED = {"send", "send_robust", "has_listeners", "_live_receivers"}

PROJECT = """
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django"])
import django
from django.core.management import execute_from_command_line
django.setup()
{then}
execute_from_command_line(["manage.py", "check"])
"""
WRAP = """
from django.dispatch import Signal
def wrap(send):
    return lambda self, *args, **kwargs: send(self, *args, **kwargs)
Signal.send = wrap(Signal.send)
"""
UNINSTALL = "import csignals.django; csignals.django.uninstall()"
PURE = "csignals runs without its compiled code, much more slowly: CSIGNALS_PURE_PYTHON is 1."


@pytest.fixture
def status_of(implementation):
    return load(implementation, "csignals.django._status")


def texts(module):
    return [(message.id, message.msg) for message in module.check() if message.id != "csignals.I002"]


def test_status_describes_the_active_dispatcher(drop_in, implementation):
    status = drop_in.status()
    assert status == drop_in.Status(
        is_listed=False,
        is_installed=True,
        implementation=implementation,
        fallback_reason=None if implementation == "cython" else "CSIGNALS_PURE_PYTHON is 1",
        django=django.get_version(),
        owners=dict.fromkeys(OWNED, "csignals"),
        missed=frozenset(),
        asked=None,
    )
    drop_in.uninstall()
    status = drop_in.status()
    assert (status.is_installed, dict(status.owners), status.missed) == (False, dict.fromkeys(OWNED, "django"), set())


def test_the_check_is_silent_without_problems(drop_in, status_of, implementation):
    expected = [] if implementation == "cython" else [checks.Info(PURE, id="csignals.I002")]
    assert status_of.check(app_configs=None, databases=None) == expected


def test_a_package_that_patched_first_is_named(drop_in, status_of):
    drop_in.uninstall()
    original = vars(Signal)["send"]
    with mock.patch.object(Signal, "send", lambda *args, **named: original(*args, **named)):
        drop_in.install()
        status = drop_in.status()
        assert (status.owners["send"], status.owners["send_robust"]) == (__name__, "csignals")
        assert status.missed == {"send"}
        assert texts(status_of) == [
            (
                "csignals.W002",
                f"csignals does not dispatch Signal.send: {__name__} replaced it before csignals was installed.",
            )
        ]
        drop_in.uninstall()
    drop_in.install()
    assert texts(status_of) == []


def test_a_package_that_patched_later_is_named(drop_in, status_of):
    with mock.patch.object(Signal, "send_robust"), mock.patch.object(Signal, "_live_receivers"):
        status = drop_in.status()
        assert status.owners["send_robust"] == status.owners["_live_receivers"] == status.asked == "unittest.mock"
        assert status.missed == set()
        assert texts(status_of) == [
            (
                "csignals.I001",
                "unittest.mock replaced Signal.send_robust: csignals dispatches the sends that it passes on.",
            ),
            (
                "csignals.I004",
                "unittest.mock replaced Signal._live_receivers: each send calls it, which makes sends slower.",
            ),
        ]
    assert texts(status_of) == []


def test_status_explains_a_missing_compiled_module():
    missing = "import sys; sys.modules['csignals._dispatch.compiled'] = None"
    code = f"{missing}; from csignals.django import status; print(status())"
    done = run(["-c", code], {"CSIGNALS_PURE_PYTHON": ""})
    assert "implementation='python'" in done.stdout
    assert "fallback_reason='import of csignals._dispatch.compiled halted; None in sys.modules'" in done.stdout


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ("", []),
        (UNINSTALL, ["(csignals.W001) csignals.django is in INSTALLED_APPS"]),
        (WRAP, ["(csignals.I001) __main__ replaced Signal.send"]),
    ],
    ids=["active", "uninstalled", "wrapped"],
)
def test_manage_py_check_prints_one_line_each(implementation, then, expected):
    done = run(["-W", "error", "-c", PROJECT.format(then=then)], environment(implementation))
    printed = [line for line in (done.stdout + done.stderr).splitlines() if "(csignals." in line]
    if implementation == "python" and then is not UNINSTALL:
        expected = [*expected, f"(csignals.I002) {PURE}"]
    assert len(printed) == len(expected)
    for line, start in zip(printed, expected, strict=True):
        assert line.startswith(f"?: {start}")
    assert done.returncode == 0


def run(arguments, variables):
    return run_python(*arguments, implementation="cython", variables=variables)


def passing(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)


class Passing:
    def __call__(self, wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    def passing(self, *args):
        return self(*args)


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", [passing, Passing(), Passing().passing], ids=["function", "object", "method"])
@pytest.mark.parametrize("names", [["send"], ["_live_receivers"], ["send", "has_listeners"], sorted(OWNED)], ids=str)
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_status_is_consistent_behind_wrapt(drop_in, first, names, wrapper):
    # APMs patch with wrapt or a copy of wrapt. Its proxy has the attributes of the method that it wraps, so the
    # attributes do not name the module of the wrapper.
    def hear(**named):
        return "heard"

    if first == "theirs":
        drop_in.uninstall()
    originals = {name: vars(Signal)[name] for name in names}
    for name in names:
        wrapt.wrap_function_wrapper("django.dispatch", f"Signal.{name}", wrapper)
    try:
        drop_in.install()
        status = drop_in.status()
        assert status.owners == {name: __name__ if name in names else "csignals" for name in OWNED}
        assert status.missed == (set(names) if first == "theirs" else set())
        assert status.is_installed == ("csignals" in status.owners.values())
        signal = Signal()
        signal.connect(hear)
        assert signal.send(None) == signal.send_robust(None) == [(hear, "heard")]
        assert signal.has_listeners(None)
        drop_in.uninstall()
        status = drop_in.status()
        assert status.owners == {name: __name__ if name in names else "django" for name in OWNED}
        assert not status.is_installed
    finally:
        for name, original in originals.items():
            setattr(Signal, name, original)
        drop_in.uninstall()
    assert drop_in.status().owners == dict.fromkeys(OWNED, "django")
