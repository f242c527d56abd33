"""Makes receivers: of each kind, with the parameters that a dispatcher asks for.

They do nothing, unless they are there to take notes of their calls, to fail, or to be busy for a few microseconds.
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


def make_receivers(
    count, parameters="signal, sender, **named", kind=FUNCTION, note=None, last_fails=False, are_busy=False
):
    """Return so many new receivers.

    If there is a `note`, each calls it with its number and what it was passed: a tuple and a dictionary.
    """
    body = ["self.note(self.number, *passed({given}))"] * (note is not None) + ["sum(range(400))"] * are_busy
    receivers = [factory(parameters, kind, *body)(number, note) for number in range(count)]
    if last_fails:
        receivers[-1] = factory(parameters, kind, *body, "raise ValueError")(count - 1, note)
    return receivers


@cache
def factory(parameters, kind, *body):
    """Return what makes a receiver of its number and what takes its notes, with these statements as its body."""
    given = ", ".join(each if each.startswith("*") else f"{each}={each}" for each in parameters.split(", "))
    names = {"passed": passed}
    exec(SOURCE.format(parameters=parameters, body="; ".join(body).format(given=given) or "pass"), names)
    make, function_of = names["Receiver"], names["function_of"]
    return {
        FUNCTION: lambda *args: function_of(make(*args)),
        METHOD: lambda *args: make(*args).receive,
        PARTIAL: lambda *args: partial(function_of(make(*args))),
        OBJECT: make,
    }[kind]


def passed(*args, **named):
    return args, named
