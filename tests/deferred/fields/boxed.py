"""What the tests of this project share: a task backend that is a list."""

from csignals import deferred
from tests.deferred.box import Box


class BoxedTests:
    """Messages go to a box, and receivers append their calls to `calls`."""

    databases = frozenset({"default", "other"})
    calls = []  # noqa: RUF012  # of all receivers
    on_commit = True  # a TestCase never commits

    def setUp(self):
        self.box = Box()
        deferred.configure(self.box, on_commit=self.on_commit)
        self.addCleanup(deferred.configure, None)
        self.calls.clear()

    def taken(self):
        """Return the calls up to now, and forget them."""
        found = self.calls[:]
        self.calls.clear()
        return found
