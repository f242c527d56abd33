"""Deferred receivers at both ends, with an engine that is a list: what is refused, what travels, and who is called."""

import asyncio
import contextlib
import datetime
import functools
import json
import logging
import sys

import pytest
from asgiref.sync import markcoroutinefunction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.implementations import in_place, load
from tests.helpers.interpreter import run_python


class Box:
    """An engine that keeps what it is given."""

    def __init__(self):
        self.prepared, self.messages = [], []

    def prepare(self, options):
        self.prepared.append(options)
        return options

    def enqueue(self, message, prepared):
        assert prepared is self.prepared[-1]
        self.messages.append(message)


class Broken(Box):
    def enqueue(self, message, prepared):
        raise ConnectionError("the broker is down")


MODULE = """
import asyncio

def receive(sender, total, *, currency="EUR", **named):
    calls.append((sender, total, currency, named))

def receive_all(**named):
    calls.append(named)

def fails(signal, sender, **named):
    raise ZeroDivisionError

async def later(sender, total, **named):
    await asyncio.sleep(0)
    calls.append(("later", total))

class Sender:
    pass

class Owner:
    @staticmethod
    def receive(total, **named):
        calls.append(("owner", total))
"""


@pytest.fixture
def deferred(implementation):
    module = load(implementation, "csignals.deferred")
    declared = dict(module._declared)
    yield module
    module.configure(None)
    module._declared.clear()
    module._declared.update(declared)


@pytest.fixture
def box(deferred):
    box = Box()
    deferred.configure(box)
    return box


@pytest.fixture
def shop(csignals, deferred, monkeypatch):
    """A module, with a signal and functions that are not decorated yet."""
    module = type(sys)("shop_of_test")
    monkeypatch.setitem(sys.modules, "shop_of_test", module)
    module.signal, module.calls = csignals.Signal(), []
    exec(MODULE, vars(module))
    return module


def run_all(deferred, box):
    messages, box.messages = box.messages, []
    for message in messages:
        deferred.run(message)


def test_a_send_returns_at_once_and_a_worker_calls(deferred, box, shop):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver, sender=shop.Sender)
    for method in shop.signal.send, shop.signal.send_robust:
        assert method(shop.Sender, total=1, x=object()) == [(receiver, None)]
    assert asyncio.run(shop.signal.asend(shop.Sender, total=2, currency="USD")) == [(receiver, None)]
    assert shop.calls == []
    run_all(deferred, box)
    signal = {"signal": shop.signal}
    assert shop.calls == [
        (shop.Sender, 1, "EUR", signal),
        (shop.Sender, 1, "EUR", signal),
        (shop.Sender, 2, "USD", signal),
    ]


def test_a_receiver_that_names_nothing_gets_what_can_travel(deferred, box, shop):
    receiver = deferred.deferred(shop.receive_all)
    shop.signal.connect(receiver)
    in_itself = []
    in_itself.append(in_itself)
    shop.signal.send(
        "a sender", a=1, request=object(), b=[datetime.date(2026, 1, 1)], c=[object()], d=in_itself, e=10**5000
    )
    run_all(deferred, box)
    assert shop.calls == [{"signal": shop.signal, "sender": "a sender", "a": 1, "b": [datetime.date(2026, 1, 1)]}]


def test_async_receivers_and_static_methods(deferred, box, shop):
    later = deferred.deferred(shop.later)
    owners = deferred.deferred(shop.Owner.receive)
    for receiver in later, owners:
        shop.signal.connect(receiver)
    assert shop.signal.send(None, total=3) == [(later, None), (owners, None)]
    run_all(deferred, box)
    assert shop.calls == [("later", 3), ("owner", 3)]


def test_of_two_of_one_name_the_first_is_refused_at_the_send(deferred, box, shop):
    first = deferred.deferred(shop.receive_all)
    shop.signal.connect(first)
    exec(MODULE, vars(shop))  # as for a module that is loaded again
    second = deferred.deferred(shop.receive_all)
    with pytest.raises(TypeError, match="another deferred receiver is now called shop_of_test:receive_all"):
        shop.signal.send(None)
    shop.signal.disconnect(first)
    shop.signal.connect(second)
    shop.signal.send(None)
    assert len(box.messages) == 1


