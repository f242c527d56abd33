"""The cost of the check whether a send is intercepted, against a build without this check.

    python -m bench.hook            the exit code is 1 if the check adds 2 % to the instructions of a case

Builds the extension twice, in copies of the checkout, and counts as ``instructions.py`` does. The exit code is 2 if
neither valgrind nor perf can count.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import build_floor
from bench.instructions import FOLDER, CannotCountError, count, percent

LIMIT = 0.02
PARTS = "README.md", "bench", "csignals", "pyproject.toml", "setup.py", "src_pyx"
LEAVE_OUT = "-DCSIGNALS_NO_HOOK"


def build(folder, *flags):
    """Build the extension in a copy of the checkout, with more flags for the preprocessor."""
    folder.mkdir()
    for part in PARTS:
        if (FOLDER / part).is_dir():
            shutil.copytree(FOLDER / part, folder / part, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        else:
            shutil.copy(FOLDER / part, folder)
    preprocessor = " ".join([os.environ.get("CPPFLAGS", ""), *flags])
    environment = {**os.environ, "CPPFLAGS": preprocessor, "CSIGNALS_REQUIRE_EXTENSIONS": "1"}
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return folder


def compare(with_hook, without):
    """Print the counts of two builds, case by case, and return the exit code."""
    code = 0
    print(f"{'instructions':<50}{'without':>12}{'with hook':>12}{'change':>12}")
    for name, count_without in without.items():
        is_too_much = with_hook[name] >= count_without * (1 + LIMIT)
        change = percent(count_without, with_hook[name])
        print(f"{name:<50}{count_without:>12,.0f}{with_hook[name]:>12,.0f}{change:>12}{' too much' * is_too_much}")
        code = code or int(is_too_much)
    return code


def main():
    least = build_floor.load("least")
    with tempfile.TemporaryDirectory(prefix="csignals-hook-") as folder:
        try:
            without, with_hook = (
                count(least, build(Path(folder, name), *flags))["counts"]
                for name, flags in [("without", [LEAVE_OUT]), ("with", [])]
            )
        except CannotCountError as error:
            print(f"bench.hook: {error}", file=sys.stderr)
            return 2
    return compare(with_hook, without)


if __name__ == "__main__":
    sys.exit(main())
