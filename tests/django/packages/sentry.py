"""sentry-sdk makes a span for each receiver call in a transaction. The transport keeps the spans in memory.

``sentry_sdk.init`` replaces ``Signal._live_receivers``. The script calls it before ``django.setup()`` if csignals is
the last app, and after ``django.setup()`` if csignals is the first app.
"""

import django
import sentry_sdk
from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from project import PLACE, configure, create_tables, heard, install, listen, report, uninstall
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

envelopes = []
sent = []
own_signal = Signal()
robust_signal = Signal()
denied_signal = Signal()
awaited_signal = Signal()


class Memory(Transport):
    def capture_envelope(self, envelope):
        envelopes.append(envelope)


def init():
    sentry_sdk.init(
        dsn="http://key@sentry.invalid/1",
        transport=Memory,
        traces_sample_rate=1.0,
        default_integrations=False,
        auto_enabling_integrations=False,
        enable_backpressure_handling=False,
        integrations=[DjangoIntegration(signals_denylist=[denied_signal]), LoggingIntegration()],
    )


if PLACE == "last":
    init()
configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["testserver"])
if PLACE != "last":
    init()


class Author(models.Model):
    pass


class Listener:
    def method(self, **named):
        return "method"


listener = Listener()


def outer(sender, **named):
    """Send another signal, so that its span has a child."""
    return [response for _, response in own_signal.send(Listener)]


def inner(**named):
    return "inner"


def fails(**named):
    raise ValueError("fails")


async def awaited(**named):
    return "awaited"


def on_request(**named):
    heard.append("request_started")


def on_save(created, **named):
    heard.append("post_save")


def responses(sent):
    return [[receiver.__qualname__, repr(response)] for receiver, response in sent]


def view(request):
    Author.objects.create()
    result = {
        "send": responses(own_signal.send(Author, number=1)),
        "send_robust": responses(robust_signal.send_robust(Author)),
        "denied": responses(denied_signal.send(Author)),
        "awaited": responses(awaited_signal.send(Author)),
        "has_listeners": [own_signal.has_listeners(Author), Signal().has_listeners(Author)],
    }
    try:
        robust_signal.send(Author)
    except ValueError as error:
        result["send fails"] = str(error)
    sent.append(result)
    return HttpResponse("content")


urlpatterns = [path("", view)]


def answer():
    """Handle one request; return the responses of its sends, the items of `heard`, and Sentry's data."""
    response = get_wsgi_application()(RequestFactory().get("/").environ, lambda status, headers: None)
    content = b"".join(response).decode()
    response.close()
    return {"content": content, "sent": sent.pop(), "heard": listen(), **captured()}


def captured():
    """Return the errors, the transaction and its spans, without values that change from run to run."""
    items = [item for envelope in envelopes for item in envelope.items]
    envelopes.clear()
    errors = [item.payload.json for item in items if item.type == "event"]
    (transaction,) = [item.payload.json for item in items if item.type == "transaction"]
    spans = transaction["spans"]
    described = {span["span_id"]: span["description"] for span in spans}
    return {
        "errors": [[error["logger"], error["logentry"], error["exception"]["values"][0]["value"]] for error in errors],
        "transaction": transaction["transaction"],
        "spans": [
            [
                span["op"],
                span["description"],
                span["origin"],
                span.get("status"),
                described.get(span["parent_span_id"]),
            ]
            for span in spans
        ],
    }


create_tables()
request_started.connect(on_request)
post_save.connect(on_save, sender=Author)
own_signal.connect(outer, sender=Author)
own_signal.connect(inner)
own_signal.connect(listener.method, sender=Author)
robust_signal.connect(inner)
robust_signal.connect(fails)
robust_signal.connect(listener.method, sender=Author)
denied_signal.connect(inner)
if django.VERSION >= (5, 0):  # the first with async receivers; Sentry does not wrap them
    awaited_signal.connect(awaited)

observed = {"installed": answer()}
uninstall()
observed["uninstalled"] = answer()
install()
observed["installed again"] = answer()

report(**observed)
