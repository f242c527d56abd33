"""The benchmark harness: turns, ratios, bars, tables, and the rejection of contestants that miss receivers."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import contestants, plots, report
from bench.bars import BARS, MET, MISSED, NOT_MEASURED, Bar
from bench.cases import Case, NotReachedError, Table, Work
from bench.conftest import Preparations, pytest_collection_modifyitems
from bench.contestants import FALLBACK, Contestant, Standalone
from bench.receivers import KINDS
from bench.results import Place, Results
from bench.sends import Send
from tests.helpers.implementations import compiled
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

CHECKOUT = Path(__file__).parents[2]
OURS, THEIRS = (Place("send", "1 receiver", name) for name in ("csignals", "Django"))
SENDS = [
    Send(1),
    Send(3, 12),
    Send(0, others=2),
    Send(3, 1, others=2, to_sender=True),
    Send(3, 4, robust=True, last_fails=True),
    *(Send(3, 4, kind=kind, weak=weak) for kind in KINDS for weak in (True, False)),
]
LIST_PLACES = """
import importlib, json
from bench.cases import Case
modules = ["sends", "scale", "inside_django", "wrapped", "async", "interception", "registration", "threads"]
tests = [importlib.import_module(f"bench.test_{name}") for name in modules]
lists = [value for test in tests for value in vars(test).values() if isinstance(value, list)]
cases = [case for each in lists for case in each if isinstance(case, Case)]
print(json.dumps([(case.table.title, case.name, contestant) for case in cases for contestant in case.contestants]))
"""


class Faulty(Contestant):
    """A contestant that calls receivers with the given function."""

    def __init__(self, call_all):
        super().__init__("faulty", "csignals")
        self.call_all = call_all

    def signal(self, connections, keywords=(), weak=True):
        receivers = [receiver for receiver, _ in connections]
        signal = SimpleNamespace()
        signal.send = lambda **named: self.call_all(receivers, {"signal": signal, **named})
        return signal


@pytest.fixture
def results():
    example = Results()
    for ours, theirs in (100, 500), (200, 1200), (100, 400):
        example.add(OURS, "ns", ours)
        example.add(THEIRS, "ns", theirs)
    return example


def case(name, **contestants):
    return Case(Table("send", "ns"), name, 1, contestants)


def run(*arguments, **variables):
    # pytest-benchmark measures nothing in a worker of xdist.
    variables = {"PYTEST_XDIST_WORKER": "", "PYTHONIOENCODING": "utf-8", **variables}
    return run_python(*arguments, variables=variables, timeout=120, cwd=CHECKOUT, encoding="utf-8")


def test_contestants_take_turns_in_each_lap():
    cases = [case(name, a=None, b=None, c=None) for name in ("one", "other")]
    items = [
        SimpleNamespace(
            fixturenames=["measure"],
            callspec=SimpleNamespace(params={"case": each, "lap": lap, "contestant": contestant}),
        )
        for lap in range(3)
        for each in cases
        for contestant in "abc"
    ]
    pytest_collection_modifyitems(items)
    assert [tuple(item.callspec.params.values()) for item in items] == [
        (each, lap, contestant)
        for each in cases
        for lap, contestants in enumerate(["abc", "bca", "cab"])
        for contestant in contestants
    ]


def test_each_contestant_is_prepared_only_once():
    made = []
    one, other = (case(name, a=lambda: made.append(1) or Work(lambda times: None)) for name in ("one", "other"))
    preparations = Preparations()
    for each in one, one, other:
        preparations.get(each, "a")
    assert len(made) == 2
    assert preparations.case is other


@pytest.mark.parametrize("contestant", contestants.present(), ids=lambda each: each.name)
def test_contestants_reach_their_receivers(contestant):
    sends = [send for send in SENDS if send.suits(contestant)]
    assert len(sends) >= 3
    for send in sends:
        send.prepare(contestant).run(1)


@pytest.mark.parametrize(
    "call_all",
    [
        lambda receivers, named: [],
        lambda receivers, named: [(receiver, receiver(**named)) for receiver in receivers[:-1]],
        lambda receivers, named: [(receiver, receiver(**named)) for receiver in receivers[::-1]],
        lambda receivers, named: [(receiver, receiver(**named)) for receiver in [*receivers, receivers[0]]],
        lambda receivers, named: [(receiver, receiver(**named, more=1)) for receiver in receivers],
        lambda receivers, named: [(receiver, receiver(**{**named, "sender": 1})) for receiver in receivers],
    ],
    ids=["none", "not all", "wrong order", "one twice", "extra argument", "wrong sender"],
)
def test_wrong_calls_of_receivers_are_rejected(call_all):
    with pytest.raises(NotReachedError, match="faulty: "):
        Send(3, 4).prepare(Faulty(call_all))


def test_calls_for_other_senders_are_rejected():
    def call_all(receivers, named):
        return [(receiver, receiver(**named)) for receiver in receivers]

    Send(3).prepare(Faulty(call_all))
    with pytest.raises(NotReachedError, match="faulty: "):
        Send(3, others=1, to_sender=True).prepare(Faulty(call_all))


def test_contestants_use_the_named_implementation():
    assert Standalone("", *FALLBACK).signal_class().send.__module__ == "csignals._dispatch.pure"
    signals = [contestants.dispatcher_alone().Signal, contestants.dispatcher_with("python").Signal]
    assert [each.send.__globals__["__name__"] for each in signals] == [signals[0].__module__, "csignals._dispatch.pure"]


def test_missing_packages_are_left_out(monkeypatch):
    both = [Contestant("theirs", "no_such_module"), Contestant("ours", "csignals")]
    monkeypatch.setattr(contestants, "CONTESTANTS", both)
    assert [each.name for each in contestants.present()] == ["ours"]
    assert contestants.left_out() == {"theirs": "no_such_module"}


def test_ratios_come_from_the_laps(results):
    assert results.spread(THEIRS, OURS) == (5, 4.5, 5.5)
    assert results.spread(OURS) == (100, 100, 150)


@pytest.mark.parametrize(
    ("bar", "verdict"),
    [
        (Bar(THEIRS, OURS, "≥", 5), MET),
        (Bar(THEIRS, OURS, "≥", 5.1), MISSED),
        (Bar(THEIRS, OURS, "≤", 5), MET),
        (Bar(THEIRS, OURS, "≤", 4.9), MISSED),
        (Bar(OURS, None, "≤", 100), MET),
        (Bar(OURS, None, "≤", 99), MISSED),
        (Bar(THEIRS, OURS, "≥", 5, django="5.2"), MET),
        (Bar(THEIRS, OURS, "≥", 5, django="5.1"), "only on Django 5.1"),
        (Bar(THEIRS, Place("send", "1 receiver", "blinker"), "≥", 5), NOT_MEASURED),
    ],
)
def test_bars_are_met_or_missed(results, bar, verdict):
    assert bar.verdict(results, "5.2.19") == verdict


@compiled
def test_bars_refer_to_measured_places():
    places = {Place(*place) for place in json.loads(run("-c", LIST_PLACES).stdout)}
    weighed = "memory", "import", "modules"
    named = {each for bar in BARS for each in (bar.above, bar.below) if each and not each.table.startswith(weighed)}
    assert named
    if not contestants.left_out():
        assert named <= places
    assert {place for place in named if "csignals" in place.contestant} <= places


def test_the_report_has_its_tables(results):
    assert list(report.tables(results)) == [
        ("send (ns)", ["", "1 receiver"], [["csignals", ["100"]], ["Django", ["500", "5 (4.50-5.50)"]]])
    ]


def test_the_report_is_written_as_markdown(results, monkeypatch):
    monkeypatch.setattr(report, "BARS", [Bar(THEIRS, OURS, "≥", 6)])
    text = report.markdown(results, ["CPython"], "5.2.19")
    assert "* CPython\n" in text
    assert "| send, 1 receiver: Django ÷ csignals | 5 (4.50-5.50) | ≥ 6 | **missed** |" in text
    assert "| Django | 500<br>5 (4.50-5.50) |" in text
    assert report.missed(results, "5.2.19") == 1


def test_plots_have_lines_of_measured_values():
    example = Results()
    for count, (table, name) in plots.RECEIVERS.items():
        example.add(Place(table, name, "csignals"), "µs" if count > 100 else "ns", count)
    assert plots.line(example, "csignals", plots.RECEIVERS) == [
        (1, 1),
        (3, 3),
        (10, 10),
        (100, 100),
        (1000, 1_000_000),
        (10_000, 10_000_000),
    ]
    assert plots.line(example, "Django", plots.RECEIVERS) == []


def test_the_command_writes_its_measurements(tmp_path):
    chosen = "test_send_to_no_receiver and 10_for_other"
    done = run("-m", "bench", "-k", chosen, "--laps", "1", "--output", str(tmp_path))
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "send to no receiver, 4 keywords (ns)" in done.stdout
    assert "## send to no receiver, 4 keywords (ns)" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


@compiled
def test_the_command_stops_at_unreached_receivers(tmp_path):
    (tmp_path / "deaf.py").write_text("from bench.contestants import Contestant\nContestant.add = lambda *args: None\n")
    arguments = "-k", "10_senders-csignals", "--laps", "1"
    done = run("-m", "bench", *arguments, PYTEST_PLUGINS="deaf", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "csignals: 0 calls of receivers instead of 2" in done.stdout
