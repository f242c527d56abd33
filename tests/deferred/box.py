"""A task backend that is a list. Test projects of Django use it too, so it imports nothing but csignals, and late."""


class Box:
    """Keeps its messages, until a test runs them."""

    def __init__(self):
        self.prepared, self.messages = [], []

    def prepare(self, options):
        self.prepared.append(options)
        return options

    def enqueue(self, message, prepared):
        assert any(prepared is each for each in self.prepared)
        self.messages.append(message)

    def run(self, deferred=None):
        """Run the messages, by a copy of csignals.deferred if one is given."""
        if deferred is None:
            from csignals import deferred
        messages, self.messages = self.messages, []
        for message in messages:
            deferred.run(message)
