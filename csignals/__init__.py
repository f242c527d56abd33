"""Django's signals, dispatched in C."""

from csignals._dispatch import IMPLEMENTATION
from csignals.aio import nonblocking
from csignals.signal import Signal, receiver

__all__ = ["IMPLEMENTATION", "ReceiverInfo", "Signal", "__version__", "list_receivers", "nonblocking", "receiver"]
__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.listing import ReceiverInfo, list_receivers
else:
    _LATER = {"ReceiverInfo": "csignals.listing", "list_receivers": "csignals.listing"}     # imported on first use

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(_LATER[name]), name)
        return found
