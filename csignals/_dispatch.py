"""Picks the dispatch engine. Nothing else reads ``CSIGNALS_PURE_PYTHON``.

Unset: the compiled engine if it is there, else the Python one. ``1``: the Python one. ``0``: the compiled
one, and an ImportError if it is not there.
"""

import os
from types import ModuleType

from csignals._dispatch_py import Hooks
from csignals._once import refuse_others, settle

refuse_others(__name__)

_choice = os.environ.get("CSIGNALS_PURE_PYTHON", "")
if _choice not in ("", "0", "1"):
    raise ImportError(f"CSIGNALS_PURE_PYTHON must be 0, 1 or unset, not {_choice!r}")

try:
    if _choice == "1":
        raise ImportError
    from csignals import _dispatch_c
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
    # Kept where it outlives this module: in a module of C, which is there once in a process.
    imported: list[ModuleType] = vars(_dispatch_c).setdefault("imported", [])
    FALLBACK_REASON = None  # why the compiled engine is not the one, in words for the user
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
    imported = []

settle(imported)

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
