"""``csignals.testing.capture()``: which sends it records, standalone and in Django, on both implementations."""

import asyncio
import contextvars
import gc
import threading
import weakref

import django
import django.dispatch
import pytest

from tests.helpers.implementations import load
from tests.helpers.interpreter import run_python
from tests.helpers.receivers import Other, Sender, awaited, connected, fail, one, two


@pytest.fixture
def testing(implementation):
    load(implementation, "csignals._dispatch.task_group")
    return load(implementation, "csignals.testing")


@pytest.fixture(params=["standalone", "in Django"] if django.VERSION >= (5, 0) else ["standalone"])
def make_async(request, csignals):
    """As `make` (tests/conftest.py), but only classes of signals that have ``asend``."""
    if request.param == "standalone":
        return csignals.Signal
    request.getfixturevalue("drop_in")
    return django.dispatch.Signal


def details(sends):
    return [(send.signal, send.sender, send.named) for send in sends]


# --- capture() -----------------------------------------------------------------------------------------------


def test_a_capture_lists_sends_and_responses(testing, make):
    signal = connected(make(), one, two)
    with testing.capture(signal) as sends:
        responses = signal.send(Sender, x=1)
        signal.send_robust(sender=Other)
    assert details(sends) == [(signal, Sender, {"x": 1}), (signal, Other, {})]
    assert responses == sends[0].responses == sends[1].responses == [(one, "one"), (two, "two")]
    assert responses is not sends[0].responses
    assert [send.exception for send in sends] == [None, None]
    assert isinstance(sends, testing.CaptureLog) and isinstance(sends[0], testing.CapturedSend)


def test_a_closed_capture_records_nothing_more(testing, make):
    signal = make()
    with testing.capture() as sends:
        signal.send(Sender)
    signal.send(Sender)
    assert len(sends) == 1


def test_a_capture_may_choose_its_signals(testing, csignals, make):
    first, second, third = make(), make(), csignals.Signal()
    with testing.capture() as everything, testing.capture(first, third) as some:
        for signal in (first, second, third):
            signal.send(Sender)
    assert [send.signal for send in everything] == [first, second, third]
    assert [send.signal for send in some] == [first, third]


def test_a_capture_may_choose_its_sender(testing, make):
    signal, twins = make(), ([1], [1])
    with testing.capture(signal, sender=twins[0]) as chosen, testing.capture(signal, sender=None) as everything:
        for sender in (None, Sender, *twins):
            signal.send(sender)
    assert [send.sender for send in chosen] == [[1]] and chosen[0].sender is twins[0]
    assert len(everything) == 4


def test_a_bound_method_may_be_the_sender(testing, signal):
    class Shop:
        def sell(self):
            pass

    shop = Shop()
    with testing.capture(sender=shop.sell) as sends:
        signal.send(shop.sell)
        signal.send(Shop().sell)
        signal.send(shop)
    assert len(sends) == 1
    sends.assert_sent(signal, sender=shop.sell)


def test_captured_arguments_are_a_copy(testing, make):
    signal, named = make(), {"x": [1]}

    def change(x, **named):
        x.append(2)
        named["sender"] = named["y"] = None

    signal.connect(change)
    with testing.capture() as sends:
        signal.send(Sender, **named)
    named["x"] = None
    assert sends[0].named == {"x": [1, 2]}


def test_nested_sends_follow_the_outer_send(testing, make):
    """Receivers may read the log during the send."""
    outer, inner = make(), make()
    logs = []

    def nest(**named):
        logs.append([(send.signal, send.responses) for send in sends])
        inner.send(Sender)
        logs.append([(send.signal, send.responses) for send in sends])

    outer.connect(nest)
    with testing.capture() as sends:
        outer.send(Sender)
    assert logs == [[(outer, None)], [(outer, None), (inner, [])]]
    assert [send.signal for send in sends] == [outer, inner]


