"""Runs programs of calls (calls.py): those that bytes stand for, and those that hypothesis makes up."""

import contextlib
import functools
import warnings

from .calls import program
from .choices import Choices
from .sides import Difference, Pair

pair = functools.cache(Pair)
MOST_BYTES = 300


@contextlib.contextmanager
def ready():
    """Have both engines be ready for programs, for the length of a block."""
    with warnings.catch_warnings(), pair().listening():
        # A coroutine of a call that failed afterwards is no business of these.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        yield


def run(data):
    """Run the program that bytes stand for with both engines, once ready. Raises Difference if they are not alike."""
    pair().live(program(Choices(data)))


def explain(data):
    """Print the program that bytes stand for, and run it."""
    for act in program(Choices(data)):
        print("*", act, flush=True)
    try:
        with ready():
            run(data)
    except Difference as difference:
        print(difference)
        return False
    print("No difference.")
    return True
