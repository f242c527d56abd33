"""A MemoryError at any allocation: the operation has happened or has not, and the signal works as before.

memory_errors.py makes each allocation fail in turn, in a process of its own. CPython itself does not survive that
everywhere: on such versions, the tests run as little Python code as possible.
"""

import json
import sys
from pathlib import Path

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("memory_errors.py")

CONNECTS = [
    "connect",
    "connect_cold",
    "connect_first",
    "connect_again",
    "connect_sender",
    "connect_held_sender",
    "connect_uid",
    "connect_object_uid",
    "connect_foreign_list",
    "disconnect",
    "disconnect_nobody",
    "disconnect_object_uid",
    "disconnect_foreign_list",
]
SENDS = [
    "send",
    "send_again",
    "send_keyword",
    "send_other_sender",
    "send_cold",
    "send_many",
    "send_tuple",
    "send_robust",
    "send_robust_cold",
    "has_listeners",
    "has_listeners_cold",
    "live_receivers",
]
ASENDS = ["asend", "asend_two", "asend_robust"]
#: Operations that make closures, handle exceptions, or otherwise run much Python code.
FRAGILE = ["connect_method", "connect_after_death", "disconnect_after_death", "send_after_death", "send_robust_failing"]

# CPython 3.12 and 3.13 crash if a cell cannot be allocated. All versions before 3.14 may loop for ever without the
# memory to handle an exception. 3.15 crashes in the Python implementation, and if a generator's frame cannot be
# allocated.
IS_STURDY = (3, 14) <= sys.version_info < (3, 15)


def has_set_nomemory():
    try:
        import _testcapi
    except (ImportError, OSError):  # PyPy tries to compile the module, whose sources it does not have
        return False
    return hasattr(_testcapi, "set_nomemory")


def cases():
    """Yield the implementation, the place, and the operations that this Python survives."""
    yield "cython", "standalone", CONNECTS + SENDS
    yield "cython", "django", SENDS
    if IS_STURDY:
        yield "cython", "standalone", FRAGILE + ASENDS
        yield "cython", "django", [*FRAGILE[3:], *ASENDS]
        yield "python", "standalone", CONNECTS
        yield "python", "standalone", SENDS
        yield "python", "standalone", FRAGILE + ASENDS
        yield "python", "django", SENDS


if has_set_nomemory():

    @pytest.mark.parametrize(
        ("chosen", "place", "operations"), [*cases()], ids=lambda value: value if isinstance(value, str) else value[0]
    )
    def test_memory_errors_lose_and_lock_nothing(chosen, place, operations, budget):
        done = run_python(SCRIPT, place, str(budget), *operations, implementation=chosen, timeout=100 * budget)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert {operation: problems for operation, (_, problems) in found.items() if problems} == {}
        assert sum(failures for failures, _ in found.values()) > len(operations)
