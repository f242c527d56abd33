"""In development, traces and lists of receivers show weak receivers that died before any send called them."""

import asyncio
import functools
import gc
import json
import sys
import threading
import warnings

import django
import django.dispatch
import pytest
from asgiref.sync import SyncToAsync

from tests.helpers.implementations import collect, collect_where_references_are_not_counted, load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Listener, Other, Sender

RECEIVERS = Sender.__module__


@pytest.fixture
def debug_mode(implementation, monkeypatch):
    module = load(implementation, "csignals.devmode")
    monkeypatch.setattr(module, "is_debugging", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", module.WeakReceiverWarning)
        yield
        collect_where_references_are_not_counted()


@pytest.fixture
def list_receivers(implementation):
    return load(implementation, "csignals.listing").list_receivers


@pytest.fixture
def make(debug_mode, make):
    return make


def local_receiver():
    def local(**named):
        pass

    return local


def named(deaths):
    return [death.receiver.rpartition(".")[2] for death in deaths]


def test_lists_and_traces_show_lost_receivers(csignals, make, list_receivers):
    signal = make()
    kept = Listener()
    with csignals.trace() as trace, csignals.trace(scope="process") as other:
        local = local_receiver()
        line = local.__code__.co_firstlineno
        signal.connect(local, sender=Sender, dispatch_uid="uid")
        signal.connect(kept.hear)
        del local
        gc.collect()
    live, gone = list_receivers(signal)
    assert (live.receiver, live.is_collected) == (f"{RECEIVERS}.Listener.hear", False)
    assert (gone.receiver, gone.file, gone.line) == (f"{__name__}.local_receiver.<locals>.local", __file__, line)
    assert (gone.sender, gone.is_weak, gone.is_async, gone.dispatch_uid) == (
        f"{RECEIVERS}.Sender",
        True,
        False,
        "uid",
    )
    assert gone.is_collected
    assert str(gone).endswith("collected and never called")
    assert named(trace.never_called) == named(other.never_called) == ["local"]
    assert trace.never_called[0].signal is signal


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        (Sender, f"{RECEIVERS}.Sender"),
        (Sender(), f"{RECEIVERS}.Sender object"),
        (Listener().hear, f"{RECEIVERS}.Listener.hear"),
        ("a string", "a string"),
        ([], "list object"),
        (None, None),
    ],
)
def test_the_list_names_the_sender(csignals, debug_mode, list_receivers, sender, words):
    signal = csignals.Signal()
    signal.connect(local_receiver(), sender)
    collect()
    assert [each.sender for each in list_receivers(signal)] == [words]


def test_a_called_receiver_is_not_listed(csignals, make, list_receivers):
    signal = make()
    with csignals.trace() as trace:
        local, method = local_receiver(), Listener()
        signal.connect(local)
        signal.connect(method.hear)
        signal.send(Sender)
        del local, method
        gc.collect()
    assert list_receivers(signal) == trace.never_called == []


@pytest.mark.parametrize("send", ["send", "send_robust", "asend", "asend_robust"])
def test_every_send_method_counts_as_call(make, list_receivers, send):
    signal, local = make(), local_receiver()
    if not hasattr(signal, send):
        pytest.skip("Django 4.2 has no asend")
    signal.connect(local)
    result = getattr(signal, send)(Sender)
    if send.startswith("a"):
        asyncio.run(result)
        # The thread drops its reference to the receiver only after it has returned the response.
        SyncToAsync.single_thread_executor.submit(int).result()
    del local, result
    collect()
    assert list_receivers(signal) == []


def test_sends_of_another_sender_do_not_count(make, list_receivers):
    signal, local = make(), local_receiver()
    signal.connect(local, sender=Sender)
    signal.send(Other)
    signal.send(None)
    assert not signal.has_listeners(Other)
    del local
    gc.collect()
    assert named(list_receivers(signal)) == ["local"]


def test_a_muted_send_does_not_count(csignals, make, list_receivers):
    signal, local = make(), local_receiver()
    signal.connect(local)
    with csignals.mute(signal):
        signal.send(Sender)
    del local
    gc.collect()
    assert named(list_receivers(signal)) == ["local"]


def keeping_name(receiver):
    @functools.wraps(receiver)
    def wrapped(**named):
        return receiver(**named)

    return wrapped


@pytest.mark.parametrize("wrap", [keeping_name, functools.partial, lambda receiver: lambda **named: receiver(**named)])
def test_a_call_through_a_wrapper_counts(csignals, debug_mode, list_receivers, wrap):
    class Wrapping(csignals.Signal):
        def _live_receivers(self, sender):
            sync, async_ = super()._live_receivers(sender)
            return list(map(wrap, sync)), async_

    signal, local, listener, other = Wrapping(), local_receiver(), Listener(), Listener()
    signal.connect(local)
    signal.connect(listener.hear, sender=Sender)
    signal.connect(other.hear, sender=Other)
    assert len(signal.send(Sender)) == 2
    del local, listener
    gc.collect()
    assert list_receivers(signal)[1:] == []
    del other
    gc.collect()
    assert named(list_receivers(signal)) == ["hear"]


def test_a_skipped_receiver_is_listed(csignals, debug_mode, list_receivers):
    class Choosing(csignals.Signal):
        def _live_receivers(self, sender):
            return [keeping_name(listener.hear)], []

    signal, local, listener = Choosing(), local_receiver(), Listener()
    signal.connect(listener.hear)
    signal.connect(local)
    signal.receivers.append("not an entry: a custom class may keep anything here")
    assert [response for _, response in signal.send(Sender)] == ["hear"]
    signal.receivers.pop()
    del local
    gc.collect()
    assert named(list_receivers(signal)) == ["hear", "local"]


