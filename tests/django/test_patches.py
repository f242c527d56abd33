"""Other packages patch Django's signals before csignals, after it, and between install and uninstall."""

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


class CheckedSignal:
    """A signal with one receiver. `check()` uses the signal in every way and asserts the results."""

    def __init__(self):
        self.signal = Signal()
        self.signal.connect(hear)

    def check(self):
        assert self.signal.send(CheckedSignal, x=1) == [(hear, {"x": 1})]
        assert self.signal.send_robust(sender=CheckedSignal) == [(hear, {})]
        assert self.signal.has_listeners(CheckedSignal)
        assert list(live(self.signal._live_receivers(CheckedSignal))) == [hear]
        self.signal.connect(hear, sender=CheckedSignal)
        assert self.signal.disconnect(hear, sender=CheckedSignal)


def live(receivers):
    return receivers if django.VERSION < (5, 0) else receivers[0]


def counting(method, seen, wraps=True):
    """Return a wrapper that records its calls. With `wraps` it has the name of the method that it wraps."""

    def wrapper(self, *args, **kwargs):
        seen.append(self)
        return method(self, *args, **kwargs)

    return functools.wraps(method)(wrapper) if wraps else wrapper


@pytest.mark.slow
@pytest.mark.parametrize("wraps", [True, False], ids=["functools.wraps", "plain"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_wrapper_survives_install_and_uninstall(drop_in, first, name, wraps):
    checked, seen = CheckedSignal(), []
    if first == "theirs":
        drop_in.uninstall()
    original = vars(Signal)[name]
    with mock.patch.object(Signal, name, counting(original, seen, wraps)):
        wrapper = vars(Signal)[name]
        for change in (drop_in.install, drop_in.uninstall, drop_in.install, drop_in.install, drop_in.uninstall):
            change()
            assert vars(Signal)[name] is wrapper
            seen.clear()
            checked.check()
            assert checked.signal in seen
    assert vars(Signal)[name] is original
    checked.check()
    drop_in.install()
    checked.check()


def test_a_wrapper_may_restore_csignals_methods(drop_in):
    """A wrapper removed after `uninstall()` puts a method of csignals back, and the signals still work."""
    checked = CheckedSignal()
    for name in ("send", "_live_receivers"):
        wrapped = mock.patch.object(Signal, name, counting(vars(Signal)[name], []))
        wrapped.start()
        drop_in.uninstall()
        wrapped.stop()  # restores a method of csignals
        checked.check()
        assert drop_in.is_installed()
        drop_in.uninstall()
        assert not drop_in.is_installed()
        checked.check()
        drop_in.install()


def test_sends_call_the_receivers_a_patch_returns(drop_in):
    # Sentry replaces each receiver in the list that it gets.
    original = vars(Signal)["_live_receivers"]

    def patched(self, sender):
        receivers = original(self, sender)
        live(receivers)[:] = [lambda **named: "traced", *reversed(live(receivers))]
        return receivers

    def other(**named):
        return "other"

    checked = CheckedSignal()
    checked.signal.connect(other)
    with mock.patch.object(Signal, "_live_receivers", patched):
        for _ in range(2):
            assert [response for _, response in checked.signal.send(CheckedSignal)] == ["traced", "other", {}]
            assert [response for _, response in checked.signal.send_robust(CheckedSignal)] == ["traced", "other", {}]
            checked.signal.disconnect(hear)
            checked.signal.connect(hear)  # is now last
            checked.signal.disconnect(other)
            checked.signal.connect(other)


def test_attributes_set_on_the_class_stay(drop_in):
    checked = CheckedSignal()
    with mock.patch.object(Signal, "_instrumented", True, create=True):
        for change in (drop_in.uninstall, drop_in.install):
            change()
            assert Signal._instrumented is True
            checked.check()


def test_one_method_may_replace_another(drop_in):
    checked = CheckedSignal()

    def fail(**named):
        raise ValueError("fail")

    with mock.patch.object(Signal, "send_robust", vars(Signal)["send"]):
        assert checked.signal.send_robust(CheckedSignal, x=1) == [(hear, {"x": 1})]
        checked.signal.connect(fail)
        with pytest.raises(ValueError, match="fail"):
            checked.signal.send_robust(CheckedSignal)
        drop_in.uninstall()
        with pytest.raises(ValueError, match="fail"):
            checked.signal.send_robust(CheckedSignal)
        drop_in.install()


@pytest.mark.parametrize("name", ["_live_receivers", "send"])
def test_a_method_of_an_instance_is_used(drop_in, name):
    checked, other, seen = CheckedSignal(), CheckedSignal(), []
    method = counting(getattr(Signal, name), seen)
    setattr(checked.signal, name, types.MethodType(method, checked.signal))
    for change in (drop_in.uninstall, drop_in.install, drop_in.install):
        seen.clear()
        checked.check()
        other.check()
        assert set(map(id, seen)) == {id(checked.signal)}
        change()
    checked.signal.__dict__.pop(name)  # as tracers remove their method
    seen.clear()
    checked.check()
    assert seen == []


def test_mock_patches_classes_and_instances(drop_in):
    checked = CheckedSignal()
    with mock.patch.object(checked.signal, "send") as send:
        assert checked.signal.send(CheckedSignal, x=1) is send.return_value
    send.assert_called_once_with(CheckedSignal, x=1)
    checked.check()
    with mock.patch.object(Signal, "send_robust", return_value="mocked"):
        assert checked.signal.send_robust(CheckedSignal) == "mocked"
    checked.check()
    with mock.patch.object(Signal, "_live_receivers", return_value=[] if django.VERSION < (5, 0) else ([], [])):
        assert checked.signal.send(CheckedSignal) == []
        assert not checked.signal.has_listeners(CheckedSignal)
    with mock.patch.object(Signal, "send", autospec=True) as send:
        drop_in.uninstall()
        drop_in.install()
        checked.signal.send(CheckedSignal)
        assert send.call_count == 1
    checked.check()


def test_tests_may_patch_dispatcher_globals(drop_in):
    checked = CheckedSignal()
    with mock.patch("django.dispatch.dispatcher._make_id", return_value=1):
        checked.signal.connect(mock.Mock(__qualname__="mock"), weak=False)
    with checked.signal.lock:
        checked.signal._clear_dead_receivers()
    assert live(checked.signal._live_receivers(None))[0] is hear


@pytest.mark.parametrize(("name", "other"), [("send_robust", "send"), ("send", "send_robust")])
def test_a_method_replaced_before_install_stays_replaced(drop_in, name, other):
    def fail(**named):
        raise ValueError("fail")

    drop_in.uninstall()
    with mock.patch.object(Signal, name, vars(Signal)[other]):
        drop_in.install()
        checked = CheckedSignal()
        checked.signal.connect(fail)
        if other == "send":
            with pytest.raises(ValueError, match="fail"):
                checked.signal.send_robust(CheckedSignal)
        else:
            assert isinstance(checked.signal.send(CheckedSignal)[1][1], ValueError)
        drop_in.uninstall()


def test_a_patch_removed_before_reinstalling_is_forgotten(implementation):
    """The patches exist only during the first `install()`. The second one does not bring them back."""
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


def test_uninstall_removes_tables_despite_a_wrapper(drop_in):
    checked = CheckedSignal()
    with mock.patch.object(Signal, "send", counting(vars(Signal)["send"], [])):
        captured = checked.signal.send_robust
        drop_in.uninstall()
        checked.check()
        assert captured(CheckedSignal, x=1) == [(hear, {"x": 1})]
        assert "_csignals_table" not in vars(checked.signal)
        drop_in.install()
        checked.check()
        checked.signal.send(CheckedSignal)
        assert "_csignals_table" in vars(checked.signal)
