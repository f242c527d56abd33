"""Async sends compared with Django's: the same random receivers are connected to a signal of each."""

import asyncio
import contextvars
import gc
import logging
import random
import sys
import threading

import django
import django.dispatch
import pytest

from tests.helpers.implementations import without_collector
from tests.helpers.stock_django import StockSignal

# Before Python 3.13, asyncio's TaskGroup, which Django uses, leaves the caller's task as if it had been cancelled, and
# forgets a cancellation that comes with a failure (CPython's gh-116720). The group of csignals never does.
COUNTS_CANCELLATIONS = sys.version_info >= (3, 13)

variable = contextvars.ContextVar("variable", default="unset")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        django.VERSION < (5, 0) or sys.version_info < (3, 11),
        reason="Django 4.2 has no asend, and before Python 3.11 asyncio has no timeout()",
    ),
]


class Model:
    """A signal with receivers that take notes."""

    def __init__(self, signal, behaviours):
        self.signal = signal
        self.notes = []
        self.spawned = set()
        self.has_sync = not {"is_sync", "is_sync_and_raises"}.isdisjoint(behaviours)
        self.receivers = [getattr(self, name)(label) for label, name in enumerate(behaviours)]
        for receiver in self.receivers:
            signal.connect(receiver)

    def note(self, label, what):
        self.notes.append((label, what, variable.get(), threading.current_thread() is threading.main_thread()))

    def notes_by_receiver(self):
        """Return the order in which receivers began, and the notes of each. The order of cancellations is undefined."""
        begun = [label for label, what, *_ in self.notes if what[0] == "begins" or what == "sync"]
        return begun, [[note for note in self.notes if note[0] == label] for label in range(len(self.receivers))]

    def make(self, label, steps):
        async def receive(signal, sender, **named):
            self.note(label, ("begins", sorted(named)))
            try:
                return await steps()
            except BaseException as error:
                self.note(label, type(error).__name__)
                raise
            finally:
                self.note(label, "ends")

        return receive

    def returns(self, label):
        async def steps():
            return label

        return self.make(label, steps)

    def raises(self, label):
        async def steps():
            raise ValueError(label)

        return self.make(label, steps)

    def waits(self, label):
        async def steps():
            await asyncio.sleep(0)
            self.note(label, "goes on")
            await asyncio.sleep(0)
            return label

        return self.make(label, steps)

    def waits_and_raises(self, label):
        async def steps():
            await asyncio.sleep(0)
            raise KeyError(label)

        return self.make(label, steps)

    def sleeps(self, label):
        async def steps():
            await asyncio.sleep(0.01 + label / 200)
            return label

        return self.make(label, steps)

    def blocks(self, label):
        async def steps():
            await asyncio.sleep(30)

        return self.make(label, steps)

    def blocks_and_fails_when_cancelled(self, label):
        async def steps():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                raise OSError(label) from None

        return self.make(label, steps)

    def blocks_and_will_not_be_cancelled(self, label):
        async def steps():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return label

        return self.make(label, steps)

    def cancels(self, label):
        async def steps():
            raise asyncio.CancelledError

        return self.make(label, steps)

    def cancels_its_task(self, label):
        async def steps():
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

        return self.make(label, steps)

    def sets(self, label):
        async def steps():
            variable.set(f"by {label}")
            await asyncio.sleep(0)
            return variable.get()

        return self.make(label, steps)

    def times_out(self, label):
        async def steps():
            try:
                async with asyncio.timeout(0.005):
                    await asyncio.sleep(30)
            except TimeoutError:
                return "timed out"

        return self.make(label, steps)

    def spawns(self, label):
        async def spawned():
            self.note(label, "spawned")

        async def steps():
            task = asyncio.create_task(spawned())
            self.spawned.add(task)
            return label

        return self.make(label, steps)

    def disconnects(self, label):
        async def steps():
            for receiver in self.receivers[::2]:
                self.signal.disconnect(receiver)
            return len(self.signal.receivers)

        return self.make(label, steps)

    def is_sync(self, label):
        def receive(signal, sender, **named):
            self.note(label, "sync")
            variable.set(f"by {label}, sync")
            return label

        return receive

    def is_sync_and_raises(self, label):
        def receive(signal, sender, **named):
            self.note(label, "sync")
            raise LookupError(label)

        return receive

    def outcome(self, error):
        """Return the parts of an exception that can be compared: its class, arguments and inner exceptions."""
        inner = [self.outcome(each) for each in getattr(error, "exceptions", [])]
        return type(error).__name__, str(error.args) if not inner else "", inner

    def responses(self, found):
        return [
            (self.receivers.index(receiver), self.outcome(response) if isinstance(response, Exception) else response)
            for receiver, response in found
        ]

    async def run(self, method, interrupt, factory):
        asyncio.get_running_loop().set_task_factory(factory)
        variable.set("by the sender")
        sending = asyncio.ensure_future(self.send(method))
        if interrupt:
            # Until all receivers have begun, or the send is over.
            while not sending.done() and len(self.notes_by_receiver()[0]) < len(self.receivers):
                await asyncio.sleep(0.001)
            # A thread takes time to return.
            for delay in [0.03] * self.has_sync + [0] * 6:
                await asyncio.sleep(delay)
            sending.cancel()
        outcome = repr(await asyncio.gather(sending, return_exceptions=True))
        for _ in range(100):  # lets tasks end that still run
            await asyncio.sleep(0.001)
            left = len(asyncio.all_tasks()) - 1
            if not left:
                break
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return outcome, left

    async def send(self, method):
        """Send, and return the result, with what the caller finds in its context afterwards."""
        try:
            found = self.responses(await getattr(self.signal, method)(None, x=1))
        except Exception as error:
            found = self.outcome(error)
        except asyncio.CancelledError:
            found = "cancelled"
        return found, variable.get(), asyncio.current_task().cancelling() if COUNTS_CANCELLATIONS else None


