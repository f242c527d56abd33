"""Fixtures for deferred receivers: the module, and a task backend that is a list."""

import pytest

from tests.deferred.box import Box
from tests.helpers.implementations import load


def pytest_collection_modifyitems(items):
    """Group the tests with workers by their servers, for ``pytest -n 3 --dist loadgroup``: each starts only once."""
    for item in items:
        if item.get_closest_marker("workers") is not None:
            params = getattr(getattr(item, "callspec", None), "params", {})
            kinds = ["redis", "in_database"]
            others = [kind for kind in kinds if kind in item.fixturenames] or ["postgresql"]
            group = params.get("broker", others[0])
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def deferred(implementation):
    """Return the module; undo what the test declares, configures and logs once."""
    module = load(implementation, "csignals.deferred")
    receivers = load(implementation, "csignals.deferred.receivers")
    declared = dict(receivers.declared)
    receivers._logged.clear()
    yield module
    module.configure(None)
    receivers.declared.clear()
    receivers.declared.update(declared)


@pytest.fixture
def box(deferred):
    box = Box()
    deferred.configure(box)
    return box


@pytest.fixture
def run_all(deferred, box):
    """Return a function that runs all messages in the box."""

    return lambda: box.run(deferred)
