"""Weak receivers that died before they were ever called: in development each is warned of, and no others are."""

import contextlib
import functools
import gc
import inspect
import sys
import threading
import types
import warnings
import weakref
from unittest import mock

import django
import django.conf
import django.dispatch
import django.utils.inspect
import pytest
from django.db.models.signals import ModelSignal, post_save

from tests.devmode.weak_receivers import ENDED, HELD, REFUSED, TRAPS, Listener, hear, make, wrapped
from tests.helpers.implementations import (
    collect,
    collect_where_references_are_not_counted,
    counted,
    load,
    without_collector,
)

RECEIVERS = make.__module__

STOCK_CONNECT = inspect.signature(django.dispatch.Signal.connect)


def overriding(base):
    class Overriding(base):
        def connect(self, *args, **named):
            return super().connect(*args, **named)  # override

    return Overriding


def django_debug(debug):
    return mock.patch("django.conf.settings", mock.Mock(configured=True, DEBUG=debug))


@pytest.fixture
def watching(implementation, monkeypatch):
    """The module that knows whether it is development, as it is under Django's DEBUG."""
    module = load(implementation, "csignals.devmode")
    monkeypatch.setattr(module, "IS_DEV_MODE", False)
    monkeypatch.setattr(module, "conf", None)
    with django_debug(True):
        yield module
    load(implementation, "csignals._scopes").stop_if_idle()


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


few_kinds = pytest.mark.parametrize("kind", ["standalone", "Django's", "post_save"])


@contextlib.contextmanager
def looking_at_new_objects():
    """Have the collector look at no others, for the length of a block: at all of them, it takes a tenth of a second."""
    freeze, unfreeze = (getattr(gc, name, int) for name in ("freeze", "unfreeze"))
    freeze()
    try:
        yield
    finally:
        unfreeze()


