"""The hot cases, and the script that runs them. instructions.py counts their instructions.

    python -m bench.hot_cases                           all cases, with a mark before and after each run
    python -m bench.hot_cases CASE CONTESTANT ROUNDS    one case, by its number, for this number of rounds

It imports the module `least`, compiled from least.c, which the caller must put on the import path.
"""

import gc
import sys
from dataclasses import dataclass
from timeit import Timer

import django.dispatch

import csignals
from bench.receivers import FUNCTION, METHOD, make_receivers
from csignals.django import install

# In a round, the statement runs once for each signal of a case. The number of steps to look up a sender depends on the
# addresses of all senders, and so on earlier allocations. With a single signal, counts differed by 5 %.
SIGNALS = 100
WARM_UP, FEW, MANY = 5, 5, 25
CONTESTANTS = CSIGNALS, LEAST = range(2)

NAMED = "instance", "created", "raw", "using"  # as in Django's post_save
SEND = "signal.send(sender=sender)"
SEND_4 = f"signal.send(sender=sender, {', '.join(f'{name}=None' for name in NAMED)})"


@dataclass(frozen=True)
class Case:
    name: str
    statement: str = SEND
    everyone: int = 0  # receivers for every sender
    own: int = 0  # receivers for the sender that sends
    others: int = 0  # receivers for other senders, each for its own
    has_methods: bool = False  # whether receivers are bound methods
    in_django: bool = False  # whether the signals are Django's
    signals: int = SIGNALS


CASES = [
    Case("nobody at all"),
    Case("1 receiver", everyone=1),
    Case("1 receiver, 4 keywords", SEND_4, everyone=1),
    Case("10 receivers, 4 keywords", SEND_4, everyone=10),
    Case("10 bound methods", everyone=10, has_methods=True),
    Case("1 for this sender, 10 for others", own=1, others=10),
    Case("none for this sender, 10 for others", others=10),
    Case("send_robust, 1 receiver", "signal.send_robust(sender=sender)", everyone=1),
    Case("in Django: 1 receiver, 4 keywords", SEND_4, everyone=1, in_django=True),
    Case("in Django: none for this sender, 10 for others", others=10, in_django=True),
    Case("has_listeners, 1 receiver", "signal.has_listeners(sender)", everyone=1),
    Case(
        "connect and disconnect, 100 present",
        "signal.connect(newcomer, sender=sender); signal.disconnect(newcomer, sender=sender)",
        everyone=100,
        signals=10,  # each of them takes long to make
    ),
]


def make_sender():
    return type("Sender", (), {})


def make_timer(case, contestant, note=None):
    """Return a timer that runs the rounds of a case, with its own code for the interpreter to specialize.

    If `note` is given, the receivers call it, as in receivers.py.
    """
    from least import Least

    named = NAMED if case.statement is SEND_4 else ()
    pairs = []
    kept = []  # keeps receivers and senders alive: signals hold them weakly
    for _ in range(case.signals):
        sender = make_sender()
        senders = [None] * case.everyone + [sender] * case.own + [make_sender() for _ in range(case.others)]
        receivers = make_receivers(len(senders), kind=METHOD if case.has_methods else FUNCTION, note=note)
        if contestant == LEAST:
            signal = Least(tuple(receivers[: case.everyone + case.own]), ("signal", "sender", *named))
        else:
            signal = django.dispatch.Signal() if case.in_django else csignals.Signal()
            for receiver, its_sender in zip(receivers, senders, strict=True):
                signal.connect(receiver, sender=its_sender)
        pairs.append((signal, sender))
        kept += receivers + senders
    names = {"pairs": pairs, "kept": kept, "newcomer": make_receivers(1)[0]}
    return Timer(f"for signal, sender in pairs: {case.statement}", globals=names)


def check(case):
    """Exit unless both contestants make the same calls."""
    ours, least = (calls_of(case, contestant) for contestant in CONTESTANTS)
    if ours != least:
        sys.exit(f"{case.name}: csignals and the least code made different calls, {len(ours)} and {len(least)}")


def calls_of(case, contestant):
    """Return the arguments of the receivers in a round, without the signal and the sender."""
    calls = []

    def note(number, passed, named):
        calls.append((number, {name: value for name, value in named.items() if name not in ("signal", "sender")}))

    make_timer(case, contestant, note).timeit(1)
    return calls


def run(case, contestant, *runs):
    """Run the case several times, each time for a number of rounds."""
    from least import mark

    timer = make_timer(case, contestant)
    timer.timeit(WARM_UP)
    for rounds in runs:
        mark()
        timer.timeit(rounds)
        mark()


def main():
    gc.disable()
    install()
    if len(sys.argv) > 1:
        case, contestant, rounds = map(int, sys.argv[1:])
        run(CASES[case], contestant, rounds)
        return
    for case in CASES:
        check(case)
        for contestant in CONTESTANTS:
            run(case, contestant, FEW, MANY)


if __name__ == "__main__":
    main()
