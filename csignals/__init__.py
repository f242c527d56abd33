"""Django's signals, dispatched in C."""

import sys

from csignals import _dispatch  # isort: skip  # before the others, as it knows whether this is the first import
from csignals import _steering  # noqa: F401  # what sends ask while anybody mutes or traces
from csignals._dispatch import IMPLEMENTATION
from csignals._once import settle
from csignals._watching import WeakReceiverWarning
from csignals.aio import nonblocking
from csignals.muting import mute
from csignals.signal import Signal, receiver
from csignals.tracing import trace

__all__ = [
    "IMPLEMENTATION",
    "ReceiverInfo",
    "Signal",
    "WeakReceiverWarning",
    "__version__",
    "list_receivers",
    "mute",
    "nonblocking",
    "receiver",
    "trace",
]
__version__ = "0.1.0"
settle(_dispatch.imported, sys.modules[__name__])

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.listing import ReceiverInfo, list_receivers
else:
    _LATER = {"ReceiverInfo": "csignals.listing", "list_receivers": "csignals.listing"}  # imported on first use

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
