"""Does over and over what is in leak_cases.py, in a process of its own, and prints what that leaves behind.

    python -m tests.faults.count_leaks standalone|Django|stock REPETITIONS [PATH ...]

By how much each measure grows that the interpreter offers, as JSON, for each path. "stock" is Django without csignals.
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

# At most. Without the GIL, some memory is freed late.
ROUNDS = 8 if sysconfig.get_config_var("Py_GIL_DISABLED") else 3
LEAST = 100  # times, so that what leaks is told from what was merely not there before


def limit(times):
    """Return what is no leak, which would be `times` or more: caches and pools come and go."""
    return min(50 + times // 4, 100)


def main(kind, repetitions, *names):
    django.conf.settings.configure(DEBUG=False)
    logging.getLogger("django.dispatch").addHandler(logging.NullHandler())
    logging.getLogger("django.dispatch").propagate = False
    global signal  # that is found by this name: or each trace would look through all modules anew
    make = begin(kind)
    results = {}
    for name, (function, needs, every) in PATHS.items():
        is_wanted = not names or name in names
        is_for_this = needs in ("any", kind) or (needs == "csignals" and kind != "stock")
        if is_wanted and is_for_this and hasattr(make, "asend" if "await" in name else "send"):
            times = max(int(repetitions) // every, LEAST)
            signal = make()
            results[name] = {"times": times, **growth(function, signal, times)}
    loop.close()
    print(json.dumps(results))


def growth(function, signal, times):
    """Return by how much each count grows, in the quietest of a few rounds: what leaks does so in each."""
    for _ in range(LEAST // 3):
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
            time.sleep(0.01)  # some may be about to end
    found = {"objects": len(gc.get_objects())}
    if hasattr(sys, "getallocatedblocks"):
        found["blocks"] = sys.getallocatedblocks()
    if hasattr(sys, "getrefcount"):
        found["references to what is given"] = sum(map(sys.getrefcount, WATCHED))
    if hasattr(sys, "gettotalrefcount"):
        found["references"] = sys.gettotalrefcount()
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
