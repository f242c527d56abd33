"""Which weak receivers are warned of in development: those that nothing else holds, and no others."""

import functools
import gc
import inspect
import sys
import types
import warnings
import weakref
from unittest import mock

import django.conf
import django.dispatch
import pytest
from django.db.models.signals import ModelSignal, post_save
from implementations import counted, load, without_collector
from weak_receivers import (
    HELD,
    TRAPS,
    Listener,
    a_lambda,
    a_method_of_a_temporary,
    hear,
    make,
    renamed,
    wrapped,
)

pytestmark = counted     # or nothing is warned of: see test_registration.py
STOCK_CONNECT = inspect.signature(django.dispatch.Signal.connect)


def overriding(base):
    class Overriding(base):
        def connect(self, *args, **named):
            return super().connect(*args, **named)  # override

    return Overriding


@pytest.fixture
def watching(implementation):
    """The module that watches, as in development."""
    module = load(implementation, "csignals._watching")
    with mock.patch.object(module, "is_debugging", return_value=True):
        yield module


@pytest.fixture(params=["standalone", "Django's", "post_save", "overriding", "overriding model"])
def kind(request):
    return request.param


@pytest.fixture
def subject(kind, csignals, drop_in, watching):
    """A signal, and the receiver() that goes with it."""
    if kind == "standalone":
        yield csignals.Signal(), csignals.receiver
    elif kind == "post_save":
        with mock.patch.object(post_save, "receivers", list(post_save.receivers)):
            yield post_save, django.dispatch.receiver
        post_save.sender_receivers_cache.clear()
    else:
        base = ModelSignal if "model" in kind else django.dispatch.Signal
        yield (overriding(base)(), csignals.receiver) if "overriding" in kind else (base(), django.dispatch.receiver)


def recorded(call, *args):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args)
    return caught


def line_marked(text, function):
    """Return the file and the number of the line that ends so."""
    source, start = inspect.getsourcelines(function)
    (number,) = [start + i for i, line in enumerate(source) if line.endswith(f"# {text}\n")]
    return function.__code__.co_filename, number


@pytest.mark.parametrize("case", TRAPS)
def test_a_receiver_that_nothing_holds_is_warned_of_where_it_is_connected(subject, kind, watching, case):
    found = recorded(case, *subject)
    if "two_signals" in case.__name__:
        assert len(found) == 2
        assert str(found.pop().message) == str(found[0].message)
    (warning,) = found
    assert warning.category is watching.WeakReceiverWarning
    line = line_marked("override", overriding) if "overriding" in kind else line_marked("here", case)
    assert (warning.filename, warning.lineno) == line


@pytest.mark.parametrize("case", HELD)
def test_a_receiver_that_something_holds_is_not(subject, case):
    assert recorded(case, *subject) == []


@pytest.mark.parametrize("kind", ["standalone", "Django's", "post_save"])
def test_an_object_that_nothing_holds_is_warned_of(subject, kind):
    def connect(signal):
        signal.connect(Listener())  # here

    (warning,) = recorded(connect, subject[0])
    assert (warning.filename, warning.lineno) == line_marked("here", connect)


@pytest.mark.parametrize("kind", ["standalone", "Django's", "post_save"])
def test_a_function_that_disconnects_must_have_the_receiver_to_do_so(subject, kind):
    def connect(signal):
        signal.connect(make(), dispatch_uid="uid")
        signal.disconnect(dispatch_uid="uid")

    assert len(recorded(connect, subject[0])) == 1


MODULE = """
@receiver(signal)
@wrapped
def first(**named): pass

@receiver(signal)
@renamed
def second(**named): pass

@receiver(signal)
@Wrapper
def third(**named): pass

def on(signal):
    def register(function):
        signal.connect(function)
        return function
    return register

@on(signal)
@wrapped
def fourth(**named): pass

@on(signal)
@renamed
def fifth(**named): pass

class Namespace:
    @receiver(signal)
    @renamed
    def sixth(**named): pass

    seventh = lambda **named: None
    signal.connect(seventh)

eighth = lambda **named: None
signal.connect(eighth)
signal.connect(first, sender=Wrapper)
"""
TRAPS_IN_A_MODULE = """
signal.connect(lambda **named: None)
signal.connect(wrapped(hear))
signal.connect(make())

def set_up(signal):
    def local(**named): pass
    signal.connect(local)
set_up(signal)

def set_up():
    local = make()
    signal.connect(local)
set_up()
"""


