"""Measure the time of a send."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from timeit import Timer
from types import ModuleType
from typing import Any

import django.dispatch

import csignals
from csignals.compare.timing import Samples, in_turn
from csignals.django import install, uninstall

Receiver = Callable[..., None]

DJANGO, CACHED, IN_DJANGO, ALONE = "Django", "Django cached", "csignals in Django", "csignals alone"
CONTESTANTS = DJANGO, CACHED, IN_DJANGO, ALONE
RECEIVERS = (0, 1, 3, 10, 100)
STATEMENTS = {
    "without keyword arguments": "signal.send(sender=sender)",
    # As for Django's post_save.
    "with 4 keyword arguments": "signal.send(sender=sender, instance=None, created=True, raw=False, using='default')",
}
ROUNDS = 20
SECONDS = 0.003  # of each contestant in each round
STEPS = len(STATEMENTS) * len(RECEIVERS) * ROUNDS


@dataclass(frozen=True)
class SendTimes:
    """The times of a send with these keyword arguments to this number of receivers, in seconds."""

    keywords: str
    receivers: int
    samples: Samples


class Sender:
    pass


def measure(advance: Callable[[], None]) -> list[SendTimes]:
    """Return the times of all kinds of sends. Leaves csignals uninstalled.

    Raises RuntimeError if a contestant does not call its receivers.
    """
    install()
    try:
        return [
            SendTimes(keywords, receivers, time_sends(statement, receivers, advance))
            for keywords, statement in STATEMENTS.items()
            for receivers in RECEIVERS
        ]
    finally:
        uninstall()


def time_sends(statement: str, count: int, advance: Callable[[], None]) -> Samples:
    """Return the times of one kind of send with each contestant."""
    receivers = [make_receiver() for _ in range(count)]
    timers = {}
    for name, signal in make_signals().items():
        check_calls(name, signal, count)
        for receiver in receivers:
            signal.connect(receiver, sender=Sender)
        if [called for called, _ in signal.send(sender=Sender)] != receivers:
            raise RuntimeError(f"{name} does not call the receivers")
        timers[name] = Timer(statement, globals={"signal": signal, "sender": Sender})
    sends = round(SECONDS / (timers[DJANGO].timeit(100) / 100))
    return in_turn({name: per_send(timer, sends) for name, timer in timers.items()}, ROUNDS, advance)


def per_send(timer: Timer, sends: int) -> Callable[[], float]:
    """Return a function that runs a timer and returns the seconds of a single send."""
    return lambda: timer.timeit(sends) / sends


def make_signals() -> dict[str, Any]:
    """Return a new signal of each contestant."""
    stock = stock_dispatcher()
    return {
        DJANGO: stock.Signal(),
        CACHED: stock.Signal(use_caching=True),
        IN_DJANGO: django.dispatch.Signal(),
        ALONE: csignals.Signal(),
    }


def stock_dispatcher() -> ModuleType:
    """Return a second copy of the module ``django.dispatch.dispatcher``, which is not patched."""
    path = django.dispatch.dispatcher.__file__
    spec = importlib.util.spec_from_file_location("csignals.compare.stock_dispatcher", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_receiver() -> Receiver:
    """Return a new receiver that does nothing, so that only the dispatch is measured."""

    def receiver(signal: Any, sender: Any, **named: Any) -> None:
        pass

    return receiver


def check_calls(name: str, signal: Any, count: int) -> None:
    """Raise RuntimeError unless a send calls each of `count` receivers once, with the arguments of the send."""
    calls = []

    def make_counter(number: int) -> Receiver:
        def receiver(signal: Any, sender: Any, **named: Any) -> None:
            calls.append((number, signal, sender, named))

        return receiver

    counters = [make_counter(number) for number in range(count)]
    for counter in counters:
        signal.connect(counter, sender=Sender)
    signal.send(sender=Sender, answer=42)
    for counter in counters:
        signal.disconnect(counter, sender=Sender)
    if calls != [(number, signal, Sender, {"answer": 42}) for number in range(count)]:
        raise RuntimeError(f"{name} does not call the receivers")
