"""``list_receivers()`` and a signal's ``repr()``: they describe the connected receivers."""

import dataclasses
import functools
import gc
import sys
import threading
import weakref
from unittest import mock

import django
import django.dispatch
import pytest
from django.db.models.signals import post_save

from tests.helpers.implementations import collect_where_references_are_not_counted, load
from tests.helpers.interpreter import run_python

AWAITS = django.VERSION >= (5, 0)  # Django awaits async receivers
HOLDS_SENDERS = django.VERSION >= (6, 0)  # Django keeps weak references to senders


@pytest.fixture(autouse=True, scope="module")
def all_objects(unfrozen):
    """Before Django 6.0, senders are found among the collector's objects."""


@pytest.fixture
def listing(implementation):
    return load(implementation, "csignals.listing")


@pytest.fixture(params=["csignals", "django", "installed"])
def make(request, csignals):
    """A class of signals: csignals' own, Django's, or Django's with csignals installed."""
    if request.param == "installed":
        request.getfixturevalue("drop_in")
    return csignals.Signal if request.param == "csignals" else django.dispatch.Signal


@pytest.fixture
def awaits(make):
    return AWAITS or make is not django.dispatch.Signal


def first(**named):
    pass


def second(**named):
    pass


def third(**named):
    pass


async def awaited(**named):
    pass


class Sender:
    def send(self):
        pass


class Listener:
    def hear(self, **named):
        pass

    def __call__(self, **named):
        pass


def name(qualname):
    return f"{__name__}.{qualname}"


def names(listing, signal):
    return [each.receiver.rpartition(".")[2] for each in listing.list_receivers(signal)]


# --- The list ------------------------------------------------------------------------------------------------


def test_the_list_describes_each_receiver(listing, make):
    signal = make()
    signal.connect(first, sender=Sender, weak=False, dispatch_uid="uid")
    code = first.__code__
    (info,) = listing.list_receivers(signal)
    assert info == listing.ReceiverInfo(
        receiver=name("first"),
        file=code.co_filename,
        line=code.co_firstlineno,
        sender=name("Sender"),
        is_weak=False,
        is_async=False,
        dispatch_uid="uid",
    )
    place = f"{code.co_filename}:{code.co_firstlineno}"
    assert str(info) == f"{name('first')} at {place}, for {name('Sender')}, strong, sync, dispatch_uid='uid'"
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.line = 1


def test_a_plain_connection_prints_one_line(listing, make, awaits):
    signal = make()
    signal.connect(awaited)
    signal.connect(print)
    lines = sorted(map(str, listing.list_receivers(signal)))
    assert lines[0] == "print, for any sender, weak, sync"
    assert lines[1].startswith(f"{name('awaited')} at {__file__}:")
    assert lines[1].endswith(f", for any sender, weak, {'async' if awaits else 'sync'}")


def test_the_list_has_send_order(listing, make, awaits):
    def numbered(number, **named):
        called.append(number)

    def async_numbered(number):
        async def hear(**named):
            called.append(number)

        return hear

    signal, called, kept = make(), [], []
    for number in range(12):
        receiver = functools.partial(numbered, number) if number % 3 else async_numbered(number)
        kept.append(receiver)
        signal.connect(receiver, dispatch_uid=number + 1)
    listed = [info.dispatch_uid - 1 for info in listing.list_receivers(signal)]
    if awaits:
        signal.send(Sender)
        assert listed == called
        assert [info.is_async for info in listing.list_receivers(signal)] == [False] * 8 + [True] * 4
    else:
        assert listed == list(range(12))


def test_dead_receivers_are_left_out(listing, make):
    signal, listener, sender = make(), Listener(), Sender()
    signal.connect(Listener().hear)
    signal.connect(listener.hear)
    signal.connect(first, sender=sender)
    gc.collect()
    assert names(listing, signal) == ["hear", "first"]
    del listener, sender
    gc.collect()
    holds = HOLDS_SENDERS or make is not django.dispatch.Signal
    assert names(listing, signal) == ([] if holds else ["first"])
    assert holds or listing.list_receivers(signal)[0].sender.startswith("id ")


def test_listing_keeps_and_changes_nothing(listing, make):
    signal, listener = make(), Listener()
    signal.connect(listener.hear, sender=listener)
    entries, state = signal.receivers[:], dict(vars(signal))
    infos, shown = listing.list_receivers(signal), repr(signal)
    assert (signal.receivers, dict(vars(signal))) == (entries, state)
    alive = weakref.ref(listener)
    del listener, entries, state
    collect_where_references_are_not_counted()
    assert alive() is None
    assert infos
    assert shown


@pytest.mark.parametrize(
    ("sender", "described"),
    [
        (None, None),
        (Sender, name("Sender")),
        (first, name("first")),
        (Sender(), name("Sender object")),
        (sys, "module object"),
        ("by mail", "by mail"),
        (object(), "object object"),
    ],
    ids=["any", "class", "function", "object", "module", "string", "bare object"],
)
def test_senders_are_found_by_their_ids(listing, make, sender, described):
    signal = make()
    signal.connect(first, sender=sender)
    (info,) = listing.list_receivers(signal)
    if make is django.dispatch.Signal and type(sender) in (str, object):
        described = f"id {id(sender)}"  # nothing refers to this sender, so a search cannot find it
    assert info.sender == described


