"""Connecting, sending and disconnecting, as a user of Django's signals knows them."""

import copy
import functools
import gc
import logging
import threading
import weakref
from unittest import mock

import pytest

from tests.helpers.implementations import collect_where_references_are_not_counted
from tests.helpers.receivers import Sender


def receiver_a(signal, sender, **named):
    return "a", named


def receiver_b(signal, sender, **named):
    return "b", named


class Listener:
    def __init__(self, answer="listener"):
        self.answer = answer

    def hear(self, signal, sender, **named):
        return self.answer

    def __call__(self, signal, sender, **named):
        return self.answer


def test_send_returns_pairs_in_registration_order(signal):
    signal.connect(receiver_b)
    signal.connect(receiver_a)
    assert signal.send(sender=None, x=1) == [(receiver_b, ("b", {"x": 1})), (receiver_a, ("a", {"x": 1}))]
    assert signal.send(Sender) == [(receiver_b, ("b", {})), (receiver_a, ("a", {}))]


def test_receivers_get_keywords_in_order(signal):
    """First `signal` and `sender`, then the keywords of the caller."""

    def hear(**named):
        return list(named.items())

    signal.connect(hear)
    expected = [("signal", signal), ("sender", Sender), ("b", 1), ("a", 2)]
    assert signal.send(Sender, b=1, a=2)[0][1] == expected
    assert signal.send(sender=Sender, b=1, a=2)[0][1] == expected
    assert signal.send(b=1, sender=Sender, a=2)[0][1] == expected
    assert signal.send(b=1, a=2, sender=Sender)[0][1] == expected
    unpacked = {"b": 1, "sender": Sender, "a": 2}
    assert signal.send(**unpacked)[0][1] == expected


def test_calls_with_different_keywords_may_alternate(signal):
    def hear(**named):
        return {name: value for name, value in named.items() if name not in ("signal", "sender")}

    signal.connect(hear)
    for _ in range(3):
        assert signal.send(None)[0][1] == {}
        assert signal.send(None, a=1)[0][1] == {"a": 1}
        assert signal.send(None, b=1)[0][1] == {"b": 1}
        assert signal.send(a=1, sender=None)[0][1] == {"a": 1}
        assert signal.send(sender=None, a=1)[0][1] == {"a": 1}


def test_without_receivers_nothing_is_returned(signal):
    assert signal.send(None) == []
    assert signal.send_robust(None) == []
    assert signal.has_listeners() is False
    signal.connect(receiver_a, sender=Sender)
    assert signal.send(None) == signal.send(Listener) == []
    assert signal.has_listeners() is False
    assert signal.has_listeners(Listener) is False
    assert signal.has_listeners(Sender) is True
    assert signal.has_listeners(sender=Sender) is True


def test_specific_and_general_receivers_keep_order(signal):
    receivers = [Listener(str(i)) for i in range(6)]
    for i, each in enumerate(receivers):
        signal.connect(each, sender=(None, Sender, Listener)[i % 3])
    assert [response for _, response in signal.send(Sender)] == ["0", "1", "3", "4"]
    assert [response for _, response in signal.send(Listener)] == ["0", "2", "3", "5"]
    assert [response for _, response in signal.send(None)] == ["0", "3"]


def test_disconnect_returns_whether_it_removed_anything(signal):
    assert signal.connect(receiver_a) is None
    assert signal.disconnect(receiver_b) is False
    assert signal.disconnect(receiver_a, sender=Sender) is False
    assert signal.disconnect(receiver_a) is True
    assert signal.disconnect(receiver_a) is False
    assert signal.receivers == []


def test_receivers_connect_once_per_sender(signal):
    for sender in (None, Sender, None, Sender):
        signal.connect(receiver_a, sender=sender)
    assert len(signal.send(Sender)) == 2
    assert len(signal.send(None)) == 1


def test_dispatch_uid_identifies_a_connection(signal):
    signal.connect(receiver_a, dispatch_uid="uid")
    signal.connect(receiver_b, dispatch_uid="uid")
    assert [receiver for receiver, _ in signal.send(None)] == [receiver_a]
    assert signal.disconnect(receiver_a) is False
    assert signal.disconnect(dispatch_uid="uid") is True
    signal.connect(receiver_a, dispatch_uid="")  # falsy: the same as no dispatch_uid
    assert signal.disconnect(receiver_a) is True


def test_dispatch_uid_need_not_be_hashable(signal):
    signal.connect(receiver_a, dispatch_uid=["a", "list"])
    signal.connect(receiver_b, dispatch_uid=["a", "list"])
    assert [receiver for receiver, _ in signal.send(None)] == [receiver_a]
    assert signal.disconnect(dispatch_uid=["a", "list"]) is True


