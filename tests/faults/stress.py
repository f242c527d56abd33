"""Threads that do everything that can be done to one signal, at the same time.

    python -m tests.faults.stress --threads 2 8 --seconds 60

Before that, two threads repeat one act each: see collisions.py. Here each thread does everything. It knows which
receivers its sends must call: the stable ones, which no thread touches, and its own, which no other thread touches;
each of them once, in the order of registration. At the end the signal must have these receivers, and no others.
"""

import argparse
import collections
import contextlib
import gc
import itertools
import os
import random
import sys
import threading
import time

from tests.helpers.receivers import Sender

PLACES = ["standalone", "in Django"]
MAX_OWN = 20  # receivers that a thread has connected at the same time


class Receiver:
    """A callable object that notes its label; so does its method."""

    def __init__(self, label):
        self.label = label

    def __call__(self, heard, **named):
        heard.append(self.label)

    def hear(self, heard, **named):
        heard.append(self.label)


def make_receiver(label, kind):
    """Return a receiver of one of three kinds, and the object that keeps it alive."""
    if kind == 0:

        def hear(heard, **named):
            heard.append(label)

        return hear, hear
    receiver = Receiver(label)
    return (receiver if kind == 1 else receiver.hear), receiver


class Storm:
    """A signal, and the threads that act on it."""

    def __init__(self, csignals, make, threads, seed=0):
        self.csignals = csignals
        self.signal = make()
        self.wild = make()  # its list is changed in ways that lose other changes; sends must only not crash
        self.senders = [Sender, Sender(), Sender()]
        self.kept = []
        self.stable = {sender: [] for sender in self.senders}
        for number in range(8):
            label = "stable", number
            receiver, kept = make_receiver(label, number % 3)
            self.kept.append(kept)
            only_from = self.senders[number % 4] if number % 4 < 3 else None
            self.signal.connect(receiver, sender=only_from, weak=number % 5 != 0)
            for sender in self.senders:
                if only_from in (None, sender):
                    self.stable[sender].append(label)
        self.workers = [Worker(self, number, random.Random(f"{seed} {number}")) for number in range(threads)]
        self.failures = []
        self.is_over = threading.Event()

    def run(self, seconds):
        """Let the threads work, and return how often they did each act. Raise the first failure."""
        deadline = time.monotonic() + seconds
        threads = [threading.Thread(target=self._work, args=(each, deadline), daemon=True) for each in self.workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 60)
            if thread.is_alive():
                raise AssertionError("a thread hangs")
        if self.failures:
            raise self.failures[0]
        self.check_the_end()
        return sum((each.done for each in self.workers), collections.Counter())

    def _work(self, worker, deadline):
        try:
            while time.monotonic() < deadline and not self.is_over.is_set():
                worker.work()
        except BaseException as error:
            self.failures.append(error)
            self.is_over.set()

    def check_the_end(self):
        gc.collect()
        connected = len(set(itertools.chain(*self.stable.values())))
        for worker in self.workers:
            worker.is_alone = True
            for sender in self.senders:
                worker.send(sender)
            connected += len(worker.own)
        self.signal.disconnect(None, dispatch_uid="nobody's")  # sweeps dead entries
        registered = len(self.signal.receivers)
        assert registered == connected, f"{registered} registrations, not {connected}"


