"""Signals while a process or an interpreter begins or ends: in atexit, in the last finalizers, after fork, and in
subinterpreters."""

import importlib.util
import os
import sys

import pytest

from tests.helpers.implementations import different_on_pypy, environment, without_gil
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow  # new interpreters


PLACES = {
    "standalone": "from csignals import Signal",
    "in Django": "import csignals.django; csignals.django.install(); from django.dispatch import Signal",
}


@pytest.fixture(params=PLACES)
def run(request, implementation):
    """A function that runs code with `Signal` in a new process, and returns the output."""

    def run(code):
        done = run_python(
            "-X",
            "faulthandler",
            "-c",
            f"{PLACES[request.param]}\n{code}",
            implementation=implementation,
            variables={"PYTHONWARNINGS": "ignore"},
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


AT_EXIT = """
import atexit

def hear(where, **named):
    print(where)

def at_exit():
    late = lambda **named: print("late")
    signal.connect(late)
    signal.send(None, where="atexit")
    signal.disconnect(late)
    signal.send_robust(None, where="disconnected")

signal = Signal()
signal.connect(hear)
atexit.register(at_exit)
"""


def test_signals_work_in_atexit(run):
    assert run(AT_EXIT).split() == ["atexit", "late", "disconnected"]


# At the end, os.write() still works when print() no longer does.
LAST = """
import builtins, os, sys

class Last:
    def __init__(self, where):
        self.where, self.write, self.signal = where, os.write, Signal()
        self.signal.connect(self.hear, weak=False)
        self.signal.connect(self.fail, sender="fail", weak=False)

    def hear(self, **named):
        self.write(1, f"{self.where} ".encode())

    def fail(self, **named):
        raise SystemExit

    def __del__(self):
        self.signal.send(None, a=1)
        self.signal.send(sender=None, b=1)
        self.signal.send_robust(None)
        assert self.signal.has_listeners()
        try:
            self.signal.send_robust("fail")
        except SystemExit:
            self.write(1, b"raised ")
        self.signal.disconnect(self.hear)
        assert not self.signal.has_listeners()
        self.signal.receivers = []
        self.write(1, b"done\\n")

in_globals, builtins.kept = Last("globals"), Last("builtins")
sys.modules["kept"] = Last("modules")
"""


@different_on_pypy("objects that are left at the end are not finalized")
def test_sends_work_in_last_finalizers(run):
    lines = run(LAST).splitlines()
    assert sorted(lines) == [f"{4 * f'{where} '}raised done" for where in ("builtins", "globals", "modules")]


DAEMON = """
import random, threading, time

class Sender:
    pass

def hear(**named):
    pass

async def never(**named):
    pass

signal = Signal()
signal.connect(hear)

def work():
    while True:
        signal.send(Sender)
        signal.connect(lambda **named: None)
        signal.connect(hear, sender=Sender)
        signal.send_robust(Sender, x=1)
        signal.disconnect(hear, sender=Sender)

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(random.random() / 20)
"""


def test_daemon_threads_let_the_process_end(run, budget):
    # Until Django is imported, connect() looks for it in sys.modules. Without the GIL, a process in which several
    # daemon threads read sys.modules may wait at its end forever, with csignals or without.
    django = "import django.conf" if without_gil else ""
    for _ in range(2 * budget):
        assert run(django + DAEMON) == ""


FORK = """
import os, threading

def hear(**named):
    return "heard"

signal, held = Signal(), threading.Event()
signal.connect(hear)
signal.send(None)

def hold():
    with signal.lock:
        held.set()
        threading.Event().wait()

if HOLDS:
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
child = os.fork()
if not child:
    assert signal.send(None) == signal.send_robust(None, x=1) == [(hear, "heard")]
    assert signal.has_listeners()
    signal._dead_receivers = True   # a send sweeps only if it gets the lock at once
    assert signal.send(None) == [(hear, "heard")]
    signal.receivers = []
    assert signal.send(None) == []
    if not HOLDS:
        signal.connect(hear)
        assert signal.disconnect(hear)
        assert signal.send(None) == []
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert signal.send(None) == [(hear, "heard")]
print("done", flush=True)
os._exit(0)
"""

if hasattr(os, "fork"):

    @pytest.mark.parametrize("holds", [False, True], ids=["free", "held by another thread"])
    def test_sends_work_after_fork(run, holds):
        """Also if the lock was held by a thread that the child lacks. Then connect() waits for ever, as in Django."""
        assert run(f"HOLDS = {holds}\n{FORK}") == "done\n"


IN_SUBINTERPRETER = """
import sys
sys.path[:] = {path}
try:
    import csignals
except ImportError as error:
    print("ImportError:", error)
else:
    def hear(**named):
        return "heard"

    signal = csignals.Signal()
    signal.connect(hear)
    print(csignals.IMPLEMENTATION, signal.send(None)[0][1], signal.disconnect(hear), signal.send(None))
sys.stdout.flush()
"""
IN_MAIN_INTERPRETER = """
import sys
import csignals
{run}
signal = csignals.Signal()
signal.connect(print)
print(csignals.IMPLEMENTATION, signal.has_listeners())
"""
RUN = {
    "_interpreters": """
for kind in "legacy", "isolated":
    interpreter = _interpreters.create(kind)
    assert _interpreters.exec(interpreter, CODE) is None
    _interpreters.destroy(interpreter)
""",
    "_xxsubinterpreters": """
for isolated in False, True:
    interpreter = _xxsubinterpreters.create(isolated=isolated)
    _xxsubinterpreters.run_string(interpreter, CODE)
    _xxsubinterpreters.destroy(interpreter)
""",
}
MODULES = [name for name in RUN if importlib.util.find_spec(name)][:1]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("is_required", [True, False], ids=["required", "optional"])
def test_subinterpreters_use_python_or_raise_importerror(implementation, module, is_required):
    """Only one interpreter of a process has the compiled implementation, also if each has a GIL of its own."""
    code = IN_SUBINTERPRETER.format(path=sys.path)
    code = IN_MAIN_INTERPRETER.format(run=f"import {module}\nCODE = {code!r}\n{RUN[module]}")
    env = environment(implementation)
    if not is_required:
        env["CSIGNALS_PURE_PYTHON"] = "" if implementation == "cython" else "1"
    done = run_python("-W", "ignore", "-c", code, variables=env)
    assert (done.returncode, done.stderr) == (0, "")
    *inside, outside = done.stdout.splitlines()
    assert outside == f"{implementation} True"
    assert len(inside) == 2
    for line in inside:
        if implementation == "cython" and is_required:
            assert line.startswith("ImportError: ")
            assert "interpreter" in line
        else:
            assert line == "python heard True []"
