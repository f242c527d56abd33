"""Django's signals, dispatched in C."""

from csignals._dispatch import IMPLEMENTATION
from csignals._watching import WeakReceiverWarning
from csignals.aio import nonblocking
from csignals.signal import Signal, receiver

__all__ = ["IMPLEMENTATION", "Signal", "WeakReceiverWarning", "__version__", "nonblocking", "receiver"]
__version__ = "0.1.0"
