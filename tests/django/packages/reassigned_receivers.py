"""Packages reassign and edit a signal's list of receivers in all these ways: COMPATIBILITY.md, section 3.

Each change runs with and without the lock, and with and without clearing the cache. Django follows a change if the
signal has no cache or the cache is cleared. A stale cache is not compared: there csignals differs on purpose.
"""

import contextlib
import itertools

from django.db.models.signals import ModelSignal
from django.dispatch import Signal
from project import configure, names, report

configure()


class Sender:
    pass


def first(**named):
    return "first"


def second(**named):
    return "second"


def third(**named):
    return "third"


def send(signal):
    return [response for _, response in signal.send(Sender)]


def reassign(make_signal, locked, cleared):
    """Yield the responses of one signal after each reassignment."""
    signal, other = make_signal(), make_signal()
    signal.connect(first)
    signal.connect(second, sender=Sender)
    other.connect(third, sender=Sender)

    @contextlib.contextmanager
    def touch():
        with signal.lock if locked else contextlib.nullcontext():
            yield
            if cleared:
                signal.sender_receivers_cache.clear()

    yield send(signal)
    saved = signal.receivers
    with touch():
        signal.receivers = []
    yield send(signal)
    with touch():
        signal.receivers = saved
    yield send(signal)
    if cleared or not signal.use_caching:
        with touch():
            signal.receivers += other.receivers
        yield send(signal)
        with touch():
            signal.receivers = saved[::-1]
        yield send(signal)
        with touch():
            del signal.receivers[1:]
        yield send(signal)
        with touch():
            signal.receivers = [entry for entry in signal.receivers if entry not in other.receivers]
        yield send(signal)
    with touch():
        signal.receivers = []
    signal.connect(third)
    signal.receivers = signal.receivers + saved[:2]
    yield send(signal)
    yield [signal.disconnect(second, sender=Sender), send(signal), signal.has_listeners(Sender)]
    yield names(signal.receivers)


kinds = {
    "Signal": Signal,
    "cached": lambda: Signal(use_caching=True),
    "ModelSignal": lambda: ModelSignal(use_caching=True),
}
observed = {}
for kind, locked, cleared in itertools.product(kinds, (False, True), (False, True)):
    observed[f"{kind}{' locked' * locked}{' cleared' * cleared}"] = list(reassign(kinds[kind], locked, cleared))

report(**observed)
