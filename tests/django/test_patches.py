"""Others patch Django's signals, too: before csignals, after it, and while it comes and goes."""

import functools
import textwrap
import types
from unittest import mock

import django
import pytest
from django.dispatch import Signal

from tests.helpers.interpreter import run_python

NAMES = ["_live_receivers", "send", "send_robust", "has_listeners", "connect"]


def hear(signal, sender, **named):
    return named


class Calls:
    """What uses a signal in every way, and knows what must come of that."""

    def __init__(self):
        self.signal = Signal()
        self.signal.connect(hear)

    def check(self):
        assert self.signal.send(Calls, x=1) == [(hear, {"x": 1})]
        assert self.signal.send_robust(sender=Calls) == [(hear, {})]
        assert self.signal.has_listeners(Calls)
        assert list(live(self.signal._live_receivers(Calls))) == [hear]
        self.signal.connect(hear, sender=Calls)
        assert self.signal.disconnect(hear, sender=Calls)


def live(receivers):
    return receivers if django.VERSION < (5, 0) else receivers[0]


def counting(method, seen, wraps=True):
    """Return a wrapper as instrumentations write them: with the names of what they wrap, or with their own."""

    def wrapper(self, *args, **kwargs):
        seen.append(self)
        return method(self, *args, **kwargs)

    return functools.wraps(method)(wrapper) if wraps else wrapper


