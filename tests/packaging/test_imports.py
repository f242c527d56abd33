"""Repeated imports of csignals after it was removed from ``sys.modules``. Each test runs a new interpreter."""

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow

SETTINGS = """
import asyncio, importlib, sys
from unittest import mock
import django
from django.conf import settings
from django.dispatch import Signal as DjangoSignal, dispatcher

settings.configure(INSTALLED_APPS=["csignals.django"])

def names():
    return [name for name in sys.modules if name.partition(".")[0] == "csignals"]

def remove(removed):
    for name in removed:
        del sys.modules[name]
"""
EVERYTHING = """
import csignals, csignals.deferred, csignals.django, csignals.testing, csignals.tracing
django.setup()
with csignals.trace() as trace:
    pass
str(trace), trace.summary(), trace.to_json(), repr(csignals.Signal()), csignals.list_receivers(csignals.Signal())
asyncio.run(csignals.Signal().asend(None))
"""
CHECK = """
def receive(**named): return 1
async def receive_async(**named): return 2

def check_signal(signal):
    signal.connect(receive)
    signal.connect(receive_async)
    assert len(signal.send(None)) == 2
    if hasattr(signal, "asend"):
        assert len(asyncio.run(signal.asend(None))) == 2
    with csignals.mute(signal):
        assert signal.send(None) == [] and not signal.has_listeners()
    with csignals.mute(receivers=receive), csignals.testing.capture(signal) as sends, csignals.trace() as trace:
        assert len(signal.send_robust(None, x=1)) == 1
    sends.assert_sent(signal, x=1)
    assert len(trace.records) == trace.summary().signals[0].calls == 1
    with csignals.testing.connected(signal, lambda **named: 3):
        assert len(signal.send(None)) == 3
    assert len(csignals.list_receivers(signal)) == 2 and "2 receivers" in repr(signal)
    assert signal.disconnect(receive) and signal.disconnect(receive_async)

def check():
    global csignals
    import csignals.testing, csignals.tracing, csignals.django
    check_signal(csignals.Signal())
    for _ in range(2):
        csignals.django.install()
        check_signal(old)
        check_signal(DjangoSignal())
        assert csignals.django.status().is_installed
        csignals.django.uninstall()
        assert all(vars(DjangoSignal)[name].__globals__ is vars(dispatcher) for name in ("send", "connect"))
        assert not csignals.django.status().is_installed

old = DjangoSignal()
"""


def run(implementation, *code):
    done = run_python("-c", "\n".join([SETTINGS, *code]), implementation=implementation, timeout=120)
    return done.stdout.split() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_csignals_survives_restored_modules(implementation):
    """The first import of csignals is removed from ``sys.modules`` again, as ``mock.patch.dict`` does."""
    first = "with mock.patch.dict(sys.modules):", "    import csignals, csignals.testing"
    with_django = *first, "    import csignals.django", "    csignals.django.install()"
    for code in first, with_django:
        assert run(implementation, *code, CHECK, "assert not names()", "check()", "print('done')") == ["done"]


def test_submodules_survive_restored_modules(implementation):
    code = "import csignals", "with mock.patch.dict(sys.modules):", *(f"    {line}" for line in EVERYTHING.splitlines())
    assert run(implementation, *code, CHECK, "check()", "print('done')") == ["done"]


def test_a_second_import_is_consistent(implementation):
    """The compiled implementation exists once in a process, and csignals with it. Each pure one has its own signals."""
    found = run(
        implementation,
        "import csignals",
        "first = csignals",
        CHECK,
        "signal = first.Signal()",
        "remove(names())",
        "check()",
        "print(first is csignals, first.Signal is csignals.Signal)",
        """
signal.connect(receive)
with first.mute(signal):
    print(signal.send(None))
try:
    with csignals.mute(signal):
        print(signal.send(None))
except TypeError as error:
    print("not a signal" in str(error))
""",
    )
    assert found == (["True", "True", "[]", "[]"] if implementation == "cython" else ["False", "False", "[]", "True"])


def test_everything_can_be_imported_again(implementation):
    code = EVERYTHING, CHECK, "remove(names())", "check()", "remove(names())", "check()", "print('done')"
    assert run(implementation, *code) == ["done"]


def test_an_import_may_follow_a_failure(implementation):
    code = """
sys.modules["csignals.muting"] = None
try:
    import csignals
except ImportError:
    del sys.modules["csignals.muting"]
"""
    assert run(implementation, code, CHECK, "check()", "print('done')") == ["done"]


def test_implementations_replace_each_other_in_django(csignals):
    code = """
import os
copies = []
for choice in ("0", "1") if csignals.IMPLEMENTATION == "cython" else ("1", "1"):
    os.environ["CSIGNALS_PURE_PYTHON"] = choice
    remove(names())
    check()
    csignals.django.install()
    copies.append(csignals.django)
first, second = copies
print(csignals.IMPLEMENTATION, first.status().is_installed, second.status().is_installed)
"""
    found = run("python" if csignals.IMPLEMENTATION == "python" else "cython", "import csignals", CHECK, code)
    assert found == ["python", "False", "True"]
