"""``assert_sent()`` and ``assert_not_sent()``: when they pass, and their messages, on both implementations."""

import asyncio
import gc
from unittest import mock

import pytest

from tests.helpers.implementations import different_on_pypy, load
from tests.helpers.receivers import Other, Sender, one


@pytest.fixture
def testing(implementation):
    return load(implementation, "csignals.testing")


def test_a_capture_log_asserts_sends(testing, make):
    signal, other = make(), make()
    with testing.capture() as sends:
        signal.send(Sender, order=7, total=1)
        signal.send(Other, order=8)
        signal.send(Sender, order=7)
    assert sends.assert_sent(signal) == list(sends)
    assert sends.assert_sent(signal, order=7) == [sends[0], sends[2]]
    assert sends.assert_sent(signal, sender=Other) == [sends[1]]
    assert sends.assert_sent(signal, sender=Sender, order=7, times=2) == [sends[0], sends[2]]
    assert sends.assert_sent(signal, order=mock.ANY, total=mock.ANY, sender=mock.ANY, times=1) == [sends[0]]
    assert sends.assert_sent(other, times=0) == []
    assert sends.assert_not_sent(other) is None
    sends.assert_not_sent(signal, sender=Other, order=7)
    sends.assert_not_sent(signal, sender=None)
    sends.assert_not_sent(signal, missing=None)
    for check in (
        lambda: sends.assert_sent(other),
        lambda: sends.assert_sent(signal, order=9),
        lambda: sends.assert_sent(signal, missing=mock.ANY),
        lambda: sends.assert_sent(signal, sender=None),
        lambda: sends.assert_sent(signal, times=2),
        lambda: sends.assert_sent(signal, order=7, times=0),
        lambda: sends.assert_not_sent(signal),
        lambda: sends.assert_not_sent(signal, sender=Sender),
        lambda: sends.assert_not_sent(signal, order=8),
    ):
        with pytest.raises(AssertionError):
            check()


@different_on_pypy("floats are identical where their bits are")
def test_identical_or_equal_values_match(testing, signal):
    nan, text = float("nan"), "text"
    with testing.capture() as sends:
        signal.send("".join(["sh", "op"]), numbers=[1, 2], nan=nan, upper=text.upper)
        signal.send(text.upper)
        signal.send(None)
    sends.assert_sent(signal, sender="shop", numbers=[1.0, 2.0], nan=nan, upper=text.upper)
    sends.assert_sent(signal, sender=text.upper, times=1)
    sends.assert_sent(signal, sender=None, times=1)
    sends.assert_not_sent(signal, nan=float("nan"))


def test_arguments_may_be_named_like_parameters(testing, signal):
    with testing.assert_sent(signal, expected=2, named=3, signals=4) as sends:
        signal.send(None, expected=2, named=3, signals=4)
    sends.assert_sent(signal, expected=2, named=3, signals=4)
    sends.assert_not_sent(signal, self=2, wanted=3)


def test_assert_sent_checks_a_with_block(testing, make):
    signal = make()
    signal.connect(one)
    with testing.assert_sent(signal, sender=Sender, order=7, times=1) as sends:
        assert signal.send(Sender, order=7) == [(one, "one")]
        make().send(Other)
    assert len(sends) == 2
    with pytest.raises(AssertionError, match="was not sent"), testing.assert_sent(signal):
        pass
    with pytest.raises(AssertionError, match="was sent 2 times, not once"), testing.assert_sent(signal, times=1):
        signal.send(Sender)
        signal.send(Sender)


def test_assert_not_sent_checks_a_with_block(testing, make):
    signal = make()
    with testing.assert_not_sent(signal, order=7):
        signal.send(Sender, order=8)
    with pytest.raises(AssertionError, match="was sent once, but should not be"), testing.assert_not_sent(signal):
        signal.send(Sender)


def test_assertions_work_in_async_with(testing, signal):
    async def main():
        async with testing.assert_sent(signal, x=1), testing.assert_not_sent(signal, x=2):
            await asyncio.create_task(signal.asend(Sender, x=1))
        with pytest.raises(AssertionError, match="was not sent"):
            async with testing.assert_sent(signal):
                pass

    asyncio.run(main())


