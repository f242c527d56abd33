"""Has atheris find programs of calls that reach new code: in the engine in Python, and in the compiled one.

This process starts another one, which runs the copy that sanitized.py builds: this module there is what is fuzzed.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import arguments, sanitized

NOT_FUZZED = (
    "the calls CANNOT be fuzzed here: {}. The lives can, and so can calls by chance: tests/dispatch/test_arguments.py."
)
NO_ATHERIS = "there is no atheris (`pip install atheris`, where there is one for this Python: CPython on Linux)"
NO_CLANG = "there is no clang (on Debian: `apt-get install clang libclang-rt-dev`)"
NOISE = re.compile(r"INFO: Instrumenting|\s*NEW_FUNC|#\d+\s+(NEW|REDUCE|RELOAD)")


def missing():
    """Return what says why calls cannot be fuzzed here, or None if they can."""
    for is_there, reason in (importlib.util.find_spec("atheris"), NO_ATHERIS), (shutil.which("clang"), NO_CLANG):
        if not is_there:
            return NOT_FUZZED.format(reason)
    return None


def fuzz(runs, seed, corpus=None):
    """Have atheris make so many executions, and return how many it made, and whether it found nothing."""
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
    """Be what is fuzzed."""
    import atheris

    with atheris.instrument_imports(include=["csignals"]):
        arguments.pair()
    with arguments.ready():
        # Whatever runs later on is not to be imported then, and be instrumented or not by chance.
        arguments.run(bytes(range(256)))
        atheris.Setup(sys.argv, arguments.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