def test_a_failed_send_has_its_exception(testing, make):
    signal = connected(make(), one, fail)
    with testing.capture() as sends:
        with pytest.raises(ValueError, match="bad luck") as raised:
            signal.send(Sender)
        signal.send_robust(Sender)
    assert sends[0].exception is raised.value and sends[0].responses is None
    assert sends[1].exception is None
    assert [(receiver, str(response)) for receiver, response in sends[1].responses] == [
        (one, "one"),
        (fail, "bad luck"),
    ]


def test_sends_without_receivers_are_captured(testing, csignals, make):
    without, muted, elsewhere = make(), connected(make(), one), connected(make(), one, sender=Other)
    with testing.capture() as sends, csignals.mute(muted):
        assert without.send(Sender) == muted.send(Sender) == elsewhere.send(Sender) == []
    assert [(send.signal, send.responses) for send in sends] == [(without, []), (muted, []), (elsewhere, [])]


def test_a_capture_does_not_change_has_listeners(testing, make):
    signal, other = connected(make(), one, sender=Sender), make()
    with testing.capture(signal, other), testing.capture():
        assert signal.has_listeners(Sender)
        assert not signal.has_listeners(Other)
        assert not other.has_listeners(Sender)


def test_deliver_false_calls_no_receivers(testing, make):
    signal, other = connected(make(), one), connected(make(), one)
    with testing.capture(signal, deliver=False) as sends:
        assert signal.send(Sender, x=1) == signal.send_robust(Sender) == []
        assert not signal.has_listeners(Sender)
        assert other.send(Sender) == [(one, "one")]
    assert [(send.named, send.responses) for send in sends] == [({"x": 1}, []), ({}, [])]
    assert signal.send(Sender) == [(one, "one")]
    assert signal.has_listeners(Sender)


def test_deliver_false_affects_only_captured_senders(testing, make):
    signal = connected(make(), one)
    with testing.capture(sender=Sender, deliver=False) as sends:
        assert (signal.send(Sender), signal.send(Other)) == ([], [(one, "one")])
        assert (signal.has_listeners(Sender), signal.has_listeners(Other)) == (False, True)
    assert [send.sender for send in sends] == [Sender]


def test_deliver_false_and_mutes_end_separately(testing, csignals, make):
    signal = connected(make(), one)
    capture, mute = testing.capture(signal, deliver=False), csignals.mute(signal)
    with capture:
        with mute, csignals.mute(signal):
            pass
        assert signal.send(Sender) == []
        mute.__enter__()
    assert signal.send(Sender) == []
    mute.__exit__(None, None, None)
    assert signal.send(Sender) == [(one, "one")]


def test_captures_nest_and_overlap(testing, make):
    signal = connected(make(), one)
    first, second, silent = testing.capture(), testing.capture(signal), testing.capture(deliver=False)
    lists = [first.__enter__()]
    signal.send(1)
    lists += [second.__enter__(), silent.__enter__()]
    signal.send(2)
    first.__exit__(None, None, None)
    signal.send(3)
    silent.__exit__(None, None, None)
    signal.send(4)
    second.__exit__(None, None, None)
    signal.send(5)
    assert [[(send.sender, len(send.responses)) for send in sends] for sends in lists] == [
        [(1, 1), (2, 0)],
        [(2, 0), (3, 0), (4, 1)],
        [(2, 0), (3, 0)],
    ]


def test_a_capture_may_be_used_again(testing, signal):
    """It raises if it is entered while it is open."""
    capture = testing.capture()
    with capture as sends:
        with pytest.raises(RuntimeError, match="this capture is already open"):
            capture.__enter__()
        signal.send(Sender)
    with capture as again:
        signal.send(Sender)
        signal.send(Sender)
    assert (len(sends), len(again)) == (1, 2)


def test_an_exception_ends_the_capture(testing, make):
    signal = connected(make(), one)
    with pytest.raises(LookupError), testing.capture(deliver=False) as sends:
        raise LookupError
    assert signal.send(Sender) == [(one, "one")]
    assert sends == []


