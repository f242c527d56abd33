"""Loads csignals once for each implementation, both in one process."""

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

# Marks for features that some interpreters lack. A test that is `different_on_pypy` must fail there.
compiled = pytest.mark.skipif(sys.implementation.name != "cpython", reason="the compiled implementation needs CPython")
counted = pytest.mark.skipif(not hasattr(sys, "getrefcount"), reason="this interpreter does not count references")
without_gil = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
has_thresholds = pytest.mark.skipif(not hasattr(gc, "set_threshold"), reason="this collector has no thresholds")


def different_on_pypy(why):
    return pytest.mark.xfail(sys.implementation.name == "pypy", reason=f"PyPy (issue 7): {why}", strict=True)


_modules = {implementation: {} for implementation in CHOICES}


def load(implementation, name="csignals"):
    """Return a module of the package, imported with this implementation."""
    if implementation == "cython" and not _modules["cython"] and "csignals._dispatch.compiled" in sys.modules:
        # A process has only one copy of an extension module, and so of the package that uses it.
        _modules["cython"].update(_ours())
    with _in_place(_modules[implementation]), mock.patch.dict(os.environ, {VARIABLE: CHOICES[implementation]}):
        module = importlib.import_module(name)
        if name == "csignals":
            # Modules that are loaded on first use must come from this package, not from the one in sys.modules by then.
            for each in module.__all__:
                getattr(module, each)
            importlib.import_module("csignals._dispatch.awaiting")._import_task_group()
        return module


@contextlib.contextmanager
def _in_place(modules):
    """Make `modules` the package's modules in ``sys.modules``, and add those that are imported meanwhile."""
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
    """Make later imports of the package come from this implementation, within a with block."""
    return _in_place(_modules[implementation])


@contextlib.contextmanager
def collecting_after(count):
    """Make the collector run after every `count` new objects, within a with block.

    Without the GIL, it runs after some 500, and only if they are a quarter of all, unless that check is switched off.
    """
    before = gc.get_threshold()
    gc.set_threshold(count, *([0] if without_gil else []))
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def without_collector():
    """Stop the collector from running by itself, within a with block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def collect(generation=2):
    """Free all unreachable objects. PyPy needs several collections, and runs finalizers between them."""
    for _ in range(1 if sys.implementation.name == "cpython" else 3):
        gc.collect(generation)


def collect_where_references_are_not_counted():
    """Free the objects that CPython frees at once, without a collection."""
    if sys.implementation.name != "cpython":
        collect()


def plain_id(value):
    """Return a test's id for a value: its repr() without the address, which differs from process to process."""
    return re.sub(r" at 0x\w+", "", repr(value))