def run_as_module(source, signal, receiver):
    class Wrapper:
        def __init__(self, function):
            pass

        def __call__(self, **named):
            pass

    module = type(sys)("a_module")
    names = {"renamed": renamed, "wrapped": wrapped, "hear": hear, "make": make, "Wrapper": Wrapper}
    vars(module).update(names, signal=signal, receiver=receiver)
    with mock.patch.dict(sys.modules, a_module=module):
        exec(compile(source, "a_module.py", "exec"), vars(module))


def test_what_a_module_decorates_gets_a_name(subject):
    assert recorded(run_as_module, MODULE, *subject) == []


@pytest.mark.parametrize("kind", ["standalone", "Django's", "post_save"])
def test_what_a_module_does_not_name_is_warned_of(subject, kind):
    found = recorded(run_as_module, TRAPS_IN_A_MODULE, *subject)
    assert [(warning.filename, warning.lineno) for warning in found] == [("a_module.py", i) for i in (2, 3, 4, 8, 13)]


def keeps(owner, on_save):
    owner.on_save = on_save


def stores(owner, on_save):
    vars(owner)["receivers"] = {"on_save": [on_save]}


@pytest.mark.parametrize("keep", [keeps, stores])
def test_a_receiver_that_is_kept_once_it_is_connected_lives_whatever_the_warning_could_not_know(subject, keep):
    def connect_first(signal, owner):
        on_save = make()
        signal.connect(on_save)
        keep(owner, on_save)

    def keep_first(signal, owner):
        on_save = make()
        keep(owner, on_save)
        signal.connect(on_save)

    def factory(signal, owner):
        @subject[1](signal)
        def on_save(**named):
            pass

        return on_save

    def own_factory(signal, owner):
        keep(owner, factory(signal, owner))

    for connect, warned in (connect_first, 1), (own_factory, 1), (keep_first, 0):
        signal, owner = type(subject[0])(), types.SimpleNamespace()
        found = recorded(connect, signal, owner)
        assert [str(warning.message).count("so far: unless something keeps it") for warning in found] == [1] * warned
        gc.collect()
        assert len(signal.send(None)) == 1
        del owner
        gc.collect()
        assert signal.send(None) == []


def test_the_warning_says_what_is_lost_and_how_to_keep_it(csignals, watching):
    assert issubclass(csignals.WeakReceiverWarning, RuntimeWarning)
    signal = csignals.Signal()
    file = hear.__code__.co_filename
    function, method, start = (each.__code__.co_firstlineno for each in (hear, Listener.hear, make()))
    found = [
        *recorded(lambda: signal.connect(make())),
        *recorded(lambda: signal.connect(Listener().hear)),
        *recorded(lambda: signal.connect(functools.partial(hear))),
    ]
    assert [str(warning.message) for warning in found] == [
        f"Nothing else holds {what} so far: unless something keeps it, it will be collected, at once or when this "
        "function ends, and its connection with it. Connect it with weak=False, or keep a reference to it first."
        for what in (
            f"the receiver weak_receivers.make.<locals>.made ({file}:{start})",
            f"the object of the receiver weak_receivers.Listener.hear ({file}:{method})",
            f"the receiver functools.partial(weak_receivers.hear) ({file}:{function})",
        )
    ]


@pytest.mark.parametrize(("kind", "expected"), [("standalone", [1, 1, 1]), ("Django's", [1, 2, 2])])
def test_a_weak_connection_costs_one_question_and_a_strong_one_none(subject, implementation, watching, expected):
    signal, asked = subject[0], []
    watching.is_debugging.return_value = False
    with mock.patch.object(load(implementation, "csignals.signal"), "_check"):      # which asks as well
        for named in ({}, {}, {"weak": False, "sender": Listener}):
            signal.connect(hear, **named)
            asked.append(watching.is_debugging.call_count)
    assert asked == expected


@pytest.fixture
def is_debugging(implementation):
    module = load(implementation, "csignals._watching")
    with mock.patch.object(module, "IS_DEV_MODE", False), mock.patch.object(module, "conf", None):
        yield module.is_debugging


def test_it_is_development_under_django_s_debug(is_debugging):
    settings = django.conf.LazySettings()
    with mock.patch("django.conf.settings", settings):
        assert is_debugging() is False
        settings.configure(DEBUG=True)
        assert is_debugging() is True       # they were not asked before
        assert is_debugging() is settings.DEBUG is True
        settings.DEBUG = False
        assert is_debugging() is settings.DEBUG is is_debugging() is False
        # As override_settings does.
        override = django.conf.UserSettingsHolder(settings._wrapped)
        override.DEBUG = True
        settings._wrapped = override
        assert is_debugging() is settings.DEBUG is is_debugging() is True
        settings._wrapped = override.default_settings
        assert is_debugging() is settings.DEBUG is is_debugging() is False
    for configured, debug in [(True, True), (True, False), (False, True)]:
        with mock.patch("django.conf.settings", mock.Mock(configured=configured, DEBUG=debug)):
            assert is_debugging() is (configured and debug)


