"""The figures of a run, and their ratios. ``conftest.py`` measures them, and ``report.py`` shows them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import NamedTuple


class Place(NamedTuple):
    """The place of a figure in the report."""

    table: str
    case: str
    contestant: str


class Spread(NamedTuple):
    """A median, and the quartiles around it."""

    median: float
    low: float
    high: float


@dataclass
class Results:
    """The figures of a run, in the units of their tables. Each place has one figure from each lap."""

    figures: dict[Place, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def add(self, place: Place, unit: str, figure: float) -> None:
        self.units[place.table] = unit
        self.figures.setdefault(place, []).append(figure)

    def median(self, place: Place) -> float:
        return median(self.figures[place])

    def spread(self, above: Place, below: Place | None = None) -> Spread:
        """Return the spread of a figure, or of its ratio to another figure, lap by lap."""
        figures = self.figures[above]
        if below is not None:
            figures = [a / b for a, b in zip(figures, self.figures[below], strict=True)]
        return spread_of(figures)

    def spread_of_difference(self, above: Place, below: Place, per: int) -> Spread:
        """Return the spread of the difference of two figures, lap by lap, divided by `per`."""
        return spread_of([(a - b) / per for a, b in zip(self.figures[above], self.figures[below], strict=True)])

    def cases(self, table: str) -> list[str]:
        return unique(place.case for place in self.figures if place.table == table)

    def contestants(self, table: str) -> list[str]:
        return unique(place.contestant for place in self.figures if place.table == table)


def spread_of(figures: list[float]) -> Spread:
    if len(figures) == 1:
        return Spread(*figures * 3)
    low, middle, high = quantiles(figures, n=4, method="inclusive")
    return Spread(middle, low, high)


def unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
