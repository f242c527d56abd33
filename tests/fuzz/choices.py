"""Choices that are read out of bytes: whoever changes a byte, changes one choice."""


class Choices:
    """Bytes that are used up, one for each choice. Once there are no more, the first choice is made each time."""

    def __init__(self, data):
        self._data = iter(data)

    def number(self, limit):
        """Return a number from 0 up to, but not including, `limit`, which is 256 at most."""
        return next(self._data, 0) % limit

    def pick(self, options):
        return options[self.number(len(options))]

    def happens(self, one_in):
        """Return whether something happens that does so once in so many times."""
        return self.number(one_in) == one_in - 1

    def several(self, options, most):
        return [self.pick(options) for _ in range(self.number(most + 1))]