def test_it_is_development_once_there_is_django(is_debugging):
    with mock.patch.dict(sys.modules):
        del sys.modules["django.conf"]
        assert is_debugging() is False
    with mock.patch("django.conf.settings", mock.Mock(configured=True, DEBUG=True)):
        assert is_debugging() is True


def live(signal, case):
    """Have a receiver connected and let go of. Return when it died, and what the collector found."""
    died = []
    gc.collect()
    with without_collector():
        recorded(case, signal, died)
        died.append("the function has ended")
        return died, gc.collect()


def lives_of_a_local_function(signal, died):
    def local(**named):
        pass

    weakref.finalize(local, died.append, "died")
    signal.connect(local)
    died.append("connected")
    del local
    died.append("deleted")


def lives_of_a_lambda(signal, died):
    function = lambda **named: None  # noqa: E731
    weakref.finalize(function, died.append, "died")
    signal.connect(function)
    died.append("connected")


def lives_of_a_method(signal, died):
    def method():
        listener = Listener()
        weakref.finalize(listener, died.append, "died")
        return listener.hear

    signal.connect(method())
    died.append("connected")


def lives_of_a_lambda_where_it_raises(signal, died):
    function = lambda **named: None  # noqa: E731
    weakref.finalize(function, died.append, "died")
    warnings.simplefilter("error")
    try:
        signal.connect(function)
    except RuntimeWarning:
        died.append(f"{len(signal.receivers)} connected")
    del function
    died.append("deleted")


@pytest.mark.parametrize("kind", ["standalone", "Django's", "model", "overriding"])
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (lives_of_a_local_function, ["connected", "died", "deleted"]),
        (lives_of_a_lambda, ["connected", "died"]),
        (lives_of_a_method, ["died", "connected"]),
        (lives_of_a_lambda_where_it_raises, ["1 connected", "died", "deleted"]),
    ],
)
def test_a_receiver_dies_when_it_would_have_died(subject, case, expected):
    assert live(subject[0], case) == ([*expected, "the function has ended"], 0)
    assert subject[0].send(None) == []


@pytest.mark.parametrize("kind", ["standalone", "Django's"])
def test_nothing_is_warned_of_that_cannot_be_known(subject, watching):
    with mock.patch.object(watching, "_METHOD_ALONE", 0):       # PyPy
        assert recorded(a_lambda, *subject) == recorded(a_method_of_a_temporary, *subject) == []
    gc.freeze()
    try:
        assert recorded(a_lambda, *subject) == recorded(a_method_of_a_temporary, *subject) == []
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("kind", ["standalone", "Django's"])
def test_where_passing_on_is_not_counted_nothing_is_warned_of_that_takes_counting(subject, watching):
    with mock.patch.object(watching, "_PASSED_ON", 0):
        assert len(recorded(lambda: subject[0].connect(make()))) == 1
        # In Python 3.10, frames show what they hold.
        assert len(recorded(lambda: subject[0].connect(Listener()))) == (sys.version_info < (3, 11))


def test_connect_is_django_s_but_for_the_warning(drop_in, watching):
    connect = django.dispatch.Signal.connect
    assert inspect.signature(connect) == STOCK_CONNECT
    assert (connect.__module__, connect.__qualname__) == ("django.dispatch.dispatcher", "Signal.connect")
    assert "Connect receiver to sender" in connect.__doc__
    signal = ModelSignal()
    assert len(recorded(signal.connect, make())) == 1
    bound = signal.connect
    drop_in.uninstall()
    assert recorded(signal.connect, make()) == recorded(bound, make()) == []
    assert "Connect receiver to sender" in connect.__doc__


def test_a_receiver_of_a_model_yet_to_come_is_connected_in_silence(drop_in, watching):
    # Whoever wrote the line has gone when the model comes.
    signal, apps, local = ModelSignal(), mock.Mock(), make()
    signal.connect(local, sender="app.Model", apps=apps)
    (connect, _), _ = apps.lazy_model_operation.call_args
    operations = [connect]
    del connect
    assert recorded(operations[0], Listener) == []
    assert len(signal.send(Listener)) == 1
