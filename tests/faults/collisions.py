"""Two threads that each repeat one act on the same signal, for a moment: every pair of acts.

ThreadSanitizer sees a race only if nothing else puts the two threads in order. So each thread repeats its act in a
short loop, and checks nothing. stress.py checks the results.
"""

import contextlib
import contextvars
import copy
import gc
import itertools
import random
import threading
import time

from tests.helpers.receivers import Sender

STABLE = 6  # receivers that stay: with those of one act, the list is too long to be compared without a call


class Receiver:
    """A callable object; so is its method."""

    def __call__(self, **named):
        pass

    def hear(self, **named):
        pass


class Field:
    """A signal, and two threads that act on it."""

    def __init__(self, csignals, make, is_list_held):
        self.csignals = csignals
        self.signal = make()
        self.sender = Sender()
        self.kept = [Receiver() for _ in range(STABLE)]
        for number, each in enumerate(self.kept):
            self.signal.connect(each.hear if number % 2 else each, sender=self.sender if number % 3 else None)
        if is_list_held:  # reading the list makes each send compare it
            self.signal.receivers  # noqa: B018
        self.contexts = [contextvars.Context()]  # the last one belongs to a thread that is sending

    def collide(self, acts, seconds):
        """Do each of the acts in a thread of its own, and raise the first failure."""
        failures = []
        start = threading.Barrier(len(acts))

        def repeat(act):
            try:
                with act(self) as do:
                    start.wait(60)
                    deadline = time.monotonic() + seconds
                    while time.monotonic() < deadline and not failures:
                        do()
            except BaseException as error:
                failures.append(error)
                start.abort()

        # Each thread has a context of its own, so that it does not mute or trace the other's sends.
        threads = [threading.Thread(target=contextvars.Context().run, args=(repeat, act)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


ACTS = []


def act(function):
    """Register an act: a generator that gets a field, and yields the function to be repeated."""
    ACTS.append(contextlib.contextmanager(function))
    return function


def wait():
    """Give a sending thread the time to find its table valid, and to use it."""
    for _ in range(random.randrange(100)):
        pass


@act
def send(field):
    yield lambda: field.signal.send(field.sender)


@act
def send_robust_without_sender(field):
    yield lambda: field.signal.send_robust(sender=None, named=1)


@act
def ask(field):
    yield lambda: (field.signal.has_listeners(field.sender), field.signal._live_receivers(field.sender))


@act
def connect_and_disconnect(field):
    receivers = [Receiver() for _ in range(10)]  # so many that the list has to move

    def do():
        for change in field.signal.connect, field.signal.disconnect:
            for each in receivers:
                change(each)
                wait()

    yield do


@act
def connect_with_unusual_uids(field):
    """The compiled code leaves their comparison to Python code."""
    name = Receiver()

    def do():
        field.signal.connect(name, dispatch_uid=name.hear)
        field.signal.disconnect(dispatch_uid=name.hear)

    yield do


@act
def drop_receivers(field):
    yield lambda: field.signal.connect(Receiver().hear)


@act
def drop_senders(field):
    yield lambda: field.signal.connect(field.kept[0], sender=Sender())


@act
def read_the_list(field):
    yield lambda: (len(field.signal.receivers), repr(field.signal))


@act
def change_the_list(field):
    def do():
        with field.signal.lock:
            receivers = field.signal.receivers
            receivers.append(receivers.pop())

    yield do


@act
def assign_the_list(field):
    def do():
        with field.signal.lock:
            field.signal.receivers = field.signal.receivers[:]

    yield do


@act
def mute(field):
    def do():
        with field.csignals.mute(field.signal):
            field.signal.send(field.sender)

    yield do


@act
def capture_the_process(field):
    def do():
        with field.csignals.testing.capture(field.signal, scope="process", deliver=False):
            field.signal.send(field.sender)

    yield do


@act
def trace(field):
    def do():
        with field.csignals.trace():
            field.signal.send(field.sender)

    yield do


@act
def trace_the_process(field):
    """Trace while the other act runs, and read the records."""

    def do():
        for each in trace.records:
            repr(each), each.self_ns, each.exception, each.parent, each.send.start_ns, each.send.end_ns
        repr(trace)
        trace.summary()

    with field.csignals.trace(scope="process", max_records=20) as trace:
        yield do


@act
def send_and_lend_the_context(field):
    """The act below sends in a copy of this context."""

    def lend(**named):
        field.contexts[0] = contextvars.copy_context()

    with field.csignals.trace(max_records=20):
        field.signal.connect(lend)
        yield lambda: field.signal.send(field.sender)
        field.signal.disconnect(lend)


@act
def send_in_a_copy_of_a_context(field):
    yield lambda: field.contexts[0].copy().run(field.signal.send, field.sender)


@act
def fail(field):
    def fail(**named):
        raise ZeroDivisionError

    signal = type(field.signal)()
    signal._log_robust_failure = lambda *failure: None
    signal.connect(fail)

    def do():
        field.signal.connect(fail, sender=fail)
        signal.send_robust(None)

    yield do
    field.signal.disconnect(fail, sender=fail)


@act
def set_attributes(field):
    def do():
        field.signal.something = 1
        field.signal._live_receivers = lambda sender: ([], [])
        with contextlib.suppress(AttributeError):  # the other thread was first
            del field.signal._live_receivers, field.signal.something

    yield do
    vars(field.signal).pop("_live_receivers", None)


@act
def change_the_class(field):
    """The change invalidates what is cached about the class."""

    def do():
        type(field.signal).something = 1
        with contextlib.suppress(AttributeError):
            del type(field.signal).something

    yield do


@act
def copy_the_signal(field):
    def do():
        with contextlib.suppress(TypeError):  # a lock has no copies
            copy.copy(field.signal)

    yield do


@act
def collect(field):
    yield gc.collect


def collide_all(csignals, make, seconds, beside=()):
    """Run every pair of acts for so many seconds, and return the number of pairs. `beside` selects pairs by name.

    Each pair gets two signals of its own. Of the second one, the list has been read.
    """
    pairs = [
        pair
        for pair in itertools.combinations_with_replacement(ACTS, 2)
        if not beside or any(each.__name__ in beside for each in pair)
    ]
    for pair in pairs:
        for is_list_held in False, True:
            Field(csignals, make, is_list_held).collide(pair, seconds / 2)
    return len(pairs)