def test_a_disconnected_receiver_is_not_listed(make, list_receivers):
    signal, local = make(), local_receiver()
    signal.connect(local)
    signal.disconnect(local)
    del local
    gc.collect()
    assert list_receivers(signal) == []


def test_reconnecting_does_not_restart_the_watch(make, list_receivers):
    signal, local = make(), local_receiver()
    signal.connect(local)
    signal.send(Sender)
    signal.connect(local)
    del local
    gc.collect()
    assert list_receivers(signal) == []


def test_repeated_losses_are_listed_once(csignals, make, list_receivers):
    signal = make()
    with csignals.trace() as trace:
        for _ in range(100):
            signal.connect(local_receiver())
        gc.collect()
    assert named(list_receivers(signal)) == named(trace.never_called) == ["local"]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["it is called", "it dies", "its signal dies"])
def test_interception_ends_with_the_last_watch(make, implementation, monkeypatch, end):
    pure = load(implementation, "csignals._dispatch.pure")
    module = load(implementation, "csignals.devmode")
    gc.collect()
    module.watched.known.clear()  # other tests may have left receivers that are still alive
    signal, local = make(), local_receiver()
    signal.connect(local)
    assert pure.interceptor is not None
    if end == "it is called":
        assert signal.send(Sender) == [(local, None)]
    elif end == "it dies":
        del local
    elif make is django.dispatch.Signal and django.VERSION < (6, 1):
        pytest.skip("Django's finalizers of receivers hold the signal")
    else:
        del signal
    gc.collect()
    assert not load(implementation, "csignals._scopes").is_any_watched()
    assert pure.interceptor is None


def test_a_concurrent_stop_keeps_later_interception(csignals, make, implementation, monkeypatch):
    """A finalizer or another thread may run `stop_if_idle()` while this thread disables interception."""
    pure = load(implementation, "csignals._dispatch.pure")
    scopes = load(implementation, "csignals._scopes")
    gc.collect()
    scopes.watched.known.clear()
    signal, local, enable, between = make(), local_receiver(), scopes.enable_interception, []

    def enable_interrupted(is_enabled):
        if not is_enabled and not between:
            between.append(is_enabled)
            scopes.stop_if_idle()
        enable(is_enabled)

    with monkeypatch.context() as patch:
        patch.setattr(scopes, "enable_interception", enable_interrupted)
        signal.connect(local)
        assert signal.send(Sender) == [(local, None)]
    assert between and pure.interceptor is None
    with csignals.trace() as trace:
        assert signal.send(Sender) == [(local, None)]
    assert len(trace.records) == 1


def test_traces_print_lost_receivers(csignals, make):
    signal = make()
    gc.collect()
    with csignals.trace() as trace:
        signal.connect(local_receiver())
        gc.collect()
    name = f"{__name__}.local_receiver.<locals>.local"
    assert f"Collected and never called:\n  {name}  " in str(trace)
    assert [each["receiver"] for each in json.loads(trace.to_json())["never_called"]] == [name]


def test_production_watches_no_receivers(csignals, signal, list_receivers):
    with csignals.trace() as trace:
        signal.connect(local_receiver())
        gc.collect()
    assert list_receivers(signal) == trace.never_called == []


IN_DEBUG = """
import django, gc, warnings
from django.conf import settings
settings.configure(DEBUG=True, INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"])
warnings.simplefilter("ignore", RuntimeWarning)
django.setup()
import csignals
from django.db.models.signals import post_save
class Listener:
    def hear(self, **named):
        pass
post_save.connect(Listener().hear, sender="auth.User")
gc.collect()
print([(each.receiver, each.sender) for each in csignals.list_receivers(post_save) if each.is_collected])
"""


@pytest.mark.parametrize("debug", [True, False])
def test_a_project_watches_under_debug(implementation, debug):
    done = run_python(
        "-W", "error", "-c", IN_DEBUG.replace("DEBUG=True", f"DEBUG={debug}"), implementation=implementation
    )
    expected = [("__main__.Listener.hear", "django.contrib.auth.models.User")] if debug else []
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


def test_a_custom_bound_method_is_called(make, list_receivers):
    class Bound:
        def __init__(self, function, instance):
            self.__func__ = function
            self.__self__ = instance

        def __call__(self, **named):
            return self.__func__(self.__self__, **named)

    signal, listener = make(), Listener()
    signal.connect(Bound(Listener.hear, listener))
    assert [response for _, response in signal.send(Sender)] == ["hear"]
    gc.collect()
    assert [each.is_collected for each in list_receivers(signal)] == [False]


def test_concurrent_first_connections_are_both_watched(make, implementation, monkeypatch):
    """Both threads find no watched receivers of the signal. The second must not replace the entry of the first."""
    module = load(implementation, "csignals.devmode")
    signal, receivers, senders = make(), [local_receiver(), local_receiver()], module.Senders

    def meanwhile():
        monkeypatch.setattr(module, "Senders", senders)
        signal.connect(receivers[1], sender=Sender)
        return senders()

    monkeypatch.setattr(module, "Senders", meanwhile)
    signal.connect(receivers[0], sender=Sender)
    assert len(signal.send(Sender)) == 2
    receivers.clear()
    collect()
    assert module.never_called(signal) == []


def test_threads_may_connect_and_send_concurrently(make):
    signal, before, errors = make(), sys.getswitchinterval(), []

    def work():
        try:
            for _ in range(300):
                listener = Listener()  # the watch ends as soon as it finds this reference
                signal.connect(listener.hear)
                signal.send(Sender)
                signal.disconnect(listener.hear)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert errors == []
