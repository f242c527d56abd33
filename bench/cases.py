"""The parts of a benchmark: a case, and a contestant in it. ``test_*.py`` list cases, and ``conftest.py`` runs them."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import pytest


class NotReachedError(Exception):
    """A contestant did not call its receivers as it should."""


@dataclass(frozen=True)
class Work:
    """The work of a contestant in a case, ready to be timed."""

    run: Callable[[int], object]  # does the work this number of times
    before: Callable[[], None] | None = None  # called before each batch
    after: Callable[[int], None] | None = None
    around: Callable[[], AbstractContextManager[None]] = nullcontext  # entered for each lap
    keeps: object = None  # objects that must stay alive


@dataclass(frozen=True)
class Table:
    """A table of results. Its columns are cases, and its rows contestants."""

    title: str
    unit: str  # of the time of one operation: "ns", "µs", "ms"


@dataclass(frozen=True, eq=False)
class Case:
    """A kind of work, and its contestants. Batches are timed, and have the same size in all runs."""

    table: Table
    name: str
    batch: int
    contestants: dict[str, Callable[[], Work]] = field(repr=False)  # functions that prepare their work
    is_quick: bool = False  # whether `python -m bench --quick` runs it


def over(cases):
    """Return the decorator of a test that measures each contestant of these cases."""
    return pytest.mark.parametrize(
        ("case", "contestant"),
        [
            pytest.param(
                case,
                contestant,
                id="-".join(re.sub(r"\W+", "_", name) for name in (case.table.title, case.name, contestant)),
                marks=[pytest.mark.quick] if case.is_quick else [],
            )
            for case in cases
            for contestant in case.contestants
        ],
    )
