"""The drop-in in a real Django: `install()` patches its signals, and `uninstall()` restores them."""

import functools
import gc
import inspect
import weakref
from types import FunctionType
from unittest import mock

import django
import pytest
from django.core.signals import setting_changed
from django.dispatch import Signal, dispatcher
from django.dispatch import receiver as django_receiver

from tests.helpers.implementations import collect_where_references_are_not_counted, load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Sender
from tests.helpers.stock_django import StockSignal

PATCHED = ["_live_receivers", "connect", "disconnect", "has_listeners", "send", "send_robust"]
if django.VERSION >= (5, 0):
    PATCHED.append("_log_robust_failure")


def hear(signal, sender, **named):
    return named


class Listener:
    def hear(self, **named):
        return named


def test_uninstall_restores_the_methods_install_replaced(drop_in):
    assert drop_in.is_installed()
    ours = {name: vars(Signal)[name] for name in PATCHED}
    drop_in.install()
    assert {name: vars(Signal)[name] for name in PATCHED} == ours
    drop_in.uninstall()
    assert not drop_in.is_installed()
    for name in PATCHED:
        assert vars(Signal)[name] is not ours[name]
        assert vars(Signal)[name].__globals__ is vars(dispatcher)
    for own in (Signal, setting_changed):
        assert not [name for name in vars(own) if "csignals" in name]
    drop_in.uninstall()
    drop_in.install()
    assert drop_in.is_installed()


def test_the_tested_implementation_is_active(drop_in, implementation):
    expected = {"cython": "method_descriptor", "python": "function"}[implementation]
    for name in ("send", "send_robust", "has_listeners", "_live_receivers"):
        assert type(vars(Signal)[name]).__name__ == expected
    for name in PATCHED:
        method = vars(Signal)[name]
        assert method.__qualname__ == f"Signal.{name}"
        if isinstance(method, FunctionType):
            assert method.__module__ == "django.dispatch.dispatcher"
    assert Signal.connect.__module__ == "django.dispatch.dispatcher"  # for Django's check signals.E001


def test_install_reaches_existing_signals_and_subclasses(drop_in):
    from django.core.signals import got_request_exception
    from django.db.models.signals import pre_init

    for signal in (got_request_exception, pre_init, type("Custom", (Signal,), {})()):
        assert type(signal).send is Signal.send
        signal.connect(hear, sender=Listener)
        try:
            assert signal.send(Listener, x=1) == [(hear, {"x": 1})]
            assert signal.has_listeners(Listener)
        finally:
            signal.disconnect(hear, sender=Listener)
        assert signal.send(Listener, x=1) == []


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_a_signal_survives_install_and_uninstall(drop_in, use_caching):
    drop_in.uninstall()
    signal, listener = Signal(use_caching=use_caching), Listener()
    signal.connect(hear)
    signal.connect(listener.hear, sender=Listener)
    for change in (drop_in.install, drop_in.uninstall, drop_in.install, lambda: None):
        assert [receiver for receiver, _ in signal.send(Listener, x=1)] == [hear, listener.hear]
        assert [receiver for receiver, _ in signal.send_robust(sender=Sender, x=1)] == [hear]
        change()
    del listener
    gc.collect()
    assert signal.send(Listener, x=1) == [(hear, {"x": 1})]
    assert len(signal.receivers) == 1


@pytest.mark.parametrize("use_caching", [False, True], ids=["plain", "use_caching"])
def test_unusual_senders_and_receivers_work(drop_in, use_caching, caplog):
    """Django itself fails on some of these: COMPATIBILITY.md, section 2."""
    signal = Signal(use_caching=use_caching)
    signal.connect(hear)
    for sender in (None, "text", object(), [], Sender()):
        assert signal.send(sender) == [(hear, {})]
        assert signal.has_listeners(sender)
    entries = signal.receivers
    signal.receivers = []
    assert signal.send(None) == []
    assert not signal.has_listeners(None)
    signal.receivers.append(entries[0])
    assert signal.send(None) == [(hear, {})]

    def fail():
        raise ValueError("partial")

    failing = functools.partial(fail)
    signal.connect(failing)
    assert isinstance(signal.send_robust(None)[1][1], (TypeError, ValueError))
    assert [record.args[0] for record in caplog.records] == [repr(failing)]