@pytest.mark.slow
@pytest.mark.parametrize("wraps", [True, False], ids=["functools.wraps", "plain"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_wrapper_stays_in_force_whoever_came_first(drop_in, first, name, wraps):
    calls, seen = Calls(), []
    if first == "theirs":
        drop_in.uninstall()
    original = vars(Signal)[name]
    with mock.patch.object(Signal, name, counting(original, seen, wraps)):
        wrapper = vars(Signal)[name]
        for change in (drop_in.install, drop_in.uninstall, drop_in.install, drop_in.install, drop_in.uninstall):
            change()
            assert vars(Signal)[name] is wrapper
            seen.clear()
            calls.check()
            assert calls.signal in seen
    assert vars(Signal)[name] is original
    calls.check()
    drop_in.install()
    calls.check()


def test_a_wrapper_that_is_taken_off_after_uninstalling_leaves_working_signals(drop_in):
    calls = Calls()
    for name in ("send", "_live_receivers"):
        wrapped = mock.patch.object(Signal, name, counting(vars(Signal)[name], []))
        wrapped.start()
        drop_in.uninstall()
        wrapped.stop()  # and what it puts back is csignals'
        calls.check()
        assert drop_in.is_installed()
        drop_in.uninstall()
        assert not drop_in.is_installed()
        calls.check()
        drop_in.install()


def test_receivers_that_a_patch_adds_drops_and_reorders_are_those_that_are_called(drop_in):
    # Sentry replaces each receiver in the list that it gets.
    original = vars(Signal)["_live_receivers"]

    def patched(self, sender):
        receivers = original(self, sender)
        live(receivers)[:] = [lambda **named: "traced", *reversed(live(receivers))]
        return receivers

    def other(**named):
        return "other"

    calls = Calls()
    calls.signal.connect(other)
    with mock.patch.object(Signal, "_live_receivers", patched):
        for _ in range(2):
            assert [response for _, response in calls.signal.send(Calls)] == ["traced", "other", {}]
            assert [response for _, response in calls.signal.send_robust(Calls)] == ["traced", "other", {}]
            calls.signal.disconnect(hear)
            calls.signal.connect(hear)  # and is now the last
            calls.signal.disconnect(other)
            calls.signal.connect(other)


def test_attributes_that_others_set_on_the_class_stay(drop_in):
    calls = Calls()
    with mock.patch.object(Signal, "_instrumented", True, create=True):
        for change in (drop_in.uninstall, drop_in.install):
            change()
            assert Signal._instrumented is True
            calls.check()


def test_one_method_may_be_put_under_the_name_of_another(drop_in):
    calls = Calls()

    def fail(**named):
        raise ValueError("fail")

    with mock.patch.object(Signal, "send_robust", vars(Signal)["send"]):
        assert calls.signal.send_robust(Calls, x=1) == [(hear, {"x": 1})]
        calls.signal.connect(fail)
        with pytest.raises(ValueError, match="fail"):
            calls.signal.send_robust(Calls)
        drop_in.uninstall()
        with pytest.raises(ValueError, match="fail"):
            calls.signal.send_robust(Calls)
        drop_in.install()


@pytest.mark.parametrize("name", ["_live_receivers", "send"])
def test_an_instance_s_own_method_is_honoured(drop_in, name):
    calls, other, seen = Calls(), Calls(), []
    method = counting(getattr(Signal, name), seen)
    setattr(calls.signal, name, types.MethodType(method, calls.signal))
    for change in (drop_in.uninstall, drop_in.install, drop_in.install):
        seen.clear()
        calls.check()
        other.check()
        assert set(map(id, seen)) == {id(calls.signal)}
        change()
    calls.signal.__dict__.pop(name)  # as tracers take theirs away
    seen.clear()
    calls.check()
    assert seen == []


def test_mock_patches_class_and_instance(drop_in):
    calls = Calls()
    with mock.patch.object(calls.signal, "send") as send:
        assert calls.signal.send(Calls, x=1) is send.return_value
    send.assert_called_once_with(Calls, x=1)
    calls.check()
    with mock.patch.object(Signal, "send_robust", return_value="mocked"):
        assert calls.signal.send_robust(Calls) == "mocked"
    calls.check()
    with mock.patch.object(Signal, "_live_receivers", return_value=[] if django.VERSION < (5, 0) else ([], [])):
        assert calls.signal.send(Calls) == []
        assert not calls.signal.has_listeners(Calls)
    with mock.patch.object(Signal, "send", autospec=True) as send:
        drop_in.uninstall()
        drop_in.install()
        calls.signal.send(Calls)
        assert send.call_count == 1
    calls.check()


def test_django_s_own_tests_may_patch_what_its_dispatcher_uses(drop_in):
    calls = Calls()
    with mock.patch("django.dispatch.dispatcher._make_id", return_value=1):
        calls.signal.connect(mock.Mock(__qualname__="mock"), weak=False)
    with calls.signal.lock:
        calls.signal._clear_dead_receivers()
    assert live(calls.signal._live_receivers(None))[0] is hear


@pytest.mark.parametrize(("name", "other"), [("send_robust", "send"), ("send", "send_robust")])
def test_one_of_django_s_methods_put_under_the_name_of_another_before_stays_there(drop_in, name, other):
    def fail(**named):
        raise ValueError("fail")

    drop_in.uninstall()
    with mock.patch.object(Signal, name, vars(Signal)[other]):
        drop_in.install()
        calls = Calls()
        calls.signal.connect(fail)
        if other == "send":
            with pytest.raises(ValueError, match="fail"):
                calls.signal.send_robust(Calls)
        else:
            assert isinstance(calls.signal.send(Calls)[1][1], ValueError)
        drop_in.uninstall()


def test_a_patch_that_was_there_at_the_first_install_alone_is_not_kept(implementation):
    script = """
    import logging
    from unittest import mock
    from django.dispatch import Signal
    import csignals.django
    def fail(**named): raise ValueError("fail")
    records = []
    logging.getLogger("django.dispatch").addFilter(records.append)
    with (
        mock.patch.object(Signal, "_log_robust_failure", create=True),
        mock.patch.object(Signal, "disconnect"),
    ):
        csignals.django.install()
        csignals.django.uninstall()
    if not hasattr(Signal, "asend"):
        assert not hasattr(Signal, "_log_robust_failure")
    csignals.django.install()
    signal = Signal()
    signal.connect(fail)
    signal.send_robust(None)
    print(len(records), signal.disconnect(fail), signal.receivers)
    """
    done = run_python("-c", textwrap.dedent(script), implementation=implementation)
    assert (done.stdout, done.stderr) == ("1 True []\n", "")


def test_behind_a_wrapper_that_outlives_uninstalling_nothing_is_left_on_the_signals(drop_in):
    calls = Calls()
    with mock.patch.object(Signal, "send", counting(vars(Signal)["send"], [])):
        captured = calls.signal.send_robust
        drop_in.uninstall()
        calls.check()
        assert captured(Calls, x=1) == [(hear, {"x": 1})]
        assert "_csignals_table" not in vars(calls.signal)
        drop_in.install()
        calls.check()
        calls.signal.send(Calls)
        assert "_csignals_table" in vars(calls.signal)
