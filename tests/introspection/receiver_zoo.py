"""Receivers of every kind, for tests of identity and names.

Each value of `ZOO` makes a new receiver, and returns a function that evaluates the receiver's expression again. For a
method, for example, each evaluation gives a new object. `is_same` asks Django whether it is the same receiver.

Two kinds are missing, since Django cannot connect them: functions of ``functools.singledispatch``, which need a
positional argument, and mocks with a function's spec, for which ``connect`` cannot find out whether they are async.
"""

import functools
import importlib.util
import sys
import sysconfig
import tempfile
import types
from pathlib import Path
from unittest import mock

import wrapt
from asgiref.sync import async_to_sync

from tests.helpers.implementations import without_gil
from tests.helpers.interpreter import run_python

COMPILERS = {"Cython": "Cython", "Nuitka": "nuitka"}  # name: package
TO_BE_COMPILED = Path(__file__).with_name("compiled_receivers.py")


@wrapt.decorator
def passing(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)


def wrapper_of(receiver):
    """Return a wrapper as Sentry and other packages make."""

    @functools.wraps(receiver)
    def wrapper(*args, **named):
        return receiver(*args, **named)

    return wrapper


class Proxy:
    """Forwards every attribute to another object, as a lazy object does."""

    def __init__(self, target):
        self.__dict__["target"] = target

    def __getattr__(self, name):
        return getattr(self.target, name)

    def __call__(self, **named):
        return self.target(**named)


class Index:
    def update(self, **named):
        return "update"

    @classmethod
    def update_all(cls, **named):
        return "update_all"

    @staticmethod
    def count(**named):
        return "count"

    partial = functools.partialmethod(update, deep=True)
    cached = functools.lru_cache(update)
    decorated = passing(update)
    twice = passing(decorated)
    wrapped = wrapper_of(update)
    wrapped_decorated = wrapper_of(decorated)

    @passing
    @classmethod
    def decorated_above(cls, **named):
        return "decorated_above"

    @classmethod
    @passing
    def decorated_below(cls, **named):
        return "decorated_below"

    def __call__(self, *args, **named):
        return "called"


class Made:
    def __init__(self, **named):
        pass


def function_of(value="function"):
    def function(**named):
        return value

    return function


async def gather(**named):
    return "gathered"


def kept(receiver):
    return lambda: receiver


def method(name):
    def make():
        index = Index()
        return lambda: getattr(index, name)

    return make


def compiled_method(tool, name):
    def make():
        listener = compiled(tool).Listener()
        return lambda: getattr(listener, name)

    return make


def compiled_kinds(tool):
    return {
        f"function of {tool}": lambda: kept(compiled(tool).outer()),
        f"method of {tool}": compiled_method(tool, "hear"),
        f"class method of {tool}": compiled_method(tool, "hear_all"),
        f"static method of {tool}": compiled_method(tool, "overhear"),
        f"callable object of {tool}": lambda: kept(compiled(tool).Listener()),
    }


def proxies_of_a_method():
    index = Index()
    return lambda: Proxy(index.update)


def proxies_of_a_function():
    function = function_of()
    return lambda: Proxy(function)


def partials():
    function = function_of()
    return lambda: functools.partial(function)


def wrappers():
    function = function_of()
    return lambda: wrapper_of(function)


def methods_of_a_method():
    called = Index().__call__
    return lambda: types.MethodType(called, called)


