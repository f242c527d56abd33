"""The time of a send while it is traced, or while another signal is muted."""

from dataclasses import replace
from functools import partial

from bench.cases import Case, NotReachedError, Table, over
from bench.contestants import Standalone, load, present
from bench.sends import Send

TABLE = Table("send that is intercepted, no keywords", "ns")
BATCHES = {1: 300, 3: 100, 10: 30}


def prepare_traced(send, contestant):
    """Return the work of traced sends, with a new trace in each lap. Raises NotReachedError if calls are missing."""
    trace = load(contestant.implementation).trace
    work = send.prepare(contestant)
    with trace() as checked:
        work.run(2)
    if len(checked.records) != 2 * send.receivers:
        raise NotReachedError(
            f"{contestant.name}: {len(checked.records)} calls are traced instead of {2 * send.receivers}"
        )
    return replace(work, around=trace)


def prepare_beside_mute(send, contestant):
    """Return the work of sends while another signal is muted."""
    package = load(contestant.implementation)
    other = package.Signal()
    return replace(send.prepare(contestant), around=lambda: package.mute(other))


CASES = [
    Case(
        TABLE,
        f"{count} receiver{'s' * (count > 1)}",
        batch,
        {
            contestant.name + how: partial(prepare, Send(count), contestant)
            for contestant in present()
            if type(contestant) is Standalone
            for how, prepare in [
                ("", Send.prepare),
                (", traced", prepare_traced),
                (", while another signal is muted", prepare_beside_mute),
            ]
        },
        is_quick=count == 1,
    )
    for count, batch in BATCHES.items()
]


@over(CASES)
def test_intercepted_send(measure):
    measure()
