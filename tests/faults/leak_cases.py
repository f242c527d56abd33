"""The paths that count_leaks.py repeats: every path through the package, those that fail included.

Each path gets a signal of its own, and leaves that signal unchanged.
"""

import asyncio
import contextlib
import copy
import functools
import gc
import sys
import warnings
import weakref

import django
import django.conf
import django.dispatch
from django.utils import inspect as django_inspect

from tests.helpers.receivers import Sender

PATHS = {}


def path(function=None, *, needs="any", every=1):
    """Register a path. `needs` limits it to some kinds of signals; `every` divides the repetitions of a slow one."""

    def mark(function):
        PATHS[function.__name__] = function, needs, every
        return function

    return mark if function is None else mark(function)


class Slotted:
    """A sender that the signal keeps alive, and a receiver that it rejects."""

    __slots__ = ()

    def __call__(self, **named):
        pass


class Listener:
    def __init__(self, **named):
        pass

    def hear(self, **named):
        pass

    def __call__(self, **named):
        pass


class Uid:
    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return isinstance(other, Uid) and self.name == other.name

    __hash__ = None


def hear(**named):
    return named


def fail(**named):
    raise ValueError("fail")


def interrupt(**named):
    raise KeyboardInterrupt


async def hear_async(**named):
    return named


async def fail_async(**named):
    await asyncio.sleep(0)
    raise ValueError("fail")


SENDER, SLOTTED, LISTENER, PARTIAL = Sender(), Slotted(), Listener(), functools.partial(hear)
ARGUMENT = Sender()
MANY = [functools.partial(hear) for _ in range(50)]
WATCHED = [SENDER, SLOTTED, LISTENER, PARTIAL, ARGUMENT, Sender, Listener, hear, fail, hear_async, fail_async, *MANY]
RECEIVERS = [hear, PARTIAL, LISTENER, LISTENER.hear, hear_async, Listener]
SENDERS = [None, Sender, SENDER, SLOTTED, LISTENER.hear, "a string"]

csignals = testing = drop_in = None  # begin() imports these, except for stock Django
loop = asyncio.new_event_loop()


@contextlib.contextmanager
def raises(kind):
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind} was not raised")


@contextlib.contextmanager
def connected(signal, *receivers, sender=None):
    for each in receivers:
        signal.connect(each, sender=sender, weak=False)
    try:
        yield signal
    finally:
        for each in receivers:
            signal.disconnect(each, sender=sender)


# --- Connecting ---------------------------------------------------------------------------------------------------


@path
def connecting_weakly(signal):
    for receiver in RECEIVERS:
        signal.connect(receiver)
        assert signal.disconnect(receiver)


@path
def connecting_strongly_to_all_senders(signal):
    senders = (
        SENDERS if csignals or django.VERSION < (6, 0) else SENDERS[:-2]
    )  # Django 6.0 makes a weak reference to the sender
    for receiver in RECEIVERS:
        for sender in senders:
            signal.connect(receiver, sender=sender, weak=False)
            signal._live_receivers(sender)
            assert signal.disconnect(receiver, sender=sender)


@path
def connecting_with_a_uid(signal):
    for uid in "uid", ("a", 1, (2, 3)), 1.5:
        signal.connect(hear, dispatch_uid=uid)
        signal.connect(fail, dispatch_uid=uid)
        assert signal.disconnect(dispatch_uid=uid)
        assert not signal.disconnect(dispatch_uid=uid)


@path
def connecting_with_a_uid_compared_in_python(signal):
    signal.connect(hear, dispatch_uid=Uid("first"))
    signal.connect(hear, dispatch_uid=Uid("first"))
    signal.connect(hear, dispatch_uid=Uid("second"))
    assert len(signal.receivers) == 2
    assert signal.disconnect(dispatch_uid=Uid("first")) and signal.disconnect(dispatch_uid=Uid("second"))


@path
def connecting_twice(signal):
    signal.connect(hear)
    signal.connect(hear)
    assert signal.disconnect(hear) and not signal.disconnect(hear)


@path
def connecting_many(signal):
    for each in MANY:
        signal.connect(each, weak=False)
    signal.send(None)
    for each in MANY[::-1]:
        signal.disconnect(each)


@path
def connecting_with_the_decorator(signal):
    receiver = csignals.receiver if csignals else django.dispatch.receiver
    assert receiver([signal, signal], sender=Sender)(hear) is hear
    signal.disconnect(hear, sender=Sender)


