"""Lives of signals beside Django's, for as long as one likes: the machine's, over all implementations."""

import contextlib
import time

import django.dispatch

from tests.differential import machine as machines
from tests.differential.scopes import Tools
from tests.helpers.implementations import CHOICES, load
from tests.helpers.stock_django import StockSignal

PLACES = "standalone", "in Django"
EXAMPLES = 250  # lives with one seed


@contextlib.contextmanager
def installed(implementation):
    package = load(implementation, "csignals.django")
    package.install()
    try:
        yield
    finally:
        package.uninstall()


def live(implementation, place, use_caching, number):
    """Live lives with one seed, and return how many rules were carried out on both sides."""
    package = load(implementation)
    tools = Tools(package, load(implementation, "csignals.testing"))
    is_standalone = place == "standalone"
    before = machines.executed
    with contextlib.nullcontext() if is_standalone else installed(implementation):
        ours = package.Signal if is_standalone else django.dispatch.Signal
        has_async = machines.HAS_GROUPS if is_standalone else machines.HAS_ASYNC
        machine = machines.machine((StockSignal, ours), use_caching, tools, has_async)
        machines.run(machine, number, max_examples=EXAMPLES, database=None)
    return machines.executed - before


def fuzz(runs, first_seed, implementations=tuple(CHOICES), places=PLACES):
    """Carry out so many rules at least, and return how many it were by implementation and place.

    Says each seed before it is used, so that the one of a failure is the last.
    """
    counts = {(implementation, place): 0 for implementation in implementations for place in places}
    number, started = first_seed, time.monotonic()
    while sum(counts.values()) < runs:
        for (implementation, place), count in counts.items():
            if count < runs / len(counts):
                use_caching = number % 2 == 1
                what = f"{implementation}, {place}, {'use_caching' if use_caching else 'plain'}"
                print(f"lives: seed {number}, {what}; {sum(counts.values())} so far", flush=True)
                counts[implementation, place] += live(implementation, place, use_caching, number)
        number += 1
    print(f"lives: {sum(counts.values())} rules in {time.monotonic() - started:.0f} s, and no difference")
    for (implementation, place), count in counts.items():
        print(f"lives: {implementation}, {place}: {count}")
    return counts
