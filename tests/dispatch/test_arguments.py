"""Unusual arguments of the compiled functions: those that fuzzing once found, and random ones.

``python -m tests.fuzz calls`` tries random ones for longer: it reads programs of calls out of bytes, and both
implementations run them.
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


class EqualToAnything(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class EqualToNothing(str):
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
def test_random_calls_agree_across_implementations():
    with arguments.ready():
        run_programs()


@compiled
def test_the_comparison_notices_a_difference(monkeypatch):
    """A check that cannot fail checks nothing."""
    compiled = arguments.pair().sides[1].package.Signal
    send = compiled.send
    monkeypatch.setattr(compiled, "send", lambda self, *args, **named: send(self, *args, **named) * 2)
    with arguments.ready(), pytest.raises(arguments.Difference):
        run_programs()


# --- Keywords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("not_a_name", [1, None, b"x", ("x",), object()], ids=plain_id)
def test_keywords_that_are_not_strings_raise(signal, name, not_a_name, connected):
    """From Python 3.13 on, ``operator.methodcaller`` does not check the names."""
    if connected:
        signal.connect(hear)
    with pytest.raises(TypeError):
        operator.methodcaller(name, None, **{not_a_name: 1})(signal)
    with pytest.raises(TypeError):
        functools.partial(getattr(signal, name), **{not_a_name: 1})(None)


@different_on_pypy("a keyword's name becomes a plain string")
@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("name", SENDS)
def test_a_keyword_equal_to_anything_raises(signal, name, connected):
    if connected:
        signal.connect(hear)
    with pytest.raises(TypeError, match="got multiple values for argument"):
        getattr(signal, name)(None, **{EqualToAnything("x"): 1})
    with pytest.raises(TypeError, match="got multiple values for argument"):
        getattr(signal, name)(**{EqualToAnything("x"): 1, "sender": 1})


@different_on_pypy("a keyword's name becomes a plain string")
@pytest.mark.parametrize("name", SENDS)
def test_a_keyword_equal_to_nothing_is_passed(signal, name):
    signal.connect(hear)
    for text in "sender", "signal", "self", "x":
        ((_, named),) = getattr(signal, name)(None, **{EqualToNothing(text): 1})
        assert [*map(str.__str__, named)] == [text]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'sender'"):
        getattr(signal, name)(**{EqualToNothing("sender"): 1})


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("text", ["\ud800", "", "größe", "a b", "self ", "y" * 5000], ids=lambda text: ascii(text)[:9])
def test_any_text_may_be_a_keyword(signal, name, text):
    signal.connect(hear)
    assert getattr(signal, name)(None, **{text: 1}) == [(hear, {text: 1})]
    assert getattr(signal, name)(**{text: 1, "sender": None}) == [(hear, {text: 1})]


@pytest.mark.parametrize("name", SENDS)
@pytest.mark.parametrize("many", [1_000, 70_000])
def test_tens_of_thousands_of_keywords_work(signal, name, many):
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


# --- Entries that programs put on the list ------------------------------------------------------------------------


class Lying(tuple):
    """A tuple that pretends to hold an entry."""

    __slots__ = ()

    def __iter__(self):
        return iter([("uid", NONE_ID), hear, None, False])

    def __len__(self):
        return 4


@pytest.mark.parametrize("name", [*SENDS, "has_listeners", "_live_receivers"])
def test_lying_entries_raise_in_compiled_code(csignals, signal, name):
    for held in (), (1,), (("uid", NONE_ID),):
        signal.receivers = [Lying(held)]
        if csignals.IMPLEMENTATION == "cython":  # the Python implementation uses __iter__()
            with pytest.raises((TypeError, ValueError)):
                getattr(signal, name)(None)


@pytest.mark.parametrize("name", [*SENDS, "has_listeners", "_live_receivers"])
def test_none_as_a_receiver_raises(signal, name):
    signal.connect(hear)
    for none in (("uid", NONE_ID), None, None, False), (("uid", NONE_ID), None):
        signal.receivers = [*signal.receivers, none]
        with pytest.raises(TypeError, match=r"^Signal\.receivers must hold receivers, not None: \(\("):
            getattr(signal, name)(None)
        signal.receivers.pop()
        assert signal.send(None) == [(hear, {})]


# --- The implementation's own functions ---------------------------------------------------------------------------


@pytest.fixture
def dispatch(csignals):
    return csignals.signals._dispatch


@pytest.mark.parametrize("entry", [(), None], ids=plain_id)
def test_entries_without_a_key_are_rejected(dispatch, signal, entry):
    with pytest.raises((IndexError, TypeError)):
        dispatch.add_entry(signal, entry)
    assert signal.receivers == []


@pytest.mark.parametrize("not_a_signal", [None, 7, object()], ids=plain_id)
def test_only_signals_have_entries(dispatch, not_a_signal):
    entry = ("uid", NONE_ID), hear, None, False
    with pytest.raises((TypeError, AttributeError)):
        dispatch.add_entry(not_a_signal, entry)
    with pytest.raises((TypeError, AttributeError)):
        dispatch.remove_entry(not_a_signal, entry[0])


def test_call_all_rejects_a_second_sender(dispatch, signal):
    assert dispatch.call_all(signal, [hear], None, {"x": 1}) == [(hear, {"x": 1})]
    for name in "signal", "sender":
        with pytest.raises(TypeError, match=f"got multiple values for keyword argument '{name}'"):
            dispatch.call_all(signal, [hear], None, {name: 1})


def test_calls_must_begin_before_ending(dispatch):
    call = dispatch.CallBase.__new__(dispatch.CallBase)
    for error in None, ValueError():
        with pytest.raises(AttributeError):
            call.end(error)
    with pytest.raises((TypeError, AttributeError)):
        dispatch.CallBase(None, hear)