class Recorded(list):
    """The warnings that were shown until the collector has been."""

    def __init__(self, call, *args, action="always"):
        with looking_at_new_objects(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter(action)
            self.result = call(*args)
            collect()
        super().__init__(caught)


def line_marked(text, function):
    """Return the file and the number of the line that ends so."""
    source, start = inspect.getsourcelines(function)
    (number,) = [start + i for i, line in enumerate(source) if line.endswith(f"# {text}\n")]
    return function.__code__.co_filename, number


@pytest.mark.slow
@pytest.mark.parametrize("case", TRAPS)
def test_a_receiver_that_is_lost_uncalled_is_warned_of_where_it_was_connected(subject, kind, watching, case):
    found = Recorded(case, *subject)
    if "two_signals" in case.__name__:
        assert len(found) == 2
        assert str(found.pop().message) == str(found[0].message)
    (warning,) = found
    assert warning.category is watching.WeakReceiverWarning
    line = line_marked("override", overriding) if "overriding" in kind else line_marked("here", case)
    assert (warning.filename, warning.lineno) == line


@pytest.mark.slow
@pytest.mark.parametrize("case", HELD)
def test_a_receiver_that_something_holds_is_not(subject, watching, monkeypatch, case):
    if case in REFUSED:
        monkeypatch.setattr(watching, "IS_DEV_MODE", True)
        django.conf.settings.DEBUG = False
    signal, before = subject[0], len(subject[0].receivers)
    found = Recorded(case, *subject)
    assert found == []
    assert len(signal.receivers) > before
    held, signal.receivers = signal.receivers, []
    del found.result, held
    assert Recorded(int) == []  # nobody can call what is not connected


@pytest.mark.slow
@pytest.mark.parametrize("case", ENDED)
def test_a_receiver_that_was_called_or_that_nobody_can_call_any_more_is_not(subject, case):
    assert Recorded(case, *subject) == []


@few_kinds
def test_a_signal_that_dies_as_well_loses_nothing(subject, kind):
    if kind == "post_save":
        pytest.skip("that one stays")
    if kind == "Django's" and django.VERSION < (6, 1):
        pytest.skip("Django's finalizers of receivers hold the signal")

    def connect(signal):
        listener = Listener()
        listener.signal = signal
        listener.itself = listener
        signal.listener = listener
        signal.connect(listener.hear)

    assert Recorded(connect, type(subject[0])()) == []


class Keeping:
    """What a receiver comes to be held by only after it is connected."""

    def __init__(self, signal):
        on_save = make()
        signal.connect(on_save)
        self.on_save = on_save


@few_kinds
def test_a_receiver_that_is_kept_once_it_is_connected_lives_on_in_silence(subject):
    signal, before = subject[0], len(subject[0].receivers)
    found = Recorded(Keeping, signal)
    assert found == []
    assert len(signal.send(None)) == before + 1
    owner = found.result
    del found.result
    assert Recorded(vars(owner).clear) == []  # it was called


@few_kinds
@pytest.mark.parametrize("call", [vars(Listener)["hear"], None])
def test_it_is_warned_of_when_it_dies(subject, call):
    listeners = [Listener()]
    receiver = listeners[0].hear if call else listeners[0]
    assert Recorded(subject[0].connect, receiver) == []
    del receiver
    assert len(Recorded(listeners.clear)) == 1


MODULE = """
@receiver(signal)
@wrapped
def first(**named): pass

@receiver(signal)
@renamed
def second(**named): pass

def on(signal):
    def register(function):
        signal.connect(function)
        return function
    return register

@on(signal)
@renamed
def third(**named): pass

class Namespace:
    @receiver(signal)
    @renamed
    def fourth(**named): pass

    fifth = lambda **named: None
    signal.connect(fifth)

sixth = lambda **named: None
signal.connect(sixth)
signal.connect(first, sender=Namespace)
"""
TRAPS_IN_A_MODULE = """
signal.connect(lambda **named: None)
signal.connect(wrapped(hear))
signal.connect(make())

def set_up(signal):
    def local(**named): pass
    signal.connect(local)
set_up(signal)

def first(**named): pass
signal.connect(first)
def first(**named): pass
"""


def run_as_module(source, signal, receiver):
    module = types.ModuleType("a_module")
    names = {"renamed": renamed, "wrapped": wrapped, "hear": hear, "make": make}
    vars(module).update(names, signal=signal, receiver=receiver)
    with mock.patch.dict(sys.modules, a_module=module):
        exec(compile(source, "a_module.py", "exec"), vars(module))
        collect()
    return module


def renamed(function):
    return lambda **named: function(**named)


@few_kinds
def test_what_a_module_has_lives_on(subject):
    found = Recorded(run_as_module, MODULE, *subject)
    assert found == []
    assert len(subject[0].send(found.result.Namespace)) >= 7


@few_kinds
def test_what_a_module_does_not_keep_is_warned_of(subject):
    found = Recorded(run_as_module, TRAPS_IN_A_MODULE, *subject)
    assert sorted((warning.filename, warning.lineno) for warning in found) == [
        ("a_module.py", line) for line in (2, 3, 4, 8, 12)
    ]


@pytest.mark.slow
@few_kinds
def test_filters_take_the_warning_for_one_of_the_module_that_connects(subject, watching):
    found = Recorded(run_as_module, TRAPS_IN_A_MODULE, *subject, action="default")
    registry = vars(found.result)["__warningregistry__"]
    assert sorted(key[2] for key in registry if key != "version") == [2, 3, 4, 8, 12]
    for module, count in ("a_module", 0), ("another", 5):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", category=watching.WeakReceiverWarning, module=module)
            run_as_module(TRAPS_IN_A_MODULE, *subject)
        assert len(caught) == count


def again_and_again(signal, receiver):
    for _ in range(3):
        signal.connect(make())
        collect_where_references_are_not_counted()


@pytest.mark.slow
@few_kinds
@pytest.mark.parametrize("namespace", [__name__, "no.module.that.is.loaded", None, 1])
def test_what_happens_again_is_shown_once_by_default(subject, watching, namespace):
    again = types.FunctionType(again_and_again.__code__, {**globals(), "__name__": namespace})
    watching._registry.clear()
    assert len(Recorded(again, *subject, action="default")) == 1
    assert len(Recorded(again, *subject)) == 3


def test_the_warning_says_what_is_lost_and_how_to_keep_it(csignals, watching):
    assert issubclass(csignals.WeakReceiverWarning, RuntimeWarning)
    signal = csignals.Signal()
    file = hear.__code__.co_filename
    function, method, start = (each.__code__.co_firstlineno for each in (hear, Listener.hear, make()))
    found = [
        *Recorded(lambda: signal.connect(make())),
        *Recorded(lambda: signal.connect(Listener().hear)),
        *Recorded(lambda: signal.connect(functools.partial(hear))),
    ]
    assert [str(warning.message) for warning in found] == [
        f"The receiver {receiver} was collected before it was ever called: nothing held {held} but the signal, which "
        f"holds it weakly. Keep a reference to {held}, or connect it with weak=False."
        for receiver, held in (
            (f"{RECEIVERS}.make.<locals>.made ({file}:{start})", "it"),
            (f"{RECEIVERS}.Listener.hear ({file}:{method})", "its object"),
            (f"functools.partial({RECEIVERS}.hear) ({file}:{function})", "it"),
        )
    ]


class Below:
    __wrapped__ = staticmethod(hear)

    def __call__(self, **named):
        pass


def receivers_of_all_kinds():
    looped, below = wrapped(make()), wrapped(make())
    looped.__wrapped__ = looped
    below.__wrapped__ = Below()
    nameless = make()
    nameless.__module__ = None
    return [
        hear,
        make(),
        wrapped(make()),
        wrapped(wrapped(hear)),
        renamed(hear),
        Listener().hear,
        Listener(),
        Below(),
        functools.partial(hear),
        functools.partial(functools.partial(hear, x=1), y=2),
        looped,
        below,
        nameless,
        functools.partial(Listener().hear),
        functools.partial(wrapped(make())),
        functools.lru_cache(hear),
        mock.Mock(),
        types.MethodType(functools.partial(hear), Listener()),
        type("Local", (), {}),
        {}.update,
    ]


def test_a_receiver_is_described_after_its_death_as_in_its_life(implementation):
    uncalled, names = load(implementation, "csignals.devmode"), load(implementation, "csignals._introspection.naming")
    for receiver in receivers_of_all_kinds():
        notes = uncalled.notes_of(receiver)
        found, expected = uncalled.description_of(notes), names.describe(receiver)
        assert (found.name, found.file, found.line) == (expected.name, expected.file, expected.line)


@pytest.mark.parametrize(("kind", "expected"), [("standalone", [1, 1, 1]), ("Django's", [1, 2, 2])])
def test_a_weak_connection_costs_one_question_and_a_strong_one_none(subject, implementation, watching, expected):
    signal, asked = subject[0], []
    no_check = mock.patch.object(load(implementation, "csignals.signals"), "_check")  # which asks as well
    with no_check, mock.patch.object(watching, "is_debugging", return_value=False) as is_debugging:
        for named in ({}, {}, {"weak": False, "sender": Listener}):
            signal.connect(hear, **named)
            asked.append(is_debugging.call_count)
    assert asked == expected


@pytest.fixture
def is_debugging(implementation):
    module = load(implementation, "csignals.devmode")
    with mock.patch.object(module, "IS_DEV_MODE", False), mock.patch.object(module, "conf", None):
        yield module.is_debugging


def test_it_is_development_under_django_s_debug(is_debugging):
    settings = django.conf.LazySettings()
    with mock.patch("django.conf.settings", settings):
        assert is_debugging() is False
        settings.configure(DEBUG=True)
        assert is_debugging() is True  # they were not asked before
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


# --- When a receiver dies -------------------------------------------------------------------------------------


def live(signal, case):
    """Have a receiver connected and let go of. Return when it died, and what the collector found."""
    died = []
    gc.collect()
    with without_collector(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case(signal, died)
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


def lives_of_a_decorated_function(signal, died):
    function = wrapped(make())
    weakref.finalize(function, died.append, "died")
    signal.connect(function, sender=Listener)
    died.append("connected")


@pytest.mark.slow
@counted
@pytest.mark.parametrize("kind", ["standalone", "Django's", "overriding model", "overriding"])
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (lives_of_a_local_function, ["connected", "died", "deleted"]),
        (lives_of_a_lambda, ["connected", "died"]),
        (lives_of_a_decorated_function, ["connected", "died"]),
        (lives_of_a_method, ["died", "connected"]),
    ],
)
def test_a_receiver_dies_when_it_would_have_died(subject, case, expected):
    assert live(subject[0], case) == ([*expected, "the function has ended"], 0)
    assert subject[0].send(None) == []


