"""What a benchmark is: a case, and a contestant in it. ``test_*.py`` list them, ``conftest.py`` runs them."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import pytest


class NotReachedError(Exception):
    """A contestant did not call its receivers as it should."""


@dataclass(frozen=True)
class Work:
    """What a contestant does in a case, ready to be timed."""

    run: Callable[[int], object]  # does it so many times
    before: Callable[[], None] | None = None  # each batch
    after: Callable[[int], None] | None = None
    around: Callable[[], AbstractContextManager[None]] = nullcontext  # each lap
    keeps: object = None  # what must not die meanwhile


@dataclass(frozen=True)
class Table:
    """Where cases are shown together: they are its columns, the contestants its rows."""

    title: str
    unit: str  # of time, for one of what is done: "ns", "µs", "ms"


@dataclass(frozen=True, eq=False)
class Case:
    """What is done, and by whom. A batch is timed as one, and its size never changes, so that runs compare."""

    table: Table
    name: str
    batch: int
    contestants: dict[str, Callable[[], Work]] = field(repr=False)  # what makes them ready
    is_quick: bool = False  # it has a part in `python -m bench --quick`


def over(cases):
    """Return the decorator of a test that measures these cases, each contestant for itself."""
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
