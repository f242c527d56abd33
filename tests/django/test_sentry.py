"""Sentry's SDK with csignals sends the same data as without csignals, and sends need not call its wrapper.

``packages/sentry_spans.py`` is the project. Its transport keeps the data in memory. The tests use the installed SDK;
``.ci/run`` runs them with the oldest supported versions, too.
"""

import asyncio
import functools
import gc
import logging
import sys
from unittest import mock

import django
import pytest
import sentry_sdk
from django.core.signals import setting_changed
from django.dispatch import Signal
from sentry_sdk.integrations.django import DjangoIntegration, signals_handlers

from tests.django.test_packages import run
from tests.helpers.implementations import counted, environment, load
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow


def names_of(code):
    """Return the names that a code object and its nested code objects use."""
    inner = [names_of(each) for each in code.co_consts if isinstance(each, type(code))]
    return {*code.co_names}.union(*inner)


either_place = pytest.mark.parametrize("place", ["first", "last"])
RECORDED = {"sampled", "streamed", "installed again"}
BEGINS_TRACES = hasattr(signals_handlers, "has_span_streaming_enabled") and "get_current_span" not in names_of(
    signals_handlers.patch_signals.__code__
)
recorded_only_under_a_span = pytest.mark.skipif(
    BEGINS_TRACES, reason="in sentry-sdk 2.62 to 2.66.0 a span may begin a trace, so csignals checks each receiver"
)
SAME_TRACES = {"spans off", "no integration", "uninstalled"}  # Django alone calls receivers directly, too


@functools.cache
def seen(place, implementation, **variables):
    variables = {"PYTHONWARNINGS": "ignore", **variables}
    return run("sentry_spans", place, {**environment(implementation), **variables})["observed"]


def spans(observed):
    """Return the spans of receivers, both those in transactions and streamed ones."""
    of_transactions = [span for kind, each in observed["captured"] for span in each.get("spans", [])]
    streamed = [each for kind, each in observed["captured"] if kind == "span"]
    return [
        span
        for span in of_transactions + streamed
        if "event.django" in (span.get("op"), span.get("attributes", {}).get("sentry.op", {}).get("value"))
    ]


def check_django_alone(stock):
    """Assert that Django alone produces spans and events to compare."""
    assert len(spans(stock["sampled"])) > 30
    assert {title for title, observed in stock.items() if spans(observed)} >= RECORDED & stock.keys()
    for title in "no transaction", "unsampled", "spans off", "no integration":
        assert spans(stock[title]) == []
    for observed in stock.values():
        assert sum(kind == "event" for kind, _ in observed["captured"]) >= 10
    speaking = stock["no transaction"]["traces of events"][0]
    assert (speaking["op"], speaking["description"]) == ("event.django", "__main__.speaks")


@either_place
@pytest.mark.parametrize("patches", ["once", "twice", "again after install()"])
def test_sentry_receives_the_same_data(implementation, place, patches):
    stock = seen("nowhere", implementation, PROJECT_SENTRY=patches)
    ours = seen(place, implementation, PROJECT_SENTRY=patches)
    if patches == "once":
        check_django_alone(stock)
    assert ours.keys() == stock.keys()
    for title, observed in ours.items():
        assert observed["seen"] == stock[title]["seen"], title
        assert observed["captured"] == stock[title]["captured"], title
        if title in SAME_TRACES:
            assert observed["traces of events"] == stock[title]["traces of events"], title


@recorded_only_under_a_span
def test_unrecorded_events_name_the_request_span(implementation):
    """The known difference: with Django alone, the events name the span of a receiver, which is never sent."""
    stock, ours = (seen(place, implementation, PROJECT_SENTRY="once") for place in ("nowhere", "first"))
    for title in "no transaction", "unsampled":
        in_stock, in_ours = (
            sum((trace or {}).get("op") == "event.django" for trace in observed[title]["traces of events"])
            for observed in (stock, ours)
        )
        # Before Django 6.1, Django's own asend() calls receivers in a thread.
        assert in_ours == 0 if django.VERSION >= (6, 1) else in_ours < in_stock


@either_place
def test_the_setting_keeps_the_sentry_wrapper(implementation, place):
    stock = seen("nowhere", implementation, PROJECT_SENTRY="once")
    assert seen(place, implementation, PROJECT_SENTRY="once", PROJECT_ORIGINAL="yes") == stock


