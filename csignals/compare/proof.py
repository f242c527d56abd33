"""Proves that every built-in signal reaches receivers through csignals as it does through stock Django."""

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
    """What came out for one signal."""

    family: str
    signal: str
    django: list[str]
    csignals: list[str]

    @property
    def holds(self) -> bool:
        """Whether there were calls, and the same ones."""
        return bool(self.django) and self.django == self.csignals

    @property
    def difference(self) -> tuple[str, str]:
        """The first call that is not the same: Django's, and that of csignals."""
        calls = zip_longest(self.django, self.csignals, fillvalue=NO_CALL)
        return next(((theirs, ours) for theirs, ours in calls if theirs != ours), (NO_CALL, NO_CALL))


def prove(advance: Callable[[], None]) -> list[Outcome]:
    """Play the scenario with stock Django and with csignals, and return what came out for each signal.

    Raises RuntimeError if either was not what dispatched. Leaves csignals uninstalled.
    """
    uninstall()
    # What Django does once in a process, such as making the model of migrations, is over after a rehearsal.
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
    """Return the calls of one run, after a look before and after it at who dispatches."""
    check_who_dispatches(by_csignals)
    with fresh_database(), recording() as records:
        scenario.play(advance)
    check_who_dispatches(by_csignals)
    return records


def check_who_dispatches(by_csignals: bool) -> None:
    """Raise RuntimeError unless Django's methods are in force, or those of csignals, as they should be."""
    for name in "send", "send_robust", "has_listeners", "_live_receivers":
        is_django_s = getattr(vars(Signal)[name], "__globals__", None) is vars(dispatcher)
        if is_django_s is by_csignals:
            expected = "csignals" if by_csignals else "Django"
            raise RuntimeError(f"django.dispatch.Signal.{name} should be that of {expected}, and is not")
