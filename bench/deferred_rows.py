"""The signal of bench.deferred whose message has many rows, and its deferred receiver."""

from csignals import Signal, receiver
from csignals.deferred import deferred

listed = Signal()
arrived = []


@receiver(listed)
@deferred
def note(rows, **kwargs):
    arrived.append(rows)
