"""Identity of receivers: every function that takes a receiver identifies it as Django's ``disconnect`` does."""

import asyncio
import functools
import types
import warnings
from unittest import mock

import django
import pytest
from django.dispatch import Signal

from tests.helpers import receivers
from tests.helpers.implementations import collect, load
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal
from tests.introspection.receiver_zoo import Index, Proxy, available, is_same, passing, wrapper_of

pytestmark = pytest.mark.slow

connected = functools.partial(receivers.connected, weak=False)
WAYS = ["send", "send_robust", "has_listeners", *(["asend", "asend_robust"] if django.VERSION >= (5, 0) else [])]


def stranger(**named):
    return "stranger"


@pytest.fixture(scope="module", params=["standalone", "in Django"])
def make(request, implementation):
    """As `make` in tests/conftest.py, but csignals is installed once for the whole module."""
    if request.param == "standalone":
        yield load(implementation).Signal
    else:
        package = load(implementation, "csignals.django")
        package.install()
        yield Signal
        package.uninstall()


@pytest.fixture
def testing(implementation):
    return load(implementation, "csignals.testing")


@pytest.fixture
def list_receivers(implementation):
    return load(implementation, "csignals.listing").list_receivers


@pytest.fixture(scope="module")
def zoo():
    """For each kind: the function that gives the receiver again, and whether Django takes it for the same one."""
    return {name: (get := make(), is_same(StockSignal, get)) for name, make in available().items()}


def reached(signal, way="send"):
    """Return how many receivers a send reaches, not counting `stranger`, which every send reaches."""
    if way == "has_listeners":
        return int(signal.has_listeners(Sender))
    signal.connect(stranger)
    responses = getattr(signal, way)(Sender)
    if way.startswith("a"):
        responses = asyncio.run(responses)
    signal.disconnect(stranger)
    assert (stranger, "stranger") in responses
    return len(responses) - 1


def sentry_like(signal):
    """Wrap the receivers that ``_live_receivers()`` returns, as Sentry does for all signals."""
    find = signal._live_receivers

    def find_and_wrap(self, sender):
        live = find(sender)
        sync = live if type(live) is list else live[0]
        sync[:] = [each if each is stranger else wrapper_of(each) for each in sync]
        return live

    return mock.patch.object(signal, "_live_receivers", types.MethodType(find_and_wrap, signal), create=True)


@pytest.mark.exhaustive
def test_connect_and_disconnect_match_django(make, zoo):
    for name, (get, same) in zoo.items():
        signal = connected(make(), get(), get())
        assert len(signal.receivers) == (1 if same else 2), name
        assert signal.disconnect(get()) is same, name


@pytest.mark.parametrize("way", WAYS)
def test_mute_identifies_receivers_as_disconnect_does(csignals, make, zoo, way):
    for name, (get, same) in zoo.items():
        signal = connected(make(), get())
        before = reached(signal, way)
        with csignals.mute(receivers=get()):
            alone = reached(signal, way)
        with csignals.mute(signal, receivers=[other_method(get), get()]):
            among_others = reached(signal, way)
        with csignals.mute(receivers=other_method(get)):
            of_others = reached(signal, way)
        assert (before, alone, among_others, of_others) == (1, 1 - same, 1 - same, 1), name


def other_method(get):
    """Return another receiver. For a method, it is another method of the same object."""
    return getattr(getattr(get(), "__self__", None), "__repr__", print)


@pytest.mark.parametrize("way", WAYS)
def test_mute_works_behind_wrapped_sends(csignals, make, zoo, way):
    for name, (get, same) in zoo.items():
        signal = connected(make(), get())
        with sentry_like(signal):
            before = reached(signal, way)
            with csignals.mute(receivers=get()):
                assert (before, reached(signal, way)) == (1, 1 - same), name


