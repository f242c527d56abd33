import os
import signal
import time
import uuid

import django
from django.db import models
from django.dispatch import Signal, receiver

from csignals.deferred import deferred, on_commit


class Order(models.Model):
    number = models.IntegerField(default=0)
    tags = models.ManyToManyField("self")


class Rush(Order):
    class Meta:
        proxy = True


class OpenTickets(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_open=True)


class Ticket(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    is_open = models.BooleanField(default=True)

    objects = OpenTickets()


if django.VERSION >= (5, 2):

    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.IntegerField()
        number = models.DecimalField(max_digits=4, decimal_places=0)


happened = Signal()
heard = []  # receivers append their calls


@receiver(models.signals.post_save, sender=Order)
@on_commit
def hear_save(sender, instance, created, **kwargs):
    heard.append(("saved", instance.number, created))


@receiver(happened)
@on_commit(using="other", robust=True)
def hear_other(what, **kwargs):
    heard.append(("other", what))
    if what == "failure":
        raise ValueError(what)


@receiver(models.signals.post_save, sender=Order)
@deferred
def work_on(sender, instance, created, update_fields, using, **kwargs):
    heard.append(("worked", sender, type(instance), instance.number, instance._state.db, created, update_fields, using))


@receiver(models.signals.m2m_changed)
@deferred(missing="raise")
def work_on_tags(sender, instance, action, pk_set, model, **kwargs):
    heard.append(("tags", sender, instance.number, action, pk_set, model))


counted = Signal()


@receiver(counted)
@deferred
def write_down(number, **kwargs):
    time.sleep(float(os.environ.get("PAUSE", 0)))
    with open(os.environ["OUT"], "a") as out:
        out.write(f"{number}\n")


fatal = Signal()


@receiver(fatal)
@deferred
def die_at_first(number, **kwargs):
    """Kill the process at the first call, or the whole worker if KILLS is "worker"."""
    write_down.__wrapped__(number)
    if times_written(number) == 1:
        if os.environ.get("KILLS") == "worker":
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def times_written(number):
    with open(os.environ["OUT"]) as out:
        return out.read().split().count(str(number))


timed = Signal()


@receiver(timed)
@deferred(delay=1)
def write_down_the_time(number, **kwargs):
    write_down.__wrapped__(time.time_ns())


tried = Signal()
if os.environ.get("BACKEND") == "django_tasks":
    from csignals.deferred.backends.django_tasks import Backend

    impatient = Backend(retry_delay=0.2)
else:
    impatient = None


@receiver(tried)
@deferred(queue="mail", retries=2, backend=impatient)
def try_again(number, **kwargs):
    """Raise in the first two calls."""
    write_down.__wrapped__(number)
    if times_written(number) <= 2:
        raise ConnectionError("try again")


repaired = Signal()


@receiver(repaired)
@deferred
def fail_until_repaired(number, **kwargs):
    if not os.path.exists(os.environ["OUT"] + ".repaired"):
        raise ConnectionError("not yet\nrepaired")
    write_down.__wrapped__(number)


stale = Signal()


@receiver(stale)
@deferred(queue="mail", expires=0.2 if os.environ.get("BACKEND") == "celery" else None)
def write_down_in_time(number, **kwargs):
    write_down.__wrapped__(number)


waited = Signal()


@receiver(waited)
@deferred(on_commit=True)
def work_after_commit(sender, **kwargs):
    heard.append(("waited", sender))


@receiver(happened)
@deferred(on_commit=False)
def work_at_once(signal, sender, what, **kwargs):
    heard.append(("at once", signal, sender, what))


named = Signal()


def declare(decorator):
    """Connect a receiver that a decorator makes, in place of the one before, and return the list of its calls."""
    calls = []

    def note_named(what, others="default", **kwargs):
        calls.append((what, others))

    note_named.__qualname__ = "note_named"
    named.receivers.clear()
    named.connect(decorator(note_named), weak=False)
    return calls


@deferred
def note_any(sender, **kwargs):
    heard.append(("any", sender))


if "ANY_SENDER" in os.environ:
    models.signals.post_save.connect(note_any)
