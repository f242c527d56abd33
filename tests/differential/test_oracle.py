"""Django is the oracle: random runs do the same to a signal of Django's and to one of csignals.

Each signal has a model with its own receivers and senders of the same kinds, so that the death of one does not affect
the other. Both models note what happens, and their notes must be the same. The rules in machine.py and the actions in
model.py are what may happen. ``python -m tests.fuzz machine`` runs for longer.
"""

import sys

import django
import django.dispatch
import pytest
from hypothesis import Phase

from tests.differential.machine import HAS_ASYNC, HAS_GROUPS, machine, run
from tests.differential.scopes import Tools
from tests.helpers.implementations import load, without_gil
from tests.helpers.stock_django import StockSignal

pytestmark = pytest.mark.slow

# Each death needs a collection: without the GIL a full one, on PyPy three full ones.
EXAMPLES = 5 if sys.implementation.name == "pypy" else 30 if without_gil else 150


@pytest.fixture
def tools(csignals, implementation):
    return Tools(csignals, load(implementation, "csignals.testing"))


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_random_runs_match_django(csignals, tools, use_caching):
    # Standalone signals await like those of Django 6.1.
    run(machine((StockSignal, csignals.Signal), use_caching, tools, has_async=HAS_GROUPS), max_examples=EXAMPLES)


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_random_runs_inside_django_match_django(drop_in, tools, use_caching):
    run(machine((StockSignal, django.dispatch.Signal), use_caching, tools, has_async=HAS_ASYNC), max_examples=EXAMPLES)


def test_the_comparison_notices_a_difference(csignals):
    """A check that cannot fail checks nothing."""

    class Wrong(csignals.Signal):
        def send(self, sender, **named):
            return super().send(sender, **named)[::-1]

    with pytest.raises(AssertionError):
        run(machine((StockSignal, Wrong)), max_examples=3000, database=None, phases=[Phase.generate])
