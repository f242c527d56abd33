"""Every field type, several databases, and one call for a transaction. Django's runner runs the tests of `fields`."""

import pytest

from tests.deferred.projects import run_tests_of

pytestmark = pytest.mark.exhaustive


@pytest.mark.parametrize("tests", ["fields", "values", "databases", "once_per", "limits"])
def test_the_project_passes_its_tests(implementation, tests, tmp_path):
    run_tests_of(f"fields.tests_{tests}", implementation, tmp_path)