ASYNC = [
    "returns",
    "raises",
    "waits",
    "waits_and_raises",
    "cancels",
    "cancels_its_task",
    "sets",
    "spawns",
    "disconnects",
]
SLEEPING = ["sleeps", "times_out"]
BLOCKING = ["blocks", "blocks_and_will_not_be_cancelled"]
if COUNTS_CANCELLATIONS:
    BLOCKING += ["blocks_and_fails_when_cancelled"]
SYNC = ["is_sync", "is_sync_and_raises"]


def behaviours(seed, interrupt):
    chance = random.Random(seed)
    kinds = ASYNC + (BLOCKING * 3 if interrupt else SLEEPING)
    found = [chance.choice(kinds) for _ in range(chance.choice([0, 1, 2, 3, 5]))]
    found += [chance.choice(["is_sync", *SYNC]) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
    chance.shuffle(found)
    if sum(name not in SYNC for name in found) == 1:
        # csignals awaits a single async receiver in the caller's task, and Django does not: only then it shows.
        found = ["returns" if name == "cancels_its_task" else name for name in found]
    return found


@pytest.fixture
def compare(recwarn):
    """A function that sends with Django's signal and with another one, and compares what happens."""
    logging.getLogger("asyncio").addHandler(handler := Recorder())

    def compare(make_signal, seed, interrupt, factory=None):
        names = behaviours(seed, interrupt)
        for method in "asend", "asend_robust":
            seen = []
            for make in (StockSignal, make_signal):
                model = Model(make(), names)
                outcome = asyncio.run(model.run(method, interrupt, factory))
                gc.collect(1)
                seen.append(
                    (outcome, model.notes_by_receiver(), handler.take(), [str(each.message) for each in recwarn])
                )
                recwarn.clear()
            assert seen[0] == seen[1], names

    # Without collections, garbage stays in the young generation, which is quick to collect.
    with without_collector():
        yield compare
    logging.getLogger("asyncio").removeHandler(handler)


class Recorder(logging.Handler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage().partition("\n")[0])

    def take(self):
        taken, self.messages = self.messages, []
        return taken


@pytest.mark.skipif(django.VERSION < (6, 1), reason="standalone signals await like those of Django 6.1")
@pytest.mark.parametrize("interrupt", [False, True], ids=["undisturbed", "cancelled"])
@pytest.mark.parametrize("seed", range(60))
def test_standalone_async_sends_match_django(csignals, compare, seed, interrupt):
    compare(csignals.Signal, seed, interrupt)


@pytest.mark.parametrize("interrupt", [False, True], ids=["undisturbed", "cancelled"])
@pytest.mark.parametrize("seed", range(60))
def test_async_sends_inside_django_match_django(drop_in, compare, seed, interrupt):
    compare(django.dispatch.Signal, seed, interrupt)


@pytest.mark.parametrize("interrupt", [False, True], ids=["undisturbed", "cancelled"])
@pytest.mark.parametrize("seed", range(60, 80))
def test_async_sends_match_with_task_factory(drop_in, compare, seed, interrupt):
    def factory(loop, coroutine, **options):
        return asyncio.Task(coroutine, loop=loop, **options)

    compare(django.dispatch.Signal, seed, interrupt, factory)
