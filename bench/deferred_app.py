"""The Celery app of bench.deferred, its signal and its deferred receiver. The workers import this module too."""

import os
import time

from celery import Celery

from csignals import Signal, receiver
from csignals.deferred import configure, deferred

PAUSE = 0.005  # seconds

app = Celery("bench", broker=os.environ.get("BROKER", "memory://"))
app.conf.worker_prefetch_multiplier = 1
app.set_default()
configure("celery")

counted = Signal()


class Sender:
    pass


@receiver(counted, sender=Sender)
@deferred
def work(sender, number, total, **kwargs):
    time.sleep(PAUSE)
    with open(os.environ["OUT"], "a") as out:
        out.write(f"{number}\n")