def test_method_senders_are_named_by_function(listing, make):
    sender = Sender()
    signal = make()
    signal.connect(first, sender=sender.send)
    infos = listing.list_receivers(signal)
    # Django 6 keeps a weak reference to the method object, which is freed at once.
    is_dead = HOLDS_SENDERS and make is django.dispatch.Signal
    assert [info.sender for info in infos] == ([] if is_dead else [name("Sender.send")])


@pytest.mark.parametrize(
    "receiver",
    [first, Listener().hear, Listener(), functools.partial(first), Listener, print, mock.Mock(spec=[])],
    ids=["function", "method", "object", "partial", "class", "builtin", "mock"],
)
def test_the_list_has_each_dispatch_uid(listing, make, receiver):
    for uid in (None, "", "uid", 7, ("app", 1), (1, 2), Sender):
        signal = make()
        signal.connect(receiver, weak=False, dispatch_uid=uid)
        (info,) = listing.list_receivers(signal)
        assert info.dispatch_uid == (uid or None)


class Uid:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("uid", "text"),
    [
        ("uid", "'uid'"),
        (7, "7"),
        (("app", (1, None)), "('app', (1, None))"),
        (Sender, name("Sender")),
        (Uid(), name("Uid object")),
        ((Uid(),), f"({name('Uid object')})"),
    ],
    ids=["string", "number", "tuple", "class", "object", "object in a tuple"],
)
def test_showing_a_dispatch_uid_runs_no_repr(listing, make, uid, text):
    signal = make()
    signal.connect(first, dispatch_uid=uid)
    assert str(listing.list_receivers(signal)[0]).endswith(f", dispatch_uid={text}")


def test_entries_of_any_django_version_work(listing, make):
    # conftest.py freezes the objects of imported modules, so the collector would not find a class of this module.
    Sender = type("Sender", (), {"__module__": __name__})  # noqa: N806
    signal = make()
    key, any_key = ("uid", id(Sender)), ("uid", id(None))
    signal.receivers = [
        (key, first),
        (key, weakref.ref(first)),
        (key, first, True),
        (key, first, False),
        (key, first, weakref.ref(Sender), False),
        (any_key, first, None, True),
        (any_key, first, None, "something new", True),
    ]
    found = [(info.sender, info.is_weak, info.is_async) for info in listing.list_receivers(signal)]
    # Python 3.13t makes classes immortal, and its collector does not track them.
    sender = name("Sender") if not hasattr(gc, "is_tracked") or gc.is_tracked(Sender) else f"id {id(Sender)}"
    assert found == [
        (sender, False, False),
        (sender, True, False),
        (sender, False, False),
        (name("Sender"), False, False),
        (sender, False, True),
        (None, False, True),
        (None, False, True),
    ]


class NoTruthValue:
    def __bool__(self):
        raise RuntimeError


BROKEN = [
    None,
    (),
    5,
    object(),
    [None, 1, (), ("a", "b"), (1, first), ((1,), first), ((1, 2, 3), first), ((1, []), first), "ab", {}],
    [((1, 2), None), ((1, 2), None, False), ((1, 2), first, 3, False), ((1, 2), first, NoTruthValue())],
    [((1, 2), first, lambda: 1 / 0, False), ((1, 2), lambda: None, lambda: None, False)],
]


@pytest.mark.parametrize("receivers", BROKEN, ids=map(str, range(len(BROKEN))))
def test_invalid_entries_are_left_out(listing, make, receivers):
    signal = make()
    signal.receivers = receivers
    assert listing.list_receivers(signal) == []
    assert listing.represent(signal) == f"<Signal at {id(signal):#x}: no receivers>"
    del signal.receivers
    assert listing.list_receivers(signal) == []
    assert listing.represent(signal) == f"<Signal at {id(signal):#x}: no receivers>"


@pytest.mark.parametrize(
    "wrong",
    [None, 1, "post_save", object(), django.dispatch.Signal, mock.Mock(spec=django.dispatch.Signal)],
    ids=lambda each: type(each).__name__,
)
def test_objects_that_are_not_signals_raise(listing, wrong):
    with pytest.raises(TypeError, match=r"^list_receivers\(\) takes a signal, not "):
        listing.list_receivers(wrong)


def test_listing_is_loaded_on_first_use(implementation):
    code = """
import sys, csignals
assert "csignals.listing" not in sys.modules
from csignals import *
print(list_receivers(Signal()), ReceiverInfo.__module__, csignals.list_receivers is list_receivers)
print("django" in sys.modules, "asyncio" in sys.modules)
try:
    csignals.no_such_name
except AttributeError as error:
    print(error)
"""
    done = run_python("-W", "error", "-c", code, implementation=implementation)
    expected = "[] csignals.listing True\nFalse False\nmodule 'csignals' has no attribute 'no_such_name'\n"
    assert (done.stdout, done.stderr) == (expected, "")


