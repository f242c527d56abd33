"""Repeated operations leave nothing behind, and unreachable objects are collected.

count_leaks.py counts what is left behind, in processes of its own. `--repetitions 10000` on a debug build of Python
counts every reference (`nox -s references`). The default is a short form, with the measures that the interpreter has.
"""

import copy
import functools
import json
import os
import sys
import weakref
from pathlib import Path

import django
import pytest

from tests.faults.count_leaks import limit
from tests.faults.leak_cases import PATHS
from tests.helpers.implementations import collect, counted
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

SCRIPT = Path(__file__).with_name("count_leaks.py")
KINDS = {"any": ["standalone", "Django"], "csignals": ["standalone", "Django"]}


@functools.cache
def growths(kind, implementation, repetitions):
    done = run_python(
        "-W",
        "error",
        SCRIPT,
        kind,
        str(repetitions),
        implementation=implementation,
        variables={"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=3600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@counted
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for name, (_, needs, _) in PATHS.items() for kind in KINDS.get(needs, [needs])],
)
def test_repeated_operations_leave_nothing_behind(implementation, kind, name, request):
    repetitions = request.config.getoption("--repetitions")
    found = growths(kind, implementation, repetitions).get(name)
    if found is None:
        assert kind == "Django" and "await" in name and django.VERSION < (5, 0)
        pytest.skip("there is no asend in Django 4.2")
    # Up to 6.0, Django itself leaves a finalizer behind for each duplicate connect and each disconnect.
    stock = growths("stock", "python", repetitions).get(name) if kind == "Django" else None
    for measure in found.keys() - {"times"}:
        known = max(stock[measure], 0) if stock is not None and django.VERSION < (6, 1) else 0
        assert found[measure] <= limit(found["times"]) + known, found


# PYTHONMALLOC=malloc, which the sanitizers need, counts no blocks.
no_blocks = pytest.mark.skipif(not getattr(sys, "getallocatedblocks", int)(), reason="no blocks are counted here")


@counted
@pytest.mark.parametrize(
    "leak", ["kept.append(ARGUMENT)", pytest.param("kept.append(object())", marks=no_blocks), "kept.append([])"]
)
def test_the_counts_show_a_leak(leak):
    code = (
        f"from tests.faults import count_leaks, leak_cases\nfrom tests.faults.leak_cases import ARGUMENT\nkept = []\n"
        f"def leaky(signal): {leak}\n"
        f"leak_cases.PATHS.clear()\nleak_cases.path(leaky)\ncount_leaks.main('stock', '100')"
    )
    done = run_python("-c", code, cwd=SCRIPT.parents[2])
    found = json.loads(done.stdout)["leaky"]
    assert max(found[measure] for measure in found.keys() - {"times"}) > limit(found["times"])


# --- Cycles -------------------------------------------------------------------------------------------------------


class Thing:
    """A receiver or a sender that can have any attributes."""

    def __call__(self, **named):
        pass

    def hear(self, **named):
        pass


class Slotted:
    """A sender that has no weak references, so that the signal keeps it alive."""

    __slots__ = ("held",)


class Uid:
    """A dispatch uid that can have any attributes."""


CYCLES = {}


def cycle(function):
    CYCLES[function.__name__.replace("_", " ")] = function
    return function


@cycle
def a_signal_and_its_strong_receiver(signal, thing):
    thing.signal = signal
    signal.connect(thing, weak=False)


@cycle
def a_signal_and_the_method_of_its_strong_receiver(signal, thing):
    thing.signal = signal
    signal.connect(thing.hear, weak=False)


@cycle
def a_signal_and_a_closure(signal, thing):
    signal.connect(lambda **named: (signal, thing), weak=False)


@cycle
def a_signal_and_an_async_closure(signal, thing):
    async def receiver(**named):
        return signal, thing

    signal.connect(receiver, weak=False)
    signal._live_receivers(None)


@cycle
def a_weak_receiver_that_refers_to_its_signal(signal, thing):
    thing.signal = signal
    thing.itself = thing
    signal.connect(thing)
    signal.connect(thing.hear)


@cycle
def a_sender_that_refers_to_its_signal(signal, thing):
    thing.signal = signal
    signal.connect(thing, sender=thing, weak=False)


@cycle
def a_sender_kept_alive_by_the_signal(signal, thing):
    sender = Slotted()
    sender.held = signal, thing
    thing.signal = signal
    signal.connect(thing, sender=sender, weak=False)
    signal.send(sender)


@cycle
def a_sender_that_is_a_method(signal, thing):
    thing.signal = signal
    signal.connect(thing, sender=thing.hear, weak=False)
    signal.send(thing.hear)


@cycle
def a_dispatch_uid_that_refers_to_its_signal(signal, thing):
    uid = Uid()
    uid.held = thing
    thing.signal = signal
    signal.connect(thing, weak=False, dispatch_uid=uid)


@cycle
def objects_held_only_by_the_table(signal, thing):
    """The table, its snapshot, an entry, a strong receiver, the signal, its table."""
    thing.signal = signal
    signal.connect(thing, weak=False)
    signal.send(None)
    signal.receivers = []
    signal.sender_receivers_cache.clear()


@cycle
def objects_held_only_by_keyword_names(signal, thing):
    class Name(str):
        pass

    name = Name("name")
    name.held = signal, thing
    signal.connect(lambda **named: thing, weak=False)
    signal.send(None, **{name: 1})


@cycle
def a_receiver_that_refers_to_the_table(signal, thing):
    signal.connect(thing, weak=False)
    signal.send(None)
    thing.table = signal._csignals_table
    assert thing.table is not None


@cycle
def two_signals_connected_to_each_other(signal, thing):
    other = copy.copy(signal)
    other.receivers = []
    other.__dict__.pop("_csignals_table", None)
    thing.signals = signal, other
    signal.connect(lambda thing=thing, **named: other.send, weak=False)
    other.connect(lambda **named: signal.send, weak=False)
    other.send(None)


@pytest.mark.parametrize("name", CYCLES)
def test_unreachable_cycles_are_collected(make, name):
    signal, thing = make(), Thing()
    CYCLES[name](signal, thing)
    signal.send(None)
    alive = weakref.WeakSet([signal, thing])
    del signal, thing
    collect()
    assert list(alive) == []


@pytest.mark.parametrize("name", CYCLES)
def test_reachable_cycles_are_kept(make, name):
    """Otherwise the test above could pass because objects are freed too early."""
    signal, thing = make(), Thing()
    CYCLES[name](signal, thing)
    before = len(signal.send(None))
    collect()
    assert len(signal.send(None)) == before
    assert thing.__dict__.get("signal", signal) is signal


def test_traces_in_a_cycle_are_collected(csignals, make):
    signal, thing = make(), Thing()
    signal.connect(thing, weak=False)
    with csignals.trace() as trace:
        signal.send(thing)
    thing.signal, thing.trace, trace.held = signal, trace, thing
    alive = weakref.WeakSet([signal, thing, trace])
    del signal, thing, trace
    collect()
    assert list(alive) == []
