"""The bytes of memory that a connected receiver takes, including allocations in C.

    python -m bench.memory [CONTESTANT KIND]

Each contestant is measured in its own process, in which Python allocates all memory with the C library. The library
reports the allocated bytes before the receivers are connected, and after they are connected and a first send. The
receivers are created before.
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
    """The struct that ``mallinfo2`` of the GNU C library returns."""

    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def can_be_measured():
    """Return whether the C library has ``mallinfo2``, and Python can allocate all memory with it."""
    is_told = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallinfo2")
    return is_told and not sysconfig.get_config_var("Py_GIL_DISABLED")


def contestants():
    """Return the contestants whose memory is measured."""
    return [each for each in present() if each.connect] if can_be_measured() else []


def measure(results, weighed, advance):
    """Add the bytes of a receiver of each kind with each of these contestants."""
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
    """Return the bytes that a receiver takes in this process."""
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
