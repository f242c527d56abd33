"""Shows results: in tables on the terminal, and in ``RESULTS.md``. The plots are made by ``plots.py``."""

from rich.console import Console
from rich.table import Table

from bench.bars import BARS, MISSED, NOT_MEASURED
from bench.contestants import CONTESTANTS
from bench.results import Place

#: Of the ratios in a table: the first one that is there.
REFERENCES = "csignals", "csignals in Django", "csignals with Sentry", "csignals with a wrapper"
INTRODUCTION = (
    "Each contestant of a case had its turn in every lap, in one process, and was seen to call its receivers before. "
    "A cell holds the median of the laps; below it, where csignals is in the table, stands how many times as much that "
    "is as csignals': the median of the laps' ratios, and their quartiles. In threads, it is the time of all sends "
    "together by their number: two threads that do not hinder each other make half of what one makes."
)
ORDER = [each.name for each in CONTESTANTS]
CONTRACTS = {each.name: each.contract for each in CONTESTANTS if each.contract}


def tables(results):
    """Return all tables: title, heading and rows, each a list of cells. Those but for the first are lists of lines."""
    for title, unit in results.units.items():
        cases = results.cases(title)
        yield (
            f"{title} ({unit})",
            ["", *cases],
            [
                [name, *(cell(results, Place(title, case, name)) for case in cases)]
                for name in sorted(results.contestants(title), key=rank)
            ],
        )


def rank(name):
    """Return where a contestant stands in tables; a variant of one comes after it."""
    base = name.partition(", ")[0].partition(" with ")[0]
    return ORDER.index(base), name


def cell(results, place):
    if place not in results.figures:
        return [""]
    lines = [number(results.spread(place).median)]
    for name in REFERENCES:
        reference = place._replace(contestant=name)
        if reference in results.figures:
            if name != place.contestant and results.spread(reference).median:
                lines.append(spread_of(results.spread(place, reference)))
            break
    return lines


def number(value):
    """Return it with three digits, or as many as stand before the point."""
    if value >= 99.5 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.95 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def spread_of(spread):
    return f"{number(spread.median)} ({number(spread.low)}-{number(spread.high)})"


def bar_rows(results, django):
    """Return a row for each bar: the figure, what it is, what it should be, and the verdict."""
    for bar in BARS:
        spread = bar.spread(results)
        measured = "" if spread is None else spread_of(spread)
        yield bar.figure, measured, f"{bar.sign} {bar.limit:g}", bar.verdict(results, django)


def missed(results, django):
    return sum(bar.verdict(results, django) == MISSED for bar in BARS)


def print_all(results, environment, django):
    """Print everything on the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    for line in environment:
        console.print(line)
    for title, heading, rows in tables(results):
        table = Table(title=title, title_justify="left")
        for name in heading:
            table.add_column(name, justify="right" if name else "left", overflow="fold")
        for name, *cells in rows:
            table.add_row(name + "*" * (name in CONTRACTS), *map("\n".join, cells))
        console.print()
        console.print(table)
    for name, contract in CONTRACTS.items():
        console.print(f"* {name}: {contract}")
    table = Table("figure", "measured", "bar", "verdict", title="What it must show", title_justify="left")
    for *cells, verdict in bar_rows(results, django):
        if verdict != NOT_MEASURED:
            table.add_row(*cells, f"[bold red]{verdict}" if verdict == MISSED else verdict)
    console.print()
    console.print(table)


def markdown(results, environment, django):
    """Return everything as the text of a Markdown file."""
    parts = [
        "# What `python -m bench` measured",
        "\n".join(f"* {line}" for line in environment),
        INTRODUCTION,
        "![Time of a send against the number of its receivers](receivers.svg)",
        "![Time of a send against the number of receivers of other senders](senders.svg)",
        "## What it must show",
        markdown_table(
            ["figure", "measured", "bar", "verdict"],
            [(*row, f"**{verdict}**" if verdict == MISSED else verdict) for *row, verdict in bar_rows(results, django)],
        ),
    ]
    for title, heading, rows in tables(results):
        rows = [[name + footnote(name), *map("<br>".join, cells)] for name, *cells in rows]
        parts += [f"## {title}", markdown_table(heading, rows)]
    parts += [f"{footnote(name)}: {contract}." for name, contract in CONTRACTS.items()]
    return "\n\n".join(parts) + "\n"


def footnote(name):
    """Return the mark of what a contestant's contract is, if it is another."""
    return f"[^{name.replace(' ', '-')}]" if name in CONTRACTS else ""


def markdown_table(heading, rows):
    ruler = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, ruler, *rows])
