"""Run the benchmarks: case by case, lap by lap, and in each lap one contestant after another.

If the machine is slow for a while, it is slow for all contestants of a case, and the ratios within a lap stay right.
"""

import gc
from math import ceil
from time import perf_counter

import pytest

from bench.cases import NotReachedError
from bench.contestants import left_out

LAP = 0.006  # seconds for each contestant
MAX_ROUNDS = 60  # batches in a lap


def pytest_addoption(parser):
    parser.addoption("--laps", type=int, default=1, help="how often each contestant of a case is measured (default: 1)")


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: runs in `python -m bench --quick`")


def pytest_report_header(config):
    return [f"left out: {name}, as {module} is not installed" for name, module in left_out().items()]


def pytest_generate_tests(metafunc):
    laps = metafunc.config.getoption("--laps")
    ids = [pytest.HIDDEN_PARAM] if laps == 1 else [f"lap_{lap}" for lap in range(laps)]
    metafunc.parametrize("lap", range(laps), ids=ids)


def pytest_collection_modifyitems(items):
    places = {}

    def turn(item):
        if "measure" not in item.fixturenames:  # a test of another folder
            return -1, 0, 0
        case, contestant, lap = (item.callspec.params[name] for name in ("case", "contestant", "lap"))
        names = list(case.contestants)
        # Each contestant begins a lap equally often.
        return places.setdefault(case, len(places)), lap, (names.index(contestant) - lap) % len(names)

    items.sort(key=turn)


class Preparations:
    """The prepared work of the contestants of one case."""

    def __init__(self):
        self.case = None
        self.ready = {}

    def get(self, case, contestant):
        """Return the work of a contestant, and the number of its batches in a lap."""
        if case is not self.case:
            self.case, self.ready = case, {}
            gc.collect()
        if contestant not in self.ready:
            work = case.contestants[contestant]()
            self.ready[contestant] = work, min(MAX_ROUNDS, ceil(LAP / time_of(work, case.batch)))
        return self.ready[contestant]


def time_of(work, batch):
    """Return the seconds of the faster of two batches."""
    seconds = []
    with work.around():
        for _ in range(2):
            if work.before:
                work.before()
            start = perf_counter()
            work.run(batch)
            seconds.append(perf_counter() - start)
            if work.after:
                work.after(batch)
    return min(seconds)


@pytest.fixture(scope="session")
def preparations():
    return Preparations()


@pytest.fixture
def prepared(case, contestant, preparations):
    """The work, and the number of batches in a lap. Ends the run if a contestant does not call its receivers."""
    try:
        return preparations.get(case, contestant)
    except NotReachedError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture
def measure(case, contestant, lap, prepared, benchmark):
    """A function that measures a contestant in a case during a lap."""

    def measure():
        work, rounds = prepared
        benchmark.group = f"{case.table.title}: {case.name}"
        benchmark.extra_info.update(
            table=case.table.title, unit=case.table.unit, case=case.name, contestant=contestant, batch=case.batch
        )
        gc.disable()  # a collection would add its time to any of the contestants
        try:
            with work.around():
                benchmark.pedantic(
                    work.run,
                    (case.batch,),
                    setup=work.before,
                    teardown=work.after,
                    rounds=rounds,
                    warmup_rounds=int(rounds > 1),  # a batch that takes a whole lap needs no warm-up
                )
        finally:
            gc.enable()

    return measure
