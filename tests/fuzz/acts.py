"""What is done on either side, and which differences between the two are right."""


class Act:
    """Something that is done on either side, and what differences are right."""

    def __init__(self, what, function, allows=None):
        self.what = what
        self.function = function
        self.allows = allows or nothing

    def __call__(self, side):
        return self.function(side)

    def __str__(self):
        return repr(self.what)


def refuses_types(expected, found):
    """Allow the compiled engine's own functions, which nobody else is to call, to be strict about types."""
    (kind, result), _ = found
    return kind == "raised" and result[0] in (TypeError, AttributeError, OverflowError)


def both_raise(expected, found):
    return expected[0][0] == found[0][0] == "raised"


def both_raise_if_odd(named):
    """Return what allows either engine to find the other one of two errors, where names are not just strings.

    Which names are compared with each other, and when it is seen that one is no string, is not promised.
    """
    is_odd = not isinstance(named, dict) or any(type(name) is not str for name in named)
    return both_raise if is_odd else nothing


def nothing(expected, found):
    return False


def anything(expected, found):
    """Allow what is nobody's business as long as the interpreter stays whole."""
    return True
