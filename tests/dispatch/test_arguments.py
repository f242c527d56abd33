"""What fuzzing the arguments of the compiled functions has found or come by, by hand; and some more of it by chance.

``python -m tests.fuzz calls`` does it for long: the programs of calls are read out of bytes, and run by both engines.
"""

import functools
import operator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz import arguments
from tests.helpers.implementations import compiled, different_on_pypy, plain_id

SENDS = ["send", "send_robust"]
NONE_ID = id(None)


def hear(signal, sender, **named):
    return named


class EqualToAll(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class EqualToNone(str):
    __slots__ = ()

    def __eq__(self, other):
        return False

    __hash__ = str.__hash__


@settings(max_examples=1500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=arguments.MOST_BYTES))
@example(bytes(range(256)))
def run_programs(data):
    arguments.run(data)


@compiled
def test_programs_of_calls_come_to_the_same_with_both_engines():
    with arguments.ready():
        run_programs()


@compiled
def test_the_comparison_notices_a_difference(monkeypatch):
    """A check that cannot fail is none."""
    compiled = arguments.pair().sides[1].package.Signal
    send = compiled.send
    monkeypatch.setattr(compiled, "send", lambda self, *args, **named: send(self, *args, **named) * 2)
    with arguments.ready(), pytest.raises(arguments.Difference):
        run_programs()


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("no_name", [1, None, b"x", ("x",), object()], ids=plain_id)
def test_names_that_are_no_strings_are_refused_whoever_passes_them_on(signal, name, no_name, connected):
    """From Python 3.13 on, ``operator.methodcaller`` does not look."""
    if connected:
        signal.connect(hear)
    with pytest.raises(TypeError):
        operator.methodcaller(name, None, **{no_name: 1})(signal)
    with pytest.raises(TypeError):
        functools.partial(getattr(signal, name), **{no_name: 1})(None)


@different_on_pypy("a name is a plain string, also where one of another class was given")
@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", SENDS)
def test_a_name_that_is_equal_to_all_is_that_of_the_first_parameter(signal, name, connected):
    if connected:
        signal.connect(hear)
    with pytest.raises(TypeError, match="got multiple values for argument"):
        getattr(signal, name)(None, **{EqualToAll("x"): 1})
    with pytest.raises(TypeError, match="got multiple values for argument"):
        getattr(signal, name)(**{EqualToAll("x"): 1, "sender": 1})


@different_on_pypy("a name is a plain string, also where one of another class was given")
@pytest.mark.parametrize("name", SENDS)
def test_a_name_that_is_equal_to_nothing_is_one_of_the_others(signal, name):
    signal.connect(hear)
    for text in "sender", "signal", "self", "x":
        ((_, named),) = getattr(signal, name)(None, **{EqualToNone(text): 1})
        assert [*map(str.__str__, named)] == [text]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'sender'"):
        getattr(signal, name)(**{EqualToNone("sender"): 1})


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("text", ["\ud800", "", "größe", "a b", "self ", "y" * 5000], ids=lambda text: ascii(text)[:9])
def test_any_text_may_be_a_name(signal, name, text):
    signal.connect(hear)
    assert getattr(signal, name)(None, **{text: 1}) == [(hear, {text: 1})]
    assert getattr(signal, name)(**{text: 1, "sender": None}) == [(hear, {text: 1})]


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("many", [1_000, 70_000])
def test_tens_of_thousands_of_names(signal, name, many):
    named = {f"name_{i}": i for i in range(many)}
    send = getattr(signal, name)
    assert send(None, **named) == []
    signal.connect(hear)
    for _ in range(2):
        assert send(None, **named) == send(**named, sender=None) == [(hear, named)]
    with pytest.raises(TypeError, match="got multiple values for argument 'sender'"):
        send(None, **named, sender=None)
    with pytest.raises(TypeError, match="got multiple values for argument 'self'"):
        send(None, **named, self=None)


# --- What is on the list by hand --------------------------------------------------------------------------------


class Lying(tuple):
    """One that gives out to hold an entry."""

    __slots__ = ()

    def __iter__(self):
        return iter([("uid", NONE_ID), hear, None, False])

    def __len__(self):
        return 4


@pytest.mark.parametrize("name", [*SENDS, "has_listeners", "_live_receivers"])
def test_entries_that_hold_less_than_they_say_do_no_harm(csignals, signal, name):
    for held in (), (1,), (("uid", NONE_ID),):
        signal.receivers = [Lying(held)]
        if csignals.IMPLEMENTATION == "cython":  # which reads what is there; the Python engine takes its word
            with pytest.raises((TypeError, ValueError)):
                getattr(signal, name)(None)


@pytest.mark.parametrize("name", [*SENDS, "has_listeners", "_live_receivers"])
def test_none_is_no_receiver(signal, name):
    signal.connect(hear)
    for none in (("uid", NONE_ID), None, None, False), (("uid", NONE_ID), None):
        signal.receivers = [*signal.receivers, none]
        with pytest.raises(TypeError, match=r"^Signal\.receivers must hold receivers, not None: \(\("):
            getattr(signal, name)(None)
        signal.receivers.pop()
        assert signal.send(None) == [(hear, {})]


# --- The engine's own functions ---------------------------------------------------------------------------------


@pytest.fixture
def engine(csignals):
    return csignals.signals._dispatch


@pytest.mark.parametrize("entry", [(), None], ids=plain_id)
def test_an_entry_without_a_key_is_not_added(engine, signal, entry):
    with pytest.raises((IndexError, TypeError)):
        engine.add_entry(signal, entry)
    assert signal.receivers == []


@pytest.mark.parametrize("no_signal", [None, 7, object()], ids=plain_id)
def test_entries_are_those_of_signals(engine, no_signal):
    entry = ("uid", NONE_ID), hear, None, False
    with pytest.raises((TypeError, AttributeError)):
        engine.add_entry(no_signal, entry)
    with pytest.raises((TypeError, AttributeError)):
        engine.remove_entry(no_signal, entry[0])


def test_whoever_calls_all_gives_the_sender_once(engine, signal):
    assert engine.call_all(signal, [hear], None, {"x": 1}) == [(hear, {"x": 1})]
    for name in "signal", "sender":
        with pytest.raises(TypeError, match=f"got multiple values for keyword argument '{name}'"):
            engine.call_all(signal, [hear], None, {name: 1})


def test_a_call_that_has_not_begun_has_no_end(engine):
    call = engine.CallBase.__new__(engine.CallBase)
    for error in None, ValueError():
        with pytest.raises(AttributeError):
            call.end(error)
    with pytest.raises((TypeError, AttributeError)):
        engine.CallBase(None, hear)
