"""Acts on a side (sides.py), each with the differences between the two sides that are allowed."""


class Act:
    """An act on both sides, and a function that decides whether a difference is allowed."""

    def __init__(self, description, function, allows=None):
        self.description = description
        self.function = function
        self.allows = allows or nothing

    def __call__(self, side):
        return self.function(side)

    def __str__(self):
        return repr(self.description)


def refuses_types(expected, found):
    """Allow the internal functions of the compiled implementation to be strict about types."""
    (kind, result), _ = found
    return kind == "raised" and result[0] in (TypeError, AttributeError, OverflowError)


def both_raise(expected, found):
    return expected[0][0] == found[0][0] == "raised"


def both_raise_if_odd(named):
    """Allow the two sides to raise different errors if a name is not a plain string.

    The order in which names are compared, and in which their types are checked, is not promised.
    """
    is_odd = not isinstance(named, dict) or any(type(name) is not str for name in named)
    return both_raise if is_odd else nothing


def nothing(expected, found):
    return False


def anything(expected, found):
    """Allow every difference: the act may do anything but crash the interpreter."""
    return True
