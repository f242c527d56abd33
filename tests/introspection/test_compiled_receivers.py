"""Receivers that Cython or Nuitka compiled: lists, traces and reprs show their names, files and lines."""

import asyncio
import inspect
import subprocess
import sys
import sysconfig

import pytest

from tests.helpers.implementations import in_place, load
from tests.helpers.stock_django import StockSignal
from tests.introspection.receiver_zoo import COMPILERS, TO_BE_COMPILED, can_compile, compiled

pytestmark = pytest.mark.exhaustive

LINES = TO_BE_COMPILED.read_text().splitlines()


@pytest.fixture(params=COMPILERS)
def module(request):
    if not can_compile(request.param):
        pytest.skip(f"{request.param} is not installed, or does not support this Python")
    return compiled(request.param)


@pytest.fixture
def list_receivers(implementation):
    return load(implementation, "csignals.listing").list_receivers


def line_of(text, above=0):
    return next(number for number, line in enumerate(LINES, 1) if line.strip().startswith(text)) - above


def receivers(module):
    """Return each receiver and the lines at which it may begin, by name. Nuitka does not count decorators."""
    listener = module.Listener()
    return {
        "function": (module.function, [line_of("def function")]),
        "outer.<locals>.local": (module.outer(), [line_of("def local")]),
        "Listener.hear": (listener.hear, [line_of("def hear(")]),
        "Listener.hear_all": (listener.hear_all, [line_of("def hear_all"), line_of("def hear_all", above=1)]),
        "Listener.overhear": (listener.overhear, [line_of("def overhear"), line_of("def overhear", above=1)]),
        "Listener.__call__": (listener.__call__, [line_of("def __call__")]),
        "Listener object": (listener, [line_of("def __call__")]),
        "Made": (module.Made, [line_of("def __init__")]),
        "awaited": (module.awaited, [line_of("async def awaited")]),
    }


def test_compiled_receivers_have_their_names_and_places(csignals, make, list_receivers, module):
    for name, (receiver, lines) in receivers(module).items():
        if name == "awaited" and not hasattr(make(), "asend"):
            continue  # Django 4.2 does not await receivers
        for weak in True, False:
            signal = make()
            signal.connect(receiver, weak=weak)
            (info,) = list_receivers(signal)
            assert info.receiver == f"{module.__name__}.{name}"
            assert info.file.endswith(f"{module.__name__}.py") and info.line in lines, name
            assert info.receiver in repr(signal)
            with csignals.trace() as trace:
                asyncio.run(signal.asend(None)) if hasattr(signal, "asend") else signal.send(None)
            (call,) = trace.records
            assert (call.receiver, call.file, call.line) == (info.receiver, info.file, info.line)


def test_compiled_methods_are_described_once(implementation, module):
    names, listener = load(implementation, "csignals._introspection.naming"), module.Listener()
    assert names.describe(listener.hear) is names.describe(listener.hear) is names.describe(module.Listener().hear)


def test_compiled_functions_as_senders_have_names(csignals, make, implementation, module):
    describe_sender = load(implementation, "csignals._introspection.naming").describe_sender
    for sender, name in (
        (module.function, "function"),
        (module.Listener().hear, "Listener.hear"),
        (module.Listener, "Listener"),
        (module.Listener(), "Listener object"),
    ):
        signal = make()
        signal.connect(line_of, weak=False)
        with csignals.trace() as trace:
            for _ in range(2):
                signal.send_robust(sender)
        assert [call.sender for call in trace.records] == [describe_sender(sender)] * 2
        assert describe_sender(sender) == f"{module.__name__}.{name}"
    kind = type(module.function)
    assert describe_sender(kind) != describe_sender(module.function)


def test_a_compiled_method_is_one_sender(csignals, make, implementation, module):
    testing = load(implementation, "csignals.testing")
    listener, signal = module.Listener(), make()
    signal.connect(line_of, weak=False)
    with csignals.mute(senders=listener.hear), testing.capture(signal, sender=listener.hear) as sends:
        assert signal.send(listener.hear) == []
        assert not signal.has_listeners(listener.hear)
        assert signal.has_listeners(module.Listener().hear)
    assert len(sends) == 1


def test_compiled_functions_may_be_deferred(csignals, make, implementation, module):
    deferred, testing = load(implementation, "csignals.deferred"), load(implementation, "csignals.testing")
    module.signal = signal = make()
    signal.connect(deferred.deferred(module.names), weak=False)
    with in_place(implementation), testing.inline_deferred():
        assert [response for _, response in signal.send(None, x=1, y=object())] == [None]
        assert module.heard.pop() == 1
    for receiver in module.outer(), module.Listener().hear, module.Listener(), module.Listener.hear_all:
        with pytest.raises(TypeError, match=module.__name__):
            deferred.deferred(receiver)


def test_is_function_runs_no_foreign_code(module, implementation):
    names = load(implementation, "csignals._introspection.naming")
    assert names.is_function(module.function) and names.is_function(module.awaited)
    assert not names.is_function(module.Listener) and not names.is_function(module.Listener())
    assert not names.is_function(type("Pretender", (), {"__code__": property(lambda self: 1 / 0)})())
    assert inspect.signature(module.names).parameters.keys() == {"x", "named"}


EXTENSION = """
# cython: binding=False
cdef class Fast:
    cdef object __weakref__

    def hear(self, **named):
        return "hear"

    @classmethod
    def hear_all(cls, **named):
        return "hear_all"
"""


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """A module of C methods, which are bound to objects but have no ``__func__``."""
    if not can_compile("Cython"):
        pytest.skip("Cython is not installed, or does not support this Python")
    folder = tmp_path_factory.mktemp("fast")
    (folder / "fast_receivers.pyx").write_text(EXTENSION)
    command = [sys.executable, "-m", "Cython.Build.Cythonize", "--inplace", "-3", "fast_receivers.pyx"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=500)
    assert (folder / f"fast_receivers{sysconfig.get_config_var('EXT_SUFFIX')}").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import fast_receivers

        yield fast_receivers


def test_c_methods_have_their_class_module(list_receivers, make, fast):
    for receiver, name in (fast.Fast().hear, "hear"), (fast.Fast.hear_all, "hear_all"):
        assert not hasattr(receiver, "__func__")
        signal, stock = make(), StockSignal()
        for each in signal, stock:
            each.connect(receiver, weak=False)
            assert list_receivers(signal)[0].receiver == f"fast_receivers.Fast.{name}"
