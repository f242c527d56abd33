"""Runs the machine of ``tests/differential/machine.py`` for a given number of rules, on all implementations."""

import contextlib
import time

import django.dispatch

from tests.differential import machine as machines
from tests.differential.scopes import Tools
from tests.helpers.implementations import CHOICES, load
from tests.helpers.stock_django import StockSignal

PLACES = "standalone", "in Django"
EXAMPLES = 250  # sequences for each seed


@contextlib.contextmanager
def installed(implementation):
    package = load(implementation, "csignals.django")
    package.install()
    try:
        yield
    finally:
        package.uninstall()


def run(implementation, place, use_caching, seed):
    """Run the machine with one seed, and return the number of rules that were executed on both sides."""
    package = load(implementation)
    tools = Tools(package, load(implementation, "csignals.testing"))
    is_standalone = place == "standalone"
    before = machines.executed
    with contextlib.nullcontext() if is_standalone else installed(implementation):
        ours = package.Signal if is_standalone else django.dispatch.Signal
        has_async = machines.HAS_GROUPS if is_standalone else machines.HAS_ASYNC
        machine = machines.machine((StockSignal, ours), use_caching, tools, has_async)
        machines.run(machine, seed, max_examples=EXAMPLES, database=None)
    return machines.executed - before


def fuzz(runs, first_seed, implementations=tuple(CHOICES), places=PLACES):
    """Execute at least `runs` rules. Return their number by implementation and place.

    Each seed is printed before it is used, so the last one printed is that of a failure.
    """
    counts = {(implementation, place): 0 for implementation in implementations for place in places}
    seed, started = first_seed, time.monotonic()
    while sum(counts.values()) < runs:
        for (implementation, place), count in counts.items():
            if count < runs / len(counts):
                use_caching = seed % 2 == 1
                kind = f"{implementation}, {place}, {'use_caching' if use_caching else 'plain'}"
                print(f"machine: seed {seed}, {kind}; {sum(counts.values())} so far", flush=True)
                counts[implementation, place] += run(implementation, place, use_caching, seed)
        seed += 1
    print(f"machine: {sum(counts.values())} rules in {time.monotonic() - started:.0f} s, and no difference")
    for (implementation, place), count in counts.items():
        print(f"machine: {implementation}, {place}: {count}")
    return counts
