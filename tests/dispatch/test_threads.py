"""Threads and finalizers that connect, disconnect and send at the same time."""

import gc
import sys
import threading

import pytest

from tests.faults.collisions import collide_all
from tests.faults.stress import Storm
from tests.helpers.implementations import (
    collect_where_references_are_not_counted,
    collecting_after,
    has_thresholds,
    load,
)
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Sender


def hear(**named):
    pass


@pytest.fixture(autouse=True)
def switch_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def run_all(*targets):
    failures = []
    start = threading.Barrier(len(targets))

    def run(target):
        try:
            start.wait(10)
            target()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "deadlock"
    assert failures == []


def test_no_registration_is_lost_or_doubled(signal):
    receivers = [[lambda **named: None for _ in range(60)] for _ in range(4)]
    common = [lambda **named: None for _ in range(60)]

    def work(mine):
        def connect():
            for own, shared in zip(mine, common, strict=True):
                signal.connect(own)
                signal.connect(shared)
                signal.connect(hear)
                signal.send(None)
                signal.disconnect(hear)

        return connect

    run_all(*map(work, receivers))
    signal.disconnect(hear)
    connected = [receiver for receiver, _ in signal.send(None)]
    assert len(connected) == len(set(connected)) == 300
    assert set(connected) == set(common).union(*receivers)


def test_sends_call_stable_receivers_exactly_once(signal):
    calls = []
    signal.connect(record_call := lambda n, **named: calls.append(n))
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            temporary = [lambda **named: None for _ in range(5)]
            for each in temporary:
                signal.connect(each, sender=None)
            signal.disconnect(temporary[0])

    def send():
        try:
            for n in range(2000):
                signal.send(None, n=n)
        finally:
            stop.set()

    run_all(churn, send)
    assert calls == list(range(2000))
    collect_where_references_are_not_counted()
    assert [receiver for receiver, _ in signal.send(None, n=None)] == [record_call]


class Finalized:
    """Garbage in a cycle, which acts when it is collected."""

    def __init__(self, action):
        self.action, self.cycle = action, self

    def __del__(self):
        self.action()


def test_compatibility_2_finalizers_may_connect_under_the_lock(signal):
    """Django deadlocks there."""

    def work():
        signal.connect(hear)
        with signal.lock:
            Finalized(lambda: signal.disconnect(hear))
            Finalized(lambda: signal.connect(late))
            gc.collect()

    def late(**named):
        pass

    run_all(work)
    assert [receiver for receiver, _ in signal.send(None)] == [late]


@has_thresholds
def test_finalizers_lose_no_registrations(signal):
    """The collector runs as often as possible, and the finalizers connect, disconnect and send."""
    kept = [lambda **named: None for _ in range(40)]
    connected_by_finalizers = [lambda **named: None for _ in range(40)]

    def work():
        for mine, other in zip(kept, connected_by_finalizers, strict=True):
            Finalized(lambda other=other: (signal.connect(other), signal.disconnect(hear), signal.send(None)))
            signal.connect(lambda **named: None)  # dead at once, so that it is swept
            signal.connect(mine)
            signal.connect(hear)
            signal.send(None)
            signal.disconnect(hear)

    with collecting_after(1):
        run_all(work)
    gc.collect()
    signal.disconnect(hear)
    receivers = [receiver for receiver, _ in signal.send(None)]
    assert len(receivers) == len(set(receivers))
    assert set(receivers) == {*kept, *connected_by_finalizers}
    assert [receiver for receiver in receivers if receiver in kept] == kept


def test_finalizers_of_receivers_run_unlocked(signal):
    """A signal frees removed receivers only after it has released its lock, so that no thread waits for a finalizer."""
    free = []

    class Receiver:
        def __call__(self, **named):
            pass

        def __del__(self):
            thread = threading.Thread(target=lambda: free.append(take_lock()))
            thread.start()
            thread.join()

    def take_lock():
        taken = signal.lock.acquire(timeout=5)
        if taken:
            signal.lock.release()
        return taken

    sender, receiver = Sender(), Receiver()
    signal.connect(receiver, weak=False)
    signal.disconnect(receiver)
    del receiver
    collect_where_references_are_not_counted()
    assert free == [True]
    signal.connect(Receiver(), sender=sender, weak=False)
    del sender
    collect_where_references_are_not_counted()
    signal.connect(hear)
    collect_where_references_are_not_counted()
    assert free == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 8])
def test_concurrent_operations_keep_signals_consistent(csignals, make, threads, budget):
    done = Storm(csignals, make, threads).run(0.8 * budget)
    assert min(done[act] for act in ("send", "connect", "disconnect", "assign", "drop", "drop_sender")) > 0


@pytest.mark.slow
def test_sends_may_coincide_with_any_operation(implementation, csignals, make, budget):
    load(implementation, "csignals.testing")  # which one of the acts uses
    assert collide_all(csignals, make, 0.02 * budget, beside=["send"]) >= 20


def test_importing_csignals_does_not_enable_the_gil(implementation):
    code = (
        "import sys; has_gil = getattr(sys, '_is_gil_enabled', lambda: True); before = has_gil();"
        "import csignals, csignals.django; assert has_gil() == before"
    )
    done = run_python("-W", "error", "-c", code, implementation=implementation)
    assert done.returncode == 0, done.stderr
