"""``python -m bench``: runs all benchmarks, reports them, and judges them.

A full run writes RESULTS.md and the plots to this folder, any other one only where it is told to. Ends with code 3 if
a bar is missed, and with 1 if anything fails.
"""

import argparse
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import django
import pytest

from csignals.compare import project

project.configure()

from bench import environment, imports, memory, plots, report  # noqa: E402
from bench.results import Place, Results  # noqa: E402
from csignals.compare.report import progress  # noqa: E402  # once Django is set up

HERE = Path(__file__).parent
# As in the report.
FILES = (
    "test_sends",
    "test_scale",
    "test_inside_django",
    "test_wrapped",
    "test_async",
    "test_interception",
    "test_registration",
    "test_threads",
)
LAPS, QUICK_LAPS = 15, 3
PER_SECOND = {"ns": 1e9, "µs": 1e6, "ms": 1e3}


class Collector:
    """The pytest plugin that takes the results, and shows between the laps how far it is."""

    def __init__(self, results):
        self.results = results

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session):
        with progress("Timing", len(set(map(lap_of, session.items)))) as self.advance:
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item, nextitem):
        if nextitem is None or lap_of(item) != lap_of(nextitem):
            self.advance()

    @pytest.hookimpl(tryfirst=True)
    def pytest_benchmark_group_stats(self, benchmarks):
        for benchmark in benchmarks:
            info = benchmark["extra_info"]
            place = Place(info["table"], info["case"], info["contestant"])
            self.results.add(place, info["unit"], benchmark["median"] / info["batch"] * PER_SECOND[info["unit"]])
        return []  # nothing is left for pytest-benchmark's own tables


def lap_of(item):
    return item.callspec.params["case"], item.callspec.params["lap"]


def time_everything(results, arguments):
    """Run the benchmarks by pytest, and return its exit code. What it prints is shown only if that is not 0."""
    files = sorted(HERE.glob("test_*.py"), key=lambda path: FILES.index(path.stem))
    options = [*map(str, files), f"--laps={arguments.laps}", "-x", "-q", "-s", "-p", "no:cacheprovider"]
    # csignals is imported already, which pytest has to say of a package that has a plugin.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    if arguments.quick:
        options += ["-m", "quick"]
    if arguments.expression:
        options += ["-k", arguments.expression]
    output = StringIO()
    with redirect_stdout(output):
        code = pytest.main(options, plugins=[Collector(results)])
    if code:
        print(output.getvalue())
    return code


def weigh_everything(results, quick):
    """Measure what is no matter of laps: memory, and the import."""
    weighed = [each for each in memory.contestants() if not quick or each.name in ("csignals", "Django")]
    with progress("Weighing", len(weighed) * len(memory.KINDS) + len(imports.contestants())) as advance:
        memory.measure(results, weighed, advance)
        imports.measure(results, advance)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a part of it, in under a minute")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write RESULTS.md and the plots there")
    parser.add_argument("-k", dest="expression", help="only these benchmarks, as pytest's -k")
    parser.add_argument("--laps", type=int, help=f"turns of each contestant (default: {LAPS}, quick: {QUICK_LAPS})")
    arguments = parser.parse_args()
    arguments.laps = arguments.laps or (QUICK_LAPS if arguments.quick else LAPS)
    folder = arguments.output or (None if arguments.quick or arguments.expression else HERE)

    results = Results()
    if time_everything(results, arguments):
        return 1
    if not arguments.expression:
        weigh_everything(results, arguments.quick)
    made_with, version = environment.describe(), django.get_version()
    report.print_all(results, made_with, version)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "RESULTS.md").write_text(report.markdown(results, made_with, version), encoding="utf-8")
        plots.draw(results, folder)
    return 3 if report.missed(results, version) else 0


if __name__ == "__main__":
    sys.exit(main())
