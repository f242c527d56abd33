"""The pytest plugin: the fixture ``signals``. It imports ``csignals.testing`` when a test first uses the fixture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.testing import SignalTester
else:
    SignalTester = object


@pytest.fixture
def signals() -> Iterator[SignalTester]:
    """Capture, mute, connect and trace signals until the end of the test: a ``csignals.testing.SignalTester``."""
    from csignals.testing import SignalTester

    with SignalTester() as signals:
        yield signals
