"""The choice between the compiled and the Python implementation by CSIGNALS_PURE_PYTHON."""

import sysconfig

import pytest

from tests.helpers.implementations import VARIABLE, compiled
from tests.helpers.interpreter import run_python


def test_the_chosen_implementation_is_live(csignals, implementation):
    assert implementation == csignals.IMPLEMENTATION
    base = csignals.Signal.__mro__[1]
    assert (
        base.__module__
        == {"cython": "csignals._dispatch.compiled", "python": "csignals._dispatch.pure"}[implementation]
    )
    send = vars(csignals.Signal)["send"]
    assert type(send).__name__ == {"cython": "method_descriptor", "python": "function"}[implementation]


def test_the_variable_chooses_the_implementation(implementation):
    done = run_python("-c", "import csignals; print(csignals.IMPLEMENTATION)", implementation=implementation)
    assert (done.stdout.strip(), done.stderr) == (implementation, "")


WITHOUT_COMPILED = """
import sys
sys.modules["csignals._dispatch.compiled"] = None      # so that importing it raises ModuleNotFoundError
import csignals
print(csignals.IMPLEMENTATION)
"""


def test_unset_falls_back_to_python():
    done = run_python("-c", WITHOUT_COMPILED, variables={VARIABLE: None})
    assert (done.stdout.strip(), done.stderr) == ("python", "")


@compiled
def test_unset_prefers_the_compiled_implementation():
    done = run_python("-c", "import csignals; print(csignals.IMPLEMENTATION)", variables={VARIABLE: None})
    assert (done.stdout.strip(), done.stderr) == ("cython", "")


def test_zero_requires_the_compiled_implementation():
    done = run_python("-c", WITHOUT_COMPILED, variables={VARIABLE: "0"})
    assert done.returncode == 1
    assert "csignals._dispatch.compiled" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith(("ImportError", "ModuleNotFoundError"))


@pytest.mark.parametrize("value", ["yes", "2", "true"])
def test_any_other_value_raises(value):
    done = run_python("-c", "import csignals", variables={VARIABLE: value})
    assert done.returncode == 1
    assert f"CSIGNALS_PURE_PYTHON must be 0, 1 or unset, not {value!r}" in done.stderr


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python needs the GIL")
def test_the_import_keeps_the_gil_off(implementation):
    """The interpreter enables the GIL, with a warning, when it imports an extension that does not declare support."""
    code = "import sys, csignals.django, csignals.testing; print(sys._is_gil_enabled())"
    done = run_python("-c", code, implementation=implementation, variables={"PYTHON_GIL": None})
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_the_version_matches_the_metadata(csignals):
    from importlib.metadata import version

    assert csignals.__version__ == version("csignals")


def test_the_import_loads_no_django(implementation):
    code = "import sys; before = set(sys.modules); import csignals; print(*set(sys.modules) - before)"
    loaded = run_python("-c", code, implementation=implementation).stdout.split()
    assert "csignals" in loaded
    assert {"django", "asgiref", "asyncio", "inspect"}.isdisjoint(loaded)
