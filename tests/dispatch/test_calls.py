"""How signals call receivers: wrong calls, many arguments, recursion, failures; and that calls leak nothing."""

import gc
import re
import sys
import types

import pytest
from django.dispatch import Signal as DjangoSignal

from tests.helpers.implementations import counted, different_on_pypy, plain_id
from tests.helpers.interpreter import run_python

SENDS = ["send", "send_robust"]


def hear(signal, sender, **named):
    return named


class Name(str):
    """A keyword's name of a subclass of str."""


def message(call):
    with pytest.raises(TypeError) as caught:
        call()
    if sys.implementation.name == "pypy":  # its message begins with the module's name
        return re.sub(r"^[\w.]+\.(?=Signal\.)", "", str(caught.value))
    return str(caught.value)


@pytest.fixture
def django_signal():
    return DjangoSignal()


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize(
    ("args", "named"),
    [
        ((), {}),
        ((), {"x": 1}),
        ((1,), {"sender": 2}),
        ((1,), {"x": 1, "sender": 2}),
        ((1, 2), {}),
        ((1, 2, 3), {"x": 1}),
        ((1, 2), {"sender": 1}),
        ((1,), {"self": 1}),
        ((), {"self": 1}),
        ((), {"sender": 1, "self": 1}),
        ((1,), {1: 2}),
        ((1,), {None: 2}),
    ],
    ids=plain_id,
)
def test_wrong_calls_raise_djangos_type_error(signal, django_signal, name, args, named, connected):
    if connected:
        signal.connect(hear)
        django_signal.connect(hear)
    ours = message(lambda: getattr(signal, name)(*args, **named))
    theirs = message(lambda: getattr(django_signal, name)(*args, **named))
    # For a keyword that is not a string, CPython's message may begin with "send() ", "Signal.send() " or neither.
    assert ours == theirs or ours == theirs.partition("() ")[2] == "keywords must be strings"


@pytest.mark.parametrize("make", [str, Name, lambda name: "".join(list(name))], ids=["str", "subclass", "not interned"])
@pytest.mark.parametrize("name", ["sender", "signal", "self"])
def test_keywords_are_compared_by_value(signal, django_signal, make, name):
    signal.connect(hear)
    django_signal.connect(hear)
    assert message(lambda: signal.send(1, **{make(name): 1})) == message(
        lambda: django_signal.send(1, **{make(name): 1})
    )
    assert signal.send(**{make("sender"): 1, make("x"): 2}) == [(hear, {"x": 2})]


def test_receivers_reject_signal_as_a_keyword(signal, django_signal, caplog):
    assert signal.send(1, signal=2) == django_signal.send(1, signal=2) == []
    signal.connect(hear)
    django_signal.connect(hear)
    assert message(lambda: signal.send(1, signal=2)) == message(lambda: django_signal.send(1, signal=2))
    (ours,), (theirs,) = signal.send_robust(1, signal=2), django_signal.send_robust(1, signal=2)
    assert (ours[0], str(ours[1])) == (theirs[0], str(theirs[1]))
    assert len(caplog.records) == 2


@pytest.mark.parametrize("name", SENDS)
def test_receivers_without_keywords_fail_like_djangos(signal, django_signal, name, caplog):
    def deaf(signal, sender):
        pass

    signal.connect(deaf)
    django_signal.connect(deaf)
    if name == "send":
        assert message(lambda: signal.send(1, x=1)) == message(lambda: django_signal.send(1, x=1))
    else:
        ((_, ours),), ((_, theirs),) = signal.send_robust(1, x=1), django_signal.send_robust(1, x=1)
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))
    assert signal.send(1) == [(deaf, None)]


@pytest.mark.parametrize("not_callable", [None, 1, "name", object()], ids=plain_id)
def test_connecting_uncallable_objects_raises(signal, not_callable):
    for named in ({}, {"weak": False}):
        with pytest.raises(TypeError, match=r"^Signal receivers must be callable\.$"):
            signal.connect(not_callable, **named)
    assert signal.receivers == []


def test_sending_to_uncallable_entries_raises(signal):
    signal.connect(hear, weak=False)
    key, _, sender_ref, is_async = signal.receivers[0]
    signal.receivers = [(key, 7, sender_ref, is_async)]
    assert message(lambda: signal.send(None)) == "'int' object is not callable"


@different_on_pypy("all objects support weak references")
def test_receivers_without_weakrefs_need_strong_connections(signal, django_signal):
    class Slotted:
        __slots__ = ()

        def __call__(self, **named):
            return "slotted"

    receiver = Slotted()
    assert message(lambda: signal.connect(receiver)) == message(lambda: django_signal.connect(receiver))
    assert message(lambda: signal.connect(receiver.__call__)) == message(
        lambda: django_signal.connect(receiver.__call__)
    )
    signal.connect(receiver, weak=False)
    assert signal.send(None) == [(receiver, "slotted")]


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("many", [1, 13, 14, 15, 16, 28, 29, 30, 31, 32, 33, 500])
def test_many_keyword_arguments_are_passed(signal, name, many):
    signal.connect(hear)
    named = {f"name_{i}": i for i in range(many)}
    assert getattr(signal, name)(None, **named) == [(hear, named)]
    assert getattr(signal, name)(sender=None, **named) == [(hear, named)]
    assert getattr(signal, name)(**named, sender=None) == [(hear, named)]


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("many", [13, 14, 15, 16, 28, 29, 30, 31, 32, 33, 700])
def test_many_receivers_are_all_called(signal, name, many):
    receivers = [types.FunctionType(hear.__code__, globals()) for _ in range(many)]
    for i, receiver in enumerate(receivers):
        signal.connect(receiver, weak=i % 2)
    assert getattr(signal, name)(None, x=1) == [(receiver, {"x": 1}) for receiver in receivers]
    assert signal._live_receivers(None) == (receivers, [])
    assert signal.has_listeners()


