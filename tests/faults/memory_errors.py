"""Makes each allocation of an operation fail in turn, and prints what is wrong with the signal afterwards.

    python memory_errors.py PLACE WINDOWS OPERATION...

PLACE is "standalone" or "django". With WINDOWS 0, all allocations fail from the first failure on. With 3, also up to
three allocations in a row fail, and later ones succeed. Prints how often each operation failed, and the problems.
"""

import _testcapi
import asyncio
import faulthandler
import gc
import json
import logging
import sys
import threading
import warnings

faulthandler.enable()
faulthandler.dump_traceback_later(100, exit=True)
warnings.simplefilter("ignore")  # of coroutines that could not be awaited without memory
for name in ("django.dispatch", "asyncio"):
    logging.getLogger(name).addHandler(logging.NullHandler())
    logging.getLogger(name).propagate = False

import csignals  # noqa: E402
from csignals._dispatch.task_group import await_each  # noqa: E402, F401  # no import may happen without memory

PLACE = sys.argv[1]
if PLACE == "django":
    from django.dispatch import Signal

    import csignals.django

    csignals.django.install()
else:
    from csignals import Signal

#: Whether CPython itself loses no references when memory runs out.
COUNTS_REFERENCES = sys.version_info >= (3, 14)


class Sender:
    pass


class Listener:
    def hear(self, **named):
        return "hear"


class Callable:
    def __call__(self, **named):
        return "called"


class Uid:
    def __eq__(self, other):
        return isinstance(other, Uid)

    def __hash__(self):
        return 1


@csignals.nonblocking
def one(**named):
    return "one"


@csignals.nonblocking
def two(**named):
    return "two"


def three(**named):
    return "three"


def fail(**named):
    raise ValueError


async def first(**named):
    return "first"


async def second(**named):
    return "second"


sender, listener, other_listener, called = Sender(), Listener(), Listener(), Callable()
many = [lambda i=i, **named: i for i in range(40)]
WATCHED = [one, two, three, fail, first, second, listener, other_listener, called, sender, many[3]]


def base():
    signal = Signal()
    signal.connect(one)
    signal.connect(listener.hear)
    signal.connect(two, sender=sender)
    signal.connect(called, weak=False)
    return signal


def warm():
    signal = base()
    signal.send(sender, x=1)
    return signal


def with_dead():
    def local(**named):
        pass

    signal = warm()
    signal.connect(local)
    return signal


def with_list_of_others():
    signal = base()
    signal.receivers = list(signal.receivers)
    return signal


def with_tuple():
    signal = base()
    signal.receivers = tuple(signal.receivers)
    return signal


def with_uid():
    signal = warm()
    signal.connect(three, dispatch_uid=Uid())
    return signal


def with_many():
    signal = warm()
    for each in many:
        signal.connect(each)
    return signal


def with_failing():
    signal = base()
    signal.connect(fail, sender="fail")
    return signal


def awaited(*receivers):
    def make():
        signal = Signal()
        for each in (one, two, *receivers):
            signal.connect(each)
        return signal

    return make


def responses(pairs):
    if isinstance(pairs, Rest):
        return pairs
    return [type(response).__name__ if isinstance(response, Exception) else response for _, response in pairs]


class Rest:
    """The rest of a coroutine that has been started. It can be awaited."""

    def __init__(self, coroutine, value):
        self.coroutine, self.value = coroutine, value

    def __await__(self):
        value = self.value
        while True:
            try:
                try:
                    sent = yield value
                except BaseException as error:
                    value = self.coroutine.throw(error)
                else:
                    value = self.coroutine.send(sent)
            except StopIteration as end:
                return end.value


def begin(coroutine):
    """Run a coroutine until it waits. Memory fails only until then, as event loops do not survive a lack of memory."""
    try:
        return Rest(coroutine, coroutine.send(None))
    except StopIteration as end:
        return end.value


BASE = ["one", "hear", "two", "called"]
BOTH = ["one", "two", "first", "second"]
OTHERS = ["one", "hear", "called"]
NUMBERS = list(range(40))

