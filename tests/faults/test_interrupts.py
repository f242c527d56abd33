"""KeyboardInterrupt at any moment, and receivers that raise exceptions of all kinds."""

import asyncio
import gc
import json
import os
import random
import signal as signals
import subprocess
import sys
import time
from pathlib import Path

import django
import pytest

from tests.helpers.implementations import environment
from tests.helpers.stock_django import StockSignal

SCRIPT = Path(__file__).with_name("interrupts.py")


@pytest.mark.parametrize("place", ["standalone", "django"])
def test_interrupts_lose_and_lock_nothing(implementation, place, budget):
    """No registration is lost or doubled, and the lock is free, after an interrupt at any moment."""
    count = 150 * budget
    with subprocess.Popen(
        [sys.executable, SCRIPT, place, str(count)],
        env=environment(implementation),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        end = time.monotonic() + 60 * budget
        while process.poll() is None and time.monotonic() < end:
            time.sleep(random.random() / 500)
            os.kill(process.pid, signals.SIGINT)
        if process.poll() is None:
            process.kill()
            pytest.fail("interrupts.py hangs")
        out, err = process.communicate()
    # An interrupt during a callback or a finalizer is not propagated.
    assert process.returncode == 0, err
    found = json.loads(out)
    assert found["problems"] == []
    assert found["interrupts"] == count


class Custom(BaseException):
    pass


RAISED = [
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    StopIteration,
    StopAsyncIteration,
    asyncio.CancelledError,
    Custom,
    ZeroDivisionError,
]


def first(**named):
    return "first"


def last(**named):
    return "last"


def raises(error):
    def receiver(**named):
        raise error

    return receiver


def awaited_raises(error):
    async def receiver(**named):
        raise error

    return receiver


def outcome(signal, calls, has_context=True):
    """Return the results or exceptions of calls, and the number of sync receivers afterwards."""
    outcomes = []
    for call in calls:
        try:
            outcomes.append([getattr(response, "args", response) for _, response in call(signal)])
        except BaseException as error:
            outcomes.append((type(error), error.args[:1] if type(error) in RAISED else None, type(error.__cause__)))
            if has_context:
                outcomes.append(type(error.__context__))
    return outcomes, len(signal._live_receivers(None)[0])


def connected(make, *receivers):
    signal = make()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


@pytest.mark.parametrize("cls", RAISED)
@pytest.mark.parametrize("size", [1, 3])
def test_exceptions_of_receivers_match_djangos(make, cls, size):
    failing = raises(cls("bad luck"))
    receivers = [first, failing, last] if size == 3 else [failing]
    calls = [lambda signal: signal.send(None, x=1), lambda signal: signal.send_robust(None, x=1)] * 2
    assert outcome(connected(make, *receivers), calls) == outcome(connected(StockSignal, *receivers), calls)
    with pytest.raises(cls) as caught:
        connected(make, *receivers).send(None)
    assert caught.value.args == ("bad luck",)
    assert sys.exc_info() == (None, None, None)


if django.VERSION >= (6, 1):
    # asyncio leaves objects behind if a task raises KeyboardInterrupt or SystemExit, under Django as under csignals.
    @pytest.mark.exhaustive
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("cls", RAISED)
    @pytest.mark.parametrize("kind", [raises, awaited_raises])
    def test_exceptions_under_asend_match_djangos(make, cls, kind):
        if kind is raises and cls is StopIteration and sys.version_info < (3, 12, 6):
            pytest.skip("StopIteration is not passed on from a thread, in Django neither (CPython's gh-112182)")
        failing = kind(cls("bad luck"))

        async def awaited(**named):
            return "awaited"

        calls = [
            lambda signal: asyncio.run(signal.asend(None, x=1)),
            lambda signal: asyncio.run(signal.asend_robust(None, x=1)),
            lambda signal: signal.send(None, x=1),
            lambda signal: signal.send_robust(None, x=1),
        ]
        for receivers in ([failing], [first, failing], [failing, awaited], [first, awaited, failing]):
            # In Django, the group is the exception's context. csignals awaits a single receiver without a group.
            ours = outcome(connected(make, *receivers), calls, has_context=False)
            assert ours == outcome(connected(StockSignal, *receivers), calls, has_context=False)
        gc.collect()


@pytest.mark.parametrize("send", ["send", "send_robust"])
def test_receivers_see_the_handled_exception(make, send):
    seen = []

    def look(**named):
        seen.append(type(sys.exc_info()[1]))

    signal = connected(make, raises(ZeroDivisionError()), look)
    try:
        raise LookupError
    except LookupError:
        if send == "send_robust":
            signal.send_robust(None)
        assert type(sys.exc_info()[1]) is LookupError
        signal = connected(make, look)
        getattr(signal, send)(None)
    assert set(seen) == {LookupError}


def test_failures_are_logged_while_handled(make):
    seen = []

    class Signal(make):
        def _log_robust_failure(self, receiver, err):
            seen.append((sys.exc_info()[1] is err, err.__traceback__ is not None))

    assert [type(response) for _, response in connected(Signal, raises(ZeroDivisionError())).send_robust(None)] == [
        ZeroDivisionError
    ]
    assert seen in ([(True, True)], [])  # Django 4.2 has no such method
    assert sys.exc_info() == (None, None, None)


def test_logging_errors_have_the_failure_as_context(csignals):
    class Signal(csignals.Signal):
        def _log_robust_failure(self, receiver, err):
            raise LookupError

    with pytest.raises(LookupError) as caught:
        connected(Signal, first, raises(ZeroDivisionError())).send_robust(None)
    assert type(caught.value.__context__) is ZeroDivisionError
