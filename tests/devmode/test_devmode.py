"""In development, csignals warns of weak receivers that die before any send calls them, and of no others."""

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

from tests.devmode.weak_receivers import ENDED, HELD, LOST, REJECTED, Listener, hear, make, renamed, wrapped
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
def devmode(implementation, monkeypatch):
    """Return the module `csignals.devmode`, with Django's DEBUG on."""
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
def subject(kind, csignals, drop_in, devmode):
    """Return a signal, and the matching decorator `receiver`."""
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
def collecting_new_objects_only():
    """Hide all older objects from the collector in the with block. To collect them all takes a tenth of a second."""
    freeze, unfreeze = (getattr(gc, name, int) for name in ("freeze", "unfreeze"))
    freeze()
    try:
        yield
    finally:
        unfreeze()


class Recorded(list):
    """The warnings of a call, and of the collection after it."""

    def __init__(self, call, *args, action="always"):
        with collecting_new_objects_only(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter(action)
            self.result = call(*args)
            collect()
        super().__init__(caught)


def line_marked(text, function):
    """Return the file and the number of the line that ends with this mark."""
    source, start = inspect.getsourcelines(function)
    (number,) = [start + i for i, line in enumerate(source) if line.endswith(f"# {text}\n")]
    return function.__code__.co_filename, number


@pytest.mark.slow
@pytest.mark.parametrize("case", LOST)
def test_the_warning_names_the_connecting_line(subject, kind, devmode, case):
    found = Recorded(case, *subject)
    if "two_signals" in case.__name__:
        assert len(found) == 2
        assert str(found.pop().message) == str(found[0].message)
    (warning,) = found
    assert warning.category is devmode.WeakReceiverWarning
    line = line_marked("override", overriding) if "overriding" in kind else line_marked("here", case)
    assert (warning.filename, warning.lineno) == line


@pytest.mark.slow
@pytest.mark.parametrize("case", HELD)
def test_a_held_receiver_causes_no_warning(subject, devmode, monkeypatch, case):
    if case in REJECTED:
        monkeypatch.setattr(devmode, "IS_DEV_MODE", True)
        django.conf.settings.DEBUG = False
    signal, before = subject[0], len(subject[0].receivers)
    found = Recorded(case, *subject)
    assert found == []
    assert len(signal.receivers) > before
    held, signal.receivers = signal.receivers, []
    del found.result, held
    assert Recorded(int) == []  # no send can call a receiver that is not connected


@pytest.mark.slow
@pytest.mark.parametrize("case", ENDED)
def test_an_ended_receiver_causes_no_warning(subject, case):
    assert Recorded(case, *subject) == []


@few_kinds
def test_a_dying_signal_causes_no_warning(subject, kind):
    if kind == "post_save":
        pytest.skip("post_save never dies")
    if kind == "Django's" and django.VERSION < (6, 1):
        pytest.skip("Django's finalizers of receivers hold the signal")

    def connect(signal):
        listener = Listener()
        listener.signal = signal
        listener.itself = listener
        signal.listener = listener
        signal.connect(listener.hear)

    assert Recorded(connect, type(subject[0])()) == []


class Keeper:
    """Keeps a reference to a receiver, but only after connecting it."""

    def __init__(self, signal):
        on_save = make()
        signal.connect(on_save)
        self.on_save = on_save


@few_kinds
def test_receivers_may_be_kept_after_connecting(subject):
    signal, before = subject[0], len(subject[0].receivers)
    found = Recorded(Keeper, signal)
    assert found == []
    assert len(signal.send(None)) == before + 1
    owner = found.result
    del found.result
    assert Recorded(vars(owner).clear) == []  # it was called


@few_kinds
@pytest.mark.parametrize("call", [vars(Listener)["hear"], None])
def test_the_warning_comes_with_the_death(subject, call):
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
LOST_IN_A_MODULE = """
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


@few_kinds
def test_receivers_of_a_module_stay_alive(subject):
    found = Recorded(run_as_module, MODULE, *subject)
    assert found == []
    assert len(subject[0].send(found.result.Namespace)) >= 7


@pytest.mark.slow
@few_kinds
def test_receivers_lost_by_a_module_cause_warnings(subject):
    found = Recorded(run_as_module, LOST_IN_A_MODULE, *subject)
    assert sorted((warning.filename, warning.lineno) for warning in found) == [
        ("a_module.py", line) for line in (2, 3, 4, 8, 12)
    ]


@pytest.mark.slow
@few_kinds
def test_filters_match_the_connecting_module(subject, devmode):
    found = Recorded(run_as_module, LOST_IN_A_MODULE, *subject, action="default")
    registry = vars(found.result)["__warningregistry__"]
    assert sorted(key[2] for key in registry if key != "version") == [2, 3, 4, 8, 12]
    for module, count in ("a_module", 0), ("another", 5):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.filterwarnings("ignore", category=devmode.WeakReceiverWarning, module=module)
            run_as_module(LOST_IN_A_MODULE, *subject)
        assert len(caught) == count


def again_and_again(signal, receiver):
    for _ in range(3):
        signal.connect(make())
        collect_where_references_are_not_counted()


@pytest.mark.slow
@few_kinds
@pytest.mark.parametrize("namespace", [__name__, "no.module.that.is.loaded", None, 1])
def test_a_repeated_warning_is_shown_once(subject, devmode, namespace):
    again = types.FunctionType(again_and_again.__code__, {**globals(), "__name__": namespace})
    devmode._registry.clear()
    assert len(Recorded(again, *subject, action="default")) == 1
    assert len(Recorded(again, *subject)) == 3


def test_the_warning_explains_loss_and_remedy(csignals, devmode):
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


def test_dead_receivers_keep_their_description(implementation):
    devmode, naming = load(implementation, "csignals.devmode"), load(implementation, "csignals._introspection.naming")
    for receiver in receivers_of_all_kinds():
        notes = devmode.notes_of(receiver)
        found, expected = devmode.description_of(notes), naming.describe(receiver)
        assert (found.name, found.file, found.line) == (expected.name, expected.file, expected.line)


@pytest.mark.parametrize(("kind", "expected"), [("standalone", [1, 1, 1]), ("Django's", [1, 2, 2])])
def test_only_weak_connections_check_the_mode(subject, implementation, devmode, expected):
    signal, asked = subject[0], []
    no_check = mock.patch.object(load(implementation, "csignals.signals"), "_check")  # it also calls is_debugging()
    with no_check, mock.patch.object(devmode, "is_debugging", return_value=False) as is_debugging:
        for named in ({}, {}, {"weak": False, "sender": Listener}):
            signal.connect(hear, **named)
            asked.append(is_debugging.call_count)
    assert asked == expected


@pytest.fixture
def is_debugging(implementation):
    module = load(implementation, "csignals.devmode")
    with mock.patch.object(module, "IS_DEV_MODE", False), mock.patch.object(module, "conf", None):
        yield module.is_debugging


def test_development_mode_follows_django_debug(is_debugging):
    settings = django.conf.LazySettings()
    with mock.patch("django.conf.settings", settings):
        assert is_debugging() is False
        settings.configure(DEBUG=True)
        assert is_debugging() is True  # nothing has read the settings before
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


def test_development_mode_starts_with_django(is_debugging):
    with mock.patch.dict(sys.modules):
        del sys.modules["django.conf"]
        assert is_debugging() is False
    with mock.patch("django.conf.settings", mock.Mock(configured=True, DEBUG=True)):
        assert is_debugging() is True


# --- When a receiver dies -------------------------------------------------------------------------------------


def death_and_garbage(signal, case):
    """Connect a receiver and drop it. Return when it died, and how many objects the collector found."""
    died = []
    gc.collect()
    with without_collector(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case(signal, died)
        died.append("the function has ended")
        return died, gc.collect()


def connect_a_local_function(signal, died):
    def local(**named):
        pass

    weakref.finalize(local, died.append, "died")
    signal.connect(local)
    died.append("connected")
    del local
    died.append("deleted")


def connect_a_lambda(signal, died):
    function = lambda **named: None  # noqa: E731
    weakref.finalize(function, died.append, "died")
    signal.connect(function)
    died.append("connected")


def connect_a_method(signal, died):
    def method():
        listener = Listener()
        weakref.finalize(listener, died.append, "died")
        return listener.hear

    signal.connect(method())
    died.append("connected")


def connect_a_decorated_function(signal, died):
    function = wrapped(make())
    weakref.finalize(function, died.append, "died")
    signal.connect(function, sender=Listener)
    died.append("connected")


@pytest.mark.exhaustive
@counted
@pytest.mark.parametrize("kind", ["standalone", "Django's", "overriding model", "overriding"])
@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (connect_a_local_function, ["connected", "died", "deleted"]),
        (connect_a_lambda, ["connected", "died"]),
        (connect_a_decorated_function, ["connected", "died"]),
        (connect_a_method, ["died", "connected"]),
    ],
)
def test_watching_does_not_delay_the_death(subject, case, expected):
    assert death_and_garbage(subject[0], case) == ([*expected, "the function has ended"], 0)
    assert subject[0].send(None) == []


@pytest.mark.parametrize("kind", ["Django's"])
def test_the_django_check_keeps_no_receiver(subject):
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


def unhashable_receivers():
    unhashable = type("Unhashable", (Listener,), {"__eq__": lambda self, other: True})()
    return [unhashable, unhashable.hear]


def bad_receivers():
    class Strange:
        def without_self(**named):
            pass

        without_kwargs = classmethod(lambda cls: None)

    partial = functools.partial(hear, 1)  # type: ignore[call-arg]  # hear() takes no positional argument
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
        *unhashable_receivers(),
    ]


def results_of_connect(signal):
    results = []
    for _ in range(2):  # the second round finds what the first one has cached
        for receiver in bad_receivers():
            try:
                results.append(signal.connect(receiver, weak=False))
            except Exception as error:
                results.append((type(error), str(error).partition(" at 0x")[0]))
    return results


@pytest.mark.parametrize("kind", ["Django's"])
def test_the_django_check_keeps_its_messages(subject, drop_in):
    ours = results_of_connect(subject[0])
    drop_in.uninstall()
    assert django.dispatch.dispatcher.func_accepts_kwargs is django.utils.inspect.func_accepts_kwargs
    assert ours == results_of_connect(django.dispatch.Signal())
    assert set(map(type, ours)) == {tuple, type(None)}
    assert {result[0] for result in ours if result} == {TypeError, ValueError}
    drop_in.install()


@pytest.mark.parametrize("kind", ["Django's"])
def test_a_replaced_check_stays_in_place(subject, drop_in, monkeypatch):
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
def test_a_warning_as_error_breaks_nothing(subject, devmode, implementation, monkeypatch):
    signal, reported = subject[0], []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: reported.append((args.exc_type, str(args.exc_value))))
    before = len(signal.receivers)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lose(signal)
        signal.connect(hear)
    ((kind, text),) = reported
    assert kind is devmode.WeakReceiverWarning
    file, line = __file__, lose.__code__.co_firstlineno + 1
    assert text.startswith(f"{file}:{line}: The receiver {RECEIVERS}.make.<locals>.made (")
    listed = load(implementation, "csignals.listing").list_receivers(signal)
    assert f"{RECEIVERS}.make.<locals>.made" in [each.receiver for each in listed if each.is_collected]
    assert len(signal.receivers) == before + 1
    assert signal.send(None)[-1] == (hear, None)
    signal.disconnect(hear)


@few_kinds
def test_showwarning_may_use_the_signal(subject, monkeypatch):
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


def test_receivers_may_die_under_the_lock(csignals, devmode, drop_in):
    for signal in csignals.Signal(), django.dispatch.Signal():
        held = [make()]
        signal.connect(held[0])

        def let_go(signal=signal, held=held):
            with signal.lock:
                held.clear()
                collect()

        assert len(Recorded(let_go)) == 1
        assert signal.send(None) == []


def test_threads_get_all_their_warnings(csignals, devmode, drop_in):
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


# --- What counts as a call ---------------------------------------------------------------------------------


def test_a_custom_send_counts_as_call(csignals, devmode, drop_in):
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


def test_sends_of_other_packages_cause_no_warnings(drop_in, devmode, monkeypatch):
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


def test_uninstall_ends_the_warnings(drop_in, devmode):
    signal, held = django.dispatch.Signal(), [make(), make()]
    signal.connect(held[0])
    signal.connect(held[1])
    assert len(Recorded(held.__delitem__, 0)) == 1
    drop_in.uninstall()
    assert Recorded(held.clear) == []


def test_connect_keeps_signature_and_docs(drop_in, devmode):
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


def test_lazy_connections_warn_at_model_creation(drop_in, devmode):
    signal, apps = ModelSignal(), mock.Mock()
    signal.connect(make(), sender="app.Model", apps=apps)
    operations = [apps.lazy_model_operation.call_args[0][0]]
    apps.reset_mock()
    assert Recorded(operations[0], Listener) == []  # the operation still holds the receiver
    (warning,) = Recorded(operations.clear)
    assert warning.filename == __file__


@pytest.mark.slow
def test_ended_connections_are_forgotten(csignals, devmode, drop_in):
    for signal in csignals.Signal(), django.dispatch.Signal():
        for number in range(1, 101):
            signal.connect(hear, dispatch_uid=number)
            signal.connect(hear, sender=type("Model", (), {}))
            signal.disconnect(dispatch_uid=number)
        collect()
        senders = devmode.watched.get(signal)
        assert [watches for watches in senders.values() if watches] == []
        assert len(senders) == 1
