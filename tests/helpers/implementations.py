"""Loads csignals once for each engine, side by side in one process."""

import contextlib
import gc
import importlib
import os
import re
import sys
import sysconfig
from unittest import mock

import pytest

VARIABLE = "CSIGNALS_PURE_PYTHON"
CHOICES = {"cython": "0", "python": "1"}

# What is not on every interpreter. A test that is `different_on_pypy` must fail there.
compiled = pytest.mark.skipif(sys.implementation.name != "cpython", reason="the compiled engine is for CPython")
counted = pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="references are not counted here")
without_gil = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
has_thresholds = pytest.mark.skipif(not hasattr(gc, "set_threshold"), reason="the collector has no thresholds here")


def different_on_pypy(why):
    return pytest.mark.xfail(sys.implementation.name == "pypy", reason=f"PyPy (issue 7): {why}", strict=True)


_modules = {implementation: {} for implementation in CHOICES}


def load(implementation, name="csignals"):
    """Return a module of the package that runs on this engine, and on no other."""
    if implementation == "cython" and not _modules["cython"] and "csignals._dispatch.compiled" in sys.modules:
        # There is one of an extension module in a process, and so of the package over it.
        _modules["cython"].update(_ours())
    with _in_place(_modules[implementation]), mock.patch.dict(os.environ, {VARIABLE: CHOICES[implementation]}):
        module = importlib.import_module(name)
        if name == "csignals":
            # Later, what is imported on first use would come from the package that is in sys.modules then.
            for each in module.__all__:
                getattr(module, each)
        return module


@contextlib.contextmanager
def _in_place(modules):
    """Let `modules` be the package's in ``sys.modules``, and note which ones come to them."""
    outside = _take_out()
    sys.modules.update(modules)
    try:
        yield
    finally:
        modules.update(_take_out())
        sys.modules.update(outside)


def _take_out():
    ours = _ours()
    for name in ours:
        del sys.modules[name]
    return ours


def _ours():
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "csignals"}


def environment(implementation):
    return {**os.environ, VARIABLE: CHOICES[implementation]}


def in_place(implementation):
    """Have what the package imports later on be its own, for the length of a block."""
    return _in_place(_modules[implementation])


@contextlib.contextmanager
def collecting_after(count):
    """Have the collector come, for the length of a block, whenever there are `count` new objects.

    Without the GIL it comes after some 500, and only if they are a quarter of all, unless that is switched off.
    """
    before = gc.get_threshold()
    gc.set_threshold(count, *([0] if without_gil else []))
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def without_collector():
    """Have the collector come only where it is called, for the length of a block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def collect(generation=2):
    """Have be gone what nobody refers to any more. PyPy runs finalizers between two collections."""
    for _ in range(1 if sys.implementation.name == "cpython" else 3):
        gc.collect(generation)


def collect_where_references_are_not_counted():
    """Have be gone what is gone at once in CPython."""
    if sys.implementation.name != "cpython":
        collect()


def plain_id(value):
    """Return a test's id for a value: its repr() without an address, which is another one in each process."""
    return re.sub(r" at 0x\w+", "", repr(value))
