"""sentry-sdk replaces each receiver with a wrapper. csignals still recognizes the receivers.

They can be muted, and a called receiver is not listed as never called. The list needs the setting DEBUG.
"""

import gc
import warnings

import sentry_sdk
from django.db import models
from django.db.models.signals import post_save
from django.dispatch import Signal
from project import PLACE, configure, heard, listen, report
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.transport import Transport


class Silent(Transport):
    def capture_envelope(self, envelope):
        pass


def init():
    sentry_sdk.init(
        dsn="http://key@sentry.invalid/1",
        transport=Silent,
        default_integrations=False,
        auto_enabling_integrations=False,
        enable_backpressure_handling=False,
        integrations=[DjangoIntegration()],
    )


if PLACE == "last":
    init()
configure(DEBUG=True)
if PLACE != "last":
    init()

import csignals  # noqa: E402  # after the project is set up, as csignals.django imports it


class Order(models.Model):
    pass


class Listener:
    def method(self, **named):
        heard.append("method")


def reindex(**named):
    heard.append("reindex")


def notify(**named):
    heard.append("notify")


def send():
    post_save.send(Order, instance=Order())
    return listen()


def collected(signal):
    gc.collect()
    return [info.receiver.rpartition(".")[2] for info in csignals.list_receivers(signal) if info.is_collected]


listener, stranger = Listener(), Listener()
post_save.connect(reindex, sender=Order)
post_save.connect(notify)
post_save.connect(listener.method, sender=Order)
post_save.connect(stranger.method, sender=Order)

observed = {"sent": send()}
with csignals.mute(post_save, receivers=[reindex, listener.method]):
    observed["muted"] = send()
with csignals.mute(receivers=[reindex, notify, listener.method, stranger.method]):
    observed["all muted"] = [send(), post_save.has_listeners(Order)]
observed["after"] = [send(), post_save.has_listeners(Order)]

warnings.simplefilter("ignore", csignals.WeakReceiverWarning)
mortal_signal = Signal()
called, never_called = Listener(), Listener()
mortal_signal.connect(called.method)
mortal_signal.send(Order)
mortal_signal.connect(never_called.method, sender=Listener)
mortal_signal.send(Order)
del called
observed["called"] = collected(mortal_signal)
del never_called
observed["never called"] = collected(mortal_signal)

report(**observed)