@pytest.mark.parametrize("deliver", [True, False])
def test_only_process_captures_see_other_threads(testing, make, deliver):
    signal = connected(make(), one)
    results = []

    def send():
        results.append((signal.send("thread"), signal.has_listeners("thread")))

    def in_thread(target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        thread.start()
        thread.join()

    with testing.capture(deliver=deliver) as in_context:
        with testing.capture(scope="process", deliver=deliver) as in_process:
            in_thread(send)
            in_thread(contextvars.copy_context().run, send)
            signal.send("here")
        in_thread(send)
    assert [send.sender for send in in_context] == ["thread", "here"]
    assert [send.sender for send in in_process] == ["thread", "thread", "here"]
    called = [(one, "one")], True
    assert results == [called if deliver else ([], False)] * 2 + [called]


def test_only_tasks_started_inside_are_captured(testing, make):
    signal = make()

    async def send(sender, gate):
        await gate.wait()
        signal.send(sender)

    async def main():
        gate = asyncio.Event()
        before = asyncio.create_task(send("before", gate))
        async with testing.capture() as sends:
            inside = asyncio.create_task(send("inside", gate))
            late = asyncio.create_task(send("late", asyncio.Event()))
            gate.set()
            await asyncio.gather(before, inside)
            await asyncio.to_thread(signal.send, "to_thread")
            signal.send("itself")
        late.cancel()
        await asyncio.create_task(send("after", gate))
        return [send.sender for send in sends]

    assert asyncio.run(main()) == ["inside", "to_thread", "itself"]


def test_a_capture_follows_asgiref_between_threads(testing, make):
    from asgiref.sync import async_to_sync, sync_to_async

    signal = make()

    async def main():
        await sync_to_async(signal.send)("in a thread")
        await sync_to_async(signal.send, thread_sensitive=False)("in another")

    with testing.capture() as sends:
        async_to_sync(main)()
    assert [send.sender for send in sends] == ["in a thread", "in another"]


def test_a_capture_may_close_in_another_context(testing, make):
    signal, capture = connected(make(), one), testing.capture(deliver=False)

    async def main():
        sends = capture.__enter__()
        assert signal.send(Sender) == []
        return sends

    sends = asyncio.run(main())
    assert signal.send(Sender) == [(one, "one")]
    capture.__exit__(None, None, None)
    assert len(sends) == 1


def test_a_sync_send_captures_async_responses(testing, csignals, drop_in):
    signals = [csignals.Signal(), django.dispatch.Signal()] if django.VERSION >= (5, 0) else [csignals.Signal()]
    for signal in signals:
        connected(signal, awaited, one)
        with testing.capture() as sends:
            responses = signal.send(Sender, x=1)
        assert sends[0].responses == responses == [(one, "one"), (awaited, "awaited")]


@pytest.fixture(params=["asend", "asend_robust"])
def asend(request):
    return lambda signal, *arguments, **named: getattr(signal, request.param)(*arguments, **named)


def test_async_sends_are_captured(testing, make_async, asend):
    signal, silent = connected(make_async(), one, awaited), make_async()

    async def main():
        async with testing.capture(signal, silent) as sends, testing.capture(silent, deliver=False):
            responses = await asend(signal, Sender, x=1)
            assert await asend(silent, Sender) == []
            connected(silent, one)
            assert await asend(silent, sender=Other) == []
        assert await asend(silent, Sender) == [(one, "one")]
        return sends, responses

    sends, responses = asyncio.run(main())
    assert details(sends) == [(signal, Sender, {"x": 1}), (silent, Sender, {}), (silent, Other, {})]
    assert sends[0].responses == responses == [(one, "one"), (awaited, "awaited")]
    assert sends[1].responses == sends[2].responses == []


def test_concurrent_async_sends_have_separate_outcomes(testing, make_async):
    signal, gate = make_async(), []

    async def receive(sender, **named):
        if sender == "waits":
            await gate[0].wait()
        if sender == "fails":
            raise ValueError
        return sender

    signal.connect(receive)

    async def main():
        gate.append(asyncio.Event())
        with testing.capture() as sends:
            tasks = [asyncio.create_task(signal.asend(sender)) for sender in ("waits", "returns", "fails", "waits")]
            await asyncio.wait(tasks[1:3])
            assert [(each.sender, each.responses is None, type(each.exception)) for each in sends] == [
                ("waits", True, type(None)),
                ("returns", False, type(None)),
                ("fails", True, ValueError),
                ("waits", True, type(None)),
            ]
            tasks[3].cancel()
            gate[0].set()
            await asyncio.wait(tasks)
        return sends

    sends = asyncio.run(main())
    assert sends[0].responses == [(receive, "waits")]
    assert (sends[3].responses, type(sends[3].exception)) == (None, asyncio.CancelledError)


def test_a_dropped_log_keeps_nothing_alive(testing, make):
    class Temporary:
        pass

    signal = connected(make(), fail)
    gone = []
    with testing.capture(), testing.capture() as sends:
        sender = Temporary()
        with pytest.raises(ValueError, match="bad luck"):
            signal.send(sender)
        weakref.finalize(sender, gone.append, True)
        del sender
        gc.collect()
        assert gone == []
    del sends
    gc.collect()
    assert gone == [True]


def test_objects_that_are_not_signals_raise(testing):
    for wrong in (None, "post_save", [], one, django.dispatch.Signal()):
        for function in (
            testing.capture,
            testing.assert_sent,
            testing.assert_not_sent,
            testing.CaptureLog().assert_sent,
        ):
            with pytest.raises(TypeError, match="is not a signal that csignals dispatches"):
                function(wrong)


def test_an_unknown_scope_raises(testing):
    with pytest.raises(ValueError, match="scope must be 'context' or 'process', not 'thread'"):
        testing.capture(scope="thread")


# --- In a project --------------------------------------------------------------------------------------------

PROJECT = """
import sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
import django
django.setup()

import csignals
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete
from csignals.testing import assert_not_sent, assert_sent, capture

call_command("migrate", verbosity=0)

with capture(post_save, sender=Group) as sends, assert_sent(post_save, sender=Group, created=True, times=1):
    group = Group.objects.create(name="one")
    Group.permissions.through.objects.count()
(send,) = sends.assert_sent(post_save, sender="auth.Group", instance=group, using="default")
sends.assert_not_sent(post_save, sender="auth.User")
assert send.named["instance"] is group and send.responses == [], send
assert not post_save.has_listeners(Group)

with capture(post_save, sender="auth.User") as others, capture(post_save, sender="auth.Group", deliver=False) as sends:
    group.save()
assert others == []
sends.assert_sent(post_save, created=False)

own_signal = csignals.Signal()
with capture(sender="auth.User") as others, capture(sender="auth.Group") as of_group, capture(sender="shop") as own:
    group.save()
    own_signal.send("shop")
assert others == [], others
of_group.assert_sent(post_save, instance=group, times=1)
assert [send.signal for send in own] == [own_signal], own

# Without receivers, Django deletes without a signal. A capture does not change that.
with capture(pre_delete, post_delete) as sends:
    assert not post_delete.has_listeners(Group)
    Group.objects.filter(name="nobody").delete()
    with assert_not_sent(post_save):
        group.delete()
try:
    capture(post_save, sender="auth.Missing")
except LookupError:
    pass
print(csignals.IMPLEMENTATION, [send.sender.__name__ for send in sends])

try:
    with assert_sent(post_save, sender=Group, created=False):
        Group.objects.create(name="two")
except AssertionError as error:
    print(error)
"""


def test_model_signals_are_captured_in_projects(implementation):
    done = run_python("-W", "error", "-c", PROJECT, implementation=implementation)
    assert done.stderr == ""
    first, head, *lines = done.stdout.splitlines()
    assert first == f"{implementation} ['Group', 'Group']"
    sender = "sender=<class 'django.contrib.auth.models.Group'>"
    assert head == f"django.db.models.signals.post_save({sender}, created=False) was not sent. Captured sends:"
    assert len([line for line in lines if "created=True (not False)" in line and "instance=<Group: two>" in line]) == 1
