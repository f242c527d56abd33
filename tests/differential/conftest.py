import pytest

from tests.helpers.implementations import without_collector


@pytest.fixture(autouse=True)
def collecting_by_hand():
    """Both models of a run lose their objects at the same step, and not where the collector happens to run."""
    with without_collector():
        yield