class Worker:
    """The acts of one thread, and its own receivers."""

    def __init__(self, storm, number, chance):
        self.storm, self.number, self.chance = storm, number, chance
        self.signal = storm.signal
        self.own = {}  # by label, as connected: the receiver, its sender or None, and the object that keeps it alive
        self.labels = ((number, n) for n in itertools.count())
        self.is_alone = False
        self.done = collections.Counter()
        self.acts = [
            (self.send, 30),
            (self.send_robust, 5),
            (self.ask, 5),
            (self.connect, 10),
            (self.connect_again, 3),
            (self.disconnect, 6),
            (self.drop, 4),
            (self.drop_sender, 4),
            (self.assign, 3),
            (self.be_wild, 5),
            (self.mute, 1),
            (self.trace, 1),
            (self.collect, 0.05),
        ]

    def work(self):
        acts, weights = zip(*self.acts, strict=True)
        for act in self.chance.choices(acts, weights, k=20):
            act()
            self.done[act.__name__] += 1

    def check(self, sender, heard):
        assert len(set(heard)) == len(heard), f"called twice: {heard}"
        stable = self.storm.stable[sender]
        own = [label for label, (_, only_from, _) in self.own.items() if only_from in (None, sender)]
        assert [label for label in heard if label[0] == "stable"] == stable, (stable, heard)
        # A dropped receiver lives on while another thread is calling it.
        mine = [label for label in heard if label[0] == self.number and (label in self.own or self.is_alone)]
        assert mine == own, (own, mine)

    def send(self, sender=None):
        sender = sender or self.chance.choice(self.storm.senders)
        heard = []
        responses = self.signal.send(sender, heard=heard)
        assert len(responses) == len(heard)
        self.check(sender, heard)

    def send_robust(self):
        sender = self.chance.choice(self.storm.senders)
        heard = []
        self.signal.send_robust(sender=sender, heard=heard)
        self.check(sender, heard)

    def ask(self):
        assert self.signal.has_listeners(self.chance.choice(self.storm.senders))

    def connect(self):
        if len(self.own) < MAX_OWN:
            label = next(self.labels)
            receiver, kept = make_receiver(label, self.chance.randrange(3))
            sender = self.chance.choice([None, *self.storm.senders])
            self.signal.connect(receiver, sender=sender, weak=self.chance.random() < 0.8)
            self.own[label] = receiver, sender, kept
            self.send()

    def connect_again(self):
        for receiver, sender, _ in self.chance.sample(list(self.own.values()), min(len(self.own), 1)):
            self.signal.connect(receiver, sender=sender)
            self.send()

    def disconnect(self):
        for label in self.chance.sample(list(self.own), min(len(self.own), 1)):
            receiver, sender, _ = self.own.pop(label)
            assert self.signal.disconnect(receiver, sender=sender)
            assert not self.signal.disconnect(receiver, sender=sender)
            heard = []
            self.signal.send(sender, heard=heard)
            assert label not in heard

    def drop(self):
        label = next(self.labels)
        receiver, _kept = make_receiver(label, self.chance.randrange(3))
        self.signal.connect(receiver)
        heard = []
        self.signal.send(None, heard=heard)
        assert heard.count(label) == 1

    def drop_sender(self):
        label = next(self.labels)
        receiver, _kept = make_receiver(label, self.chance.randrange(3))
        sender = Sender()
        self.signal.connect(receiver, sender=sender)
        heard = []
        self.signal.send(sender, heard=heard)
        assert heard.count(label) == 1
        del sender

    def assign(self):
        with self.signal.lock:
            self.signal.receivers = list(self.signal.receivers)

    def be_wild(self):
        wild, heard = self.storm.wild, []
        receiver, _kept = make_receiver(next(self.labels), self.chance.randrange(3))
        act = self.chance.randrange(6)
        # Another thread may replace the list between any two steps.
        with contextlib.suppress(IndexError, AttributeError, TypeError):
            if act == 0:
                wild.receivers = []
            elif act == 1:
                wild.receivers = wild.receivers[:]
            elif act == 2:
                wild.receivers.extend(self.signal.receivers[:2])
            elif act == 3:
                del wild.receivers[:1]
            elif act == 4:
                wild.receivers = tuple(wild.receivers)
                wild.receivers = list(wild.receivers)
            else:
                wild.connect(receiver)
                wild.disconnect(receiver)
        wild.send(Sender, heard=heard)

    def mute(self):
        heard = []
        with self.storm.csignals.mute(self.signal):
            self.signal.send(Sender, heard=heard)
        assert heard == []

    def trace(self):
        heard = []
        with self.storm.csignals.trace() as trace:
            self.signal.send(Sender, heard=heard)
        self.check(Sender, heard)
        assert len(trace.records) == len(heard)

    def collect(self):
        gc.collect()


@contextlib.contextmanager
def switching_often():
    """Make threads that share the GIL switch as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def main():
    import csignals
    import csignals.testing
    from tests.faults.collisions import collide_all

    def place(name):
        if name == "standalone":
            return csignals.Signal
        from django.dispatch import Signal

        from csignals.django import install

        install()
        return Signal

    parser = argparse.ArgumentParser(prog="python -m tests.faults.stress", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 4, 8], help="how many at once (default: 2 4 8)")
    parser.add_argument("--seconds", type=float, default=60, help="for each of these, and each place (default: 60)")
    parser.add_argument("--pair", type=float, default=0.3, help="seconds for each pair of acts (default: 0.3; 0: none)")
    parser.add_argument("--place", choices=PLACES, action="append", help="whose signal (default: both)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    gil = "with the GIL" if getattr(sys, "_is_gil_enabled", lambda: True)() else "without the GIL"
    print(f"Python {sys.version.split()[0]} {gil}, implementation: {csignals.IMPLEMENTATION}, {os.cpu_count()} cores")
    with switching_often():
        for name in options.place or PLACES:
            if options.pair:
                pairs = collide_all(csignals, place(name), options.pair)
                print(f"{name}, {pairs} pairs of acts, {options.pair:g} s each")
                sys.stdout.flush()
            for threads in options.threads:
                done = Storm(csignals, place(name), threads, options.seed).run(options.seconds)
                each = ", ".join(f"{count:,} {act}" for act, count in done.most_common())
                print(f"{name}, {threads} threads, {options.seconds:g} s: {done.total():,} operations ({each})")
                sys.stdout.flush()
    print("No registration was lost, doubled or out of order.")


if __name__ == "__main__":
    main()
