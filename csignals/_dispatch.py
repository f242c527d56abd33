"""Picks the dispatch engine. Nothing else reads ``CSIGNALS_PURE_PYTHON``.

Unset: the compiled engine if it is there, else the Python one. ``1``: the Python one. ``0``: the compiled
one, and an ImportError if it is not there.
"""

import os

from csignals._dispatch_py import Hooks

_choice = os.environ.get("CSIGNALS_PURE_PYTHON", "")
if _choice not in ("", "0", "1"):
    raise ImportError(f"CSIGNALS_PURE_PYTHON must be 0, 1 or unset, not {_choice!r}")

try:
    if _choice == "1":
        raise ImportError
    from csignals._dispatch_c import (
        CallBase,
        SendBase,
        SignalBase,
        TraceBase,
        add_entry,
        call_all,
        code_flags,
        enter,
        find_receivers,
        is_unheard,
        leave,
        make_key,
        methods,
        put_receivers,
        remove_entry,
        steer,
    )

    IMPLEMENTATION = "cython"
    FALLBACK_REASON = None      # why the compiled engine is not the one, in words for the user
except ImportError as error:
    if _choice == "0":
        raise
    FALLBACK_REASON = "CSIGNALS_PURE_PYTHON is 1" if _choice == "1" else str(error)
    from csignals._dispatch_py import (  # type: ignore[assignment]  # one or the other: alike
        SignalBase,
        add_entry,
        call_all,
        code_flags,
        find_receivers,
        is_unheard,
        make_key,
        methods,
        put_receivers,
        remove_entry,
        steer,
    )
    from csignals._tracing_py import CallBase, SendBase, TraceBase, enter, leave

    IMPLEMENTATION = "python"

__all__ = [
    "FALLBACK_REASON",
    "IMPLEMENTATION",
    "CallBase",
    "Hooks",
    "SendBase",
    "SignalBase",
    "TraceBase",
    "add_entry",
    "call_all",
    "code_flags",
    "enter",
    "find_receivers",
    "is_unheard",
    "leave",
    "make_key",
    "methods",
    "put_receivers",
    "remove_entry",
    "steer",
]
