"""Builds a copy of the checkout, with AddressSanitizer and libFuzzer's counters in the compiled implementation.

The build needs clang and its runtime for sanitizers: on Debian, ``apt-get install clang libclang-rt-dev``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = "csignals", "src_pyx", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE"
FLAGS = "-g -O1 -fno-omit-frame-pointer -fsanitize=address,fuzzer-no-link"


def build():
    """Build the copy if it is missing or older than the sources, and return its folder."""
    folder = ROOT / "build" / "fuzz" / sys.implementation.cache_tag
    built = [*folder.glob("csignals/_dispatch/compiled.*.so")]
    for name in COPIED:
        source, copy = ROOT / name, folder / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__", ".hypothesis", "*.c")
            shutil.copytree(source, copy, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, copy)
    newest = max(each.stat().st_mtime for each in [ROOT / "setup.py", *(ROOT / "src_pyx").iterdir()])
    if not built or built[0].stat().st_mtime < newest:
        print(f"building the compiled implementation with AddressSanitizer in {folder}", flush=True)
        variables = {"CC": "clang", "LDSHARED": "clang -shared", "CFLAGS": FLAGS, "LDFLAGS": "-fsanitize=address"}
        subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--force"],
            cwd=folder,
            env={**os.environ, **variables, "CSIGNALS_REQUIRE_EXTENSIONS": "1"},
            check=True,
        )
    return folder


def environment(folder, library):
    """Return the environment variables with which Python runs the copy under AddressSanitizer."""
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        # Python does not free everything when it ends. A failed allocation must raise MemoryError, not abort.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=1",
        "PYTHONMALLOC": "malloc",  # so that AddressSanitizer sees each object
        "PYTHONPATH": str(folder),
    }
