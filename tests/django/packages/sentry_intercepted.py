"""sentry-sdk, which puts a wrapper in the place of each receiver: csignals knows the receivers by it all the same.

That is: they can be muted, and those that were called are not listed as never called. For the latter the project is one
under DEBUG.
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

import csignals  # noqa: E402  # as csignals.django does it: once the project is there


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
called, uncalled = Listener(), Listener()
mortal_signal.connect(called.method)
mortal_signal.send(Order)
mortal_signal.connect(uncalled.method, sender=Listener)
mortal_signal.send(Order)
del called
observed["called"] = collected(mortal_signal)
del uncalled
observed["uncalled"] = collected(mortal_signal)

report(**observed)