@pytest.mark.parametrize("kind", ["Django's"])
def test_django_s_check_holds_no_receiver(subject):
    cache = django.utils.inspect._get_func_parameters
    before = cache.cache_info().currsize
    deaths = []
    for each in make(), wrapped(make()), functools.partial(hear), Listener().hear, Listener():
        subject[0].connect(each, weak=False)
        deaths.append(weakref.ref(each.__func__ if hasattr(each, "__func__") else each))
        subject[0].receivers.clear()
    del each
    collect()
    assert cache.cache_info().currsize == before
    assert [death() for death in deaths] == [None, None, None, Listener.hear, None]


def refuse_unhashable():
    unhashable = type("Unhashable", (Listener,), {"__eq__": lambda self, other: True})()
    return [unhashable, unhashable.hear]


def bad_receivers():
    class Strange:
        def without_self(**named):
            pass

        without_kwargs = classmethod(lambda cls: None)

    partial = functools.partial(hear, 1)  # type: ignore[call-arg]  # it takes none
    return [
        object(),
        None,
        lambda: None,
        functools.partial(lambda x: None, 1),
        partial,
        Strange().without_self,
        Strange.without_self,
        Strange.without_kwargs,
        {}.update,
        len,
        mock.Mock(),
        Strange,
        *refuse_unhashable(),
    ]


