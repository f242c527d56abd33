"""The pytest plugin: the fixture ``signals``. What it does is in testing.py, which is imported when a test asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from csignals.testing import Signals
else:
    Signals = object


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Capture, mute, connect and trace signals until the end of the test: a ``csignals.testing.Signals``."""
    from csignals.testing import Signals

    with Signals() as signals:
        yield signals
