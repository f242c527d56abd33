"""The guard's verdicts on instruction counts. The tests count nothing: CI does, which takes a minute."""

import json

import pytest

from bench import hook, instructions
from bench.hot_cases import CASES

COUNTS = {"1 receiver": 800.0, "10 receivers": 3000.0}


@pytest.fixture
def outcome(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command with a file and made-up counts. It returns exit code, output and file."""

    def outcome(kept, now, *arguments):
        file = tmp_path / "instructions.json"
        file.write_text(json.dumps(kept))
        monkeypatch.setattr(instructions, "FILE", file)
        monkeypatch.setattr(instructions.build_floor, "load", lambda name: None)
        monkeypatch.setattr(instructions, "count", lambda least: now)
        monkeypatch.setattr("sys.argv", ["instructions", *arguments])
        code = instructions.main()
        return code, capsys.readouterr().out, json.loads(file.read_text())

    return outcome


def entry(counts=COUNTS, **made_with):
    names = "compiler", "counter", "csignals", "django", "options", "python"
    return {**dict.fromkeys(names, "1"), **made_with, "counts": counts}


def kept(*arguments, **made_with):
    return {instructions.INTERPRETER: entry(*arguments, **made_with)}


def verdicts(output):
    """Return the lines below the table."""
    return output.split("\n\n")[2].splitlines()


@pytest.mark.parametrize("count", [800.0, 839.9, 760.1])
def test_changes_below_5_percent_pass(outcome, count):
    code, output, _ = outcome(kept(), entry({**COUNTS, "1 receiver": count}))
    assert (code, verdicts(output)) == (0, [])


def test_a_slower_case_fails_by_name(outcome):
    code, output, _ = outcome(kept(), entry({**COUNTS, "1 receiver": 840.0}))
    assert (code, verdicts(output)) == (1, ["1 receiver: +5.0 %, which is too much"])


def test_a_faster_case_passes_by_name(outcome):
    code, output, _ = outcome(kept(), entry({**COUNTS, "10 receivers": 2850.0}))
    assert (code, verdicts(output)) == (0, ["10 receivers: -5.0 %: use --renew, so that it stays at this count"])


def test_faster_cases_do_not_excuse_slower_ones(outcome):
    code, output, _ = outcome(kept(), entry({"1 receiver": 1600.0, "10 receivers": 300.0}))
    assert code == 1
    assert len(verdicts(output)) == 2


def test_the_table_shows_counts_and_changes(outcome):
    _, output, _ = outcome(kept(), entry({**COUNTS, "10 receivers": 3100.0}))
    assert [line.split() for line in output.splitlines()[2:5]] == [
        ["instructions", "kept", "now", "change"],
        ["1", "receiver", "800", "800", "+0.0", "%"],
        ["10", "receivers", "3,000", "3,100", "+3.3", "%"],
    ]


def test_a_new_case_is_an_error(outcome):
    code, output, _ = outcome(kept(), entry({**COUNTS, "async": 1.0}))
    assert (code, verdicts(output)) == (1, ["async: not in the file yet: use --renew"])


def test_a_removed_case_is_an_error(outcome):
    code, output, _ = outcome(kept(), entry({"1 receiver": 800.0}))
    assert (code, verdicts(output)) == (1, ["10 receivers: in the file, but not a case: use --renew"])


def test_different_tools_of_kept_counts_are_printed(outcome):
    code, output, _ = outcome(kept(compiler="GCC 9", csignals="0", django="5.2"), entry())
    assert (code, verdicts(output)) == (0, ["The kept counts are of compiler GCC 9, django 5.2."])


def test_a_missing_entry_suggests_renewal(outcome):
    code, output, _ = outcome({"another": entry()}, entry())
    nothing = f"instructions.json has no counts for {instructions.INTERPRETER}: use --renew to add these"
    assert (code, verdicts(output)) == (0, [nothing])


def test_renewal_changes_only_its_own_entry(outcome):
    new = entry({"1 receiver": 1600.0})
    code, _, file = outcome({"another": entry(), **kept()}, new, "--renew")
    assert (code, file) == (0, {"another": entry(), instructions.INTERPRETER: new})


def test_a_missing_counter_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(instructions.build_floor, "load", lambda name: None)
    monkeypatch.setattr(instructions.shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["instructions"])
    assert instructions.main() == 2
    assert capsys.readouterr().err == ("bench.instructions: install valgrind, or a perf that can count instructions\n")


def test_the_file_holds_all_counted_cases():
    entries = json.loads(instructions.FILE.read_text())
    assert entries
    for each in entries.values():
        assert each["counts"].keys() == {case.name for case in CASES}
    assert len(CASES) == len({case.name for case in CASES})


@pytest.mark.parametrize(("with_hook", "code"), [(800.0, 0), (815.9, 0), (816.0, 1), (400.0, 0)])
def test_the_hook_limit_is_2_percent(capsys, with_hook, code):
    assert hook.compare({**COUNTS, "1 receiver": with_hook}, COUNTS) == code
    row = capsys.readouterr().out.splitlines()[1]
    assert row.startswith("1 receiver ")
    assert row.endswith("too much") == bool(code)
