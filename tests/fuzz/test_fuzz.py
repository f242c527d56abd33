"""The command ``python -m tests.fuzz``: its options, output and exit codes."""

import sys
from pathlib import Path

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz import arguments, atheris_run, calls, machine_run
from tests.helpers.implementations import compiled
from tests.helpers.interpreter import run_python

pytestmark = [pytest.mark.slow, compiled]  # the command compares the compiled implementation with the other one

ROOT = Path(__file__).parents[2]


def run(*options):
    done = run_python("-m", "tests.fuzz", *options, timeout=300, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


def test_machine_runs_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(machine_run, "EXAMPLES", 3)
    counts = machine_run.fuzz(100, first_seed=7)
    assert {*counts} == {
        (implementation, place) for implementation in ("cython", "python") for place in ("standalone", "in Django")
    }
    assert all(count >= 25 for count in counts.values())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "machine: seed 7, cython, standalone, use_caching; 0 so far"
    assert f"machine: cython, in Django: {counts['cython', 'in Django']}" in printed


def test_a_seed_repeats_its_runs(monkeypatch):
    monkeypatch.setattr(machine_run, "EXAMPLES", 5)
    first, again, others = [machine_run.run("cython", "standalone", False, seed) for seed in (1, 1, 2)]
    assert first == again != others


def test_the_machine_runs_without_atheris(monkeypatch, capsys):
    monkeypatch.setattr(atheris_run.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(machine_run, "EXAMPLES", 2)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--runs", "10", "--implementation", "cython", "--place", "standalone"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.err.startswith("the calls CANNOT be fuzzed here: atheris is missing")
    assert "and no difference" in printed.out


def test_a_crash_file_can_be_explained(tmp_path):
    file = tmp_path / "crash"
    file.write_bytes(bytes([1, *range(200)]))
    acts = calls.program(arguments.Choices(file.read_bytes()))
    code, output, errors = run("--explain", str(file))
    assert (code, errors) == (0, "")
    assert output.count("* ") >= len(acts) > 1
    assert output.endswith("No difference.\n")