# --- repr() --------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(make, listing):
    """``repr()``, or its equivalent for Django's signals while csignals is not installed."""
    return repr if make.__repr__ is not object.__repr__ else listing.represent


def test_the_repr_has_name_and_receivers(make, shown, awaits):
    global a_signal
    a_signal = signal = make()
    start = f"<Signal {name('a_signal')}"
    try:
        assert shown(signal) == f"{start}: no receivers>"
        signal.connect(awaited)
        assert shown(signal) == f"{start}: 1 receiver ({name('awaited')})>"
        signal.connect(first, sender=Sender)
        expected = ("first", "awaited") if awaits else ("awaited", "first")
        assert shown(signal) == f"{start}: 2 receivers ({', '.join(map(name, expected))})>"
        signal.disconnect(awaited)
        signal.connect(second)
        signal.connect(Listener().hear)
        collect_where_references_are_not_counted()
        signal.connect(third)
        three = ", ".join(map(name, ["first", "second", "third"]))
        assert shown(signal) == f"{start}: 3 receivers ({three})>"
        for uid in range(1, 8):
            signal.connect(first, dispatch_uid=uid)
        assert shown(signal) == f"{start}: 10 receivers ({three} and 7 more)>"
    finally:
        del a_signal


def test_an_unnamed_signal_shows_its_address(make, shown):
    signal = make()
    assert shown(signal) == f"<Signal at {id(signal):#x}: no receivers>"


def test_subclasses_show_their_own_names(make, shown):
    class PluginSignal(make):
        pass

    class Failing(make):
        @property
        def receivers(self):
            raise RuntimeError

        @receivers.setter
        def receivers(self, receivers):
            pass

    class Own(make):
        def __repr__(self):
            return "own"

    signal = PluginSignal()
    assert shown(signal) == f"<PluginSignal at {id(signal):#x}: no receivers>"
    assert "Failing object at 0x" in shown(Failing())
    assert repr(Own()) == "own"


def test_a_subclass_may_skip_init(csignals):
    class Lazy(csignals.Signal):
        def __init__(self):
            pass

    signal = Lazy()
    assert repr(signal) == f"<Lazy at {id(signal):#x}: no receivers>"
    assert signal.name is None


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __call__(self, **named):
        pass


def test_the_repr_runs_no_other_repr(make, shown, listing):
    hostile = Hostile()
    signal = make()
    signal.receivers = [((id(hostile), id(hostile)), hostile, weakref.ref(hostile), False)]
    assert shown(signal) == f"<Signal at {id(signal):#x}: 1 receiver ({name('Hostile object')})>"
    (info,) = listing.list_receivers(signal)
    assert (info.receiver, info.sender, info.dispatch_uid) == (name("Hostile object"), name("Hostile object"), None)


@pytest.mark.exhaustive
def test_threads_may_connect_during_a_listing(make, shown, listing):
    signal, ended, errors = make(), threading.Event(), []

    def connect_and_disconnect():
        try:
            while not ended.is_set():
                listeners = [Listener() for _ in range(20)]
                for listener in listeners:
                    signal.connect(listener.hear)
                for listener in listeners[::2]:
                    signal.disconnect(listener.hear)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=connect_and_disconnect) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for _ in range(20):
            assert shown(signal).startswith("<Signal at ")
            assert {info.receiver for info in listing.list_receivers(signal)} <= {name("Listener.hear")}
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_django_signals_have_our_repr_while_installed(drop_in):
    ours = vars(django.dispatch.Signal)["__repr__"]
    assert repr(post_save) == "<ModelSignal django.db.models.signals.post_save: no receivers>"
    assert (ours.__module__, ours.__qualname__) == ("django.dispatch.dispatcher", "Signal.__repr__")
    drop_in.uninstall()
    assert "__repr__" not in vars(django.dispatch.Signal)
    assert repr(post_save) == object.__repr__(post_save)
    drop_in.install()
    drop_in.install()
    assert vars(django.dispatch.Signal)["__repr__"] is ours


def test_a_repr_set_by_others_stays(drop_in):
    """Another package may set it before or after csignals is installed."""
    drop_in.uninstall()
    with mock.patch.object(django.dispatch.Signal, "__repr__", lambda self: "before", create=True):
        drop_in.install()
        assert repr(post_save) == "before"
        drop_in.uninstall()
        assert repr(post_save) == "before"
    drop_in.install()
    ours = vars(django.dispatch.Signal)["__repr__"]
    django.dispatch.Signal.__repr__ = lambda self: f"after {ours(self)}"
    drop_in.uninstall()
    assert repr(post_save).startswith("after <ModelSignal")
    del django.dispatch.Signal.__repr__
    drop_in.install()
    assert vars(django.dispatch.Signal)["__repr__"] is ours
