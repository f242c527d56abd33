"""The time of ``import csignals`` with all its imports, each time in a new process.

python -m bench.imports
"""

import subprocess
import sys
from pathlib import Path

from bench.contestants import Standalone, present
from bench.results import Place, Results

STATEMENT = "import csignals"
TIME, UNWANTED = "import time", "modules of asgiref and Django that are imported"
COUNT = f"""
{STATEMENT}
import sys
print(sum(name.partition(".")[0] in ("asgiref", "django") for name in sys.modules))
"""
TIMES = 15


def contestants():
    """Return the contestants whose import is measured: both implementations of csignals."""
    return [each for each in present() if type(each) is Standalone]


def measure(results, advance):
    """Add the times, and the number of imported modules of asgiref and Django, which should be 0."""
    for each in contestants():
        # The first process also compiles modules to bytecode.
        results.add(Place(UNWANTED, STATEMENT, each.name), "modules", float(run(each, "-c", COUNT).stdout))
        for _ in range(TIMES):
            lines = run(each, "-X", "importtime", "-c", STATEMENT).stderr.splitlines()
            _, microseconds, name = lines[-1].split("|")
            assert name == " csignals", name
            results.add(Place(TIME, STATEMENT, each.name), "ms", float(microseconds) / 1000)
        advance()


def run(contestant, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(__file__).parent.parent,
        # Modules are compiled to bytecode beforehand, as in an installed package.
        env={**contestant.environment(), "PYTHONDONTWRITEBYTECODE": ""},
        check=True,
        capture_output=True,
        text=True,
    )


def main():
    results = Results()
    measure(results, lambda: None)
    for place in results.figures:
        print(f"{place.contestant}: {place.table}, {results.spread(place).median:.1f} {results.units[place.table]}")


if __name__ == "__main__":
    main()
