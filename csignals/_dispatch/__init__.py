"""The dispatcher: the specification in Python (pure.py), the compiled code, and awaiting (awaiting.py, task_group.py).

This module chooses the implementation; nothing else reads ``CSIGNALS_PURE_PYTHON``. Unset: the compiled code if it is
there, else Python. ``1``: Python. ``0``: the compiled code, and an ImportError if it is not there.
"""

import os
import sys

from csignals._dispatch.common import DispatchConfig
from csignals._dispatch.pure import set_interceptor

_choice = os.environ.get("CSIGNALS_PURE_PYTHON", "")
if _choice not in ("", "0", "1"):
    raise ImportError(f"CSIGNALS_PURE_PYTHON must be 0, 1 or unset, not {_choice!r}")

try:
    if _choice == "1":
        raise ImportError
    from csignals._dispatch import compiled
    from csignals._dispatch.compiled import (
        CallBase,
        SendBase,
        SignalBase,
        TraceBase,
        add_entry,
        call_all,
        code_flags,
        enable_interception,
        enter,
        find_receivers,
        has_no_receivers,
        leave,
        make_key,
        methods,
        put_receivers,
        remove_entry,
    )

    IMPLEMENTATION = "cython"
    FALLBACK_REASON = None  # why the implementation is Python, in words for the user
except ImportError as error:
    if _choice == "0":
        raise
    FALLBACK_REASON = "CSIGNALS_PURE_PYTHON is 1" if _choice == "1" else str(error)
    from csignals._dispatch.pure import (  # type: ignore[assignment]  # the same names and types
        SignalBase,
        add_entry,
        call_all,
        code_flags,
        enable_interception,
        find_receivers,
        has_no_receivers,
        make_key,
        methods,
        put_receivers,
        remove_entry,
    )
    from csignals._dispatch.pure_records import CallBase, SendBase, TraceBase, enter, leave

    IMPLEMENTATION = "python"
else:
    from csignals._dispatch.single_import import keep_first_import

    keep_first_import(sys.modules["csignals"], compiled)

__all__ = [
    "FALLBACK_REASON",
    "IMPLEMENTATION",
    "CallBase",
    "DispatchConfig",
    "SendBase",
    "SignalBase",
    "TraceBase",
    "add_entry",
    "call_all",
    "code_flags",
    "enable_interception",
    "enter",
    "find_receivers",
    "has_no_receivers",
    "leave",
    "make_key",
    "methods",
    "put_receivers",
    "remove_entry",
    "set_interceptor",
]
