"""How many bytes a connected receiver takes, of the whole process: native allocations count like Python's own.

    python -m bench.memory [CONTESTANT KIND]

Each contestant is weighed in a process of its own, where Python takes all memory from the C library, and that is asked
what it gave: before receivers are connected, and after that and a first send. The receivers are there before.
"""

import ctypes
import gc
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from bench.contestants import Sender, present
from bench.receivers import FUNCTION, METHOD, make_receivers
from bench.results import Place, Results

TABLE = "memory of a connected receiver"
KINDS = FUNCTION, METHOD
COUNT = 5000
FIELDS = "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"


class Mallinfo(ctypes.Structure):
    """What ``mallinfo2`` of the GNU C library returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def can_be_measured():
    """Return whether the C library tells, and Python takes all memory from there if it is asked to."""
    is_told = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")
    return is_told and not sysconfig.get_config_var("Py_GIL_DISABLED")


def contestants():
    """Return those that are weighed."""
    return [each for each in present() if each.connect] if can_be_measured() else []


def measure(results, weighed, advance):
    """Add what a receiver of each kind takes with each of these contestants."""
    for kind in KINDS:
        for each in weighed:
            done = subprocess.run(
                [sys.executable, "-m", "bench.memory", each.name, kind],
                cwd=Path(__file__).parent.parent,
                env={**os.environ, "PYTHONMALLOC": "malloc"},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            results.add(Place(TABLE, kind, each.name), "bytes", float(done.stdout))
            advance()


def bytes_each(contestant, kind):
    """Return what a receiver takes in this process."""
    receivers = make_receivers(COUNT, contestant.parameters(()), kind)
    statement = compile(contestant.send.format(named="", values=""), "send", "eval")
    names = {"signal": contestant.new(()), "sender": Sender, **contestant.names()}
    eval(statement, names)
    before = allocated()
    for receiver in receivers:
        contestant.add(names["signal"], receiver, None)
    eval(statement, names)
    return (allocated() - before) / COUNT


def allocated():
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    gc.collect()
    info = mallinfo()
    return info.uordblks + info.hblkhd


def main(name=None, kind=None):
    if name:
        (contestant,) = [each for each in present() if each.name == name]
        print(bytes_each(contestant, kind))
    else:
        results = Results()
        measure(results, contestants(), lambda: None)
        for place, [figure] in results.figures.items():
            print(f"{place.contestant}, {place.case}: {figure:,.0f} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