#: For each operation: the function that makes the signal, the operation itself, the receivers afterwards, the result.
OPERATIONS = {
    "connect": (warm, lambda signal: signal.connect(three), [*BASE, "three"], None),
    "connect_cold": (base, lambda signal: signal.connect(three), [*BASE, "three"], None),
    "connect_first": (Signal, lambda signal: signal.connect(one), ["one"], None),
    "connect_again": (warm, lambda signal: signal.connect(one), BASE, None),
    "connect_method": (warm, lambda signal: signal.connect(other_listener.hear), [*BASE, "hear"], None),
    "connect_sender": (warm, lambda signal: signal.connect(three, sender=sender), [*BASE, "three"], None),
    "connect_held_sender": (warm, lambda signal: signal.connect(three, sender=12345678), BASE, None),
    "connect_uid": (warm, lambda signal: signal.connect(three, dispatch_uid="uid"), [*BASE, "three"], None),
    "connect_object_uid": (warm, lambda signal: signal.connect(three, dispatch_uid=Uid()), [*BASE, "three"], None),
    "connect_after_death": (with_dead, lambda signal: signal.connect(three), [*BASE, "three"], None),
    "connect_foreign_list": (with_list_of_others, lambda signal: signal.connect(three), [*BASE, "three"], None),
    "disconnect": (warm, lambda signal: signal.disconnect(one), BASE[1:], True),
    "disconnect_nobody": (warm, lambda signal: signal.disconnect(three), BASE, False),
    "disconnect_object_uid": (with_uid, lambda signal: signal.disconnect(dispatch_uid=Uid()), BASE, True),
    "disconnect_after_death": (with_dead, lambda signal: signal.disconnect(one), BASE[1:], True),
    "disconnect_foreign_list": (with_list_of_others, lambda signal: signal.disconnect(two, sender), OTHERS, True),
    "send": (warm, lambda signal: responses(signal.send(sender, y=1)), BASE, BASE),
    "send_again": (warm, lambda signal: responses(signal.send(sender, x=1)), BASE, BASE),
    "send_keyword": (warm, lambda signal: responses(signal.send(sender=sender, **{"a b": 1})), BASE, BASE),
    "send_other_sender": (warm, lambda signal: responses(signal.send("other", y=1)), BASE, OTHERS),
    "send_cold": (base, lambda signal: responses(signal.send(sender, y=1)), BASE, BASE),
    "send_after_death": (with_dead, lambda signal: responses(signal.send(sender, y=1)), BASE, BASE),
    "send_many": (with_many, lambda signal: responses(signal.send(sender, y=1)), BASE + NUMBERS, BASE + NUMBERS),
    "send_tuple": (with_tuple, lambda signal: responses(signal.send(sender, y=1)), BASE, BASE),
    "send_robust": (warm, lambda signal: responses(signal.send_robust(sender, y=1)), BASE, BASE),
    "send_robust_cold": (base, lambda signal: responses(signal.send_robust(sender, y=1)), BASE, BASE),
    "send_robust_failing": (
        with_failing,
        lambda signal: responses(signal.send_robust("fail", y=1)),
        BASE,
        [*OTHERS, "ValueError"],
    ),
    "has_listeners": (warm, lambda signal: signal.has_listeners(sender), BASE, True),
    "has_listeners_cold": (base, lambda signal: signal.has_listeners(sender), BASE, True),
    "live_receivers": (base, lambda signal: len(signal._live_receivers(sender)), BASE, 2),
    "asend": (
        awaited(first),
        lambda signal: responses(begin(signal.asend(sender, y=1))),
        BOTH[:3],
        BOTH[:3],
    ),
    "asend_two": (
        awaited(first, second),
        lambda signal: responses(begin(signal.asend(sender, y=1))),
        BOTH,
        BOTH,
    ),
    "asend_robust": (
        awaited(first, second),
        lambda signal: responses(begin(signal.asend_robust(sender, y=1))),
        BOTH,
        BOTH,
    ),
}


