"""Choices that are decoded from bytes: a change of one byte changes one choice."""


class Choices:
    """Takes one byte for each choice. After the last byte, each choice is the first option."""

    def __init__(self, data):
        self._data = iter(data)

    def number(self, limit):
        """Return a number from 0 to `limit` - 1. `limit` is at most 256."""
        return next(self._data, 0) % limit

    def pick(self, options):
        return options[self.number(len(options))]

    def happens(self, one_in):
        """Return True once in `one_in` times."""
        return self.number(one_in) == one_in - 1

    def several(self, options, most):
        return [self.pick(options) for _ in range(self.number(most + 1))]
