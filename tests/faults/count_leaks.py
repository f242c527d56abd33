"""Repeats the paths of leak_cases.py in a process of its own, and prints what they leave behind.

    python -m tests.faults.count_leaks standalone|Django|stock REPETITIONS [PATH ...]

Prints, as JSON, by how much each measure of the interpreter grows for each path. "stock" is Django without csignals.
"""

import gc
import json
import logging
import sys
import sysconfig
import threading
import time

import django.conf

from tests.faults.leak_cases import PATHS, WATCHED, begin, loop

# The most rounds. Without the GIL, some memory is freed late.
ROUNDS = 8 if sysconfig.get_config_var("Py_GIL_DISABLED") else 3
MIN_TIMES = 100  # with fewer repetitions, a leak looks like an object that is made once


def limit(times):
    """Return the largest growth that is not a leak. A leak grows by `times` at least; caches and pools vary."""
    return min(50 + times // 4, 100)


def main(kind, repetitions, *names):
    django.conf.settings.configure(DEBUG=False)
    logging.getLogger("django.dispatch").addHandler(logging.NullHandler())
    logging.getLogger("django.dispatch").propagate = False
    global signal  # a trace finds the signal by this name, and need not search all modules
    make = begin(kind)
    results = {}
    for name, (function, needs, every) in PATHS.items():
        is_wanted = not names or name in names
        is_for_this = needs in ("any", kind) or (needs == "csignals" and kind != "stock")
        if is_wanted and is_for_this and hasattr(make, "asend" if "await" in name else "send"):
            times = max(int(repetitions) // every, MIN_TIMES)
            signal = make()
            results[name] = {"times": times, **growth(function, signal, times)}
    loop.close()
    print(json.dumps(results))


def growth(function, signal, times):
    """Return by how much each count grows, in the quietest of a few rounds: a leak grows in each of them."""
    for _ in range(MIN_TIMES // 3):
        function(signal)
    rounds = []
    while len(rounds) < ROUNDS:
        before = counts()
        for _ in range(times):
            function(signal)
        after = counts()
        rounds.append({name: after[name] - before[name] for name in before})
        if max(rounds[-1].values()) <= limit(times):
            break
    return {name: min(each[name] for each in rounds) for name in rounds[0]}


def counts():
    for _ in range(3):  # PyPy runs finalizers in between
        gc.collect()
        if threading.active_count() > 1:
            time.sleep(0.01)  # some threads may be about to end
    found = {"objects": len(gc.get_objects())}
    if hasattr(sys, "getallocatedblocks"):
        found["blocks"] = sys.getallocatedblocks()
    if hasattr(sys, "getrefcount"):
        found["references to arguments"] = sum(map(sys.getrefcount, WATCHED))
    if hasattr(sys, "gettotalrefcount"):
        found["references"] = sys.gettotalrefcount()
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
