"""Measure the time to load model rows. Django sends two signals for each row."""

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from django.core.management import call_command
from django.db.models import Model
from django.db.models.signals import post_init, pre_init

from csignals.compare.models import Author, Row
from csignals.compare.project import fresh_database
from csignals.compare.sends import Receiver, make_receiver
from csignals.compare.timing import Samples, in_turn
from csignals.django import install, uninstall

Connection = tuple[Any, type, Receiver]  # signal, sender, receiver

DJANGO, IN_DJANGO = "Django", "csignals in Django"
CONTESTANTS = {DJANGO: uninstall, IN_DJANGO: install}
ROWS = 10_000
ROUNDS = 12
SITUATIONS: dict[str, list[tuple[Any, type, int]]] = {  # signal, sender and number of receivers
    "no receivers": [],
    "one post_init receiver, for another model": [(post_init, Author, 1)],
    "three receivers each of pre_init and post_init": [(pre_init, Row, 3), (post_init, Row, 3)],
}
STEPS = len(SITUATIONS) * ROUNDS


@dataclass(frozen=True)
class LoadingTimes:
    """The times to load all rows in one situation, in seconds."""

    situation: str
    samples: Samples


def measure(advance: Callable[[], None]) -> list[LoadingTimes]:
    """Return the loading times in all situations. Leaves csignals uninstalled.

    Raises RuntimeError if a contestant does not load all rows or does not call the receivers.
    """
    with fresh_database():
        call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
        Row.objects.bulk_create(Row(name=f"row {number}", number=number, active=True) for number in range(ROWS))
        try:
            return [LoadingTimes(situation, time_loading(situation, advance)) for situation in SITUATIONS]
        finally:
            uninstall()


def time_loading(situation: str, advance: Callable[[], None]) -> Samples:
    """Return the loading times of each contestant in one situation."""
    for switch in CONTESTANTS.values():
        check_calls(situation, switch)
    with connected(connections(situation, make_receiver)):
        return in_turn({name: partial(load_after, switch) for name, switch in CONTESTANTS.items()}, ROUNDS, advance)


def load_after(switch: Callable[[], None]) -> float:
    """Install or uninstall csignals with `switch`, load all rows, and return the seconds."""
    switch()
    return load(Row)


def load(model: type[Model]) -> float:
    """Load all rows of a model, and return the seconds. Raises RuntimeError unless there are `ROWS` rows."""
    list(model.objects.all()[:100])  # the first rows fill caches that install() and uninstall() have emptied
    gc.collect()
    gc.disable()  # as timeit does: a collection would add its time to any of the contestants
    try:
        start = perf_counter()
        rows = list(model.objects.all())
        seconds = perf_counter() - start
    finally:
        gc.enable()
    if len(rows) != ROWS:
        raise RuntimeError(f"{len(rows)} rows were loaded instead of {ROWS}")
    return seconds


def check_calls(situation: str, switch: Callable[[], None]) -> None:
    """Raise RuntimeError unless loading rows calls every receiver for every row."""
    calls = []

    def make_counter() -> Receiver:
        def receiver(signal: Any, sender: Any, **named: Any) -> None:
            calls.append(signal)

        return receiver

    switch()
    with connected(connections(situation, make_counter)):
        list(Row.objects.all()[:100])
    for signal in pre_init, post_init:
        expected = 100 * sum(count for each, sender, count in SITUATIONS[situation] if (each, sender) == (signal, Row))
        if calls.count(signal) != expected:
            raise RuntimeError(f"receivers were called {calls.count(signal)} times instead of {expected}")


def connections(situation: str, make_receiver: Callable[[], Receiver]) -> list[Connection]:
    """Return the connections of a situation, with new receivers."""
    return [(signal, sender, make_receiver()) for signal, sender, count in SITUATIONS[situation] for _ in range(count)]


@contextmanager
def connected(connections: list[Connection]) -> Generator[None]:
    """Connect receivers during a ``with`` block."""
    for signal, sender, receiver in connections:
        signal.connect(receiver, sender=sender)
    try:
        yield
    finally:
        for signal, sender, receiver in connections:
            signal.disconnect(receiver, sender=sender)