def live(signal):
    receivers = signal._live_receivers(sender)
    return [*receivers[0], *receivers[1]] if isinstance(receivers, tuple) else receivers


def reached(signal):
    return ["called" if each is called else each() if each in many else each.__name__ for each in live(signal)]


def is_lock_free(signal):
    answers = []

    def ask():
        answers.append(signal.lock.acquire(blocking=False))
        if answers[0]:
            signal.lock.release()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return answers == [True]


async def explore(operation, window):
    """Return how often an operation failed, and the problems afterwards."""
    prepare, do, after, expected = OPERATIONS[operation]
    signal = prepare()
    before = reached(signal)
    result = do(signal)
    assert (responses(await result) if isinstance(result, Rest) else result) == expected
    assert reached(signal) == after
    del signal, result
    gc.collect()
    counts = list(map(sys.getrefcount, WATCHED))
    problems, failures, successes, start = [], 0, 0, 0
    while successes < 3:
        start += 1
        signal, result, error, is_out = prepare(), None, None, False
        _testcapi.set_nomemory(start, start + window if window else 0)
        try:
            try:
                result = do(signal)
            finally:
                if not window:
                    try:
                        bytearray(10_000)
                    except MemoryError:
                        is_out = True
                _testcapi.remove_mem_hooks()
        except BaseException as caught:
            _testcapi.remove_mem_hooks()
            error = caught.with_traceback(None)
            error.__context__ = None
        if isinstance(result, Rest):
            try:
                result = responses(await asyncio.wait_for(result, 20))
            except BaseException as caught:
                error = caught.with_traceback(None)
        # A window moves on until it is behind all allocations of the operation.
        successes = (
            successes + 1 if error is None and not is_out and (not window or start > last_allocations[operation]) else 0
        )
        if not window:
            last_allocations[operation] = max(last_allocations.get(operation, 0), start)
        failures += error is not None
        problems += [f"{start}: {problem}" for problem in wrong(operation, signal, error, result, before)]
        del signal, result, error
    gc.collect()
    if COUNTS_REFERENCES and counts != list(map(sys.getrefcount, WATCHED)):
        problems.append(f"references: {counts}, now {list(map(sys.getrefcount, WATCHED))}")
    return failures, problems


last_allocations = {}  # the number of the allocation at which each operation succeeded


def wrong(operation, signal, error, result, before):
    _, do, after, expected = OPERATIONS[operation]
    # CPython loses the MemoryError while it formats a TypeError: an int cannot have weak references.
    if not isinstance(error, (type(None), MemoryError)) and operation != "connect_held_sender":
        yield f"raised {error!r}"
    if (
        error is None
        and result != expected
        and not (
            # A receiver for whose call memory is missing is a failing receiver.
            "robust" in operation
            and len(result) == len(expected)
            and all(got in (wanted, "MemoryError") for got, wanted in zip(result, expected, strict=True))
        )
    ):
        yield f"returned {result}"
    now = reached(signal)
    if now != after and (now != before or error is None):
        yield f"reaches {now}"
    if not is_lock_free(signal):
        yield "the lock is taken"
        return
    if isinstance(signal.receivers, tuple):
        signal.receivers = list(signal.receivers)

    def late(**named):
        pass

    signal.connect(late, sender=sender)
    if live(signal).count(late) != 1:
        yield "cannot be connected to"
    if signal.disconnect(late, sender=sender) is not True or reached(signal) != now:
        yield "cannot be disconnected from"
    if now == before != after:
        do(signal)
        if reached(signal) != after:
            yield f"reaches {reached(signal)} at the second try"


async def main():
    gc.collect()
    gc.freeze()  # makes collections quick
    found = {}
    for operation in sys.argv[3:]:
        found[operation] = [0, []]
        for window in range(1 + int(sys.argv[2])):
            failures, problems = await explore(operation, window)
            found[operation][0] += failures
            found[operation][1] += [f"window {window}, allocation {problem}" for problem in problems]
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
