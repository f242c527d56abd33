"""The time of a send with many receivers: for other senders, and for any sender."""

from bench.cases import Table, over
from bench.sends import Send, case_of

COUNTS = 10, 100, 1000, 10_000
BATCHES = {10: 100, 100: 100, 1000: 30, 10_000: 10}
OF_ONE_SENDER = Table("send to 1 receiver, as many senders have one each, 4 keywords", "ns")
OF_ANY_SENDER = Table("send to many receivers, 4 keywords", "µs")

SCALE = [
    case_of(
        OF_ONE_SENDER,
        f"{count:,} senders",
        Send(1, 4, others=count - 1, to_sender=True),
        BATCHES[count],
        is_quick=count < 10_000,
    )
    for count in COUNTS
] + [case_of(OF_ANY_SENDER, f"{count:,} receivers", Send(count, 4), max(1, 300 // count)) for count in COUNTS]


@over(SCALE)
def test_send_at_scale(measure):
    measure()