def said_by_connect(signal):
    said = []
    for _ in range(2):  # what the first time keeps is seen the second time
        for receiver in bad_receivers():
            try:
                said.append(signal.connect(receiver, weak=False))
            except Exception as error:
                said.append((type(error), str(error).partition(" at 0x")[0]))
    return said


@pytest.mark.parametrize("kind", ["Django's"])
def test_django_s_check_says_what_it_always_said(subject, drop_in):
    ours = said_by_connect(subject[0])
    drop_in.uninstall()
    assert django.dispatch.dispatcher.func_accepts_kwargs is django.utils.inspect.func_accepts_kwargs
    assert ours == said_by_connect(django.dispatch.Signal())
    assert set(map(type, ours)) == {tuple, type(None)}
    assert {said[0] for said in ours if said} == {TypeError, ValueError}
    drop_in.install()


@pytest.mark.parametrize("kind", ["Django's"])
def test_somebody_else_s_check_stays(subject, drop_in, monkeypatch):
    drop_in.uninstall()
    monkeypatch.setattr(django.dispatch.dispatcher, "func_accepts_kwargs", lambda receiver: False)
    drop_in.install()
    with pytest.raises(ValueError, match="must accept keyword arguments"):
        subject[0].connect(hear)
    drop_in.uninstall()
    assert django.dispatch.dispatcher.func_accepts_kwargs(hear) is False
    drop_in.install()


# --- Where it dies --------------------------------------------------------------------------------------------


def lose(signal):
    signal.connect(make())
    collect_where_references_are_not_counted()


