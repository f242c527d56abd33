"""Django's signals, dispatched in C."""

from csignals import _steering  # noqa: F401  # what sends ask while anybody mutes or traces
from csignals._dispatch import IMPLEMENTATION
from csignals.aio import nonblocking
from csignals.muting import mute
from csignals.signal import Signal, receiver
from csignals.tracing import trace

__all__ = ["IMPLEMENTATION", "Signal", "__version__", "mute", "nonblocking", "receiver", "trace"]
__version__ = "0.1.0"