class Silent(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        pass


@pytest.fixture
def patched(drop_in):
    """Patch `Signal` with Sentry and start its SDK; undo both at the end."""
    original = vars(Signal)["_live_receivers"]
    signals_handlers.patch_signals()
    scope = sentry_sdk.Scope.get_global_scope()
    client, before = scope.client, dict(DjangoIntegration.__dict__)
    sentry_sdk.init(
        dsn="http://key@sentry.invalid/1",
        transport=Silent,
        traces_sample_rate=1.0,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    integration = DjangoIntegration()
    sentry_sdk.get_client().integrations["django"] = integration
    yield integration
    assert dict(DjangoIntegration.__dict__) == before
    sentry_sdk.get_client().close()
    scope.set_client(client)
    Signal._live_receivers = original


@pytest.fixture
def status_of(implementation):
    return load(implementation, "csignals.django._status")


def messages(module):
    return [message for message in module.check() if message.id != "csignals.I002"]


def heard(**named):
    return sys._getframe(1).f_code.co_name


def fails(*args, **named):
    raise ValueError("fails")


def callers(signal):
    """Send, and return the name of the function that called each receiver."""
    return [response for _, response in signal.send(None)]


@recorded_only_under_a_span
def test_unrecorded_receivers_are_called_directly(patched):
    signal = Signal()
    signal.connect(heard)
    with sentry_sdk.start_transaction(name="sampled"):
        assert callers(signal) == ["_call_in_span"]
        patched.signals_denylist.append(signal)
        assert callers(signal) != ["_call_in_span"]
        patched.signals_denylist.remove(signal)
        patched.signals_spans = False
        assert callers(signal) != ["_call_in_span"]
        patched.signals_spans = True
        assert callers(signal) == ["_call_in_span"]
    assert callers(signal) != ["_call_in_span"]
    with sentry_sdk.start_transaction(name="unsampled", sampled=False):
        assert callers(signal) != ["_call_in_span"]
    assert "wrapper" not in callers(signal)


@pytest.mark.skipif(django.VERSION < (5, 0), reason="there is no asend in Django 4.2")
def test_recorded_hybrids_are_awaited(patched, csignals):
    """Sentry makes no spans for async receivers, and so none for hybrid ones under `asend`."""
    signal = Signal()

    @csignals.receiver(signal)
    def index(**named):
        return "sync"

    @index.async_variant  # type: ignore[no-redef]
    async def index(**named):
        return "async"

    with sentry_sdk.start_transaction(name="sampled") as transaction:
        assert [response for _, response in signal.send(None)] == ["sync"]
        with mock.patch("asgiref.sync.SyncToAsync.__call__", side_effect=AssertionError("a thread")):
            for send in signal.asend, signal.asend_robust:
                assert [response for _, response in asyncio.run(send(None))] == ["async"]
        assert [span.op for span in transaction._span_recorder.spans].count("event.django") == 1


@recorded_only_under_a_span
def test_recording_may_begin_between_two_receivers(patched):
    """A receiver may begin a transaction. The receivers after it then run in spans."""
    signal, begun = Signal(), []

    def begins(**named):
        begun.append(sentry_sdk.start_transaction(name="begun").__enter__())

    signal.connect(heard, dispatch_uid=1)
    signal.connect(begins)
    signal.connect(heard, dispatch_uid=2)
    first, _, last = callers(signal)
    begun[0].__exit__(None, None, None)
    assert (first != "_call_in_span", last) == (True, "_call_in_span")
    spans = [span.op for span in begun[0]._span_recorder.spans] if begun[0]._span_recorder else ["event.django"]
    assert "event.django" in spans


@counted
def test_sends_leak_no_references(patched, monkeypatch):
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)  # pytest keeps log records alive
    signal, argument = Signal(), object()
    failing = functools.partial(fails, argument)
    signal.connect(heard)
    signal.connect(failing)

    def send_all():
        for is_sampled in True, False:
            with sentry_sdk.start_transaction(name="counted", sampled=is_sampled):
                signal.send_robust(Silent, argument=argument)
                with pytest.raises(ValueError):
                    signal.send(sender=Silent, argument=argument)
        signal.send_robust(Silent, argument=argument)

    def references():
        gc.collect()
        return [sys.getrefcount(each) for each in (signal, heard, failing, fails, argument, Silent, None)][:-1]

    send_all()
    before = references()
    for _ in range(50):
        send_all()
    assert references() == before


@recorded_only_under_a_span
def test_the_transaction_decides_about_recording(patched):
    """An unsampled span in a sampled transaction records its children. So may a transaction without a decision."""
    signal = Signal()
    signal.connect(heard)
    with sentry_sdk.start_transaction(name="sampled") as transaction:
        with transaction.start_child(op="unsampled", sampled=False):
            assert callers(signal) == ["_call_in_span"]
        transaction.sampled = None
        assert callers(signal) == ["_call_in_span"]
        transaction.sampled = True


class Raising(sentry_sdk.tracing.Span):
    def start_child(self, *positional, **named):
        raise LookupError("no child")

    @property
    def containing_transaction(self):
        raise LookupError("no transaction")


def test_an_exception_in_a_span_propagates(patched):
    """`send_robust` returns the exception as the receiver's, as with the SDK's own wrapper."""
    signal = Signal()
    signal.connect(receiver := lambda **named: None)
    with sentry_sdk.start_transaction(name="order"):
        sentry_sdk.Scope.get_current_scope()._span = Raising()
        with pytest.raises(LookupError):
            signal.send(None)
        ((whose, error),) = signal.send_robust(None)
    assert (whose, type(error)) == (receiver, LookupError)


def test_classes_keep_their_own_sentry_wrappers(patched):
    class Once(Signal):
        _live_receivers = vars(Signal)["_live_receivers"]

    signals_handlers.patch_signals()
    twice, once = Signal(), Once()
    counts = []
    for order in (once, twice), (twice, once):
        with sentry_sdk.start_transaction(name="sampled") as transaction:
            for signal in order:
                signal.connect(heard)
                for _ in range(2):
                    signal.send(None)
                counts.append(len(transaction._span_recorder.spans))
    assert [counts[0], counts[1] - counts[0], counts[2], counts[3] - counts[2]] == [2, 4, 4, 2]


def test_sends_through_python_work_behind_sentry(patched):
    """Python code sends `setting_changed`, and rejects wrong arguments of any signal."""
    setting_changed.connect(heard)
    signal = Signal(use_caching=True)
    signal.connect(heard, sender=Silent)
    try:
        for sampled in True, False:
            with sentry_sdk.start_transaction(name="transaction", sampled=sampled):
                assert setting_changed.has_listeners(None)
                assert len(setting_changed.send_robust(None, setting="X", value=1, enter=True)) > 0
            for sender in Silent, object, object:
                signal.send(sender)
                if sender is Silent:
                    with pytest.raises(TypeError, match="signal"):
                        signal.send(sender, signal=1)
                else:
                    assert signal.send(sender, signal=1) == []
    finally:
        setting_changed.disconnect(heard)


def test_status_names_sentry_without_a_warning(patched, drop_in, status_of):
    status = drop_in.status()
    assert (status.owners["_live_receivers"], status.asked, status.missed) == (signals_handlers.__name__, None, set())
    (message,) = messages(status_of)
    assert (message.id, message.hint) == ("csignals.I003", None)
    assert message.msg.startswith(f"{signals_handlers.__name__} replaced Signal._live_receivers: csignals does")


@pytest.mark.parametrize("name", ["_get_receiver_name", "_sentry_live_receivers"])
def test_unknown_sdk_code_is_called(patched, drop_in, status_of, name):
    def _get_receiver_name(receiver):
        return "another name"

    def _sentry_live_receivers(self, sender):
        asked.append(sender)
        return old_live_receivers(self, sender)

    asked, old_live_receivers = [], Signal._live_receivers
    signal = Signal()
    signal.connect(heard)
    if name == "_get_receiver_name":
        change = mock.patch.object(signals_handlers, name, _get_receiver_name)
    else:
        sdks_own = type(heard)(  # pyright: ignore[reportCallIssue]
            _sentry_live_receivers.__code__,
            vars(signals_handlers),
            name,
            None,
            cells(asked=asked, old_live_receivers=old_live_receivers),
        )
        change = mock.patch.object(Signal, "_live_receivers", sdks_own)
    with change:
        drop_in.install()  # inspects the patch again
        assert drop_in.status().asked == signals_handlers.__name__
        (message,) = messages(status_of)
        assert message.id == "csignals.I004" and "sentry-sdk" in message.hint
        assert callers(signal) == ["wrapper"]
    drop_in.install()
    assert drop_in.status().asked is None
    assert "wrapper" not in callers(signal)


def cells(**variables):
    return tuple(type((lambda value: lambda: value)(0).__closure__[0])(variables[name]) for name in sorted(variables))


def test_sentry_around_another_wrapper_calls_both(drop_in):
    asked, original = [], vars(Signal)["_live_receivers"]

    def wrapper(self, sender):
        asked.append(sender)
        return original(self, sender)

    signal = Signal()
    signal.connect(heard)
    with mock.patch.object(Signal, "_live_receivers", wrapper):
        signals_handlers.patch_signals()
        drop_in.install()
        assert drop_in.status().asked == signals_handlers.__name__
        signal.send(Silent)
    assert asked == [Silent]


def test_app_ready_reads_the_setting(implementation):
    code = """
import sentry_sdk, sys
from django.conf import settings
from sentry_sdk.integrations.django import DjangoIntegration
sentry_sdk.init(integrations=[DjangoIntegration()])
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS={"SENTRY_WRAPPER": True})
import django
from django.dispatch import Signal
import csignals.django
csignals.django.install()
django.setup()
from django.core import checks
from django.core.management import call_command
call_command("check")
print(csignals.django.status().asked)
"""
    done = run_python("-W", "ignore", "-c", code, implementation=implementation, check=True)
    assert signals_handlers.__name__ in done.stdout.splitlines()
    assert 'CSIGNALS["SENTRY_WRAPPER"] is set.' in done.stderr