@pytest.mark.parametrize("name", SENDS)
def test_a_receiver_may_send_the_same_signal(signal, name):
    def again(depth, **named):
        return depth and [depth, *getattr(signal, name)(None, depth=depth - 1, **({"odd": 1} if depth % 2 else {}))]

    signal.connect(again)
    assert getattr(signal, name)(None, depth=3) == [(again, [3, (again, [2, (again, [1, (again, 0)])])])]


def test_endless_recursion_raises_recursion_error(signal):
    def again(**named):
        signal.send(None)

    signal.connect(again)
    with pytest.raises(RecursionError):
        signal.send(None)


def test_a_failing_receiver_ends_the_send(signal):
    called = []

    def fail(**named):
        called.append("fail")
        raise ValueError("no")

    def later(**named):
        called.append("later")

    signal.connect(fail)
    signal.connect(later)
    with pytest.raises(ValueError, match="no") as caught:
        signal.send(None)
    assert called == ["fail"]
    assert caught.traceback[-1].name == "fail"


def test_unfinished_lists_of_responses_are_untracked(signal):
    def look(**named):
        return [each for each in gc.get_objects() if type(each) is list and look in [*map(first, each)]]

    def first(item):
        return item[0] if type(item) is tuple and item else None

    signal.connect(look)
    signal.connect(hear)
    responses = signal.send(None)
    assert responses == [(look, []), (hear, {})]


class Fails:
    def __init__(self, error):
        self.error = error

    def hear(self, **named):
        raise self.error


def exercise(csignals, argument):
    """Take each path once: strong and weak, functions and methods, failing and not, with few arguments and many."""
    signal = csignals.Signal()
    fails = Fails(ValueError(argument))
    signal.connect(hear, sender=argument)
    signal.connect(fails.hear, weak=False)
    signal.connect(Fails(None).hear)
    signal._log_robust_failure = lambda receiver, error: None
    signal.send_robust(argument, x=argument)
    signal.send_robust(argument, **{f"name_{i}": argument for i in range(50)})
    for call in (
        lambda: signal.send(argument, x=argument),
        lambda: signal.send(x=argument, sender=argument, **{f"name_{i}": argument for i in range(50)}),
        lambda: signal.send(argument, signal=argument),
        lambda: signal.send(argument, sender=argument),
        lambda: signal.send(argument, argument),
    ):
        try:
            call()
        except (TypeError, ValueError):
            pass
        else:
            pytest.fail("no error")
    signal.has_listeners(argument)
    signal._live_receivers(argument)
    signal.disconnect(fails.hear)
    signal.send(argument, x=argument)


@counted
def test_calls_leak_no_references(csignals):
    """This finds a reference that is lost per call. test_memory.py counts more."""

    class Argument:
        pass

    argument = Argument()
    for _ in range(3):
        exercise(csignals, argument)
    gc.collect()
    before = sys.getrefcount(argument), sys.getrefcount(hear), sys.getrefcount(None), len(gc.get_objects())
    for _ in range(50):
        exercise(csignals, argument)
    gc.collect()
    after = sys.getrefcount(argument), sys.getrefcount(hear), sys.getrefcount(None), len(gc.get_objects())
    assert after[:2] == before[:2]
    assert abs(after[2] - before[2]) < 25 or before[2] > 1 << 29  # None is immortal from Python 3.12 on
    assert after[3] - before[3] < 25


@pytest.mark.parametrize("debug", [False, True])
def test_receivers_without_kwargs_raise_under_debug(signal, settings_debug, debug):
    def deaf(signal, sender):
        pass

    with settings_debug(debug):
        if not debug:
            signal.connect(deaf)
            return
        with pytest.raises(ValueError, match=r"^Signal receivers must accept keyword arguments \(\*\*kwargs\)\.$"):
            signal.connect(deaf)
        signal.connect(hear)
        signal.connect(dict, weak=False)
        # An annotation may use an undefined name. From Python 3.14 on, Python evaluates annotations late.
        annotation = "Later" if sys.version_info >= (3, 14) else "'Later'"
        namespace = {}
        exec(f"def annotated(sender: {annotation}, **named): pass", namespace)
        signal.connect(namespace["annotated"], weak=False)
    assert len(signal.receivers) == 3


@pytest.fixture
def settings_debug():
    """A function that gives `connect()` Django's settings, with this value of DEBUG."""
    from contextlib import contextmanager
    from unittest import mock

    @contextmanager
    def configured(debug):
        with mock.patch("django.conf.settings", mock.Mock(configured=True, DEBUG=debug)):
            yield

    return configured


def test_receivers_without_kwargs_raise_in_devmode(implementation):
    code = "import csignals; csignals.Signal().connect(lambda signal, sender: None)"
    outcome = {}
    for flags in ([], ["-X", "dev"]):
        done = run_python(*flags, "-c", code, implementation=implementation)
        outcome[tuple(flags)] = done.stderr.splitlines()[-1:]
    assert outcome == {
        (): [],
        ("-X", "dev"): ["ValueError: Signal receivers must accept keyword arguments (**kwargs)."],
    }
