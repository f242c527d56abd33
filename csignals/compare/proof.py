"""Check that each built-in signal calls its receivers with the same arguments under csignals as under stock Django."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest

from django.dispatch import Signal, dispatcher

from csignals.compare import scenario
from csignals.compare.families import FAMILIES
from csignals.compare.project import fresh_database
from csignals.compare.records import Records, recording
from csignals.django import install, uninstall

STEPS = 3 * len(scenario.ACTS)
NO_CALL = "(no call)"


@dataclass(frozen=True)
class Outcome:
    """The calls of the receivers of one signal, under Django and under csignals."""

    family: str
    signal: str
    django: list[str]
    csignals: list[str]

    @property
    def holds(self) -> bool:
        """Whether there were calls, and both lists are equal."""
        return bool(self.django) and self.django == self.csignals

    @property
    def difference(self) -> tuple[str, str]:
        """The first call that differs: under Django, and under csignals."""
        calls = zip_longest(self.django, self.csignals, fillvalue=NO_CALL)
        return next(((theirs, ours) for theirs, ours in calls if theirs != ours), (NO_CALL, NO_CALL))


def prove(advance: Callable[[], None]) -> list[Outcome]:
    """Run the scenario under stock Django and under csignals, and return the outcome for each signal.

    Raises RuntimeError if the wrong one of them dispatches. Leaves csignals uninstalled.
    """
    uninstall()
    # A first run, not recorded, does what Django does once in a process, such as making the model of migrations.
    with fresh_database():
        scenario.play(advance)
    by_django = recorded(advance, by_csignals=False)
    install()
    try:
        by_csignals = recorded(advance, by_csignals=True)
    finally:
        uninstall()
    return [
        Outcome(family, name, by_django[name], by_csignals[name])
        for family, signals in FAMILIES.items()
        for name in signals
    ]


def recorded(advance: Callable[[], None], by_csignals: bool) -> Records:
    """Return the calls of one run. Checks before and after it whether Django or csignals dispatches."""
    check_who_dispatches(by_csignals)
    with fresh_database(), recording() as records:
        scenario.play(advance)
    check_who_dispatches(by_csignals)
    return records


def check_who_dispatches(by_csignals: bool) -> None:
    """Raise RuntimeError unless the methods of ``django.dispatch.Signal`` are those of csignals, or of Django."""
    for name in "send", "send_robust", "has_listeners", "_live_receivers":
        is_django_s = getattr(vars(Signal)[name], "__globals__", None) is vars(dispatcher)
        if is_django_s is by_csignals:
            expected = "csignals" if by_csignals else "Django"
            raise RuntimeError(f"django.dispatch.Signal.{name} is not the method of {expected}")
