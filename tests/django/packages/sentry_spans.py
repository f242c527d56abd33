"""sentry-sdk: its complete output for every kind of receiver, option and transaction.

The transport keeps the output in memory. Values that change from run to run are normalized: ids become numbers, times
and the frames of dispatchers are removed. PROJECT_SENTRY tells how often and when the SDK patches the class. With
PROJECT_ORIGINAL, sends call the SDK's own wrapper.
"""

import asyncio
import functools
import json
import logging
import os
import threading

import django
import sentry_sdk
from django.dispatch import Signal
from project import PLACE, configure, install, report, uninstall
from sentry_sdk.integrations.django import DjangoIntegration, signals_handlers
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

PATCHES = os.environ.get("PROJECT_SENTRY", "once")  # "once", "twice" or "again after install()"
IS_ORIGINAL = "PROJECT_ORIGINAL" in os.environ
HAS_ASYNC = django.VERSION >= (5, 0)
HAS_STREAMS = hasattr(signals_handlers, "has_span_streaming_enabled")

envelopes = []
plain, failing, denied, nested, mixed, cached, unheard = (Signal() for _ in range(7))
cached.__init__(use_caching=True)
unheard.__init__(use_caching=True)


class Memory(Transport):
    def capture_envelope(self, envelope):
        envelopes.append(envelope)

    def record_lost_event(self, *args, **named):
        pass  # the SDK counts no lost spans if csignals makes no span


def init(spans=True, sampled=True, has_integration=True, **options):
    integration = DjangoIntegration(signals_spans=spans, signals_denylist=[denied])
    sentry_sdk.init(
        dsn="http://key@sentry.invalid/1",
        transport=Memory,
        traces_sample_rate=float(sampled),
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        integrations=[*([integration] if has_integration else []), LoggingIntegration()],
        **({} if options else {"enable_backpressure_handling": False}),
        **options,
    )


logging.getLogger().addHandler(logging.NullHandler())  # keeps log records off stderr
settings = {"CSIGNALS": {"SENTRY_WRAPPER": True}} if IS_ORIGINAL and PLACE != "nowhere" else {}
if PLACE == "last":
    init()
configure(**settings)
if PLACE != "last":
    init()
if PATCHES != "once":
    if PATCHES == "again after install()":
        install()
    signals_handlers.patch_signals()


class Owner:
    def method(self, **named):
        return "method"

    def __call__(self, **named):
        return "called"

    def __str__(self):
        return "an owner"

    @classmethod
    def of_class(cls, **named):
        return "of class"


def decorated(function):
    @functools.wraps(function)
    def wrapper(**named):
        return function(**named)

    return wrapper


@decorated
def function(sender, **named):
    return sorted(named)


def speaks(**named):
    sentry_sdk.capture_message("spoken")
    with sentry_sdk.start_span(op="inside"):
        return [response for _, response in nested.send(Owner)]


def speaks_streamed(**named):
    sentry_sdk.capture_message("spoken")
    with sentry_sdk.traces.start_span(name="inside"):
        return [response for _, response in nested.send(Owner)]


def inner(**named):
    logging.getLogger("shop").error("logged")
    return "inner"


def fails(**named):
    raise ValueError("fails")


def fails_above(**named):
    return failing.send(Owner)


async def awaited(**named):
    await asyncio.sleep(0)
    sentry_sdk.capture_message("awaited")
    return "awaited"


owner = Owner()
partial = functools.partial(Owner.of_class, bound=True)
unnamed = Owner()
receivers = [function, owner.method, Owner.of_class, lambda **named: "lambda", fails_above]
nameless = [partial, unnamed]


def connect(speaks):
    for each in [*receivers[:-1], speaks, *nameless]:
        plain.connect(each, weak=False)
        cached.connect(each, sender=Owner, weak=False)
    plain.connect(function, sender=Owner)
    nested.connect(inner)
    failing.connect(inner)
    failing.connect(fails)
    failing.connect(fails_above, weak=False)
    denied.connect(inner)
    mixed.connect(inner)
    unheard.connect(inner, sender=Owner)
    if HAS_ASYNC:
        mixed.connect(awaited)
        mixed.connect(speaks)


def shown(responses):
    return [str(response) for _, response in responses]


def send_all():
    """Send in every way and return the responses."""
    seen = {
        "send": shown(plain.send(Owner, x=1)),
        "send_robust": shown(plain.send_robust(Owner)),
        "cached": [shown(cached.send(each)) for each in (Owner, Owner, object, object)],
        "unheard": [shown(unheard.send_robust(object)) for _ in range(3)],
        "denied": shown(denied.send(Owner)),
        "fails": failure_of(lambda: failing.send(Owner)),
        "listeners": [plain.has_listeners(Owner), unheard.has_listeners(object), unheard.has_listeners(Owner)],
    }
    failing.disconnect(fails_above)
    seen["fails robustly"] = shown(failing.send_robust(Owner))
    failing.connect(fails_above, weak=False)
    if HAS_ASYNC:
        seen["mixed"] = [shown(mixed.send(Owner)), shown(mixed.send_robust(Owner))]
        seen["awaited"] = asyncio.run(await_all())
    thread = threading.Thread(target=lambda: seen.update(thread=shown(plain.send(Owner))))
    thread.start()
    thread.join()
    return seen


