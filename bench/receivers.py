"""Makes receivers: of each kind, with the parameters that a dispatcher asks for.

They do nothing, unless they are there to take notes of their calls, or to fail.
"""

from functools import cache, partial

FUNCTION, METHOD, PARTIAL, OBJECT = KINDS = "function", "bound method", "partial", "callable object"

SOURCE = """
class Receiver:
    def __init__(self, number, note):
        self.number = number
        self.note = note

    def receive(self, {parameters}):
        {body}

    __call__ = receive

def function_of(self):
    def receive({parameters}):
        {body}
    return receive
"""


def make_receivers(count, parameters="signal, sender, **named", kind=FUNCTION, note=None, last_fails=False):
    """Return so many new receivers.

    If there is a `note`, each calls it with its number and what it was passed: a tuple and a dictionary.
    """
    receivers = [factory(parameters, kind, note is not None, False)(number, note) for number in range(count)]
    if last_fails:
        receivers[-1] = factory(parameters, kind, note is not None, True)(count - 1, note)
    return receivers


@cache
def factory(parameters, kind, notes, fails):
    """Return what makes a receiver of its number and what takes its notes."""
    given = ", ".join(each if each.startswith("*") else f"{each}={each}" for each in parameters.split(", "))
    body = [f"self.note(self.number, *passed({given}))"] * notes + ["raise ValueError"] * fails
    names = {"passed": passed}
    exec(SOURCE.format(parameters=parameters, body="; ".join(body) or "pass"), names)
    make, function_of = names["Receiver"], names["function_of"]
    return {
        FUNCTION: lambda *args: function_of(make(*args)),
        METHOD: lambda *args: make(*args).receive,
        PARTIAL: lambda *args: partial(function_of(make(*args))),
        OBJECT: make,
    }[kind]


def passed(*args, **named):
    return args, named
