"""The bars: the limits that the results of the benchmarks must meet.

A bar names places in the tables of ``test_*.py``, ``memory.py`` and ``imports.py``.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench import imports, memory, wrapped
from bench.results import Place, Results, Spread

MET, MISSED, NOT_MEASURED = "met", "missed", "not measured"
KEYWORDS = "no keywords", "4 keywords"


@dataclass(frozen=True)
class Bar:
    """A limit for a figure, for the ratio of two figures, or for their difference."""

    above: Place
    below: Place | None
    sign: str  # "≤" or "≥"
    limit: float
    django: str = ""  # the only version for which the bar holds
    per: int = 0  # for a difference: divide it by this number
    without_gil: bool = False  # the bar holds only for threads that run in parallel

    @property
    def figure(self) -> str:
        """The name of the measured figure."""
        table, case, contestant = self.above
        if self.below is None:
            return f"{table}, {case}: {contestant}"
        _, other_case, other = self.below
        if self.per:
            return f"{table}, {case}: ({contestant} - {other}) ÷ {self.per}"
        if other_case != case:
            return f"{table}: {contestant}, {case} ÷ {other_case}"
        return f"{table}, {case}: {contestant} ÷ {other}"

    def spread(self, results: Results) -> Spread | None:
        """Return the measured spread, or None if it was not measured."""
        places = {self.above, self.below} - {None}
        if not places <= results.figures.keys():
            return None
        if self.per and self.below:
            return results.spread_of_difference(self.above, self.below, self.per)
        return results.spread(self.above, self.below)

    def verdict(self, results: Results, django: str) -> str:
        """Return whether results on this version of Django meet the bar, or why this is not known."""
        if self.django and self.django != ".".join(django.split(".")[:2]):
            return f"only on Django {self.django}"
        if self.without_gil and getattr(sys, "_is_gil_enabled", lambda: True)():
            return "only without the GIL"
        spread = self.spread(results)
        if spread is None:
            return NOT_MEASURED
        return MET if (spread.median <= self.limit if self.sign == "≤" else spread.median >= self.limit) else MISSED


def ratio(table: str, case: str, above: str, below: str, sign: str, limit: float, **options: str) -> Bar:
    """Return a bar for the ratio of two contestants in one case."""
    return Bar(Place(table, case, above), Place(table, case, below), sign, limit, **options)


def of_sends() -> Iterator[Bar]:
    for keywords in KEYWORDS:
        table = f"send, {keywords}"
        for case, most in ("1 receiver", 1.15), ("3 receivers", 1.12), ("10 receivers", 1.08), ("100 receivers", 1.08):
            yield ratio(table, case, "csignals", "floor", "≤", most)
        yield ratio(table, "no receiver", "csignals", "floor", "≤", 1.3)
        yield ratio(f"send to no receiver, {keywords}", "10 for other senders", "csignals", "floor", "≤", 1.5)
        yield ratio(f"send to 10 receivers, held weakly, {keywords}", "bound method", "csignals", "floor", "≤", 1.15)
    for case, most in ("1 receiver", 1.3), ("10 receivers", 1.08):
        yield ratio("send, 4 keywords", case, "csignals in Django", "floor", "≤", most)
    for keywords in KEYWORDS:
        for case in "1 receiver", "10 receivers":
            for name in "csignals", "csignals in Django":
                yield ratio(f"send_robust, {keywords}", case, name, f"{name}, send", "≤", 1.05)
    for keywords in KEYWORDS:
        for case, least in ("1 receiver", 5), ("10 receivers", 3):
            yield ratio(f"send, {keywords}", case, "Django", "csignals", "≥", least)


def of_the_fallback() -> Iterator[Bar]:
    for keywords in KEYWORDS:
        for table, case in [
            (f"send, {keywords}", "1 receiver"),
            (f"send, {keywords}", "10 receivers"),
            (f"send, {keywords}", "no receiver"),
            (f"send to no receiver, {keywords}", "10 for other senders"),
        ]:
            yield ratio(table, case, "Django", "csignals fallback", "≥", 1.4)
            yield ratio(table, case, "Django cached", "csignals fallback", "≥", 1)


def of_scale() -> Iterator[Bar]:
    table = "send to 1 receiver, as many senders have one each, 4 keywords"
    yield Bar(Place(table, "10,000 senders", "csignals"), Place(table, "10 senders", "csignals"), "≤", 6)
    table = "connect and disconnect the same receiver"
    yield ratio(table, "1,000 present", "Django", "csignals", "≥", 60, django="5.2")
    yield ratio(table, "0 present", "Django", "csignals", "≥", 2.5, django="5.2")


def inside_django() -> Iterator[Bar]:
    for keywords in KEYWORDS:
        for case, uncached, cached in [
            ("1 receiver", 4, None),
            ("10 receivers", 3, 2.7),
            ("none, 10 for others", 3, None),
            ("1, and 1,000 for others", 60, None),
        ]:
            table = f"send inside Django, {keywords}"
            yield ratio(table, case, "Django", "csignals in Django", "≥", uncached)
            if cached:
                yield ratio(table, case, "Django cached", "csignals in Django", "≥", cached)
    for case, least in ("1, for another model", 1.25), ("3 receivers each", 1.65):
        yield ratio("load 10,000 rows of 2 columns", case, "Django", "csignals in Django", "≥", least)


def behind_wrappers() -> Iterator[Bar]:
    def bar(title: str, case: str, least: float, whose: str = "Sentry") -> Bar:
        return ratio(title, case, f"Django with {whose}", f"csignals with {whose}", "≥", least)

    for wrapper, one, ten in [
        (wrapped.OFF, 4, 3),
        (wrapped.NO_TRANSACTION, 20, 40),
        (wrapped.UNSAMPLED, 20, 40),
        (wrapped.SAMPLED, 1.05, 1.05),
    ]:
        for case, least in zip(wrapped.SENDS, (one, ten, 2.5), strict=True):
            title = f"send behind Sentry, {wrapper}"
            yield bar(title, case, least)
            yield ratio(title, case, "Django with Sentry", "csignals fallback with Sentry", "≥", 1)
        yield bar(f"load 10,000 rows behind Sentry, {wrapper}", wrapped.LOADS[1], 1.1)
    yield bar(f"load 10,000 rows behind Sentry, {wrapped.NO_TRANSACTION}", wrapped.LOADS[0], 4)
    for case, least in zip(wrapped.REQUESTS, (1.35, 1.15), strict=True):
        yield bar(f"a WSGI request behind Sentry, {wrapped.A_TENTH}", case, least)
    for title, cases in [
        ("send", wrapped.SENDS),
        ("load 10,000 rows", wrapped.LOADS),
        ("a WSGI request", wrapped.REQUESTS),
    ]:
        for case in cases:
            yield bar(f"{title} behind {wrapped.UNKNOWN}", case, 1, "a wrapper")


def of_async() -> Iterator[Bar]:
    for name in "csignals", "csignals in Django":
        for case, least in ("1 async", 8), ("3 async", 5), ("10 async", 4):
            yield ratio("asend to receivers that never wait", case, "Django", name, "≥", least, django="6.1")
            table = "asend to receivers that each await asyncio.sleep(0)"
            yield ratio(table, case, "Django", name, "≥", 1, django="6.1")
            yield ratio("send from sync code", case, "Django", name, "≥", 0.95, django="6.1")
        table = "asend to sync receivers that are nonblocking, and an async one"
        yield ratio(table, "1 sync and 1 async", "Django", name, "≥", 20, django="6.1")


def of_interception() -> Iterator[Bar]:
    for count in 1, 3, 10:
        table, case = "send that is intercepted, no keywords", f"{count} receiver{'s' * (count > 1)}"
        yield Bar(Place(table, case, "csignals, traced"), Place(table, case, "csignals"), "≤", 400, per=count)


def of_threads() -> Iterator[Bar]:
    table = "send in threads, 1 receiver that takes some microseconds, 4 keywords"
    for name in "csignals", "csignals in Django":
        alone, together = Place(table, "1 thread", name), Place(table, "2 threads, 1 signal", name)
        yield Bar(alone, together, "≥", 1.6, without_gil=True)


def of_weight() -> Iterator[Bar]:
    for case in memory.KINDS:
        yield ratio(memory.TABLE, case, "csignals", "Django", "≤", 1, django="6.1")
    yield Bar(Place(imports.TIME, imports.STATEMENT, "csignals"), None, "≤", 15)
    yield Bar(Place(imports.UNWANTED, imports.STATEMENT, "csignals"), None, "≤", 0)


BARS = [
    *of_sends(),
    *of_the_fallback(),
    *of_scale(),
    *inside_django(),
    *behind_wrappers(),
    *of_async(),
    *of_interception(),
    *of_threads(),
    *of_weight(),
]