def test_what_is_marked_as_async_is_awaited_by_the_worker_only(deferred, box, shop):
    shop.marked = markcoroutinefunction(eval("lambda **named: later(None, named['total'])", vars(shop)))
    shop.marked.__qualname__ = "marked"
    receiver = deferred.deferred(shop.marked)
    shop.signal.connect(receiver)
    assert asyncio.run(shop.signal.asend(None, total=1)) == [(receiver, None)]
    run_all(deferred, box)
    assert shop.calls == [("later", 1)]


def test_what_the_receiver_raises_the_engine_gets(deferred, box, shop):
    receiver = deferred.deferred(shop.fails)
    shop.signal.connect(receiver)
    shop.signal.send(None)
    with pytest.raises(ZeroDivisionError):
        deferred.run(box.messages[0])


def test_what_cannot_travel_is_named_at_the_send(deferred, box, shop):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    with pytest.raises(TypeError, match=r"the argument 'total' .* shop_of_test:receive: object .*register_type\(\)"):
        shop.signal.send(None, total=object())
    with pytest.raises(TypeError, match=r"the sender cannot travel .* Connect it for the senders that can"):
        shop.signal.send(object(), total=1)
    with pytest.raises(TypeError, match="missing the argument 'total'"):
        shop.signal.send(None)
    in_itself = []
    in_itself.append(in_itself)
    with pytest.raises(TypeError, match=r"the argument 'total' .*in itself"):
        shop.signal.send(None, total=in_itself)
    with pytest.raises(TypeError, match=r"the argument 'total' .*thousands of digits"):
        shop.signal.send(None, total=10**5000)
    hidden = type(shop.signal)()
    hidden.connect(receiver)
    with pytest.raises(TypeError, match=r"the signal cannot travel .* Make it a global of a module"):
        hidden.send(None, total=1)
    ((_, response),) = shop.signal.send_robust(None, total=object())
    assert isinstance(response, TypeError)
    assert box.messages == []


def test_what_a_worker_could_not_find_is_refused_when_decorated(deferred, shop):
    def local(**named):
        pass

    class Callable:
        def __call__(self, **named):
            pass

        def method(self, **named):
            pass

    in_main = type(local)(shop.receive.__code__, {"__name__": "__main__"}, "receive")  # pyright: ignore[reportCallIssue]
    in_main.__module__, in_main.__qualname__ = "__main__", "receive"
    for receiver in [
        lambda **named: None,
        local,
        Callable(),
        Callable().method,
        functools.partial(shop.receive),
        Callable,
        print,
        staticmethod(shop.receive),
        in_main,
        None.__class__,
        1,
    ]:
        with pytest.raises(TypeError):
            deferred.deferred(receiver)
    with pytest.raises(TypeError, match="positional"):
        shop.positional = eval("lambda sender, /, **named: None", vars(shop))
        shop.positional.__qualname__ = "positional"
        deferred.deferred(shop.positional)
    for code, why in (
        ("lambda sender: None", "kwargs"),
        ("lambda self, **named: None", "method"),
        ("lambda cls, **named: None", "method"),
    ):
        shop.wrong = eval(code, vars(shop))
        shop.wrong.__qualname__ = "wrong"
        with pytest.raises(TypeError, match=why):
            deferred.deferred(shop.wrong)
    with pytest.raises(TypeError, match="'celeri' is not a task backend"):
        deferred.deferred(backend="celeri")(shop.receive)
    with pytest.raises(ValueError, match="'drop' or 'raise', not 'ignore'"):
        deferred.deferred(missing="ignore")(shop.receive)


