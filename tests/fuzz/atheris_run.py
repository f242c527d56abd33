"""Runs atheris, which searches for programs of calls that reach new code in both implementations.

`fuzz()` starts a new process that runs this module in the copy that sanitized.py builds.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import arguments, sanitized

NOT_FUZZED = (
    "the calls CANNOT be fuzzed here: {}. The machine runs, and tests/dispatch/test_arguments.py makes random calls."
)
NO_ATHERIS = "atheris is missing (`pip install atheris`, for CPython on Linux)"
NO_CLANG = "clang is missing (on Debian: `apt-get install clang libclang-rt-dev`)"
NOISE = re.compile(r"INFO: Instrumenting|\s*NEW_FUNC|#\d+\s+(NEW|REDUCE|RELOAD)")


def missing():
    """Return the reason why calls cannot be fuzzed here, or None if they can."""
    for found, reason in (importlib.util.find_spec("atheris"), NO_ATHERIS), (shutil.which("clang"), NO_CLANG):
        if not found:
            return NOT_FUZZED.format(reason)
    return None


def fuzz(runs, seed, corpus=None):
    """Run atheris for `runs` executions. Return the number of executions, and whether atheris found nothing."""
    folder = sanitized.build()
    library = Path(importlib.util.find_spec("atheris").origin).parent.parent / "asan_with_fuzzer.so"
    corpus = Path(corpus) if corpus else folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        f"tests.fuzz.{Path(__file__).stem}",
        str(corpus),
        f"-runs={runs}",
        f"-seed={seed}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        "-timeout=120",
        "-rss_limit_mb=6000",
        "-len_control=0",
        f"-max_len={arguments.MOST_BYTES}",
    ]
    process = subprocess.Popen(
        command, cwd=folder, env=sanitized.environment(folder, library), stderr=subprocess.PIPE, text=True
    )
    executions = 0
    for line in process.stderr:
        counted = re.match(r"#(\d+)\s", line) or re.match(r"stat::number_of_executed_units: (\d+)", line)
        if counted:
            executions = max(executions, int(counted[1]))
        if not NOISE.match(line):
            print(line, end="", flush=True)
    is_clean = process.wait() == 0
    if not is_clean:
        print(f"Repeat it: python -m tests.fuzz --explain {folder}/crash-...")
    return executions, is_clean


def main():
    """Run in the copy, under atheris."""
    import atheris

    with atheris.instrument_imports(include=["csignals"]):
        arguments.pair()
    with arguments.ready():
        # Run a program first, so that no module is imported later, without instrumentation.
        arguments.run(bytes(range(256)))
        atheris.Setup(sys.argv, arguments.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
