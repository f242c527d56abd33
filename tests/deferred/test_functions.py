"""Which functions may be deferred, in which order decorators may stand, and what the errors say."""

import functools
import sys

import django.dispatch
import pytest
import wrapt

from tests.helpers.implementations import load
from tests.introspection.receiver_zoo import COMPILERS, can_compile, compiled

DECORATED = """
import functools, wrapt

@wrapt.decorator
def passing(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)

def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        return function(*args, **named)
    return wrapper

def note(number, **named):
    calls.append(number)

@defer
@passing
def by_wrapt(number, **named):
    note(number)

@defer
@logged
def by_wraps(number, **named):
    note(number)

@defer
@functools.lru_cache(maxsize=None)
def by_cache(number, **named):
    note(number)

@logged
@defer
def above(number, **named):
    note(number)

"""


@pytest.fixture
def shop(csignals, deferred, box, monkeypatch):
    module = type(sys)("shop_of_test")
    monkeypatch.setitem(sys.modules, "shop_of_test", module)
    module.signal, module.calls, module.defer = csignals.Signal(), [], deferred.deferred
    exec(DECORATED, vars(module))
    return module


@pytest.mark.parametrize("name", ["by_wrapt", "by_wraps", "by_cache", "above"])
def test_decorated_functions_run_in_workers(deferred, shop, name, run_all):
    shop.signal.connect(getattr(shop, name))
    shop.signal.send(None, number=1)
    run_all()
    assert shop.calls == [1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("compiler", COMPILERS)
def test_compiled_functions_run_in_workers(deferred, csignals, monkeypatch, box, compiler, run_all):
    if not can_compile(compiler):
        pytest.skip(f"{compiler} is not installed, or does not support this Python")
    module = compiled(compiler)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.signal = csignals.Signal()
    for function in module.function, module.awaited:
        receiver = deferred.deferred(function)
        module.signal.connect(receiver, weak=False)
    assert len(module.signal.send(None)) == 2
    assert len(box.messages) == 2
    run_all()
    with pytest.raises(TypeError, match="is a bound method"):
        deferred.deferred(module.Listener().hear)


def test_a_name_must_lead_back(deferred, shop):
    """A wrapper copies the name of what it wraps, also where the module has something else under that name."""

    @functools.wraps(shop.note)
    def wrapper(**named):
        pass

    shop.signal.connect(deferred.deferred(wrapper), weak=False)
    shop.note = functools.partial(shop.note)
    with pytest.raises(TypeError, match="shop_of_test:note is another object than this receiver"):
        shop.signal.send(None, number=1)


class Callable:
    def __call__(self, **named):
        pass

    def method(self, **named):
        pass


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (1, "takes a function of a module, not 1"),
        (Callable, "is a class"),
        (Callable(), "has no name in a module"),
        (Callable().method, "is a bound method"),
        (functools.partial(print), "has no name in a module"),
        (staticmethod(print), "write @staticmethod above @deferred"),
        (classmethod(print), "is a classmethod|not <classmethod"),
        (lambda **named: None, "is a lambda or local to a function"),
        (print, "kwargs|no signature"),
        (wrapt.FunctionWrapper(lambda **named: None, lambda *args: None), "is a lambda"),
    ],
)
def test_errors_say_which_rule_is_broken(deferred, function, why):
    with pytest.raises(TypeError, match=why):
        deferred.deferred(function)


# --- The order of decorators ---------------------------------------------------------------------------------


@pytest.mark.parametrize("decorator", ["deferred", "on_commit"])
@pytest.mark.parametrize("weak", [True, False])
@pytest.mark.parametrize("dispatcher", ["csignals", "django"])
def test_receiver_must_stand_above(deferred, csignals, shop, decorator, weak, dispatcher):
    module = csignals if dispatcher == "csignals" else django.dispatch
    shop.connecting = module.receiver(module.Signal(), weak=weak)
    shop.other_signal = shop.connecting.__closure__[1].cell_contents
    decorate = getattr(deferred, decorator)
    shop.note = shop.connecting(shop.note)
    with pytest.raises(TypeError, match=rf"Write @receiver\(\.\.\.\) above @{decorator}$"):
        decorate(shop.note)
    with pytest.raises(TypeError, match="must stand below @receiver"):
        decorate()(shop.note)


def test_a_signal_in_another_module_counts(deferred, csignals, shop, monkeypatch):
    shop.signals = type(sys)("signals_of_test")
    shop.signals.paid = csignals.Signal()
    csignals.receiver(shop.signals.paid, weak=False)(shop.note)
    with pytest.raises(TypeError, match="must stand below @receiver"):
        deferred.deferred(shop.note)


def test_a_signal_of_an_imported_package_counts(deferred, csignals, shop, monkeypatch):
    """As after ``import package.signals``, by which the module gets the package alone."""
    signals = type(sys)("package.signals")
    monkeypatch.setitem(sys.modules, "package.signals", signals)
    signals.paid = csignals.Signal()
    csignals.receiver(signals.paid, weak=False)(shop.note)
    with pytest.raises(TypeError, match="must stand below @receiver"):
        deferred.deferred(shop.note)


def test_what_is_decorated_may_be_connected(deferred, csignals, shop):
    csignals.receiver(shop.signal)(shop.note)
    with pytest.raises(TypeError, match="must stand below @receiver"):
        deferred.deferred(shop.logged(shop.note))


@pytest.mark.parametrize("above", ["deferred", "on_commit"])
@pytest.mark.parametrize("below", ["deferred", "on_commit"])
def test_only_one_decorator_is_allowed(deferred, shop, above, below):
    decorated = getattr(deferred, below)(shop.note)
    with pytest.raises(TypeError, match=r"already runs (deferred|after the commit)"):
        getattr(deferred, above)(decorated)


def test_a_connected_decorated_function_is_fine(deferred, csignals, shop, run_all):
    receiver = deferred.deferred(shop.note)
    shop.signal.connect(receiver)
    shop.signal.send(None, number=1)
    run_all()
    assert shop.calls == [1]
    # Another weak reference to the function means nothing.
    import weakref

    reference = weakref.ref(shop.logged)
    deferred.on_commit(shop.logged)
    assert reference() is shop.logged


def test_decorators_do_not_search_the_heap(deferred, implementation, monkeypatch):
    """Not for a function that only memos know."""
    functions = load(implementation, "csignals.deferred.functions")
    module = sys.modules[__name__]

    def receive(**named):
        pass

    receive.__qualname__ = "receive_quickly"
    monkeypatch.setattr(module, "receive_quickly", receive, raising=False)
    monkeypatch.setattr(functions.gc, "get_referrers", lambda *objects: pytest.fail("searched"))
    deferred.deferred(receive)
