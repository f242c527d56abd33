"""Fake traces with fixed times, for tests whose output must be the same each time."""

from types import SimpleNamespace

FILE = "/shop/receivers.py"


def make_send(signal, parent=None, sender=None):
    return SimpleNamespace(signal=signal, sender=sender, parent=parent, start_ns=0)


def make_call(send, start, end, receiver="receive", line=1, file=FILE, **facts):
    """Return a record of a call. `end` is 0 if the call is still running."""
    send.start_ns = send.start_ns or start
    description = SimpleNamespace(name=receiver, file=file, line=line)
    facts = {"exception": None, "is_async": False, "thread": 1, "nested_ns": 0, **facts}
    return SimpleNamespace(send=send, description=description, start_ns=start, end_ns=end, **facts)


def make_trace(csignals, records, opened=0, **how):
    trace = csignals.trace(**how)
    trace.opened_ns = opened
    trace.epoch_ns = 1_700_000_000_000_000_000
    trace.snapshot = lambda: (records, None, trace.folded)
    return trace
