"""The time to connect and to disconnect, by the number of receivers that are connected already."""

from functools import lru_cache, partial

from bench.cases import Case, NotReachedError, Table, Work, over
from bench.contestants import Sender, present
from bench.loops import for_each, repeat
from bench.receivers import make_receivers
from bench.sends import Send

COUNTS = 0, 100, 1000, 10_000
BATCH = 10
CONTESTANTS = [each for each in present() if each.connect]
WITH_SENDERS = [each for each in CONTESTANTS if each.has_senders]


def check(contestant):
    """Raise NotReachedError unless a connected receiver is called, and a disconnected one is not."""
    notes = []
    (receiver,) = make_receivers(1, contestant.parameters(()), note=lambda *note: notes.append(note))
    names = {"signal": contestant.new(()), "sender": Sender, "receiver": receiver, **contestant.names()}
    send = Send(1).statement(contestant)
    for statement, calls in (contestant.connect, 1), (contestant.disconnect, 0):
        repeat(f"{statement}; {send}", **names)(1)
        if len(notes) != calls:
            raise NotReachedError(f"{contestant.name}: {len(notes)} calls instead of {calls} after `{statement}`")
        notes.clear()


@lru_cache(len(CONTESTANTS))  # the cases with the same number of receivers follow each other
def crowd(contestant, count):
    """Return a signal with `count` receivers, and the receivers."""
    check(contestant)
    receivers = make_receivers(count, contestant.parameters(()))
    return contestant.signal([(receiver, None) for receiver in receivers]), receivers


def pair(contestant, count):
    """Return the work of connecting and disconnecting one receiver again and again."""
    signal, _ = crowd(contestant, count)
    (receiver,) = make_receivers(1, contestant.parameters(()))
    names = {"signal": signal, "receiver": receiver, **contestant.names()}
    return Work(repeat(f"{contestant.connect}; {contestant.disconnect}", **names), keeps=crowd(contestant, count))


def each_way(contestant, count):
    """Yield a function that connects some receivers, and one that disconnects them in the same order."""
    signal, _ = crowd(contestant, count)
    pairs = [
        (signal if count else contestant.new(()), receiver)  # for an empty signal, each receiver gets a new one
        for receiver in make_receivers(BATCH, contestant.parameters(()))
    ]
    for statement in contestant.connect, contestant.disconnect:
        yield partial(for_each("signal, receiver", statement, **contestant.names()), pairs)


def connect(contestant, count):
    connect, disconnect = each_way(contestant, count)
    return Work(lambda _: connect(), after=lambda _: disconnect(), keeps=crowd(contestant, count))


def disconnect(contestant, count):
    connect, disconnect = each_way(contestant, count)
    return Work(lambda _: disconnect(), before=connect, keeps=crowd(contestant, count))


def first_send(contestant, count):
    """Return the work of the first send after a connect."""
    send = Send(1, 4, others=count, to_sender=True)
    send.check_notes(contestant)
    signals = []
    for _ in range(batch_of_first_sends(count)):
        names, connections = send.connect(contestant)
        send.check_responses(contestant, names, connections)
        signals.append((names["signal"], connections))

    def connect_again():
        for signal, [(receiver, sender), *_] in signals:
            contestant.remove(signal, receiver, sender)
            contestant.add(signal, receiver, sender)

    run = for_each("signal, _", send.statement(contestant), sender=Sender, **contestant.names())
    return Work(lambda _: run(signals), before=connect_again, keeps=signals)


def batch_of_first_sends(count):
    return BATCH if count < 10_000 else 1


def case(title, prepare, count, batch, contestants, is_quick=False):
    works = {contestant.name: partial(prepare, contestant, count) for contestant in contestants}
    return Case(Table(title, "µs"), f"{count:,} present", batch, works, is_quick)


CASES = [
    case(title, prepare, count, BATCH, CONTESTANTS, is_quick=prepare is pair and count in (0, 1000))
    for count in COUNTS
    for title, prepare in [
        ("connect and disconnect the same receiver", pair),
        ("connect", connect),
        ("disconnect what was connected last", disconnect),
    ]
]
FIRST_SENDS = [
    case(
        "first send after a connect, others for other senders, 4 keywords",
        first_send,
        count,
        batch_of_first_sends(count),
        WITH_SENDERS,
        is_quick=count == 100,
    )
    for count in COUNTS
]


@over(CASES)
def test_registration(measure):
    measure()


@over(FIRST_SENDS)
def test_first_send(measure):
    measure()
