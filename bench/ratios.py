"""What a send costs: csignals against the floor in C, and against Django's dispatcher.

    python bench/ratios.py [--rounds N]

All contestants are measured in turn in one process; the figures are medians of the ratios of each round.
The receivers do nothing; that each contestant calls its own is checked before, with others. The contracts
are equal, but for the floor's, which is the least that anybody has to do. Ends with code 3 if a bar is missed.
"""

import argparse
import functools
import platform
import statistics
import sys
import time
from pathlib import Path

import build_floor
import django
from django.dispatch import Signal as DjangoSignal

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from implementations import load

Floor = build_floor.load().Floor

# name, numerator, denominator, bar at 1 receiver, at 3, at 10 and 100; at most for the floor, else at least
RATIOS = [
    ("csignals ÷ floor", "cython", "floor", {1: 1.3, 3: 1.15, 10: 1.15, 100: 1.15}),
    ("Django uncached ÷ csignals", "django", "cython", {1: 5, 10: 3}),
    ("Django cached ÷ csignals", "django cached", "cython", {}),
    ("Django uncached ÷ fallback", "django", "python", {1: 1.25, 10: 1.25}),
    ("Django cached ÷ fallback", "django cached", "python", {1: 1, 10: 1}),
]


def make_receiver():
    def receiver(signal, sender, **named):
        pass

    return receiver


def check(sends):
    """Exit unless every contestant calls each of its receivers, once a send."""
    calls = []
    receivers = [functools.partial(lambda i, **named: calls.append(i), i) for i in range(3)]
    for name, signal in contestants(receivers).items():
        sends(signal)(2)
        if calls != [0, 1, 2] * 2:
            sys.exit(f"{name} called {calls}, instead of 0, 1 and 2 twice")
        calls.clear()


def contestants(receivers):
    signals = {
        "django": DjangoSignal(),
        "django cached": DjangoSignal(use_caching=True),
        "python": load("python").Signal(),
        "cython": load("cython").Signal(),
    }
    for signal in signals.values():
        for receiver in receivers:
            signal.connect(receiver)
    return {"floor": Floor(receivers), **signals}


def sends_without_keywords(signal):
    def run(times):
        for _ in range(times):
            signal.send(sender=run)

    return run


def sends_with_keywords(signal):
    def run(times):
        for _ in range(times):
            signal.send(sender=run, instance=1, created=True, raw=False, using="default")

    return run


def measure(count, sends, rounds):
    """Return for each contestant the ns per send, round by round."""
    receivers = [make_receiver() for _ in range(count)]
    runs = {name: sends(signal) for name, signal in contestants(receivers).items()}
    times = max(100, 20_000 // (count + 1))
    figures = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter_ns()
            run(times)
            figures[name].append((time.perf_counter_ns() - start) / times)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31, help="how often each contestant has its turn (default: 31)")
    rounds = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, Django {django.get_version()}, csignals {load('cython').__version__}")
    missed = 0
    cases = {"no keyword arguments": sends_without_keywords, "4 keyword arguments": sends_with_keywords}
    for title, sends in cases.items():
        check(sends)
        counts = (0, 1, 3, 10, 100)
        tables = {count: measure(count, sends, rounds) for count in counts}
        print(f"\n{title:<28}" + "".join(f"{f'{count} receivers':>16}" for count in counts))
        for name in ("floor", "cython", "python", "django", "django cached"):
            figures = [statistics.median(tables[count][name]) for count in counts]
            print(f"{name + ', ns':<28}" + "".join(f"{figure:>16.0f}" for figure in figures))
        for name, above, below, bars in RATIOS:
            cells = []
            for count in counts:
                pairs = zip(tables[count][above], tables[count][below], strict=True)
                ratio = statistics.median(a / b for a, b in pairs)
                bar = bars.get(count)
                missed_here = bar is not None and (ratio > bar if below == "floor" else ratio < bar)
                missed += missed_here
                sign = "" if bar is None else f" ({'≤' if below == 'floor' else '≥'}{bar:g})"
                cells.append(f"{f'{ratio:.2f}{sign}':>15}{'!' if missed_here else ' '}")
            print(f"{name:<28}" + "".join(cells))
    print(f"\nbars missed: {missed}")
    return 3 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