def test_options_reach_the_engine_in_seconds(deferred, box, shop):
    minute = datetime.timedelta(minutes=1)
    receiver = deferred.deferred(queue="mail", priority=3, delay=90, retries=2, expires=minute)(shop.receive_all)
    shop.signal.connect(receiver)
    shop.signal.send(None)
    shop.signal.send(None)
    assert box.prepared == [deferred.Options(queue="mail", priority=3, delay=90, retries=2, expires=60.0)]


def test_which_engine(deferred, shop, monkeypatch):
    own, other = Box(), Box()
    for receiver in deferred.deferred(backend=own)(shop.receive), deferred.deferred(shop.receive_all):
        shop.signal.connect(receiver, weak=False)
    with pytest.raises(LookupError, match=r"configure\(\)"):
        shop.signal.send(None, total=1)
    assert len(own.messages) == 1
    deferred.configure(other)
    shop.signal.send(None, total=1)
    assert (len(own.messages), len(other.messages)) == (2, 1)
    shop.Engine = Box
    deferred.configure("shop_of_test.Engine")
    shop.signal.send(None, total=1)
    assert (len(own.messages), len(other.messages)) == (3, 1)
    for wrong in "celeri", 1, object, "shop_of_test.Sender":
        with pytest.raises(TypeError, match="is not a task backend"):
            deferred.configure(wrong)
    with pytest.raises(ImportError):
        deferred.configure("no_such_module.Engine")


def test_an_engine_that_fails_is_heard_of_at_the_sender(deferred, shop):
    deferred.configure(Broken())
    receiver = deferred.deferred(shop.receive_all)
    shop.signal.connect(receiver)
    with pytest.raises(ConnectionError):
        shop.signal.send(None)
    ((_, response),) = shop.signal.send_robust(None)
    assert isinstance(response, ConnectionError)


def message(**changes):
    signal = {"$": "signal", "v": "shop_of_test:signal"}
    named = {"total": 1}
    content = {"csignals": 1, "receiver": "shop_of_test:receive", "signal": signal, "sender": None, "named": named}
    content.update(changes)
    return json.dumps({key: value for key, value in content.items() if value is not ...})


