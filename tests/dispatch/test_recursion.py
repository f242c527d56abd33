"""Receivers that send to themselves until the stack ends, and long chains of signals that are freed at once."""

import contextlib
import sys
import threading

import pytest

from tests.helpers.interpreter import run_python

SENDS = ["send", "send_robust"]


def recurse(signal, send):
    """Return how often a receiver that sends to itself was called, and the class of the error that stopped it."""
    depths = [0]

    def hear(**named):
        depths.append(depths[-1] + 1)
        getattr(signal, send)(None, a=1)

    signal.connect(hear)
    try:
        getattr(signal, send)(None, a=1)
    except RecursionError as error:
        return max(depths), type(error)
    finally:
        signal.disconnect(hear)
    return max(depths), None


@pytest.fixture(autouse=True)
def recursion_limit(implementation):
    if sys.version_info >= (3, 15) and implementation == "python":
        pytest.skip("CPython 3.15.0 does not limit a recursion through calls with **, until memory ends (issue 20)")


@pytest.mark.parametrize("send", SENDS)
def test_recursive_sends_end_in_recursion_error(make, send):
    signal = make()
    depth, error = recurse(signal, send)
    assert depth > 50
    # send_robust() catches the error: it is the innermost response.
    assert error is (RecursionError if send == "send" else None)
    signal.connect(late := lambda **named: "late")
    assert signal.send(None) == [(late, "late")]
    assert signal.lock.acquire(blocking=False)
    signal.lock.release()


def test_recursive_sends_fit_a_small_stack(make):
    """A send takes 1.1 KB of it: more than functools.partial does, and a fifth of what sorted() with a key takes."""
    found = []
    before = threading.stack_size(2048 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(recurse(make(), "send")))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert found[0][1] is RecursionError


@pytest.mark.skipif(sys.implementation.name == "pypy", reason="PyPy raises another RecursionError where one is caught")
def test_operations_fail_cleanly_without_stack(make):
    """Each operation is tried with ever less stack: it either happens, or raises and changes nothing."""
    signal = make()

    def hear(**named):
        return "heard"

    def late(**named):
        return "late"

    signal.connect(hear)
    outcomes = set()

    def descend(operation):
        with contextlib.suppress(RecursionError):
            descend(operation)
        try:
            operation()
        except RecursionError:
            outcomes.add("failed")
            raise
        outcomes.add("done")

    def connect():
        signal.connect(lambda **named: None)  # dead at once
        signal.connect(late)
        signal.send_robust(None)
        signal.disconnect(late)

    def send():
        signal.send(None, a=1)
        signal.receivers = list(signal.receivers)
        signal.has_listeners()

    for operation in (connect, send):
        for _ in range(3):
            with contextlib.suppress(RecursionError):
                descend(operation)
            signal.disconnect(late)
            assert signal.send(None) == [(hear, "heard")]
            signal.connect(late)
            assert [response for _, response in signal.send(None)] == ["heard", "late"]
            signal.disconnect(late)
    assert outcomes == {"failed", "done"}


CHAIN = """
from csignals import Signal

signal = None
for _ in range(200_000):
    inner, signal = signal, Signal()
    signal.connect(lambda inner=inner, **named: inner, weak=False)
    signal.send(None)
del signal, inner
print("freed")
"""


@pytest.mark.exhaustive
def test_long_chains_of_signals_are_freed(implementation):
    done = run_python("-c", CHAIN, implementation=implementation)
    assert (done.returncode, done.stdout, done.stderr) == (0, "freed\n", "")