@path
def dying_receivers(signal):
    for _ in range(3):
        local = Listener()
        signal.connect(local)
        signal.connect(local.hear, sender=Sender)
        signal.send(Sender)
        del local
        signal.send(Sender)
    collect_where_references_are_not_counted()
    assert signal.send(Sender) == []
    signal.connect(hear)
    signal.disconnect(hear)


@path
def dying_senders(signal):
    sender = Sender()
    signal.connect(hear, sender=sender)
    signal.send(sender)
    del sender
    collect_where_references_are_not_counted()
    signal.send(None)
    signal.receivers = []
    signal.sender_receivers_cache.clear()


@path(needs="csignals")
def rejected_receivers(signal):
    with raises(TypeError):
        signal.connect(Slotted())
    with raises(TypeError):
        signal.connect()
    with raises(TypeError):
        signal.connect(hear, nonsense=ARGUMENT)
    with raises(TypeError):
        signal.disconnect(hear, nonsense=ARGUMENT)
    with raises(TypeError):
        csignals.receiver(signal, nonsense=ARGUMENT)(hear)


@path(needs="standalone")
def uncallable_receivers(signal):
    for each in None, ARGUMENT, 1:
        with raises(TypeError):
            signal.connect(each)


@path(every=20)
def connecting_in_development(signal):
    django.conf.settings.DEBUG = True
    try:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            signal.connect(lambda **named: None)
            signal.connect(Listener().hear)
            signal.connect(hear)
            signal.send(None)
            with raises(ValueError):
                signal.connect(lambda signal, sender: None)
    finally:
        django.conf.settings.DEBUG = False
    signal.disconnect(hear)
    for function in vars(django_inspect).values():  # Django's caches keep functions alive
        getattr(function, "cache_clear", int)()


# --- Sending ------------------------------------------------------------------------------------------------------


@path
def sending_without_receivers(signal):
    assert signal.send(SENDER) == signal.send(sender=SENDER, x=ARGUMENT) == signal.send_robust(None) == []
    assert not signal.has_listeners() and not signal.has_listeners(SENDER)


@path
def sending(signal):
    with connected(signal, hear, PARTIAL, LISTENER.hear), connected(signal, LISTENER, sender=SENDER):
        for sender in SENDERS:
            signal.send(sender)
            signal.send(sender, x=ARGUMENT, y=1)
            signal.send_robust(sender=sender, x=ARGUMENT)
        assert signal.has_listeners(SENDER) and signal.has_listeners()
        signal._live_receivers(SENDER)


@path
def sending_many_arguments_to_many(signal):
    with connected(signal, *MANY):
        named = {f"argument_{i}": ARGUMENT for i in range(40)}
        assert len(signal.send(SENDER, **named)) == len(signal.send_robust(SENDER, **named)) == len(MANY)


@path
def sending_new_keyword_names(signal):
    with connected(signal, hear):
        signal.send(SENDER, **{f"{id(object())}_{id(signal)}": ARGUMENT})
        signal.send(SENDER, **{"".join(["a", "b"]): ARGUMENT})


@path
def sending_recursively(signal):
    def again(depth, **named):
        if depth:
            signal.send(SENDER, depth=depth - 1)

    with connected(signal, again, hear):
        signal.send(SENDER, depth=5)


@path
def failing_receivers(signal):
    for receivers in [fail], [hear, fail], [fail, hear], [hear, interrupt, hear], [*MANY, fail]:
        with connected(signal, *receivers):
            with raises((ValueError, KeyboardInterrupt)):
                signal.send(SENDER, x=ARGUMENT)
            if interrupt in receivers:
                with raises(KeyboardInterrupt):
                    signal.send_robust(SENDER, x=ARGUMENT)
            else:
                signal.send_robust(SENDER, x=ARGUMENT)


@path
def wrong_calls(signal):
    with connected(signal, hear, fail):
        for args, named in [
            ((), {}),
            ((), {"x": ARGUMENT}),
            ((SENDER,), {"sender": ARGUMENT}),
            ((SENDER, ARGUMENT), {}),
            ((SENDER, ARGUMENT, 3), {"x": 1}),
            ((SENDER,), {"self": ARGUMENT}),
            ((SENDER,), {1: ARGUMENT}),
            ((SENDER,), {"signal": ARGUMENT}),
        ]:
            with raises(TypeError):
                signal.send(*args, **named)
            if "signal" in named:
                signal.send_robust(*args, **named)
            else:
                with raises(TypeError):
                    signal.send_robust(*args, **named)
        for method in signal.has_listeners, signal._live_receivers:
            with raises(TypeError):
                method(SENDER, ARGUMENT)
            with raises(TypeError):
                method(nonsense=ARGUMENT)


