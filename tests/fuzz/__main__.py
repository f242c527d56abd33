"""The command: python -m tests.fuzz [machine | calls] --runs N.

The machine compares random sequences of operations on signals with Django's signals. The calls compare the compiled
implementation with the Python implementation. A difference ends the command with code 1, after the seed or the file
that repeats it. Code 2 means that calls cannot be fuzzed here.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from . import atheris_run, machine_run
from .arguments import explain

PARTS = ["machine", "calls"]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n\n")[2])
    parser.add_argument("part", nargs="?", choices=PARTS, help="what to fuzz (default: both)")
    parser.add_argument(
        "--runs", type=int, default=1_000_000, help="at least so many rules of the machine, and programs of calls"
    )
    parser.add_argument("--seed", type=int, help="repeat a run (default: a random seed)")
    parser.add_argument(
        "--implementation", choices=machine_run.CHOICES, action="append", help="for the machine (default: both)"
    )
    parser.add_argument("--place", choices=machine_run.PLACES, action="append", help="for the machine (default: both)")
    parser.add_argument("--corpus", help="a folder for the programs that reached new code (default: in build)")
    parser.add_argument("--explain", metavar="FILE", help="print and run the program of calls in a file")
    options = parser.parse_args()
    if options.explain:
        sys.exit(not explain(Path(options.explain).read_bytes()))
    parts = [options.part] if options.part else PARTS
    seed = random.SystemRandom().randrange(1, 1 << 31) if options.seed is None else options.seed
    print(f"python {sys.version.split()[0]}, Django {machine_run.django.get_version()}, --seed {seed}", flush=True)
    reason = atheris_run.missing() if "calls" in parts else None
    if reason:
        print(reason, file=sys.stderr)
    if "machine" in parts:
        machine_run.fuzz(
            options.runs, seed, options.implementation or machine_run.CHOICES, options.place or machine_run.PLACES
        )
    if "calls" in parts:
        if reason:
            sys.exit(2)
        started = time.monotonic()
        executions, is_clean = atheris_run.fuzz(options.runs, seed, options.corpus)
        found = "no difference" if is_clean else "A DIFFERENCE OR A CRASH"
        print(f"calls: {executions} executions in {time.monotonic() - started:.0f} s, and {found}")
        sys.exit(not is_clean)


if __name__ == "__main__":
    main()
