"""Makes what is timed: a plain ``for`` loop around a statement, as it would stand in a program.

So the keyword names of a call are a constant of the code, as at any call site, and every contestant pays the same
for the loop.
"""

SOURCE = """
def make({names}):
    def run({parameter}):
        for {target} in {iterable}:
            {statement}
    return run
"""


def repeat(statement, **names):
    """Return a function that performs a statement as often as it is told."""
    return make(statement, "_", "times", "range(times)", names)


def for_each(target, statement, **names):
    """Return a function that performs a statement for each of some values, called `target` in it."""
    return make(statement, target, "values", "values", names)


def make(statement, target, parameter, iterable, names):
    source = SOURCE.format(
        names=", ".join(names), parameter=parameter, target=target, iterable=iterable, statement=statement
    )
    namespace = {}
    exec(source, namespace)
    return namespace["make"](**names)
