"""What the tests of this project share: a task backend that is a list."""

from csignals import deferred


class Box:
    """Keeps its messages, until a test runs them."""

    def __init__(self):
        self.messages = []

    def prepare(self, options):
        return options

    def enqueue(self, message, prepared):
        self.messages.append(message)

    def run(self):
        messages, self.messages = self.messages, []
        for message in messages:
            deferred.run(message)


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