def test_mute_includes_wrappers_of_the_receiver(csignals, make, zoo):
    for name, (get, same) in zoo.items():
        once, twice = wrapper_of(get()), wrapper_of(wrapper_of(get()))
        signal = connected(make(), once, twice, passing(get()))
        assert reached(signal) == 3, name
        with csignals.mute(receivers=get()):
            assert reached(signal) == (0 if same else 3), name
        with csignals.mute(receivers=once):
            assert reached(signal) == 2, name


def test_connected_connects_a_receiver_once(testing, make, zoo):
    for name, (get, same) in zoo.items():
        signal = connected(make(), get())
        before = list(signal.receivers)
        with testing.connected(signal, get()), testing.connected(signal, get()):
            assert reached(signal) == (1 if same else 3), name
        assert list(signal.receivers) == before, name


def test_a_dispatch_uid_has_one_receiver(testing, make, zoo):
    for name, (get, same) in zoo.items():
        signal = make()
        with testing.connected(signal, get(), dispatch_uid="uid"):
            if same:
                with testing.connected(signal, get(), dispatch_uid="uid"):
                    assert reached(signal) == 1, name
            else:
                with pytest.raises(ValueError, match="another receiver has the dispatch_uid 'uid'"):
                    testing.connected(signal, get(), dispatch_uid="uid").__enter__()
        assert signal.receivers == [], name


def test_the_signal_tester_identifies_receivers(testing, make, zoo):
    for name, (get, same) in zoo.items():
        signal, receiver = make(), get()
        with testing.SignalTester() as signals:
            assert signals.connect(signal, receiver) is receiver
            signals.mute(receivers=get())
            assert reached(signal) == 1 - same, name
        assert reached(signal) == 0, name


def test_lists_recognise_a_missing_dispatch_uid(list_receivers, make, zoo):
    for name, (get, _) in zoo.items():
        signal = connected(make(), get())
        signal.connect(get(), weak=False, dispatch_uid="uid")
        assert [each.dispatch_uid for each in list_receivers(signal)] == [None, "uid"], name


@pytest.mark.slow
def test_lists_traces_and_reprs_agree_on_names(csignals, list_receivers, make, zoo):
    for name, (get, _) in zoo.items():
        signal = connected(make(), get())
        (info,) = list_receivers(signal)
        with csignals.trace() as trace:
            signal.send(Sender)
        ((call,),) = (trace.records,)
        assert (call.receiver, call.file, call.line) == (info.receiver, info.file, info.line), name
        assert info.receiver in repr(signal), name


def test_captures_have_the_receivers_themselves(testing, make, zoo):
    for name, (get, _) in zoo.items():
        signal = connected(make(), receiver := get())
        with testing.capture(signal) as sends:
            responses = signal.send(Sender)
        assert sends[0].responses == responses, name
        assert responses[0][0] is receiver, name


def test_mute_finds_receivers_inside_on_commit(csignals, list_receivers, implementation, make, zoo, monkeypatch):
    on_commit = load(implementation, "csignals.deferred").on_commit
    # Other tests may have left the receivers on signals.
    monkeypatch.setattr(load(implementation, "csignals.deferred.functions"), "is_connected", lambda function: False)
    for name, (get, same) in zoo.items():
        after, place = on_commit(get()), list_receivers(connected(make(), get()))[0].file
        for each in (after, passing(after), functools.partial(after)):
            signal = connected(make(), each)
            (info,) = list_receivers(signal)
            assert (info.runs, info.file) == ("after the commit", place), name
            with csignals.mute(receivers=get()):
                assert signal.has_listeners(Sender) is not (same and type(each) is not functools.partial), name


# --- Receivers that were never called ------------------------------------------------------------------------