ZOO = {
    "function": lambda: kept(function_of()),
    "lambda": lambda: kept(lambda **named: "lambda"),
    "class": lambda: kept(type("Receiver", (Made,), {})),
    "callable object": lambda: kept(Index()),
    "method": method("update"),
    "class method": method("update_all"),
    "static method": method("count"),
    "__call__ of an object": method("__call__"),
    "__call__ of a function": lambda: functools.partial(getattr, function_of(), "__call__"),
    "method of a method": methods_of_a_method,
    "partial": lambda: kept(functools.partial(function_of())),
    "partial of a method": lambda: kept(functools.partial(Index().update)),
    "new partial each time": partials,
    "partial method": method("partial"),
    "partial method that is kept": lambda: kept(Index().partial),
    "wraps": lambda: kept(wrapper_of(function_of())),
    "wraps thrice": lambda: kept(wrapper_of(wrapper_of(wrapper_of(function_of())))),
    "new wraps each time": wrappers,
    "wraps in the class": method("wrapped"),
    "wraps of a method": lambda: kept(wrapper_of(Index().update)),
    "wraps of wrapt": lambda: kept(wrapper_of(passing(function_of()))),
    "wraps of wrapt in the class": method("wrapped_decorated"),
    "cached function": lambda: kept(functools.lru_cache(function_of())),
    "cached method": method("cached"),
    "wrapt function": lambda: kept(passing(function_of())),
    "wrapt method": method("decorated"),
    "wrapt twice": method("twice"),
    "wrapt class method": method("decorated_above"),
    "class method of wrapt": method("decorated_below"),
    "wrapt object": lambda: kept(passing(Index())),
    "wrapt partial": lambda: kept(passing(functools.partial(function_of()))),
    "proxy": lambda: kept(Proxy(Index())),
    "proxy of a method": proxies_of_a_method,
    "proxy of a function": proxies_of_a_function,
    "async_to_sync": lambda: kept(async_to_sync(gather)),
    "builtin method": lambda: functools.partial(getattr, {}, "update"),
    "builtin method that is kept": lambda: kept({}.update),
    "Mock": lambda: kept(mock.Mock()),
    "MagicMock": lambda: kept(mock.MagicMock()),
    "Mock of an object": lambda: kept(mock.Mock(spec=Index())),
    "Mock that wraps": lambda: kept(mock.Mock(wraps=wrapper_of(function_of()))),
    "method of a Mock": lambda: functools.partial(getattr, mock.Mock(spec=Index), "update"),
    "autospec of a function": lambda: kept(mock.create_autospec(function_of())),
    "autospec of wraps": lambda: kept(mock.create_autospec(wrapper_of(function_of()))),
    "autospec of a method": lambda: kept(mock.create_autospec(Index().update)),
    "method of an autospec": lambda: functools.partial(getattr, mock.create_autospec(Index()), "update"),
    **compiled_kinds("Cython"),
    **compiled_kinds("Nuitka"),
}


def available():
    """Return the kinds that this interpreter can make."""
    lacking = [tool for tool in COMPILERS if not can_compile(tool)]
    return {name: make for name, make in ZOO.items() if not any(tool in name for tool in lacking)}


def is_same(make_stock_signal, get):
    """Return whether Django takes the results of two evaluations for the same receiver."""
    signal = make_stock_signal()
    signal.connect(get(), weak=False)
    return signal.disconnect(get())


def can_compile(tool):
    return (
        sys.implementation.name == "cpython"
        and not (tool == "Nuitka" and without_gil)
        and importlib.util.find_spec(COMPILERS[tool]) is not None
    )


@functools.cache
def compiled(tool):
    """Compile compiled_receivers.py, once in each process, and return the module."""
    name = f"compiled_by_{tool.lower()}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f"{name}.py")
        source.write_text(TO_BE_COMPILED.read_text())
        if tool == "Cython":
            command = ["-m", "Cython.Build.Cythonize", "--inplace", "-3", source.name]
        else:
            command = ["-m", "nuitka", "--mode=module", "--lto=no", "--no-pyi-file", "--quiet", source.name]
        quick = {"CFLAGS": "-O0", "CCFLAGS": "-O0"}
        run_python(*command, variables=quick, timeout=500, cwd=folder, check=True)
        path = Path(folder, name + sysconfig.get_config_var("EXT_SUFFIX"))
        spec = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module
