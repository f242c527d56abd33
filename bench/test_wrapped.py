"""The time that csignals saves under Sentry's wrapper, and under an unknown one: for sends, rows and requests.

Each contestant is a process of its own (``wrapped.py``), as the changes that the SDK makes cannot be undone.
"""

from contextlib import contextmanager
from functools import partial

import pytest

from bench.cases import Case, Table, Work, over
from bench.contestants import Standalone, present
from bench.wrapped import A_TENTH, LOADS, NO_TRANSACTION, REQUESTS, SENDS, SENTRY, UNKNOWN, child

pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed")

# Large enough that the time to send a command to the process does not matter.
BATCHES = dict(zip((*SENDS, *LOADS, *REQUESTS), (1000, 200, 5000, 1, 1, 50, 50), strict=True))
IMPLEMENTATIONS = {
    "Django": "none",
    **{each.name: each.implementation for each in present() if type(each) is Standalone},
}
KINDS = {SENDS: ("send", "ns"), LOADS: ("load 10,000 rows", "ms"), REQUESTS: ("a WSGI request", "µs")}


def prepare(wrapper, implementation, action):
    """Return the work of an action in the process."""
    process = child(wrapper, implementation)

    @contextmanager
    def around():
        process.ask(f"prepare {action}")
        yield

    return Work(
        lambda times: process.ask(f"run {times}"),
        before=lambda: process.ask("before"),
        after=lambda times: process.ask("after"),
        around=around,
    )


def case_of(wrapper, actions, action):
    title, unit = KINDS[actions]
    behind, whose = (UNKNOWN, "a wrapper") if wrapper == UNKNOWN else (f"Sentry, {wrapper}", "Sentry")
    contestants = {
        f"{name} with {whose}": partial(prepare, wrapper, implementation, action)
        for name, implementation in IMPLEMENTATIONS.items()
    }
    is_quick = actions is SENDS and wrapper in (NO_TRANSACTION, UNKNOWN)
    return Case(Table(f"{title} behind {behind}", unit), action, BATCHES[action], contestants, is_quick)


CASES = [
    case_of(wrapper, actions, action)
    for actions, wrappers in {
        SENDS: (*SENTRY, UNKNOWN),
        LOADS: (*SENTRY, UNKNOWN),
        REQUESTS: (A_TENTH, UNKNOWN),
    }.items()
    for wrapper in wrappers
    for action in actions
]


@over(CASES)
def test_behind_a_wrapper(measure):
    measure()
