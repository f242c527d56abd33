"""What csignals saves inside Django: against the stock dispatcher of the same Django, in one process, in turn.

    python bench/installed.py [--rounds N]

Figures are medians of the ratios of each round. Receivers are written as Django's documentation writes them, and
do nothing; that each contestant calls its own is checked before. The floor is what a send would save that costs
no more than a call of a C method. Ends with code 3 if a bar is missed.
"""

import argparse
import platform
import statistics
import sys
from contextlib import contextmanager
from time import perf_counter

import build_floor
import django

import csignals
from csignals.compare import project
from csignals.compare.timing import in_turn, ratio

project.configure()

from django.core.management import call_command  # noqa: E402  # once Django is set up
from django.db.models import base  # noqa: E402
from django.db.models.signals import post_init, pre_init  # noqa: E402
from django.dispatch import Signal  # noqa: E402

from csignals.compare.loading import ROWS, connected, load  # noqa: E402
from csignals.compare.models import Author, Book, Row  # noqa: E402
from csignals.compare.sends import stock_dispatcher  # noqa: E402
from csignals.django import install, status, uninstall  # noqa: E402

UNCACHED, CACHED, OURS = "Django", "Django cached", "csignals"
StockSignal = stock_dispatcher().Signal
Floor = build_floor.load().Floor

# case, receivers for this sender, receivers for as many others; bar against an uncached and against a cached signal
SENDS = [
    ("1 receiver", 1, 0, 4, None),
    ("10 receivers", 10, 0, 3, 2.7),
    ("none for this sender, 10 for others", 0, 10, 3, None),
    ("1 for this sender, 1,000 for others", 1, 1000, 60, None),
]
# case, receivers of post_init for another model, receivers of each of both signals for this one; bar
LOADS = [
    ("no receiver", 0, 0, None),
    ("one of post_init, for another model", 1, 0, 1.25),
    ("three each of pre_init and post_init", 0, 3, 1.65),
]


def make_receiver(calls=None):
    if calls is None:
        def receiver(sender, **kwargs):
            pass
    else:
        def receiver(sender, **kwargs):
            calls.append(sender)

    return receiver


class Sender:
    pass


def send_without_keywords(signal, times):
    for _ in range(times):
        signal.send(sender=Sender)


def send_with_4_keywords(signal, times):
    for _ in range(times):
        signal.send(sender=Sender, instance=None, created=True, raw=False, using="default")


def signals(own, others, calls=None):
    receivers = [(make_receiver(calls), Sender) for _ in range(own)]
    receivers += [(make_receiver(calls), type("Other", (), {})) for _ in range(others)]
    contestants = {UNCACHED: StockSignal(), CACHED: StockSignal(use_caching=True), OURS: Signal()}
    for signal in contestants.values():
        for receiver, sender in receivers:
            signal.connect(receiver, sender=sender, weak=False)
    return contestants


def measure_sends(send, own, others, rounds):
    calls = []
    for name, signal in signals(own, others, calls).items():
        send(signal, 2)
        if calls != [Sender] * (2 * own):
            sys.exit(f"{name} made {len(calls)} calls, instead of {2 * own}")
        calls.clear()

    def timed(signal, times):
        def run():
            start = perf_counter()
            send(signal, times)
            return (perf_counter() - start) / times

        return run

    times = max(20, 10_000 // (own + others + 1))
    return in_turn({name: timed(signal, times) for name, signal in signals(own, others).items()}, rounds, lambda: None)


def connections(model, others, own, calls=None):
    return [(post_init, Book, make_receiver(calls)) for _ in range(others)] + [
        (signal, model, make_receiver(calls)) for signal in (pre_init, post_init) for _ in range(own)
    ]


@contextmanager
def least():
    """Let rows be made with signals that cost what a call of a C method costs, as no dispatcher can."""
    found = base.pre_init, base.post_init
    base.pre_init = base.post_init = Floor([])
    try:
        yield
    finally:
        base.pre_init, base.post_init = found


def load_stock(model):
    uninstall()
    try:
        return load(model)
    finally:
        install()


def load_least(model):
    with least():
        return load(model)


def measure_loads(model, others, own, rounds):
    calls = []
    for run in (load_stock, load):
        with connected(connections(model, others, own, calls)):
            run(model)
        if calls != [model] * (2 * own * (ROWS + 100)):
            sys.exit(f"{run.__name__} made {len(calls)} calls, instead of {2 * own * (ROWS + 100)}")
        calls.clear()
    contestants = {UNCACHED: lambda: load_stock(model), OURS: lambda: load(model)}
    if not own:
        contestants["floor"] = lambda: load_least(model)
    with connected(connections(model, others, own)):
        return in_turn(contestants, rounds, lambda: None)


class Table:
    """Prints ratios with their bars, and counts those that are missed."""

    def __init__(self):
        self.missed = 0

    def cell(self, samples, slower, faster, bar=None):
        figure = ratio(samples, slower, faster)
        is_missed = bar is not None and figure < bar
        self.missed += is_missed
        return f"{f'{figure:.2f}' + (f' (≥{bar:g})' if bar else ''):>15}{'!' if is_missed else ' '}"

    def row(self, name, *cells):
        print(f"{name:<44}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31, help="how often each contestant has its turn (default: 31)")
    rounds = parser.parse_args().rounds
    install()
    print(f"Python {platform.python_version()}, Django {django.get_version()}, csignals {csignals.__version__}"
          f" ({status().implementation})")
    table = Table()
    for title, send in {"0": send_without_keywords, "4": send_with_4_keywords}.items():
        print()
        table.row(f"a send with {title} keyword arguments", "csignals, ns", "uncached, times", "cached, times")
        for name, own, others, uncached_bar, cached_bar in SENDS:
            samples = measure_sends(send, own, others, rounds)
            table.row(
                name,
                f"{statistics.median(samples[OURS]) * 1e9:.0f}",
                table.cell(samples, UNCACHED, OURS, uncached_bar),
                table.cell(samples, CACHED, OURS, cached_bar),
            )
    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
    Author.objects.bulk_create(Author(name=f"author {number}") for number in range(ROWS))
    Row.objects.bulk_create(Row(name=f"row {number}", number=number, active=True) for number in range(ROWS))
    for title, model, has_bars in [("2 columns", Author, True), ("4 columns", Row, False)]:
        print()
        table.row(f"loading {ROWS:,} rows of {title}", "csignals, ms", "Django, times", "floor, times")
        for name, others, own, bar in LOADS:
            samples = measure_loads(model, others, own, rounds)
            table.row(
                name,
                f"{statistics.median(samples[OURS]) * 1e3:.1f}",
                table.cell(samples, UNCACHED, OURS, bar if has_bars else None),
                "" if own else table.cell(samples, UNCACHED, "floor"),
            )
    print(f"\nbars missed: {table.missed}")
    return 3 if table.missed else 0


if __name__ == "__main__":
    sys.exit(main())