@few_kinds
def test_as_an_error_it_is_reported_with_its_line_and_breaks_nothing(subject, watching, implementation, monkeypatch):
    signal, reported = subject[0], []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: reported.append((args.exc_type, str(args.exc_value))))
    before = len(signal.receivers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lose(signal)
        signal.connect(hear)
    ((kind, text),) = reported
    assert kind is watching.WeakReceiverWarning
    file, line = __file__, lose.__code__.co_firstlineno + 1
    assert text.startswith(f"{file}:{line}: The receiver {RECEIVERS}.make.<locals>.made (")
    listed = load(implementation, "csignals.listing").list_receivers(signal)
    assert f"{RECEIVERS}.make.<locals>.made" in [each.receiver for each in listed if each.is_collected]
    assert len(signal.receivers) == before + 1
    assert signal.send(None)[-1] == (hear, None)
    signal.disconnect(hear)


@few_kinds
def test_whoever_shows_it_may_use_the_signal(subject, monkeypatch):
    signal, seen = subject[0], []

    def show(message, *args):
        signal.connect(hear)
        seen.append((hear, None) in signal.send(Listener))
        lose_another()
        seen.append(signal.disconnect(hear) in (True, None))

    def lose_another():
        if len(seen) == 1:
            signal.connect(make())
            collect_where_references_are_not_counted()

    monkeypatch.setattr(warnings, "showwarning", show)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        lose(signal)
    assert seen == [True, True, True, False]  # the inner one disconnected it


def test_it_may_die_while_the_lock_of_its_signal_is_held(csignals, watching, drop_in):
    for signal in csignals.Signal(), django.dispatch.Signal():
        held = [make()]
        signal.connect(held[0])

        def let_go(signal=signal, held=held):
            with signal.lock:
                held.clear()
                collect()

        assert len(Recorded(let_go)) == 1
        assert signal.send(None) == []


def test_threads_lose_receivers_and_are_told_of_each(csignals, watching, drop_in):
    count, errors = 100, []

    def work(signals, barrier):
        try:
            barrier.wait()
            for i in range(count):
                signals[i % len(signals)].connect(make())
                signals[i % len(signals)].send(Listener)
                listener = Listener()
                signals[0].connect(listener.hear, dispatch_uid=threading.get_ident())
                signals[0].disconnect(dispatch_uid=threading.get_ident())
        except BaseException as error:
            errors.append(error)

    def run(signals):
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(signals, barrier)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for make_signal in csignals.Signal, django.dispatch.Signal:
        found = Recorded(run, [make_signal() for _ in range(3)])
        assert errors == []
        assert {warning.lineno for warning in found} == {work.__code__.co_firstlineno + 4}


# --- Who calls ------------------------------------------------------------------------------------------------


def test_a_class_that_sends_in_a_way_of_its_own_calls(csignals, watching, drop_in):
    for base in csignals.Signal, django.dispatch.Signal:

        class Own(base):
            def send(self, sender, **named):
                live = self._live_receivers(sender)
                for each in live if django.VERSION < (5, 0) and type(live) is list else live[0]:
                    each(signal=self, sender=sender, **named)

        def connect_and_send(signal, sender):
            local = make()
            signal.connect(local, sender=Listener)
            signal.send(sender)

        assert Recorded(connect_and_send, Own(), Listener) == []
        assert len(Recorded(connect_and_send, Own(), dict)) == 1


def test_where_csignals_has_no_part_in_sends_nothing_is_said(drop_in, watching, monkeypatch):
    drop_in.uninstall()
    Signal = django.dispatch.Signal  # noqa: N806

    def replaced(original):
        return lambda self, *args, **named: original(self, *args, **named)

    for name in "send", "send_robust", "_live_receivers":
        monkeypatch.setattr(Signal, name, replaced(vars(Signal)[name]))
    drop_in.install()
    assert Recorded(lose, Signal()) == []
    drop_in.uninstall()
    monkeypatch.undo()


def test_a_receiver_that_dies_after_uninstalling_is_not_warned_of(drop_in, watching):
    signal, held = django.dispatch.Signal(), [make(), make()]
    signal.connect(held[0])
    signal.connect(held[1])
    assert len(Recorded(held.__delitem__, 0)) == 1
    drop_in.uninstall()
    assert Recorded(held.clear) == []


def test_connect_is_django_s_but_for_the_warning(drop_in, watching):
    connect = django.dispatch.Signal.connect
    assert inspect.signature(connect) == STOCK_CONNECT
    assert (connect.__module__, connect.__qualname__) == ("django.dispatch.dispatcher", "Signal.connect")
    assert "Connect receiver to sender" in connect.__doc__
    signal = ModelSignal()
    assert len(Recorded(lambda: signal.connect(make()))) == 1
    bound = signal.connect
    drop_in.uninstall()
    assert Recorded(lambda: signal.connect(make())) == Recorded(lambda: bound(make())) == []
    assert "Connect receiver to sender" in connect.__doc__


def test_a_receiver_of_a_model_yet_to_come_is_warned_of_where_that_comes(drop_in, watching):
    signal, apps = ModelSignal(), mock.Mock()
    signal.connect(make(), sender="app.Model", apps=apps)
    operations = [apps.lazy_model_operation.call_args[0][0]]
    apps.reset_mock()
    assert Recorded(operations[0], Listener) == []  # it still holds the receiver
    (warning,) = Recorded(operations.clear)
    assert warning.filename == __file__


@pytest.mark.slow
def test_a_connection_is_forgotten_with_its_end(csignals, implementation, watching, drop_in):
    uncalled = load(implementation, "csignals.devmode")
    for signal in csignals.Signal(), django.dispatch.Signal():
        for number in range(1, 101):
            signal.connect(hear, dispatch_uid=number)
            signal.connect(hear, sender=type("Model", (), {}))
            signal.disconnect(dispatch_uid=number)
        collect()
        senders = uncalled.watched.get(signal)
        assert [watches for watches in senders.values() if watches] == []
        assert len(senders) == 1
