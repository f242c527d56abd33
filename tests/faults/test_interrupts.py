"""KeyboardInterrupt at any moment, and receivers that raise what is no Exception."""

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
def test_an_interrupt_at_any_moment_leaves_nothing_lost_doubled_or_locked(implementation, place, budget):
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
            pytest.fail("It hangs.")
        out, err = process.communicate()
    # An interrupt that comes while a callback or a finalizer runs goes no further than that.
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
    """Return what calls of a signal give or raise, then how many it reaches."""
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
def test_what_a_receiver_raises_is_treated_as_by_django(make, cls, size):
    failing = raises(cls("bad luck"))
    receivers = [first, failing, last] if size == 3 else [failing]
    calls = [lambda signal: signal.send(None, x=1), lambda signal: signal.send_robust(None, x=1)] * 2
    assert outcome(connected(make, *receivers), calls) == outcome(connected(StockSignal, *receivers), calls)
    with pytest.raises(cls) as caught:
        connected(make, *receivers).send(None)
    assert caught.value.args == ("bad luck",)
    assert sys.exc_info() == (None, None, None)


if django.VERSION >= (6, 1):
    # What asyncio leaves behind where a task raises KeyboardInterrupt or SystemExit, in Django's world as in ours.
    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("cls", RAISED)
    @pytest.mark.parametrize("kind", [raises, awaited_raises])
    def test_what_a_receiver_raises_under_asend_is_treated_as_by_django(make, cls, kind):
        if kind is raises and cls is StopIteration and sys.version_info < (3, 12, 6):
            pytest.skip("what a thread raises never reaches who waits for it, in Django neither (CPython's gh-112182)")
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
            # Django's comes out of a group, which is its context. A single awaitable of ours is in none.
            ours = outcome(connected(make, *receivers), calls, has_context=False)
            assert ours == outcome(connected(StockSignal, *receivers), calls, has_context=False)
        gc.collect()


@pytest.mark.parametrize("send", ["send", "send_robust"])
def test_a_receiver_sees_the_exception_that_is_being_handled_and_no_other(make, send):
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


def test_what_logs_a_failure_is_handling_it(make):
    seen = []

    class Signal(make):
        def _log_robust_failure(self, receiver, err):
            seen.append((sys.exc_info()[1] is err, err.__traceback__ is not None))

    assert [type(response) for _, response in connected(Signal, raises(ZeroDivisionError())).send_robust(None)] == [
        ZeroDivisionError
    ]
    assert seen in ([(True, True)], [])  # Django 4.2 has no such method
    assert sys.exc_info() == (None, None, None)


def test_a_failure_to_log_a_failure_has_it_for_its_context(csignals):
    class Signal(csignals.Signal):
        def _log_robust_failure(self, receiver, err):
            raise LookupError

    with pytest.raises(LookupError) as caught:
        connected(Signal, first, raises(ZeroDivisionError())).send_robust(None)
    assert type(caught.value.__context__) is ZeroDivisionError