DEEP = "[" * 500_000 + "]" * 500_000
HOSTILE = {
    "no string": 1,
    "bytes": b"{}",
    "none": None,
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": "1",
    "not a number": '{"csignals": NaN}',
    "another version": message(csignals=2),
    "no version": message(csignals=...),
    "an unknown receiver": message(receiver="shop_of_test:nobody"),
    "what is not declared": message(receiver="shop_of_test:receive_all"),
    "os.system": message(receiver="os:system"),
    "a list of receivers": message(receiver=["shop_of_test:receive"]),
    "no receiver": message(receiver=...),
    "an unknown signal": message(signal={"$": "signal", "v": "shop_of_test:nothing"}),
    "a class as signal": message(signal={"$": "signal", "v": "shop_of_test:Sender"}),
    "a number as signal": message(signal=1),
    "no signal at all": message(signal=None),
    "no signal": message(signal=...),
    "no sender": message(sender=...),
    "an unloaded sender": message(sender={"$": "class", "v": "antigravity:Sender"}),
    "arguments in a list": message(named=["total"]),
    "no arguments": message(named=...),
    "another signal": message(named={"signal": 2}),
    "none that it takes": message(named={"x": 1}),
    "a name as UUID": message(named={"total": {"$": "UUID", "v": "x"}}),
    "a number as UUID": message(named={"total": {"$": "UUID", "v": 1}}),
    "no such zone": message(named={"total": {"$": "time", "v": ["12:00", "../passwd", 0]}}),
    "deep": DEEP,
    "deep inside": message().replace("1}", DEEP + "}"),
    "a huge number": message().replace("1}", "9" * 10**6 + "}"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_messages_are_refused(deferred, shop, hostile):
    deferred.deferred(shop.receive)
    with pytest.raises(deferred.MessageRejected):
        deferred.run(HOSTILE[hostile])
    assert shop.calls == []


TAGS = [
    "row",
    "model",
    "app",
    "class",
    "signal",
    "datetime",
    "date",
    "time",
    "timedelta",
    "Decimal",
    "UUID",
    "float",
    "dict",
    "tuple",
    "set",
    "frozenset",
]
KNOWN = ["os:system", "shop_of_test:Sender", "shop.Order", "1E+9", "nan", "12:00", "Europe/Berlin"]
TEXTS = st.sampled_from(KNOWN) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inside: (
        st.lists(inside)
        | st.dictionaries(st.text(), inside)
        | st.fixed_dictionaries({"$": st.sampled_from(TAGS) | inside, "v": inside})
    ),
)


@pytest.mark.slow
@settings(max_examples=100, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(VALUES, VALUES, st.dictionaries(st.sampled_from(["total", "currency", "more"]), VALUES))
def test_whatever_a_message_says_it_is_refused_or_run(deferred, shop, signal, sender, named):
    deferred.deferred(shop.receive)
    changes = {"sender": sender, "named": named}
    with contextlib.suppress(deferred.MessageRejected):
        deferred.run(message(**changes, signal=signal))
    assert shop.calls == []  # no signal is made up
    with contextlib.suppress(deferred.MessageRejected):
        deferred.run(message(**changes))
        assert len(shop.calls) == 1
    shop.calls.clear()


@pytest.mark.parametrize("reference", [("row", ["a.B", 1, None]), ("model", "a.B"), ("app", "a")])
def test_without_django_there_are_no_rows(implementation, reference):
    changes = {"receiver": "shop:receive", "signal": {"$": "signal", "v": "shop:signal"}}
    sent = message(**changes, named={"total": {"$": reference[0], "v": reference[1]}})
    code = f"""
import sys, types
from csignals import Signal
from csignals.deferred import MessageRejected, deferred, run
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal = Signal()
exec("def receive(**named): pass", vars(shop))
deferred(shop.receive)
try:
    run({sent!r})
except MessageRejected as error:
    print(error, "django" in sys.modules)
"""
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout == "rejected a message: Django's models are not loaded here False\n", done.stderr


def test_what_it_does_not_take_is_left_out_as_of_another_release(deferred, shop):
    deferred.deferred(shop.receive)
    deferred.run(message(named={"total": 1, "sender": 2, "signal": 3, "x": {"$": "of later"}}))
    deferred.deferred(shop.receive_all)
    deferred.run(message(named={"total": 1, "sender": 2}, receiver="shop_of_test:receive_all"))
    signal = {"signal": shop.signal}
    assert shop.calls == [(None, 1, "EUR", signal), {"total": 1, "sender": None, **signal}]


def test_these_messages_would_be_run_but_for_what_is_wrong(deferred, shop):
    deferred.deferred(shop.receive)
    deferred.run(message())
    assert shop.calls == [(None, 1, "EUR", {"signal": shop.signal})]


def test_what_is_in_force_sees_them(deferred, csignals, implementation, box, shop):
    testing = load(implementation, "csignals.testing")
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    with csignals.mute(receivers=receiver):
        assert shop.signal.send(None, total=1) == []
    assert box.messages == []
    with testing.capture(shop.signal) as sends, csignals.trace() as trace:
        shop.signal.send(None, total=1)
    assert sends[0].responses == [(receiver, None)]
    (enqueued,) = trace.records
    with csignals.trace() as trace:
        run_all(deferred, box)
    (ran,) = trace.records
    assert enqueued.receiver == ran.receiver == "shop_of_test.receive"
    assert enqueued.send.signal is ran.send.signal is shop.signal
    with in_place(implementation):
        (info,) = csignals.list_receivers(shop.signal)
    assert (info.receiver, info.runs) == ("shop_of_test.receive", "deferred")
    assert "sync, deferred" in str(info)


def test_inline(deferred, implementation, shop):
    testing = load(implementation, "csignals.testing")
    receiver = deferred.deferred(queue="mail", backend=Broken())(shop.receive)
    shop.signal.connect(receiver)
    with in_place(implementation), testing.inline_deferred():
        assert shop.signal.send(None, total=datetime.date(2026, 1, 1)) == [(receiver, None)]
        with pytest.raises(TypeError, match="cannot travel"):
            shop.signal.send(None, total=object())
    assert shop.calls == [(None, datetime.date(2026, 1, 1), "EUR", {"signal": shop.signal})]
    with pytest.raises(ConnectionError):
        shop.signal.send(None, total=1)


def test_inline_blocks_end_in_any_order(deferred, box, implementation, shop):
    testing = load(implementation, "csignals.testing")
    shop.signal.connect(deferred.deferred(shop.receive), weak=False)
    one, other = testing.inline_deferred(), testing.inline_deferred()
    with in_place(implementation):
        for step in one.__enter__, other.__enter__, lambda: one.__exit__(None, None, None):
            step()
        shop.signal.send(None, total=1)
        other.__exit__(None, None, None)
        shop.signal.send(None, total=2)
    assert [total for _, total, *_ in shop.calls] == [1]
    assert len(box.messages) == 1


def test_annotations_may_name_what_is_not_there_yet(deferred, box, shop):
    annotation = "Later" if sys.version_info >= (3, 14) else "'Later'"
    exec(f"def of_later(sender, total: {annotation}, **named): pass", vars(shop))
    receiver = deferred.deferred(shop.of_later)
    shop.signal.connect(receiver)
    shop.signal.send(None, total=1)
    assert len(box.messages) == 1


def test_one_function_may_be_declared_twice(deferred, box, shop):
    for queue in "a", "b":
        shop.signal.connect(deferred.deferred(queue=queue)(shop.receive), weak=False)
    box.enqueue = lambda message, options: box.messages.append(options.queue)
    shop.signal.send(None, total=1)
    assert box.messages == ["a", "b"]
    with pytest.raises(TypeError, match="with another missing="):
        deferred.deferred(missing="raise")(shop.receive)


def test_a_sender_may_change_between_sends(deferred, box, shop):
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    sender = [1]
    shop.signal.send(sender)
    sender.append(2)
    shop.signal.send(sender)
    run_all(deferred, box)
    assert [each["sender"] for each in shop.calls] == [[1], [1, 2]]


def test_a_class_that_is_taught_travels(deferred, box, shop, implementation, monkeypatch):
    references = load(implementation, "csignals.deferred.codec")
    monkeypatch.setattr(references, "_registered", dict(references._registered))
    monkeypatch.setattr(references, "_by_tag", dict(references._by_tag))
    shop.Money = type("Money", (), {"__module__": "shop_of_test"})
    deferred.register_type(shop.Money, lambda money: [money.amount], lambda encoded: encoded[0])
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    money = shop.Money()
    money.amount = 7
    shop.signal.send(None, total=money)
    run_all(deferred, box)
    assert shop.calls[0][1] == 7
    for cls in datetime.datetime, str, list:
        with pytest.raises(TypeError, match="travels by value"):
            deferred.register_type(cls, str, str)
    deferred.register_type(shop.Sender, lambda sender: 1 // 0, str)
    shop.signal.disconnect(receiver)
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    with pytest.raises(ZeroDivisionError):
        shop.signal.send(None, total=shop.Sender())
    with pytest.raises(TypeError, match="takes a class"):
        deferred.register_type(1, str, str)
    with pytest.raises(TypeError):
        deferred.register_type(type("Local", (), {"__qualname__": "f.<locals>.Local"}), str, str)


def test_importing_it_imports_no_engine_and_no_django(implementation):
    code = "import sys, csignals.deferred; print({'celery', 'django', 'django_tasks', 'kombu'} & sys.modules.keys())"
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout == "set()\n", done.stderr


def test_the_logger_hears_nothing_of_what_goes_well(deferred, box, shop, caplog):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    with caplog.at_level(logging.DEBUG):
        shop.signal.send(None, total=1)
        run_all(deferred, box)
    assert [record for record in caplog.records if record.name.startswith("csignals")] == []
