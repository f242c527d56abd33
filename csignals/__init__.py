"""Django's signals, dispatched in C.

Here are the public names. Those in `_LATER` are imported when they are first used.
"""

from csignals._dispatch import IMPLEMENTATION, set_interceptor
from csignals._dispatch.awaiting import nonblocking
from csignals._interception import interceptor
from csignals._version import __version__
from csignals.devmode import WeakReceiverWarning
from csignals.muting import mute
from csignals.signals import Signal, receiver

__all__ = [
    "IMPLEMENTATION",
    "ReceiverInfo",
    "Signal",
    "WeakReceiverWarning",
    "__version__",
    "deferred",
    "list_receivers",
    "mute",
    "nonblocking",
    "receiver",
    "testing",
    "trace",
    "tracing",
]

set_interceptor(interceptor)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals import deferred, testing, tracing
    from csignals.listing import ReceiverInfo, list_receivers
    from csignals.tracing import trace
else:
    _LATER = {
        "ReceiverInfo": "csignals.listing",
        "deferred": None,
        "list_receivers": "csignals.listing",
        "testing": None,
        "trace": "csignals.tracing",
        "tracing": None,
    }  # the module of each; None for a module of that name

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = _LATER[name]
        found = import_module(f"csignals.{name}") if module is None else getattr(import_module(module), name)
        globals()[name] = found
        return found

    def __dir__():
        return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