def test_only_list_changes_rebuild_the_table(drop_in):
    signal = Signal()
    signal.connect(hear)
    signal.send(None)
    table = vars(signal)["_csignals_table"]
    signal.send_robust(Sender, x=1)
    signal.has_listeners(Sender)
    assert vars(signal)["_csignals_table"] is table
    signal.receivers = [*signal.receivers, *signal.receivers]
    assert len(signal.send(None)) == 2
    assert vars(signal)["_csignals_table"] is not table


def test_a_foreign_table_does_not_crash(drop_in, implementation):
    signal = Signal()
    signal.connect(hear)
    for other in (None, load("python", "csignals._dispatch.pure").RoutingTable(signal.receivers)):
        vars(signal)["_csignals_table"] = other
        assert signal.send(None) == [(hear, {})]
    vars(signal)["_csignals_table"] = object()
    if implementation == "cython":
        assert signal.send(None) == [(hear, {})]
    else:
        with pytest.raises(AttributeError):
            signal.send(None)


def test_disconnect_releases_a_strong_receiver_immediately(drop_in):
    signal, listener = Signal(), Listener()
    alive = weakref.ref(listener)
    signal.connect(listener.hear, weak=False)
    signal.send(None)
    signal.disconnect(listener.hear)
    del listener
    collect_where_references_are_not_counted()
    assert alive() is None


def test_uninstall_removes_tables_from_signals(drop_in):
    signal = Signal()
    signal.connect(hear)
    signal.send(None)
    names = set(vars(signal))
    drop_in.uninstall()
    assert names - set(vars(signal)) == {"_csignals_table"}
    assert set(vars(signal)) == set(vars(Signal()))


def test_setting_changed_keeps_its_stack_depth(drop_in):
    """A receiver of this signal may count the frames up to its caller."""
    depths = []

    def measure(**named):
        depths.append(len(inspect.stack(0)))

    for signal in (StockSignal(), setting_changed):
        signal.connect(measure)
        try:
            for send in (signal.send, signal.send_robust):
                send(Sender, setting="X", value=1, enter=True)
        finally:
            signal.disconnect(measure)
    assert depths[:2] == depths[2:]


def test_the_django_decorator_connects_receivers(drop_in):
    signal = Signal()

    @django_receiver(signal, sender=Sender)
    def decorated(**named):
        return "decorated"

    assert signal.send(Sender) == [(decorated, "decorated")]


IN_INSTALLED_APPS = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"])
django.setup()
import csignals, csignals.django
from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.core import checks
print(csignals.IMPLEMENTATION, csignals.django.is_installed(), apps.get_app_config("csignals").name)
print(type(type(user_logged_in).send).__name__, [message.id for message in checks.run_checks()])
"""


def test_one_line_in_installed_apps_installs(implementation):
    done = run_python("-W", "error", "-c", IN_INSTALLED_APPS, implementation=implementation)
    expected = {"cython": "method_descriptor", "python": "function"}[implementation]
    messages = {"cython": [], "python": ["csignals.I002"]}[implementation]
    assert (done.stdout, done.stderr) == (f"{implementation} True csignals.django\n{expected} {messages}\n", "")


def test_install_rejects_an_old_django(drop_in):
    from django.core.exceptions import ImproperlyConfigured

    drop_in.uninstall()
    with (
        mock.patch("django.VERSION", (4, 1, 13, "final", 0)),
        mock.patch("django.get_version", lambda: "4.1.13"),
        pytest.raises(ImproperlyConfigured, match=r"needs Django 4\.2 or newer, but this is 4\.1\.13"),
    ):
        drop_in.install()