@pytest.fixture
def debugging(implementation, monkeypatch):
    module = load(implementation, "csignals.devmode")
    monkeypatch.setattr(module, "is_debugging", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", module.WeakReceiverWarning)
        yield


def can_be_weak(receiver):
    """Return whether Django can connect a receiver weakly and call it."""
    signal = StockSignal()
    try:
        signal.connect(receiver)
        signal.send(Sender)
    except Exception:
        return False
    return bool(signal.receivers)


def call(signal, receiver):
    signal.send(Sender)


def call_in_a_wrapper(signal, receiver):
    with sentry_like(signal):
        signal.send(Sender)


def disconnect(signal, receiver):
    signal.disconnect(receiver)


@pytest.mark.parametrize("action", [call, call_in_a_wrapper, disconnect, None])
def test_only_receivers_never_called_are_reported(list_receivers, make, debugging, action):
    signals = {}
    weak = {name: kind for name, kind in available().items() if can_be_weak((get := kind())())}
    for name, kind in weak.items():
        signal, get = make(), kind()
        signals[name] = signal
        receiver = get()
        signal.connect(receiver)
        if action is not None:
            action(signal, receiver)
    del get, receiver
    collect()
    died = {name for name, signal in signals.items() for each in list_receivers(signal) if each.is_collected}
    assert {"function", "method", "partial", "wraps in the class", "wrapt function"} <= weak.keys()
    if action is None:
        assert {"function", "method", "partial", "wraps in the class", "wrapt function"} <= died
    else:
        assert died == set()


# --- Receivers without an identity ---------------------------------------------------------------------------


class Odd:
    """A callable whose attributes ``__func__`` or ``__wrapped__`` raise RuntimeError."""

    def __init__(self, *names):
        self.names = names

    def __getattr__(self, name):
        if name in self.names:
            raise RuntimeError(name)
        raise AttributeError(name)

    def __call__(self, **named):
        return "odd"


@pytest.mark.parametrize("names", [["__func__"], ["__wrapped__"], ["__func__", "__wrapped__"]])
def test_a_mute_tolerates_failing_attributes(csignals, list_receivers, make, names):
    signal = make()
    signal.connect(Odd(*names), weak=False, dispatch_uid="odd")
    with csignals.mute(receivers=stranger):
        assert [response for _, response in signal.send(Sender)] == ["odd"]
    assert len(list_receivers(signal)) == 1


class Overseer:
    @passing
    @staticmethod
    def oversee(**named):
        return "oversee"


def test_mute_raises_as_connect_does(csignals, list_receivers, testing, make):
    # wrapt's static methods have __func__, but no __self__.
    with pytest.raises(AttributeError, match="__self__"):
        StockSignal().connect(Overseer().oversee)
    signal = make()
    with pytest.raises(AttributeError, match="__self__"):
        signal.connect(Overseer().oversee)
    with pytest.raises(AttributeError, match="__self__"):
        csignals.mute(receivers=Overseer().oversee).__enter__()
    overseer = Overseer().oversee
    signal.connect(overseer, weak=False, dispatch_uid="uid")
    with testing.connected(signal, overseer, dispatch_uid="uid"), csignals.mute(receivers=print):
        assert reached(signal) == 1
    (info,) = list_receivers(signal)
    assert info.receiver == f"{__name__}.Overseer.oversee"


def test_a_failing_weak_method_fails_sends(make):
    # In Django too, weakref.WeakMethod calls wrapt's class with a function and an object, and fails.
    index = Index()
    for each in StockSignal(), make():
        each.connect(index.decorated, sender=Sender)
        each.connect(stranger)
        with pytest.raises(TypeError, match="wrapper"):
            each.send(Sender)
        assert each.send(None) == [(stranger, "stranger")]
        assert each.disconnect(index.decorated, sender=Sender)


def test_muting_methods_leaves_other_objects_alone(csignals, make):
    first, second = Index(), Index()
    names = "update", "decorated_above", "wrapped", "cached"
    signal = connected(make(), *[getattr(index, name) for name in names for index in (first, second)])
    signal.connect(Proxy(first.update), weak=False, dispatch_uid="proxy")
    assert reached(signal) == 8  # both objects have the same class method
    with csignals.mute(receivers=[getattr(first, name) for name in names]):
        assert reached(signal) == 3