def test_dead_weak_receivers_are_removed(signal):
    def hear(**named):
        pass

    listener = Listener()
    signal.connect(hear)
    signal.connect(listener.hear)
    signal.connect(listener)
    assert len(signal.send(None)) == 3
    del hear
    collect_where_references_are_not_counted()
    assert [receiver for receiver, _ in signal.send(None)] == [listener.hear, listener]
    del listener
    gc.collect()
    assert signal.send(None) == []
    assert signal.has_listeners() is False
    assert signal.receivers == []


def test_strong_receivers_stay_connected(signal):
    signal.connect(Listener().hear, weak=False)
    signal.connect(lambda **named: "lambda", weak=False)
    gc.collect()
    assert [response for _, response in signal.send(None)] == ["listener", "lambda"]


def test_disconnect_frees_strong_receivers_immediately(signal):
    listener = Listener()
    alive = weakref.ref(listener)
    signal.connect(listener, weak=False)
    signal.send(None)
    assert signal.disconnect(listener) is True
    del listener
    collect_where_references_are_not_counted()
    assert alive() is None


def test_methods_of_different_objects_are_distinct(signal):
    one, other = Listener("one"), Listener("other")
    signal.connect(one.hear)
    signal.connect(one.hear)
    signal.connect(other.hear)
    assert signal.send(None) == [(one.hear, "one"), (other.hear, "other")]
    assert signal.disconnect(one.hear) is True
    assert signal.send(None) == [(other.hear, "other")]


def test_any_callable_may_be_a_receiver(signal):
    class Owner:
        @classmethod
        def hear(cls, **named):
            return cls

        @staticmethod
        def listen(**named):
            return "static"

    partial = functools.partial(receiver_a, extra=1)
    listener = Listener()
    for each in (Owner.hear, Owner.listen, partial, listener):
        signal.connect(each)
    assert [response for _, response in signal.send(None)] == [Owner, "static", ("a", {"extra": 1}), "listener"]


def test_proxies_and_reference_subclasses_work(signal):
    class Reference(weakref.ref):
        pass

    def hear(**named):
        return "heard"

    proxy = weakref.proxy(receiver_a)
    signal.connect(proxy, weak=False)
    signal.connect(hear, weak=False)
    entry = signal.receivers.pop()
    signal.receivers.append((entry[0], Reference(hear), *entry[2:]))
    del entry
    assert [response for _, response in signal.send(None)] == [("a", {}), "heard"]
    del hear
    collect_where_references_are_not_counted()
    assert [response for _, response in signal.send(None)] == [("a", {})]


def test_receivers_dying_during_send_are_called(signal):
    others = [Listener("victim")]

    def kill(**named):
        others.clear()

    signal.connect(kill)
    signal.connect(others[0])
    assert [response for _, response in signal.send(None)] == [None, "victim"]
    collect_where_references_are_not_counted()
    assert [receiver for receiver, _ in signal.send(None)] == [kill]


def test_changes_during_send_affect_the_next(signal):
    def change(**named):
        signal.disconnect(receiver_a)
        signal.connect(receiver_b)

    signal.connect(change)
    signal.connect(receiver_a)
    assert [receiver for receiver, _ in signal.send(None)] == [change, receiver_a]
    assert [receiver for receiver, _ in signal.send(None)] == [change, receiver_b]


def test_send_robust_returns_and_logs_exceptions(signal, caplog):
    error = ValueError("no")

    def fail(**named):
        raise error

    signal.connect(fail)
    signal.connect(receiver_a)
    assert signal.send_robust(None) == [(fail, error), (receiver_a, ("a", {}))]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("django.dispatch", logging.ERROR)
    assert record.msg == "Error calling %s in Signal.send_robust() (%s)"
    assert record.args == (fail.__qualname__, error)
    assert record.exc_info[1] is error
    assert error.__traceback__ is not None


def test_send_robust_lets_keyboard_interrupt_through(signal):
    def interrupt(**named):
        raise KeyboardInterrupt

    signal.connect(interrupt)
    with pytest.raises(KeyboardInterrupt):
        signal.send_robust(None)


def test_send_robust_uses_an_overridden_log_method(csignals):
    class Quiet(csignals.Signal):
        def _log_robust_failure(self, receiver, err):
            failures.append((receiver, err))

    def fail(**named):
        raise error

    failures, error, signal = [], ValueError(), Quiet()
    signal.connect(fail)
    assert signal.send_robust(None) == failures == [(fail, error)]


def test_compatibility_2_failures_without_qualname_are_logged(signal, caplog):
    """The log has the receiver's repr(). Django raises AttributeError."""

    class Fail:
        def __call__(self, **named):
            raise ValueError("object")

    callable_object, partial = Fail(), functools.partial(Fail())
    signal.connect(callable_object)
    signal.connect(partial)
    assert [str(error) for _, error in signal.send_robust(None)] == ["object", "object"]
    assert [record.args[0] for record in caplog.records] == [repr(callable_object), repr(partial)]


