"""Print the comparison: the versions, the progress, and the tables of results."""

import platform
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from statistics import median

import django
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import csignals
from csignals.compare import loading, sends
from csignals.compare.loading import LoadingTimes
from csignals.compare.proof import Outcome
from csignals.compare.sends import SendTimes
from csignals.compare.timing import ratio

console = Console(highlight=False)


def print_heading() -> None:
    """Print the versions, and the active implementation of csignals."""
    console.print(
        f"csignals {csignals.__version__} ({csignals.IMPLEMENTATION}), "
        f"{platform.python_implementation()} {platform.python_version()}, Django {django.get_version()}"
    )
    if csignals.IMPLEMENTATION == "python":
        console.print("This is the implementation in pure Python. The compiled one is not active here.")


@contextmanager
def progress(phase: str, steps: int) -> Generator[Callable[[], None]]:
    """Show a progress bar during a ``with`` block, and yield the function that advances it by a step.

    The bar is written to stderr, only if that is a terminal, and is erased at the end.
    """
    percentage = TextColumn("{task.percentage:>3.0f} %")
    columns = TextColumn("{task.description}"), BarColumn(), percentage, TimeElapsedColumn()
    stderr = Console(stderr=True)
    # Not in a thread of its own, which would take time from the measured code.
    with Progress(*columns, console=stderr, auto_refresh=False, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(phase, total=steps)

        def advance() -> None:
            bar.advance(task)
            bar.refresh()

        bar.refresh()
        yield advance


def print_proof(outcomes: list[Outcome]) -> None:
    """Print for each signal whether the calls are the same, and the first call that differs."""
    table = Table(title="Calls of receivers: csignals and stock Django", title_justify="left")
    table.add_column("Family")
    table.add_column("Signal", no_wrap=True)
    table.add_column("Calls", justify="right")
    table.add_column("Arguments", no_wrap=True)
    for family, members in groupby(outcomes, attrgetter("family")):
        for number, outcome in enumerate(members):
            verdict = "[green]same" if outcome.holds else "[bold red]DIFFERENT"
            table.add_row("" if number else family, outcome.signal, str(len(outcome.django)), verdict)
        table.add_section()
    print_table(table)
    for outcome in outcomes:
        if not outcome.holds:
            theirs, ours = outcome.difference
            console.print(f"{outcome.signal}, first difference:", style="bold red")
            console.print(f"  Django:   {theirs}", markup=False, soft_wrap=True)
            console.print(f"  csignals: {ours}", markup=False, soft_wrap=True)


def print_sends(times: list[SendTimes]) -> None:
    """Print the times of sends."""
    for keywords, members in groupby(times, attrgetter("keywords")):
        table = Table(title=f"One send {keywords}, in nanoseconds", title_justify="left")
        for heading in "Receivers", *sends.CONTESTANTS, "against Django", "against cached":
            table.add_column(heading, justify="right", max_width=9)
        for each in members:
            table.add_row(
                str(each.receivers),
                *(f"{median(each.samples[name]) * 1e9:,.0f}" for name in sends.CONTESTANTS),
                f"{ratio(each.samples, sends.DJANGO, sends.IN_DJANGO):.1f}x",
                f"{ratio(each.samples, sends.CACHED, sends.IN_DJANGO):.1f}x",
            )
        print_table(table)
    console.print(f"Medians of {sends.ROUNDS} rounds, in turn in one process. The receivers do nothing.")
    console.print("against: how many times as fast csignals in Django is (median of the ratios in each round).")


def print_loading(times: list[LoadingTimes]) -> None:
    """Print the times to load rows."""
    table = Table(title=f"Loading {loading.ROWS:,} model rows, in milliseconds", title_justify="left")
    table.add_column("Receivers")
    for heading in *loading.CONTESTANTS, "against Django":
        table.add_column(heading, justify="right", max_width=9)
    for each in times:
        table.add_row(
            each.situation,
            *(f"{median(each.samples[name]) * 1e3:,.1f}" for name in loading.CONTESTANTS),
            f"{ratio(each.samples, loading.DJANGO, loading.IN_DJANGO):.2f}x",
        )
    print_table(table)
    console.print(f"Medians of {loading.ROUNDS} rounds, in turn in one process.")


def print_table(table: Table) -> None:
    """Print a table, after an empty line."""
    console.print()
    console.print(table)