def test_an_exception_suppresses_the_assertion(testing, make):
    signal = make()
    with pytest.raises(LookupError) as raised, testing.assert_sent(signal):
        raise LookupError
    assert raised.value.__context__ is None
    with pytest.raises(LookupError), testing.assert_not_sent(signal):
        signal.send(Sender)
        raise LookupError


def test_an_assertion_never_entered_warns(testing, signal):
    for forgotten in (testing.assert_sent, testing.assert_not_sent):
        with pytest.warns(RuntimeWarning, match="has checked nothing: use it in a with statement"):
            forgotten(signal)
            gc.collect()


def test_asserting_an_uncaptured_signal_raises(testing, csignals, signal):
    with testing.capture(signal) as sends:
        pass
    for check in (sends.assert_sent, sends.assert_not_sent):
        with pytest.raises(ValueError, match="is not captured: pass it to capture"):
            check(csignals.Signal())


# --- Messages of failures ------------------------------------------------------------------------------------


def name_of(signal):
    return f"Signal at {id(signal):#x}"


def failure(call, *arguments, **named):
    with pytest.raises(AssertionError) as raised:
        call(*arguments, **named)
    return str(raised.value).splitlines()


def test_a_failure_shows_nearest_sends_first(testing, csignals, signal):
    """The sends of other signals come last, and are counted only."""
    other, another = csignals.Signal(), csignals.Signal()
    with testing.capture() as sends:
        other.send("shop")
        signal.send("market", order=8)
        another.send("shop")
        signal.send("shop", created=True, order=8)
        other.send("shop")
    name = name_of(signal)
    assert failure(sends.assert_sent, signal, sender="shop", order=7, created=True) == [
        f"{name}(sender='shop', order=7, created=True) was not sent. Captured sends:",
        f"  {name}: sender='shop', order=8 (not 7), created=True",
        f"  {name}: sender='market' (not 'shop'), order=8 (not 7), no created",
        f"  {name_of(other)} 2 times",
        f"  {name_of(another)} once",
    ]
    assert failure(sends.assert_sent, signal, sender="shop", times=2) == [
        f"{name}(sender='shop') was sent once, not 2 times. Captured sends:",
        f"  {name}: sender='shop', created=True, order=8",
        f"  {name}: sender='market' (not 'shop'), order=8",
        f"  {name_of(other)} 2 times",
        f"  {name_of(another)} once",
    ]
    assert failure(sends.assert_not_sent, signal)[0] == (
        f"{name}() was sent 2 times, but should not be. Captured sends:"
    )


def test_a_failure_reports_an_empty_log(testing, signal):
    assert failure(testing.CaptureLog().assert_sent, signal, x=1) == [
        f"{name_of(signal)}(x=1) was not sent. No send was captured."
    ]


def test_a_failure_message_stays_short(testing, csignals, signal):
    big = {f"argument_{number}": "x" * 10_000 for number in range(100)}
    with testing.capture() as sends:
        for number in range(1_000):
            signal.send("a\nb" * 100, number=number, lines=Hostile("a\nb\r\nc\u2028d"), **{"a\nb": 1}, **big)
            csignals.Signal().send(list(range(100)))
    lines = failure(sends.assert_sent, signal, number=-1, **big)
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 600
    assert "number=0 (not -1)" in lines[1]
    assert lines[11] == "  ... and 990 times more"
    assert lines[-1] == "  ... and 993 other signals"


class Hostile:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        if isinstance(self.text, Exception):
            raise self.text
        return self.text


class HostileText(str):
    def __len__(self):
        raise ValueError

    __format__ = __str__ = __add__ = __getitem__ = splitlines = __len__


class list_(list):  # noqa: N801
    def __len__(self):
        raise ValueError


class Masked:
    @property
    def __class__(self):
        raise ValueError

    def __repr__(self):
        raise ValueError


list_.__name__ = "list"

