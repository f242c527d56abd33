"""Make the function that is timed: a plain ``for`` loop around a statement, as in a program.

The keyword names of a call are a constant of the code, as at any call site, and the loop costs each contestant the
same.
"""

SOURCE = """
def make({names}):
    def run({parameter}):
        for {target} in {iterable}:
            {statement}
    return run
"""


def repeat(statement, **names):
    """Return a function that runs a statement a number of times, its argument."""
    return make(statement, "_", "times", "range(times)", names)


def for_each(target, statement, **names):
    """Return a function that runs a statement for each value of its argument. Statements call it `target`."""
    return make(statement, target, "values", "values", names)


def make(statement, target, parameter, iterable, names):
    source = SOURCE.format(
        names=", ".join(names), parameter=parameter, target=target, iterable=iterable, statement=statement
    )
    namespace = {}
    exec(source, namespace)
    return namespace["make"](**names)
