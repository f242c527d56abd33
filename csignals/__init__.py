"""Django's signals, dispatched in C."""

from csignals._dispatch import IMPLEMENTATION
from csignals.aio import nonblocking
from csignals.signal import Signal, receiver

__all__ = ["IMPLEMENTATION", "Signal", "__version__", "nonblocking", "receiver"]
__version__ = "0.1.0"
