"""The signal and the deferred receiver of bench.deferred, and Celery's app: what its workers import as well."""

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
