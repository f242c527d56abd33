"""The pytest plugin's fixture ``signals``, in new runs of pytest, on both implementations."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.helpers.implementations import environment
from tests.helpers.interpreter import run_python

pytest_plugins = ["pytester"]

SHOP = """
import csignals

order_paid, order_shipped = csignals.Signal(), csignals.Signal()
log = []


@csignals.receiver(order_paid)
def keep_books(order, **kwargs):
    log.append(order)
    return order
"""


@pytest.fixture
def run(pytester, monkeypatch, implementation):
    """Return a function that runs tests of a shop. No plugin but this checkout's is loaded."""
    for name, value in {
        **environment(implementation),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(shop=SHOP)

    def run(tests, *arguments):
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-p", "csignals.testing.plugin", "-W", "error", *arguments)

    return run


def test_each_method_is_undone_afterwards(run, implementation):
    """Each method takes effect at once. The end of the test undoes them in reverse order."""
    result = run(
        f"""
        import csignals
        from csignals.testing import CaptureLog, SignalTester
        from shop import keep_books, log, order_paid, order_shipped

        def test_it(signals: SignalTester):
            assert csignals.IMPLEMENTATION == {implementation!r}
            sends = signals.capture(order_paid, sender="shop")
            assert type(sends) is CaptureLog
            order_paid.send("shop", order=1)
            order_paid.send("market", order=2)
            assert log == [1, 2]
            [send] = sends.assert_sent(order_paid, order=1, times=1)
            assert send.responses == [(keep_books, 1)]

            heard = []
            hear = signals.connect(order_shipped, lambda **named: heard.append(named))
            trace = signals.trace()
            assert order_shipped.send("shop", order=1) == [(hear, None)]
            assert heard[0]["order"] == len(trace.records) == 1

            with signals.assert_sent(order_paid, order=3), signals.assert_not_sent(order_shipped):
                order_paid.send("shop", order=3)

            assert signals.mute(order_paid) is None
            assert order_paid.send("shop", order=4) == []
            assert signals.capture(order_shipped, deliver=False) == []
            assert order_shipped.send("shop") == []

        def test_everything_is_undone():
            assert order_paid.send("shop", order=5) == [(keep_books, 5)]
            assert log == [1, 2, 3, 5]
            assert order_shipped.receivers == []
            assert not csignals._scopes.is_interception_needed()

        def test_connect_repeatedly(signals):
            before = order_paid.receivers[:]
            signals.connect(order_paid, log.append)
            signals.connect(order_paid, keep_books, sender="shop", dispatch_uid="uid")
            signals.connect(order_paid, keep_books)
            signals.connect(order_paid, keep_books, sender="shop", dispatch_uid="uid")
            order_paid.disconnect(keep_books)
            test_connect_repeatedly.before = before

        def test_receivers_are_restored():
            assert order_paid.receivers == test_connect_repeatedly.before
        """
    )
    result.assert_outcomes(passed=4)


def test_a_failing_test_reports_and_undoes(run):
    result = run(
        """
        from shop import order_paid, order_shipped

        def test_block(signals):
            signals.mute()
            with signals.assert_sent(order_paid, order=7):      # here
                order_paid.send("shop", order=8)
                order_shipped.send("shop")

        def test_list(signals):
            sends = signals.capture()
            order_paid.send("shop", order=8)
            sends.assert_not_sent(order_paid, sender="shop")    # and here

        def test_afterwards():
            assert order_paid.send("shop", order=8)
        """
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            ">*with signals.assert_sent(order_paid, order=7):      # here",
            "E*AssertionError: *(order=7) was not sent. Captured sends:",
            "E*: sender='shop', order=8 (not 7)",
            "E* once",
            '>*sends.assert_not_sent(order_paid, sender="shop")    # and here',
            "E*AssertionError: *(sender='shop') was sent once, but should not be. Captured sends:",
        ]
    )
    result.stdout.no_fnmatch_line("*_AssertionBlock*")


def test_async_tests_are_closed_from_outside(run):
    """The fixture closes in another context what an async test has opened."""
    result = run(
        """
        import asyncio, contextvars, functools
        from shop import keep_books, log, order_paid

        def run_by_a_loop(test):
            @functools.wraps(test)
            def run(**fixtures):
                contextvars.copy_context().run(asyncio.run, test(**fixtures))
            return run

        @run_by_a_loop
        async def test_it(signals):
            sends = signals.capture(order_paid)
            signals.mute(order_paid)
            signals.trace()
            await asyncio.create_task(order_paid.asend("shop", order=1))
            sends.assert_sent(order_paid, order=1)
            async with signals.assert_sent(order_paid, order=2):
                await order_paid.asend("shop", order=2)
            assert log == []

        def test_afterwards():
            import csignals
            assert asyncio.run(order_paid.asend("shop", order=1)) == [(keep_books, 1)]
            assert not csignals._scopes.is_interception_needed()
        """
    )
    result.assert_outcomes(passed=2)


def test_scopes_of_fixtures_cover_the_test(run):
    result = run(
        """
        import asyncio
        import pytest
        from shop import order_paid

        @pytest.fixture
        def sends(signals):
            return signals.capture(order_paid, deliver=False)

        def test_sync(sends):
            assert order_paid.send("shop", order=7) == []
            sends.assert_sent(order_paid, order=7)

        def test_async(sends):
            asyncio.run(order_paid.asend("shop", order=7))
            sends.assert_sent(order_paid, order=7)
        """
    )
    result.assert_outcomes(passed=2)


def test_django_signals_work_once_installed(run):
    result = run(
        """
        import django.dispatch, csignals.django, pytest

        signal = django.dispatch.Signal()

        def test_without(signals):
            assert signals.connect(signal, print) is print
            with pytest.raises(TypeError, match="not a signal that csignals dispatches"):
                signals.capture(signal)

        def test_with(signals):
            csignals.django.install()
            sends = signals.capture(signal, deliver=False)
            signals.connect(signal, print)
            signal.send("shop", order=7)
            sends.assert_sent(signal, sender="shop", order=7)
        """
    )
    result.assert_outcomes(passed=2)


def test_the_fixture_has_a_description(run):
    result = run("", "--fixtures")
    result.stdout.fnmatch_lines(
        ["signals -- *plugin.py:*", "    Capture, mute, connect and trace signals until the end of the test*"]
    )


IMPORTS = """
import sys, pytest
before = set(sys.modules)
import csignals.testing.plugin
print([name for name in ("django", "asgiref", "asyncio", "csignals.deferred") if name in set(sys.modules) - before])
"""


def test_the_unused_plugin_imports_little(implementation):
    done = run_python("-c", IMPORTS, implementation=implementation, variables={"PYTHONPATH": os.pathsep.join(sys.path)})
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_plugin_is_declared():
    installed = entry_points(group="pytest11", name="csignals")
    if installed:
        assert {each.value for each in installed} == {"csignals.testing.plugin"}
    else:  # the installed csignals is older than this checkout
        lines = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        assert lines[lines.index("[project.entry-points.pytest11]") + 1] == 'csignals = "csignals.testing.plugin"'