async def await_all():
    # Before Django 6.1 sync and async receivers run at the same time, in no fixed order.
    both = [shown(await mixed.asend(Owner))] if django.VERSION >= (6, 1) else []
    return [*both, shown(await plain.asend_robust(Owner))]


def failure_of(send):
    try:
        send()
    except ValueError as error:
        return str(error)


def captured():
    """Return the normalized output of the SDK, and the trace contexts of its events.

    Streamed spans come after the events.
    """
    sentry_sdk.flush(timeout=5)
    ids, ids_of_traces, items, streamed, traces = {}, {}, [], [], []
    for item in [item for envelope in envelopes for item in envelope.items if item.type != "client_report"]:
        payload = item.payload.json if item.payload.json is not None else json.loads(item.payload.bytes)
        if item.type == "span":  # a thread sends them in groups of any size
            streamed += payload["items"]
            continue
        contexts = payload.pop("contexts", {}) if item.type == "event" else {}
        items.append([item.type, cleaned(payload, ids)])
        traces.append(cleaned(contexts.get("trace"), ids_of_traces))
    envelopes.clear()
    names = {span["span_id"]: span["name"] for span in streamed}
    for span in streamed:
        span["parent"] = names.get(span.get("parent_span_id"))
    streamed = [without(IDS, {**span, "attributes": without(IDS, span["attributes"])}) for span in streamed]
    return items + sorted((["span", cleaned(span, ids)] for span in streamed), key=json.dumps), traces


def without(names, values):
    return {name: value for name, value in values.items() if name not in names}


TIMES = {
    "timestamp",
    "start_timestamp",
    "end_timestamp",
    "exclusive_time_ms",
    "duration",
    "event_id",
    "breadcrumbs",
    "extra",
    "platform",
    "sdk",
    "modules",
    "server_name",
    "runtime",
    "thread.id",
    "thread.name",
    "sys.argv",
    "release",
}
IDS = {"trace_id", "span_id", "parent_span_id", "sentry.segment.id", "segment_id", "sample_rand"}
DISPATCHERS = "csignals", "django.dispatch", "sentry_sdk", "asgiref", "concurrent", "asyncio", "functools"


def cleaned(value, ids):
    if isinstance(value, list):
        return [cleaned(each, ids) for each in value if not is_of_a_dispatcher(each)]
    if not isinstance(value, dict):
        return value.replace(NAME_OF_WRAPPER, "?").replace(repr(partial), "?") if isinstance(value, str) else value
    names = [name for name in sorted(value) if name not in TIMES]
    return {name: number(value[name], ids) if name in IDS else cleaned(value[name], ids) for name in names}


def is_of_a_dispatcher(frame):
    return isinstance(frame, dict) and "lineno" in frame and str(frame.get("module")).startswith(DISPATCHERS)


def number(value, ids):
    return ids.setdefault(value, len(ids)) if value is not None else None


NAME_OF_WRAPPER = "patch_signals.<locals>._sentry_live_receivers.<locals>.sentry_sync_receiver_wrapper.<locals>.wrapper"


def in_no_transaction():
    return send_all()


def in_a_transaction():
    with sentry_sdk.start_transaction(op="test", name="transaction"):
        return send_all()


def in_a_streamed_segment():
    with sentry_sdk.traces.start_span(name="segment"):
        return send_all()


def in_a_span_only():
    with sentry_sdk.start_span(op="test"):
        return send_all()


observed = {}


def observe(title, run, **options):
    init(**options)
    seen = run()
    items, traces = captured()
    observed[title] = {"seen": seen, "captured": items, "traces of events": traces}


connect(speaks)
observe("no transaction", in_no_transaction)
observe("unsampled", in_a_transaction, sampled=False)
observe("sampled", in_a_transaction)
observe("spans off", in_a_transaction, spans=False)
observe("no integration", in_a_transaction, has_integration=False)
observe("a span without a transaction", in_a_span_only)
if PATCHES == "once":
    uninstall()
    observe("uninstalled", in_a_transaction)
    install()
    observe("installed again", in_a_transaction)
if HAS_STREAMS:
    plain.disconnect(speaks)
    cached.disconnect(speaks, sender=Owner)
    mixed.disconnect(speaks)
    connect(speaks_streamed)
    for title, run, is_sampled in [
        ("streamed, no segment", in_no_transaction, True),
        ("streamed, unsampled", in_a_streamed_segment, False),
        ("streamed", in_a_streamed_segment, True),
    ]:
        observe(title, run, sampled=is_sampled, _experiments={"trace_lifecycle": "stream"})

report(**observed)
