"""Show results in tables on the terminal and in ``RESULTS.md``. ``plots.py`` draws the plots."""

from rich.console import Console
from rich.table import Table

from bench.bars import BARS, MISSED, NOT_MEASURED
from bench.contestants import CONTESTANTS
from bench.results import Place

#: Ratios in a table refer to the first of these contestants that is in it.
REFERENCES = "csignals", "csignals in Django", "csignals with Sentry", "csignals with a wrapper"
INTRODUCTION = (
    "Each contestant of a case was timed once in each lap, in one process, after a check that it calls its receivers. "
    "A cell has the median of the laps. If csignals is in the table, the line below it has the ratio to csignals: the "
    "median of the ratios in each lap, and their quartiles. With threads, a cell has the time of all sends together, "
    "divided by their number: two threads that run in parallel take half the time of one."
)
ORDER = [each.name for each in CONTESTANTS]
CONTRACTS = {each.name: each.contract for each in CONTESTANTS if each.contract}


def tables(results):
    """Yield each table: the title, the heading, and rows of cells. Each cell but the first is a list of lines."""
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
    """Return the sort key of a contestant in tables. Its variants follow it."""
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
    """Return a number with three digits, or with all digits before the point."""
    if value >= 99.5 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.95 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def spread_of(spread):
    return f"{number(spread.median)} ({number(spread.low)}-{number(spread.high)})"


def bar_rows(results, django):
    """Yield a row for each bar: the figure, the measured value, the limit, and the verdict."""
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
    table = Table("figure", "measured", "bar", "verdict", title="The bars", title_justify="left")
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
        "## The bars",
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
    """Return the footnote mark of a contestant whose contract differs."""
    return f"[^{name.replace(' ', '-')}]" if name in CONTRACTS else ""


def markdown_table(heading, rows):
    ruler = ["---", *["---:"] * (len(heading) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, ruler, *rows])
