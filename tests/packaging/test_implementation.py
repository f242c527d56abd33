"""Which engine is live, and what CSIGNALS_PURE_PYTHON says about it."""

import sysconfig

import pytest

from tests.helpers.implementations import VARIABLE, compiled
from tests.helpers.interpreter import run_python


def test_the_engine_under_test_is_the_one_that_is_live(csignals, implementation):
    assert implementation == csignals.IMPLEMENTATION
    base = csignals.Signal.__mro__[1]
    assert (
        base.__module__
        == {"cython": "csignals._dispatch.compiled", "python": "csignals._dispatch.pure"}[implementation]
    )
    send = vars(csignals.Signal)["send"]
    assert type(send).__name__ == {"cython": "method_descriptor", "python": "function"}[implementation]


def test_the_variable_chooses_in_a_process_of_its_own(implementation):
    done = run_python("-c", "import csignals; print(csignals.IMPLEMENTATION)", implementation=implementation)
    assert (done.stdout.strip(), done.stderr) == (implementation, "")


WITHOUT_COMPILED_ENGINE = """
import sys
sys.modules["csignals._dispatch.compiled"] = None      # what an import system does that knows it is not there
import csignals
print(csignals.IMPLEMENTATION)
"""


def test_unset_takes_the_python_engine_where_there_is_no_other():
    done = run_python("-c", WITHOUT_COMPILED_ENGINE, variables={VARIABLE: None})
    assert (done.stdout.strip(), done.stderr) == ("python", "")


@compiled
def test_unset_takes_the_compiled_engine_where_it_is_there():
    done = run_python("-c", "import csignals; print(csignals.IMPLEMENTATION)", variables={VARIABLE: None})
    assert (done.stdout.strip(), done.stderr) == ("cython", "")


def test_zero_requires_the_compiled_engine():
    done = run_python("-c", WITHOUT_COMPILED_ENGINE, variables={VARIABLE: "0"})
    assert done.returncode == 1
    assert "csignals._dispatch.compiled" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith(("ImportError", "ModuleNotFoundError"))


@pytest.mark.parametrize("value", ["yes", "2", "true"])
def test_any_other_value_is_refused(value):
    done = run_python("-c", "import csignals", variables={VARIABLE: value})
    assert done.returncode == 1
    assert f"CSIGNALS_PURE_PYTHON must be 0, 1 or unset, not {value!r}" in done.stderr


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python cannot do without the GIL")
def test_where_python_runs_without_the_gil_it_goes_on_so(implementation):
    """One module that does not say that it can, and the interpreter takes the GIL up again, with a warning."""
    code = "import sys, csignals.django, csignals.testing; print(sys._is_gil_enabled())"
    done = run_python("-c", code, implementation=implementation, variables={"PYTHON_GIL": None})
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_version_is_that_of_the_metadata(csignals):
    from importlib.metadata import version

    assert csignals.__version__ == version("csignals")


def test_import_brings_in_neither_django_nor_asgiref_nor_asyncio(implementation):
    code = "import sys, csignals; print([m for m in ('django', 'asgiref', 'asyncio', 'inspect') if m in sys.modules])"
    assert run_python("-c", code, implementation=implementation).stdout.strip() == "[]"
