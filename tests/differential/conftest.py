import pytest


@pytest.fixture(autouse=True, scope="module")
def as_in_programs(unfrozen):
    """Let the collector run as rarely as in programs: what it frees between two models' steps is a difference."""
