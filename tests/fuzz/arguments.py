"""Runs programs of calls (calls.py) that are decoded from bytes. The bytes come from atheris, Hypothesis or a file."""

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
    """Prepare both implementations for programs while the with block runs."""
    with warnings.catch_warnings(), pair().listening():
        # A call may fail after it has made a coroutine.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        yield


def run(data):
    """Run a program on both implementations, inside `ready()`. Raise Difference if their results differ."""
    pair().compare(program(Choices(data)))


def explain(data):
    """Print a program and run it."""
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
