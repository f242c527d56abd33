"""Make receivers of each kind, with the parameters that a dispatcher needs.

They do nothing, unless they are to note their calls, to raise an exception, or to be busy for a few microseconds.
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
    """Return a number of new receivers.

    If `note` is given, each receiver calls it with its number and its arguments, as a tuple and a dictionary.
    """
    body = ["self.note(self.number, *passed({given}))"] * (note is not None) + ["sum(range(400))"] * are_busy
    receivers = [factory(parameters, kind, *body)(number, note) for number in range(count)]
    if last_fails:
        receivers[-1] = factory(parameters, kind, *body, "raise ValueError")(count - 1, note)
    return receivers


@cache
def factory(parameters, kind, *body):
    """Return a function that makes a receiver from its number and `note`, with these statements as its body."""
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
