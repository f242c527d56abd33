"""The command: python -m tests.fuzz [lives] [calls] --runs N.

Lives are those of signals beside Django's, calls those of the compiled engine beside the one in Python. What is found
ends it with code 1, after the seed or the bytes with which it can be repeated; code 2 says that calls cannot be fuzzed.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from . import atheris_run, machine_run
from .arguments import explain

PARTS = ["lives", "calls"]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n\n")[2])
    parser.add_argument("part", nargs="?", choices=PARTS, help="what is fuzzed (default: both)")
    parser.add_argument("--runs", type=int, default=1_000_000, help="rules of lives, and programs of calls, at least")
    parser.add_argument("--seed", type=int, help="repeat what was run with this seed (default: by chance)")
    parser.add_argument(
        "--implementation", choices=machine_run.CHOICES, action="append", help="for lives (default: both)"
    )
    parser.add_argument("--place", choices=machine_run.PLACES, action="append", help="for lives (default: both)")
    parser.add_argument("--corpus", help="a folder for the programs that reached new code (default: in build)")
    parser.add_argument("--explain", metavar="FILE", help="run the program of calls that stands in a file, in words")
    options = parser.parse_args()
    if options.explain:
        sys.exit(not explain(Path(options.explain).read_bytes()))
    parts = [options.part] if options.part else PARTS
    seed = random.SystemRandom().randrange(1, 1 << 31) if options.seed is None else options.seed
    print(f"python {sys.version.split()[0]}, Django {machine_run.django.get_version()}, --seed {seed}", flush=True)
    reason = atheris_run.missing() if "calls" in parts else None
    if reason:
        print(reason, file=sys.stderr)
    if "lives" in parts:
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