HOSTILE = {
    "several lines": Hostile("\n".join("lines")),
    "raises": Hostile(ValueError()),
    "recurses": Hostile(RecursionError()),
    "subclass of str": Hostile(HostileText("text")),
    "not a string": Hostile(None),
    "subclass of list": list_([1]),
    "no class": Masked(),
    "too many digits": 10**5_000,
    "surrogate": "\udc80",
}


class Array:
    """Compares item by item, as NumPy's arrays do. The result has no truth value."""

    def __init__(self, *items):
        self.items = items

    def __eq__(self, other):
        return Array(*[each == other for each in self.items])

    def __bool__(self):
        raise ValueError("is it all of them, or any?")

    def __repr__(self):
        return f"Array{self.items}"


class Incomparable(Array):
    def __eq__(self, other):
        raise OverflowError


@pytest.mark.parametrize("kind", [Array, Incomparable])
def test_incomparable_values_do_not_block_matching(testing, make, kind):
    signal, data = make(), kind(1, 2)
    with testing.capture() as sends:
        signal.send(Sender, data=kind(3))
        signal.send(Sender, data=data)
        signal.send(Other, data={"all": kind(4)})
    assert sends.assert_sent(signal, data=data) == [sends[1]]
    assert sends.assert_sent(signal, sender=Sender) == sends[:2]
    sends.assert_not_sent(signal, sender=None, data=kind(1))
    sends.assert_not_sent(signal, missing=None, data=kind(1))
    with pytest.raises(AssertionError):
        sends.assert_not_sent(signal, data={"all": kind(4)})


@pytest.mark.parametrize(("kind", "error"), [(Array, "ValueError"), (Incomparable, "OverflowError")])
def test_incomparable_values_fail_where_they_decide(testing, make, kind, error):
    signal, data = make(), kind(1, 2)
    with testing.capture(signal) as sends:
        signal.send(Sender, data=data)
        signal.send(Sender, data=kind(1, 2))
        signal.send(Other, data=kind(3))
    wanted = {"sender": Sender, "data": data}
    head, *lines = failure(sends.assert_not_sent, signal, **wanted)
    assert head.endswith("was sent between 1 and 2 times, but should not be. Captured sends:")
    assert f"data=Array(1, 2) ({error} at == Array(1, 2))" in lines[1]
    assert "data=Array(1, 2)" in lines[0] and error not in lines[0]
    assert "was sent between 1 and 2 times, not once." in failure(sends.assert_sent, signal, times=1, **wanted)[0]
    assert "may have been sent." in failure(sends.assert_sent, signal, data=kind(3))[0]
    sends.assert_sent(signal, **wanted)


@pytest.mark.parametrize("kind", HOSTILE)
def test_failures_survive_a_hostile_repr(testing, signal, kind):
    value = HOSTILE[kind]
    with testing.capture() as sends:
        signal.send(value, value=value, inside=[{"value": value}])
    lines = failure(sends.assert_sent, signal, sender=None, value=None, other=value)
    assert len(lines) == 2
    assert "(not None)" in lines[1]
    assert len(repr(sends).splitlines()) == 1


def test_comparing_and_showing_may_send(testing, signal):
    class Sending:
        def __eq__(self, other):
            signal.send(self)
            return False

        __hash__ = None

        def __repr__(self):
            signal.send(self)
            return "Sending"

    with testing.capture() as sends:
        signal.send(Sending())
        assert "sender=Sending (not 'shop')" in failure(sends.assert_sent, signal, sender="shop")[1]
    assert len(sends) > 1


def test_long_logs_have_a_short_repr(testing, csignals):
    signal = csignals.Signal(name="shop.paid")
    with testing.capture() as sends:
        for number in range(1_000):
            signal.send("shop", order=number)
    first, second = "<send of shop.paid(sender='shop', order=0)>", "<send of shop.paid(sender='shop', order=1)>"
    assert repr(sends[0]) == first
    assert repr(sends).startswith(f"[{first}, {second}, ")
    assert repr(sends).endswith(", ... and 990 more]")
    assert "shop.paid(order=-1) was not sent." in failure(sends.assert_sent, signal, order=-1)[0]
