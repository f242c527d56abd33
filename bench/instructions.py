"""The instructions that csignals takes, which noise does not change, against the counts in instructions.json.

    python -m bench.instructions            the exit code is 1 if a case takes 5 % more than before
    python -m bench.instructions --renew    store the counts of this interpreter as the new ones

A count is the instructions of one operation, minus those of the same operation with the `Least` of least.c, in the same
loop and with the same receivers. This removes the loop, the call of a method in C and the receivers' own work, which
are up to nine tenths of a send. If they counted, csignals could take half as much again before a case takes 5 % more,
and a CPython that was compiled with other options would change every count. The rest is csignals' own code, and the
tuples, lists and weak references that it takes from CPython. Only connecting, which is Python code, includes the
interpreter. A count depends on CPython's minor version and on the architecture, so the file has counts for each SOABI,
which names both. It also depends on the compiler and its options (with -O2, a case takes up to a third more), so the
file names them, and the comparison prints those that differ.

valgrind counts all cases in one process. If it is missing, `perf stat` counts each run in its own process. The count of
a short run is subtracted from that of a long one, which removes everything before the loop. The exit code is 2 if
neither tool works.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from itertools import product
from pathlib import Path

import django

import csignals
from bench import build_floor
from bench.hot_cases import CASES, CONTESTANTS, CSIGNALS, FEW, LEAST, MANY

FILE = Path(__file__).with_suffix(".json")
FOLDER = Path(__file__).parent.parent
INTERPRETER = sysconfig.get_config_var("SOABI")
LIMIT = 0.05
COUNTED_WITH = "compiler", "counter", "django", "options", "python"  # what may change the counts, besides csignals
SCRIPT = [sys.executable, "-m", "bench.hot_cases"]
RUNS = list(product(range(len(CASES)), CONTESTANTS, (FEW, MANY)))  # in the order of the script
PERF_TIMES = 100  # as many rounds: perf also counts the start of each process, which varies


class CannotCountError(Exception):
    """Neither valgrind nor perf can count instructions here."""


def count(least, folder=FOLDER):
    """Return an entry for the file: the counts of this interpreter with the csignals in a folder."""
    if shutil.which("valgrind"):
        counter, times, runs = "valgrind", 1, count_with_valgrind(least, folder)
    elif perf_works(least):
        counter, times, runs = "perf", PERF_TIMES, count_with_perf(least, folder)
    else:
        raise CannotCountError("install valgrind, or a perf that can count instructions")
    counts = {}
    for number, case in enumerate(CASES):
        longer_by = {each: runs[number, each, MANY] - runs[number, each, FEW] for each in CONTESTANTS}
        operations = (MANY - FEW) * times * case.signals
        counts[case.name] = round((longer_by[CSIGNALS] - longer_by[LEAST]) / operations, 1)
    return {
        "compiler": least.COMPILER,
        "counter": counter,
        "counts": counts,
        "csignals": csignals.__version__,
        "django": django.get_version(),
        "options": sysconfig.get_config_var("OPT"),
        "python": platform.python_version(),
    }


def count_with_valgrind(least, folder):
    with tempfile.TemporaryDirectory(prefix="csignals-callgrind-") as output:
        options = [f"--callgrind-out-file={output}/counts", "--dump-before=csignals_bench_mark"]
        execute(["valgrind", "--quiet", "--tool=callgrind", *options, *SCRIPT], least, folder)
        # The first dump is of the code before the first run, the second of that run, the third of the code after it.
        dumps = [Path(f"{output}/counts.{2 * number}").read_text() for number in range(1, len(RUNS) + 1)]
    return {run: int(re.search(r"^totals: (\d+)$", dump, re.M)[1]) for run, dump in zip(RUNS, dumps, strict=True)}


def perf_works(least):
    try:
        return shutil.which("perf") is not None and perf(["true"], least, FOLDER) > 0
    except CannotCountError:  # for example, the kernel does not permit it
        return False


def count_with_perf(least, folder):
    return {
        (case, contestant, rounds): perf([*SCRIPT, str(case), str(contestant), str(rounds * PERF_TIMES)], least, folder)
        for case, contestant, rounds in RUNS
    }


def perf(command, least, folder):
    """Return the instructions that a command takes, or 0 if the machine cannot count them."""
    with tempfile.NamedTemporaryFile("r") as output:
        execute(["perf", "stat", "-x", ",", "-e", "instructions:u", "-o", output.name, *command], least, folder)
        # A line for each kind of core.
        return sum(map(int, re.findall(r"^(\d+),", output.read(), re.M)))


def execute(command, least, folder):
    """Run a command in an environment in which the script does the same each time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "CSIGNALS_PURE_PYTHON": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(Path(least.__file__).parent),
    }
    done = subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, timeout=600)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotCountError(f"{command[0]} ended with code {done.returncode}: {reason}")


def print_table(kept, now):
    """Print the counts of two entries side by side. `kept` may be None."""
    before, after = kept["counts"] if kept else {}, now["counts"]
    print(f"{INTERPRETER}: " + ", ".join(f"{name} {value}" for name, value in now.items() if name != "counts"))
    print(f"\n{'instructions':<50}{'kept':>12}{'now':>12}{'change':>12}")
    for name in {**after, **before}:
        cells = [f"{counts[name]:,.0f}" if name in counts else "" for counts in (before, after)]
        cells.append(percent(before[name], after[name]) if name in before and name in after else "")
        print(f"{name:<50}" + "".join(f"{cell:>12}" for cell in cells))
    print()


def percent(before, after):
    return f"{100 * (after / before - 1):+.1f} %"


def compare(kept, now):
    """Print the cases whose counts have changed, and return the exit code."""
    before, after = kept["counts"], now["counts"]
    code = 0
    for name in {**after, **before}:
        if name not in before or name not in after:
            print(f"{name}: {'not in the file yet' if name in after else 'in the file, but not a case'}: use --renew")
            code = 1
        elif after[name] >= before[name] * (1 + LIMIT):
            print(f"{name}: {percent(before[name], after[name])}, which is too much")
            code = 1
        elif after[name] <= before[name] * (1 - LIMIT):
            print(f"{name}: {percent(before[name], after[name])}: use --renew, so that it stays at this count")
    others = [f"{name} {kept[name]}" for name in COUNTED_WITH if kept[name] != now[name]]
    if others:
        print(f"The kept counts are of {', '.join(others)}.")
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="store the counts of this interpreter as the new ones")
    is_to_renew = parser.parse_args().renew
    try:
        now = count(build_floor.load("least"))
    except CannotCountError as error:
        print(f"bench.instructions: {error}", file=sys.stderr)
        return 2
    entries = json.loads(FILE.read_text()) if FILE.exists() else {}
    kept = entries.get(INTERPRETER)
    print_table(kept, now)
    if is_to_renew:
        FILE.write_text(json.dumps({**entries, INTERPRETER: now}, indent=4, sort_keys=True) + "\n")
        print(f"{FILE.name} has these counts now")
        return 0
    if kept is None:
        print(f"{FILE.name} has no counts for {INTERPRETER}: use --renew to add these")
        return 0
    return compare(kept, now)


if __name__ == "__main__":
    sys.exit(main())