def test_receiver_decorator_takes_one_signal_or_several(csignals):
    one, two, three = csignals.Signal(), csignals.Signal(), csignals.Signal()

    @csignals.receiver(one, sender=Sender)
    @csignals.receiver([two, three])
    def hear(**named):
        return "heard"

    @csignals.receiver((two, three), weak=False)
    def hear_too(**named):
        return "heard, too"

    assert hear() == "heard"
    assert one.send(Sender) == [(hear, "heard")]
    assert one.send(None) == []
    assert two.send(None) == three.send(None) == [(hear, "heard"), (hear_too, "heard, too")]


def test_live_receivers_may_be_overridden(csignals):
    """By a subclass, on an instance, and by a patch of either."""

    class Loud(csignals.Signal):
        def _live_receivers(self, sender):
            sync, async_ = super()._live_receivers(sender)
            return [receiver_b, *sync], async_

    signal = Loud()
    assert signal.send(None) == []  # as in Django, which returns at once for an empty list
    signal.connect(receiver_a)
    for send in (signal.send, signal.send_robust):
        assert send(None, x=1) == [(receiver_b, ("b", {"x": 1})), (receiver_a, ("a", {"x": 1}))]
    assert signal.has_listeners()

    signal = csignals.Signal()
    signal.connect(receiver_a)
    assert len(signal.send(None)) == 1
    signal._live_receivers = lambda sender: ([receiver_b], [])
    assert [receiver for receiver, _ in signal.send(None)] == [receiver_b]
    del signal._live_receivers
    assert [receiver for receiver, _ in signal.send(None)] == [receiver_a]
    with mock.patch.object(signal, "_live_receivers", return_value=([], [])):
        assert signal.send(None) == []
        assert not signal.has_listeners()
    with mock.patch.object(csignals.Signal, "_live_receivers", lambda self, sender: ([receiver_b], [])):
        assert [receiver for receiver, _ in signal.send(None)] == [receiver_b]
        assert [receiver for receiver, _ in signal.send_robust(None)] == [receiver_b]
    assert [receiver for receiver, _ in signal.send(None)] == [receiver_a]


def test_live_receivers_returns_new_lists(signal):
    signal.connect(receiver_a)
    sync, async_ = signal._live_receivers(None)
    assert (sync, async_) == ([receiver_a], [])
    sync.clear()
    assert signal._live_receivers(sender=None) == ([receiver_a], [])


def test_methods_may_be_patched_and_swapped(csignals):
    signal = csignals.Signal()
    signal.connect(receiver_a)
    with mock.patch.object(csignals.Signal, "send", autospec=True) as send:
        signal.send(None, x=1)
    assert send.call_args.kwargs == {"x": 1}
    with mock.patch.object(signal, "send", return_value="patched"):
        assert signal.send(None) == "patched"
    with mock.patch.object(csignals.Signal, "send_robust", csignals.Signal.send):
        assert signal.send_robust(None) == [(receiver_a, ("a", {}))]


def test_a_signal_is_an_ordinary_object(csignals):
    signal = csignals.Signal(use_caching=True)
    signal.mark = 1
    assert vars(signal)["mark"] == 1
    assert {signal: "as a key"}[signal] == "as a key"
    assert weakref.ref(signal)() is signal
    assert not hasattr(gc, "is_tracked") or gc.is_tracked(signal)  # PyPy has no is_tracked()
    assert signal.use_caching is True
    signal.sender_receivers_cache.clear()
    with signal.lock:
        signal._clear_dead_receivers()
    csignals.Signal.class_mark = 1
    assert signal.class_mark == 1
    del csignals.Signal.class_mark


def test_copies_share_the_list_of_receivers(csignals):
    signal = csignals.Signal()
    signal.connect(receiver_a)
    signal.mark = 1
    twin = copy.copy(signal)
    assert (twin.receivers is signal.receivers, twin.lock is signal.lock, twin.mark) == (True, True, 1)
    signal.connect(receiver_b)
    assert [receiver for receiver, _ in twin.send(None)] == [receiver_a, receiver_b]


def test_cycles_through_the_table_are_collected(csignals):
    signal = csignals.Signal()
    listener = Listener()
    signal.connect(functools.partial(lambda owner, **named: None, signal), weak=False)
    signal.connect(listener.hear)
    signal.connect(receiver_a, sender=signal)
    signal.send(signal)
    alive = weakref.ref(signal)
    del signal
    gc.collect()
    assert alive() is None


def test_sends_take_no_lock(signal):
    done = []

    def die():
        signal.connect(Listener().hear)  # the entry is dead at once

    signal.connect(receiver_a)
    die()
    collect_where_references_are_not_counted()
    with signal.lock:
        thread = threading.Thread(target=lambda: done.append(signal.send(None)))
        thread.start()
        thread.join(10)
    assert done == [[(receiver_a, ("a", {}))]]
