"""The time of async sends: to receivers that never wait, to receivers that wait, with sync ones, and from sync code."""

import asyncio
from contextlib import contextmanager
from functools import partial

from bench.cases import Case, NotReachedError, Table, Work, over
from bench.contestants import Django, InDjango, Sender, Standalone, load, present

COUNTS = 1, 3, 10
CONTESTANTS = [each for each in present() if isinstance(each, (Standalone, InDjango)) or type(each) is Django]
NONBLOCKING = load("python").nonblocking  # its mark is valid for both implementations


def receiver_that_returns():
    async def receive(signal, sender, **named):
        pass

    return receive


def receiver_that_waits():
    async def receive(signal, sender, **named):
        await asyncio.sleep(0)

    return receive


def receiver_that_is_sync():
    def receive(signal, sender, **named):
        pass

    return NONBLOCKING(receive)


def prepare(contestant, *kinds):
    """Return the work of asends to receivers of these kinds, in an event loop that lasts for a lap."""
    signal, receivers = connect(contestant, kinds)
    check(contestant, receivers, asyncio.run(signal.asend(sender=Sender, instance=1)))
    loops = []

    @contextmanager
    def around():
        loops.append(asyncio.new_event_loop())
        try:
            yield
        finally:
            loops.pop().close()

    async def send(times):
        for _ in range(times):
            await signal.asend(sender=Sender, instance=1)

    return Work(lambda times: loops[0].run_until_complete(send(times)), around=around, keeps=receivers)


def prepare_from_sync(contestant, *kinds):
    """Return the work of sends from sync code, each in a new event loop."""
    signal, receivers = connect(contestant, kinds)

    def send(times):
        for _ in range(times):
            signal.send(sender=Sender, instance=1)

    check(contestant, receivers, signal.send(sender=Sender, instance=1))
    return Work(send, keeps=receivers)


def connect(contestant, kinds):
    receivers = [make() for make in kinds]
    return contestant.signal([(receiver, None) for receiver in receivers]), receivers


def check(contestant, receivers, responses):
    """Raise NotReachedError unless all receivers respond, the sync ones first."""
    expected = sorted(receivers, key=asyncio.iscoroutinefunction)
    if [receiver for receiver, _ in responses] != expected:
        raise NotReachedError(f"{contestant.name}: {len(responses)} responses instead of {len(receivers)}")


def case(title, name, batch, prepare, kinds, is_quick=False):
    works = {each.name: partial(prepare, each, *kinds) for each in CONTESTANTS}
    return Case(Table(title, "µs"), name, batch, works, is_quick)


CASES = (
    [
        case(
            f"asend to receivers that {what}", f"{count} async", batch // count, prepare, [make] * count, is_quick=True
        )
        for what, make, batch in [
            ("never wait", receiver_that_returns, 600),
            ("each await asyncio.sleep(0)", receiver_that_waits, 300),
        ]
        for count in COUNTS
    ]
    + [
        case(
            "asend to sync receivers that are nonblocking, and an async one",
            f"{count} sync and 1 async",
            60,
            prepare,
            [receiver_that_is_sync] * count + [receiver_that_returns],
            is_quick=count == 1,
        )
        for count in (1, 3)
    ]
    + [
        case("send from sync code", f"{count} async", 10, prepare_from_sync, [receiver_that_returns] * count, True)
        for count in COUNTS
    ]
)


@over(CASES)
def test_async(measure):
    measure()
