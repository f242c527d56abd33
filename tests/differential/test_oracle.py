"""Django is the oracle: a random life of a signal, lived by Django's and by csignals', alone and in Django.

Each signal lives in a world of its own, with its own receivers and senders of the same kinds, so that the
death of one does not touch the others. What happens is noted down by labels, and has to be the same. What happens at
all, the rules in machine.py and the actions in model.py say; ``python -m tests.fuzz machine`` runs for longer.
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

# Each death takes a collection: of everything without the GIL, and of everything three times in PyPy.
EXAMPLES = 5 if sys.implementation.name == "pypy" else 30 if without_gil else 150


@pytest.fixture
def tools(csignals, implementation):
    return Tools(csignals, load(implementation, "csignals.testing"))


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_a_random_life_is_the_same_as_in_django(csignals, tools, use_caching):
    # Standalone signals await as those of Django 6.1 do.
    run(machine((StockSignal, csignals.Signal), use_caching, tools, has_async=HAS_GROUPS), max_examples=EXAMPLES)


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_a_random_life_in_django_is_the_same_as_before(drop_in, tools, use_caching):
    run(machine((StockSignal, django.dispatch.Signal), use_caching, tools, has_async=HAS_ASYNC), max_examples=EXAMPLES)


def test_the_comparison_notices_a_difference(csignals):
    """A check that cannot fail is none."""

    class Wrong(csignals.Signal):
        def send(self, sender, **named):
            return super().send(sender, **named)[::-1]

    with pytest.raises(AssertionError):
        run(machine((StockSignal, Wrong)), max_examples=3000, database=None, phases=[Phase.generate])