@path
def receivers_that_reject_arguments(signal):
    def takes_signal_only(signal):
        pass

    with connected(signal, takes_signal_only):
        with raises(TypeError):
            signal.send(SENDER, x=ARGUMENT)
        signal.send_robust(SENDER, x=ARGUMENT)


@path
def changing_the_list_directly(signal):
    with connected(signal, hear, *MANY[:5]):
        signal.send(SENDER)
        kept = signal.receivers
        signal.receivers = kept[:2]
        signal.sender_receivers_cache.clear()
        signal.send(SENDER)
        signal.receivers = []
        assert signal.send(SENDER) == []
        signal.receivers = kept
        signal.receivers.append(signal.receivers.pop(0))
        signal.send(SENDER)
        signal.has_listeners(SENDER)


@path(needs="csignals")
def malformed_lists(signal):
    with connected(signal, hear):
        kept = signal.receivers
        for wrong in None, (), tuple(kept):
            signal.receivers = wrong
            signal.send(SENDER)
            signal.has_listeners(SENDER)
        for wrong in [ARGUMENT], [(1, 2)], [((1, 2),)], [()], ["ab"], 1:
            signal.receivers = wrong
            with raises((TypeError, ValueError, IndexError)):
                signal.send(SENDER)
        signal.receivers = kept


@path
def overridden_live_receivers(signal):
    original = signal._live_receivers
    with connected(signal, hear, fail):
        signal._live_receivers = lambda sender: original(sender)
        with raises(ValueError):
            signal.send(SENDER, x=ARGUMENT)
        signal.send_robust(SENDER, x=ARGUMENT)
        signal.has_listeners(SENDER)
        signal._live_receivers = fail
        with raises(TypeError):
            signal.send(SENDER, x=ARGUMENT)
        del signal._live_receivers


@path(every=20)  # as CPython gives a class no more than a thousand versions
def wrapped_live_receivers_of_the_class(signal):
    cls, cache = type(signal), signal.sender_receivers_cache
    original, is_its_own = cls._live_receivers, "_live_receivers" in vars(cls)
    cls._live_receivers = lambda self, sender: original(self, sender)
    signal.use_caching, signal.sender_receivers_cache = True, weakref.WeakKeyDictionary()
    try:
        with connected(signal, hear, fail):
            with raises(ValueError):
                signal.send(Sender, x=ARGUMENT)
            signal.send_robust(Sender, x=ARGUMENT)
        signal.connect(hear, sender=Slotted)
        for sender in Sender, Sender, Slotted, SENDER:
            signal.send(sender)
            signal.has_listeners(sender)
        signal.disconnect(hear, sender=Slotted)
    finally:
        signal.use_caching, signal.sender_receivers_cache = False, cache
        if is_its_own:
            cls._live_receivers = original
        else:
            del cls._live_receivers


@path(needs="csignals")
def short_lived_signals(signal):
    for _ in range(3):
        other = type(signal)()
        other.connect(hear, weak=False)
        other.connect(lambda other=other, **named: other, sender=SENDER, weak=False)
        other.send(SENDER)
        twin = copy.copy(other)
        twin.send(SENDER)


# --- Async --------------------------------------------------------------------------------------------------------


@path
def awaiting(signal):
    async def run():
        for receivers in [hear_async], [hear_async, PARTIAL], [fail_async], [hear_async, fail_async]:
            with connected(signal, *receivers):
                if fail_async in receivers:
                    with raises(Exception):  # in Django 6.1, a group
                        await signal.asend(SENDER, x=ARGUMENT)
                else:
                    await signal.asend(SENDER, x=ARGUMENT)
                await signal.asend_robust(SENDER, x=ARGUMENT)
        with raises(TypeError):
            await signal.asend()
        assert await signal.asend(SENDER) == []

    loop.run_until_complete(run())


@path(every=5)
def awaiting_sync_receivers_in_a_thread(signal):
    async def run():
        with connected(signal, hear, hear_async):
            await signal.asend(SENDER, x=ARGUMENT)
        with connected(signal, fail, hear_async):
            with raises(ValueError):
                await signal.asend(SENDER, x=ARGUMENT)
            await signal.asend_robust(SENDER, x=ARGUMENT)

    loop.run_until_complete(run())


@path(needs="csignals", every=5)
def awaiting_hybrid_receivers(signal):
    async def run():
        for variant in hear_async, fail_async:
            local = csignals.receiver(signal)(lambda **named: ARGUMENT)
            with raises(TypeError):
                local.async_variant(hear)
            assert local.async_variant(variant) is local
            with connected(signal, hear_async):
                await signal.asend_robust(SENDER, x=ARGUMENT)
            signal.send(SENDER, x=ARGUMENT)
            signal.disconnect(local)

    loop.run_until_complete(run())


