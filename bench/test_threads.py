"""The time of sends in one thread, and in two threads at once that share a signal or have one each.

It is the time of all sends together, divided by their number: two threads that run in parallel take half the time.
"""

from functools import partial
from threading import Thread

from bench.cases import Case, Table, Work, over
from bench.contestants import present
from bench.sends import Send

IDLE = Table("send in threads, 1 receiver, 4 keywords", "ns")
BUSY = Table("send in threads, 1 receiver that takes some microseconds, 4 keywords", "ns")


def prepare(send, contestant, threads, signals):
    """Return the work of a number of threads that share a number of signals."""
    works = [send.prepare(contestant) for _ in range(signals)] * (threads // signals)

    def run(times):
        running = [Thread(target=work.run, args=(times // threads,)) for work in works]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    return Work(run, keeps=works)


CASES = [
    Case(
        table,
        name,
        batch,
        {
            contestant.name: partial(prepare, send, contestant, threads, signals)
            for contestant in present()
            if contestant.is_thread_safe
        },
    )
    for table, batch, send in [(IDLE, 20_000, Send(1, 4)), (BUSY, 6_000, Send(1, 4, are_busy=True))]
    for name, threads, signals in [
        ("1 thread", 1, 1),
        ("2 threads, 1 signal", 2, 1),
        ("2 threads, 2 signals", 2, 2),
    ]
]


@over(CASES)
def test_send_in_threads(measure):
    measure()
