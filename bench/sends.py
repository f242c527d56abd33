"""Kinds of sends, and the work of sending them with a contestant, after a check that it calls its receivers."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, zip_longest

from bench.cases import Case, NotReachedError, Work
from bench.contestants import Sender, present
from bench.loops import repeat
from bench.receivers import FUNCTION, make_receivers

# The keyword arguments of a send: the first ones of these.
ARGUMENTS = {
    "instance": 1,
    "created": True,
    "raw": False,
    "using": "default",
    "update_fields": None,
    "action": "post_add",
    "reverse": False,
    "model": 2,
    "pk_set": (),
    "request": 3,
    "user": 4,
    "origin": 5,
}
MAX_NOTING = 100  # receivers that note their calls; for more, the responses are checked


@dataclass(frozen=True)
class Send:
    """A kind of send, and the connected receivers."""

    receivers: int  # that the send calls
    keywords: int = 0
    others: int = 0  # receivers for other senders, each for its own
    to_sender: bool = False  # whether these receivers are connected for the sender, or else for any sender
    kind: str = FUNCTION
    weak: bool | None = None  # None: the contestant's default
    robust: bool = False
    last_fails: bool = False  # whether the last receiver raises an exception
    are_busy: bool = False  # whether receivers are busy for some microseconds
    parameters: str | None = None  # of the receivers; None: those that the contestant needs

    def suits(self, contestant):
        """Return whether a contestant supports this kind of send."""
        return (
            any(contestant.holds(self.kind, weak) for weak in self.ways)
            and (contestant.has_senders or not (self.others or self.to_sender))
            and (contestant.send_robust is not None or not self.robust)
        )

    def prepare(self, contestant):
        """Return the work of sending with a contestant. Raises NotReachedError if receivers are not called."""
        self.check_notes(contestant)
        names, connections = self.connect(contestant)
        self.check_responses(contestant, names, connections)
        return Work(repeat(self.statement(contestant), **names), keeps=connections)

    def check_notes(self, contestant):
        """Raise NotReachedError unless each send calls each receiver once, with the arguments of the send."""
        notes = []
        few = replace(self, receivers=min(self.receivers, MAX_NOTING), others=min(self.others, MAX_NOTING))
        names, _ = few.connect(contestant, lambda *note: notes.append(note))
        repeat(self.statement(contestant), **names)(2)
        passed = contestant.passed(names["signal"], self.arguments)
        check(contestant, notes, [(number, *passed) for number in range(few.receivers)], sends=2)

    def check_responses(self, contestant, names, connections):
        """Raise NotReachedError unless a send returns one response of each receiver, if it returns responses."""
        if contestant.has_pairs:
            responses = eval(self.statement(contestant), names)
            receivers = [receiver for receiver, _ in connections[: self.receivers]]
            check(contestant, [receiver for receiver, _ in responses], receivers)

    def statement(self, contestant):
        """Return the source of the call that sends."""
        return (contestant.send_robust if self.robust else contestant.send).format(
            named=", ".join(f"{name}={value!r}" for name, value in self.arguments.items()),
            values=", ".join(map(repr, self.arguments.values())),
        )

    def connect(self, contestant, note=None):
        """Connect receivers to a new signal. Return the names in the statement, and pairs (receiver, sender).

        The first pairs are the receivers that a send should call.
        """
        weak = next(weak for weak in self.ways if contestant.holds(self.kind, weak))
        parameters = self.parameters or contestant.parameters(self.arguments)
        own = make_receivers(self.receivers, parameters, self.kind, note, self.last_fails, self.are_busy)
        others = make_receivers(self.others, parameters, self.kind, note and (lambda *_: note("for another sender")))
        connections = [(receiver, Sender if self.to_sender else None) for receiver in own]
        connections += [(receiver, Sender()) for receiver in others]
        signal = contestant.signal(connections, self.arguments, weak)
        return {"signal": signal, "sender": Sender, **contestant.names()}, connections

    @property
    def arguments(self):
        return dict(islice(ARGUMENTS.items(), self.keywords))

    @property
    def ways(self):
        """The allowed values of `weak`, the default first."""
        return (True, False) if self.weak is None else (self.weak,)


def check(contestant, found, expected, sends=1):
    """Raise NotReachedError unless the calls that were found are those expected of the sends."""
    if contestant.order == "last to first":
        expected = expected[::-1]
    expected = expected * sends
    if contestant.order is None:
        found, expected = sorted(found, key=repr), sorted(expected, key=repr)
    if found != expected:
        wrong = next(pair for pair in zip_longest(found, expected) if pair[0] != pair[1])
        raise NotReachedError(
            f"{contestant.name}: {len(found)} calls of receivers instead of {len(expected)}; "
            f"the first difference: {wrong[0]} instead of {wrong[1]}"
        )


def case_of(table, name, send, batch, contestants=None, is_quick=False):
    """Return a case for the contestants that support a send: of those given, or of all that are installed."""
    able = [each for each in contestants or present() if send.suits(each)]
    return Case(table, name, batch, {each.name: partial(send.prepare, each) for each in able}, is_quick)