@path(every=5)
def sending_to_async_receivers(signal):
    with connected(signal, hear, hear_async):
        signal.send(SENDER, x=ARGUMENT)
    with connected(signal, hear, fail_async):
        with raises(ValueError):
            signal.send(SENDER, x=ARGUMENT)
        signal.send_robust(SENDER, x=ARGUMENT)


@path(needs="csignals")
def coroutines_never_awaited(signal):
    with connected(signal, hear_async), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coroutine = signal.asend(SENDER, x=ARGUMENT)
        del coroutine
        collect_where_references_are_not_counted()


# --- Scopes and introspection -------------------------------------------------------------------------------------


@path(needs="csignals")
def muting(signal):
    with connected(signal, hear, fail):
        with csignals.mute(signal):
            assert signal.send(SENDER, x=ARGUMENT) == signal.send_robust(SENDER) == []
        with csignals.mute(signal, receivers=fail, senders=[SENDER, Sender]), csignals.mute():
            signal.has_listeners(SENDER)
            signal.send(SENDER, x=ARGUMENT)
            signal.send(SENDER)
        with raises(ValueError), csignals.mute(signal, receivers=hear):
            signal.send(SENDER, x=ARGUMENT)
        with raises(TypeError):
            csignals.mute(ARGUMENT)
        csignals.mute(signal)(signal.send)(SENDER)


@path(needs="csignals")
def capturing(signal):
    with connected(signal, hear, fail):
        for named in {"deliver": False}, {"scope": "process", "deliver": False}, {"sender": SENDER, "deliver": False}:
            with testing.capture(signal, **named) as captured:
                signal.send(SENDER, x=ARGUMENT)
            captured.assert_sent(signal, x=ARGUMENT)
        with testing.capture(signal), raises(ValueError):
            signal.send(SENDER, x=ARGUMENT)
        with testing.capture(signal):
            signal.send_robust(SENDER, x=ARGUMENT)
        with raises(AssertionError), testing.assert_sent(signal, y=ARGUMENT):
            signal.send_robust(SENDER, x=ARGUMENT)


@path(needs="csignals")
def tracing(signal):
    with connected(signal, hear, LISTENER.hear, fail):
        for named in {}, {"scope": "process"}, {"max_records": 1}:
            with csignals.trace(**named) as trace, csignals.trace():
                with raises(ValueError):
                    signal.send(SENDER, x=ARGUMENT)
                signal.send_robust(SENDER, x=ARGUMENT)
                with raises(TypeError):
                    signal.send()
            assert trace.records
            str(trace)


@path(needs="csignals")
def tracing_awaited_sends(signal):
    async def run():
        with csignals.trace() as trace, connected(signal, hear_async, fail_async):
            with raises(ValueError):
                await signal.asend(SENDER, x=ARGUMENT)
            await signal.asend_robust(SENDER, x=ARGUMENT)
        assert trace.records

    loop.run_until_complete(run())


@path(needs="csignals")
def connecting_in_a_with_block(signal):
    with testing.connected(signal, hear), testing.connected(signal, fail, sender=SENDER, dispatch_uid="uid"):
        with testing.connected(signal, hear), raises(ValueError), testing.connected(signal, hear, SENDER, "uid"):
            pass
        signal.send(None)
    assert signal.receivers == []


@path(needs="csignals", every=20)
def listing(signal):
    with connected(signal, hear, LISTENER.hear, hear_async), connected(signal, hear, sender=SENDER):
        assert len(csignals.list_receivers(signal)) == 4
        repr(signal)
        signal.connect(hear, dispatch_uid="uid", weak=False)
        csignals.list_receivers(signal)
        signal.disconnect(dispatch_uid="uid")


@path(needs="Django", every=20)
def installing_and_uninstalling(signal):
    with connected(signal, hear, fail):
        signal.send_robust(SENDER, x=ARGUMENT)
        drop_in.uninstall()
        signal.send_robust(SENDER, x=ARGUMENT)
        drop_in.install()
        signal.send_robust(SENDER, x=ARGUMENT)
        drop_in.install()


def begin(kind):
    """Prepare a kind of signals, "standalone", "Django" or "stock", and return their class."""
    global csignals, testing, drop_in
    if kind != "stock":
        import csignals
        import csignals.django as drop_in
        from csignals import testing

        csignals.nonblocking(PARTIAL)
    if kind == "Django":
        drop_in.install()
    return csignals.Signal if kind == "standalone" else django.dispatch.Signal


def collect_where_references_are_not_counted():
    if sys.implementation.name != "cpython":
        gc.collect()
