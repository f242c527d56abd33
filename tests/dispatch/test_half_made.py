"""Signals whose subclass forgot ``super().__init__()``: their methods raise what Django's raise."""

import contextlib
import copy
import pickle

import pytest

from tests.differential.samples import HAS_ASYNC
from tests.helpers.implementations import load
from tests.helpers.stock_django import StockSignal


def receive(**named):
    pass


async def receive_async(**named):
    pass


METHODS = {
    "send": lambda signal: signal.send(None, x=1),
    "send_robust": lambda signal: signal.send_robust(sender=int),
    "has_listeners": lambda signal: signal.has_listeners(),
    "_live_receivers": lambda signal: signal._live_receivers(None),
    "connect": lambda signal: signal.connect(receive),
    "connect strongly": lambda signal: signal.connect(receive_async, int, weak=False),
    "connect under a uid": lambda signal: signal.connect(receive, dispatch_uid=("a", "uid")),
    "disconnect": lambda signal: signal.disconnect(receive),
    "disconnect by a uid": lambda signal: signal.disconnect(dispatch_uid=object()),
    "receivers": lambda signal: signal.receivers,
    **(
        {
            "asend": lambda signal: signal.asend(None).send(None),
            "asend_robust": lambda signal: signal.asend_robust(int, x=1).send(None),
        }
        if HAS_ASYNC
        else {}
    ),
}


def forgetful(base):
    class Forgetful(base):
        def __init__(self):
            self.own = "attribute"

    return Forgetful()


def forgetful_with_slots(base):
    class Forgetful(base):
        __slots__ = ("own",)

        def __init__(self):
            self.own = "attribute"

    return Forgetful()


def new_without_init(base):
    return base.__new__(base)


def without_its_list(base):
    signal = base()
    signal.connect(receive)
    signal.send(None)
    del signal.receivers
    return signal


def copied(base):
    return copy.copy(new_without_init(base))


def deeply_copied(base):
    return copy.deepcopy(forgetful(base))


def pickled(base):
    class Pickled(base):
        __qualname__ = "Pickled"

        def __init__(self):
            pass

    globals()["Pickled"] = Pickled
    return pickle.loads(pickle.dumps(Pickled()))


MAKERS = [forgetful, forgetful_with_slots, new_without_init, without_its_list, copied, deeply_copied, pickled]


@pytest.fixture(params=["no scope", "muted others", "muted receiver", "captured", "traced", "traced with a limit"])
def scope(request, csignals, implementation):
    """A function that returns a scope, in which sends may be intercepted."""
    other = csignals.Signal()
    return {
        "no scope": contextlib.nullcontext,
        "muted others": lambda: csignals.mute(other),
        "muted receiver": lambda: csignals.mute(receivers=receive),
        "captured": load(implementation, "csignals.testing").capture,
        "traced": csignals.trace,
        "traced with a limit": lambda: csignals.trace(max_records=1),
    }[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("make_half", MAKERS)
def test_all_methods_raise_attribute_error(make, scope, make_half):
    for name, method in METHODS.items():
        with pytest.raises(AttributeError):
            method(make_half(StockSignal))
        signal = make_half(make)
        for _ in range(2):
            with scope(), pytest.raises(AttributeError) as caught:
                method(signal)
            assert f"{type(signal).__name__}' object has no attribute '" in str(caught.value), name


@pytest.mark.parametrize("make_half", MAKERS)
def test_half_made_signals_have_repr_and_name(csignals, implementation, make, make_half):
    signal = make_half(make)
    assert "no receivers" in repr(signal)
    assert load(implementation, "csignals.listing").list_receivers(signal) == []
    if make is csignals.Signal:
        assert signal.name is None
        signal.name = "half"
        assert signal.name == "half"


@pytest.mark.parametrize("make_half", MAKERS)
def test_half_made_signals_work_after_init(make, make_half):
    signal = make_half(make)
    make.__init__(signal)
    assert signal.send(None) == []
    signal.connect(receive)
    assert signal.send(None) == [(receive, None)]
    assert signal.has_listeners()
    assert signal.disconnect(receive)


def test_captures_record_the_attribute_error(csignals, implementation):
    with load(implementation, "csignals.testing").capture() as captured, pytest.raises(AttributeError):
        forgetful(csignals.Signal).send(None)
    assert [type(each.exception) for each in captured] == [AttributeError]


def test_sends_need_only_the_list(csignals):
    """Only connect() and disconnect() need the lock."""

    class OwnList(csignals.Signal):
        def __init__(self):
            self.receivers = [((1, csignals._dispatch.pure.NONE_ID), receive, None, False)]

    signal = OwnList()
    assert signal.send(None) == [(receive, None)]
    assert signal._live_receivers(None) == ([receive], [])
    for method in "connect", "disconnect":
        with pytest.raises(AttributeError, match="OwnList' object has no attribute 'lock'"):
            getattr(signal, method)(receive_async)
