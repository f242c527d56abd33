"""Deferred receivers on the sender's and the worker's side, with a task backend that is a list."""

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

from tests.deferred.box import Box
from tests.helpers.implementations import in_place, load
from tests.helpers.interpreter import run_python


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
def shop(csignals, deferred, monkeypatch):
    """Return a module with a signal and undecorated functions."""
    module = type(sys)("shop_of_test")
    monkeypatch.setitem(sys.modules, "shop_of_test", module)
    module.signal, module.calls = csignals.Signal(), []
    exec(MODULE, vars(module))
    return module


def test_a_send_defers_the_call(deferred, box, shop, run_all):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver, sender=shop.Sender)
    for method in shop.signal.send, shop.signal.send_robust:
        assert method(shop.Sender, total=1, x=object()) == [(receiver, None)]
    assert asyncio.run(shop.signal.asend(shop.Sender, total=2, currency="USD")) == [(receiver, None)]
    assert shop.calls == []
    run_all()
    signal = {"signal": shop.signal}
    assert shop.calls == [
        (shop.Sender, 1, "EUR", signal),
        (shop.Sender, 1, "EUR", signal),
        (shop.Sender, 2, "USD", signal),
    ]


def test_kwargs_receivers_get_all_arguments_that_travel(deferred, box, shop, run_all):
    receiver = deferred.deferred(shop.receive_all)
    shop.signal.connect(receiver)
    in_itself = []
    in_itself.append(in_itself)
    shop.signal.send(
        "a sender", a=1, request=object(), b=[datetime.date(2026, 1, 1)], c=[object()], d=in_itself, e=10**5000
    )
    run_all()
    assert shop.calls == [{"signal": shop.signal, "sender": "a sender", "a": 1, "b": [datetime.date(2026, 1, 1)]}]


def test_async_receivers_and_static_methods_run(deferred, box, shop, run_all):
    later = deferred.deferred(shop.later)
    owners = deferred.deferred(shop.Owner.receive)
    for receiver in later, owners:
        shop.signal.connect(receiver)
    assert shop.signal.send(None, total=3) == [(later, None), (owners, None)]
    run_all()
    assert shop.calls == [("later", 3), ("owner", 3)]


def test_a_replaced_receiver_raises_at_the_send(deferred, box, shop):
    first = deferred.deferred(shop.receive_all)
    shop.signal.connect(first)
    exec(MODULE, vars(shop))  # as when a module is reloaded
    second = deferred.deferred(shop.receive_all)
    with pytest.raises(TypeError, match="another deferred receiver is now called shop_of_test:receive_all"):
        shop.signal.send(None)
    shop.signal.disconnect(first)
    shop.signal.connect(second)
    shop.signal.send(None)
    assert len(box.messages) == 1


def test_only_workers_await_marked_receivers(deferred, box, shop, run_all):
    shop.marked = markcoroutinefunction(eval("lambda **named: later(None, named['total'])", vars(shop)))
    shop.marked.__qualname__ = "marked"
    receiver = deferred.deferred(shop.marked)
    shop.signal.connect(receiver)
    assert asyncio.run(shop.signal.asend(None, total=1)) == [(receiver, None)]
    run_all()
    assert shop.calls == [("later", 1)]


def test_exceptions_of_receivers_reach_the_backend(deferred, box, shop):
    receiver = deferred.deferred(shop.fails)
    shop.signal.connect(receiver)
    shop.signal.send(None)
    with pytest.raises(ZeroDivisionError):
        deferred.run(box.messages[0])


def test_a_send_names_arguments_that_cannot_travel(deferred, box, shop):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    with pytest.raises(TypeError, match=r"the argument 'total' .* shop_of_test:receive: object .*register_type\(\)"):
        shop.signal.send(None, total=object())
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


def test_the_decorator_rejects_unreachable_receivers(deferred, shop):
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
    with pytest.raises(ValueError, match="'drop', 'none' or 'raise', not 'ignore'"):
        deferred.deferred(missing="ignore")(shop.receive)


def test_options_reach_the_backend_in_seconds(deferred, box, shop):
    minute = datetime.timedelta(minutes=1)
    receiver = deferred.deferred(queue="mail", priority=3, delay=90, retries=2, expires=minute)(shop.receive_all)
    shop.signal.connect(receiver)
    shop.signal.send(None)
    shop.signal.send(None)
    assert box.prepared == [deferred.Options(queue="mail", priority=3, delay=90, retries=2, expires=60.0)]


def test_the_receiver_or_configuration_chooses_the_backend(deferred, shop, monkeypatch):
    own, other = Box(), Box()
    for receiver in deferred.deferred(backend=own)(shop.receive), deferred.deferred(shop.receive_all):
        shop.signal.connect(receiver, weak=False)
    with pytest.raises(LookupError, match=r"configure\(\)"):
        shop.signal.send(None, total=1)
    assert len(own.messages) == 1
    deferred.configure(other)
    shop.signal.send(None, total=1)
    assert (len(own.messages), len(other.messages)) == (2, 1)
    shop.Backend = Box
    deferred.configure("shop_of_test.Backend")
    shop.signal.send(None, total=1)
    assert (len(own.messages), len(other.messages)) == (3, 1)
    for wrong in "celeri", 1, object, "shop_of_test.Sender":
        with pytest.raises(TypeError, match="is not a task backend"):
            deferred.configure(wrong)
    with pytest.raises(ImportError):
        deferred.configure("no_such_module.Backend")


def test_backend_errors_reach_the_sender(deferred, shop):
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
    "not a string": 1,
    "bytes": b"{}",
    "none": None,
    "empty": "",
    "not JSON": "{",
    "a list": "[]",
    "a number": "1",
    "not a number": '{"csignals": NaN}',
    "another version": message(csignals=2),
    "no version": message(csignals=...),
    "an unknown receiver": message(receiver="shop_of_test:nobody"),
    "an undeclared receiver": message(receiver="shop_of_test:receive_all"),
    "os.system": message(receiver="os:system"),
    "a list of receivers": message(receiver=["shop_of_test:receive"]),
    "no receiver": message(receiver=...),
    "an unknown signal": message(signal={"$": "signal", "v": "shop_of_test:nothing"}),
    "a class as signal": message(signal={"$": "signal", "v": "shop_of_test:Sender"}),
    "a number as signal": message(signal=1),
    "none as signal": message(signal=None),
    "no signal": message(signal=...),
    "no sender": message(sender=...),
    "a malformed sender": message(sender={"$": "class", "v": 1}),
    "arguments in a list": message(named=["total"]),
    "no arguments": message(named=...),
    "another signal": message(named={"signal": 2}),
    "no required argument": message(named={"x": 1}),
    "a name as UUID": message(named={"total": {"$": "UUID", "v": "x"}}),
    "a number as UUID": message(named={"total": {"$": "UUID", "v": 1}}),
    "no such zone": message(named={"total": {"$": "time", "v": ["12:00", "../passwd", 0]}}),
    "deep": DEEP,
    "deep inside": message().replace("1}", DEEP + "}"),
    "a huge number": message().replace("1}", "9" * 10**6 + "}"),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_messages_are_rejected(deferred, shop, hostile):
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
def test_every_message_runs_or_is_rejected(deferred, shop, signal, sender, named):
    deferred.deferred(shop.receive)
    changes = {"sender": sender, "named": named}
    with contextlib.suppress(deferred.MessageRejected):
        deferred.run(message(**changes, signal=signal))
    assert shop.calls == []  # no generated value is a signal
    with contextlib.suppress(deferred.MessageRejected):
        deferred.run(message(**changes))
        assert len(shop.calls) == 1
    shop.calls.clear()


@pytest.mark.parametrize("encoded", [("row", ["a.B", 1, None]), ("model", "a.B"), ("app", "a")])
def test_rows_are_rejected_without_django(implementation, encoded):
    changes = {"receiver": "shop:receive", "signal": {"$": "signal", "v": "shop:signal"}}
    sent = message(**changes, named={"total": {"$": encoded[0], "v": encoded[1]}})
    code = f"""
import sys, types
from csignals import Signal
from csignals.deferred import MessageRejected, deferred, run
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal = Signal()
exec("def receive(total, **named): pass", vars(shop))
deferred(shop.receive)
try:
    run({sent!r})
except MessageRejected as error:
    print(error, "django" in sys.modules)
"""
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout == "rejected a message: Django's models are not loaded here False\n", done.stderr


def test_unknown_arguments_are_left_out(deferred, shop):
    """The message may come from another release of the project."""
    deferred.deferred(shop.receive)
    deferred.run(message(named={"total": 1, "sender": 2, "signal": 3, "x": {"$": "of later"}}))
    deferred.deferred(shop.receive_all)
    deferred.run(message(named={"total": 1, "sender": 2}, receiver="shop_of_test:receive_all"))
    signal = {"signal": shop.signal}
    assert shop.calls == [(None, 1, "EUR", signal), {"total": 1, "sender": None, **signal}]


def test_the_unchanged_message_is_accepted(deferred, shop):
    """The hostile messages are therefore rejected for their changes."""
    deferred.deferred(shop.receive)
    deferred.run(message())
    assert shop.calls == [(None, 1, "EUR", {"signal": shop.signal})]


def test_scopes_and_lists_include_deferred_receivers(deferred, csignals, implementation, box, shop, run_all):
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
        run_all()
    (ran,) = trace.records
    assert enqueued.receiver == ran.receiver == "shop_of_test.receive"
    assert enqueued.send.signal is ran.send.signal is shop.signal
    with in_place(implementation):
        (info,) = csignals.list_receivers(shop.signal)
    assert (info.receiver, info.runs) == ("shop_of_test.receive", "deferred")
    assert "sync, deferred" in str(info)


def test_inline_deferred_calls_receivers_immediately(deferred, implementation, shop):
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


def test_inline_scopes_end_in_any_order(deferred, box, implementation, shop):
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


def test_annotations_may_be_undefined_names(deferred, box, shop):
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


def test_a_mutable_sender_is_encoded_again(deferred, box, shop, run_all):
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    sender = [1]
    shop.signal.send(sender)
    sender.append(2)
    shop.signal.send(sender)
    run_all()
    assert [each["sender"] for each in shop.calls] == [[1], [1, 2]]


def test_a_registered_type_travels_to_workers(deferred, box, shop, implementation, monkeypatch, run_all):
    codec = load(implementation, "csignals.deferred.codec")
    monkeypatch.setattr(codec, "_registered", dict(codec._registered))
    monkeypatch.setattr(codec, "_by_tag", dict(codec._by_tag))
    shop.Money = type("Money", (), {"__module__": "shop_of_test"})
    deferred.register_type(shop.Money, lambda money: [money.amount], lambda encoded: encoded[0])
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    money = shop.Money()
    money.amount = 7
    shop.signal.send(None, total=money)
    run_all()
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


def test_importing_deferred_imports_no_backend(implementation):
    code = "import sys, csignals.deferred; print({'celery', 'django', 'django_tasks', 'kombu'} & sys.modules.keys())"
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout == "set()\n", done.stderr


class Sending(Box):
    """Sends signals while it takes a message, as Django's task backends do, and may call the receiver."""

    def __init__(self, signal, run=None):
        super().__init__()
        self.signal, self.run = signal, run

    def enqueue(self, message, prepared):
        super().enqueue(message, prepared)
        self.signal.send("the backend", total=2)
        if self.run is not None:
            self.run(message)


def test_a_task_backend_may_send_signals(deferred, shop, caplog):
    deferred.configure(backend := Sending(shop.signal))
    receivers = [deferred.deferred(shop.receive), deferred.deferred(shop.receive_all)]
    for receiver in receivers:
        shop.signal.connect(receiver)
    for _ in range(2):
        shop.signal.send(None, total=1)
    for message in backend.messages:
        deferred.run(message)
    assert [call[1] for call in shop.calls[::2]] == [1, 1]
    assert [call["total"] for call in shop.calls[1::2]] == [1, 1]
    assert sorted(record.message for record in caplog.records) == [
        f"shop_of_test:{name} is not called for what its task backend sends" for name in ("receive", "receive_all")
    ]


def test_receivers_that_the_backend_calls_may_send(deferred, csignals, shop):
    deferred.configure(backend := Sending(csignals.Signal(), deferred.run))
    shop.other = csignals.Signal()
    exec("def sends(sender, total, **named): other.send(None, total=total + 1)", vars(shop))
    outer, inner = deferred.deferred(shop.sends), deferred.deferred(shop.receive)
    shop.signal.connect(outer)
    shop.other.connect(inner)
    shop.signal.send(None, total=1)
    assert len(backend.messages) == 2
    assert [call[1] for call in shop.calls] == [2]


def test_successful_messages_are_not_logged(deferred, box, shop, caplog, run_all):
    receiver = deferred.deferred(shop.receive)
    shop.signal.connect(receiver)
    with caplog.at_level(logging.DEBUG):
        shop.signal.send(None, total=1)
        run_all()
    assert [record for record in caplog.records if record.name.startswith("csignals")] == []


@pytest.mark.parametrize("recorded", [False, True])
def test_arguments_may_have_any_name(csignals, deferred, box, shop, run_all, recorded):
    exec("def names(record, function, call, **named): calls.append((record, function, call))", vars(shop))
    shop.signal.connect(deferred.deferred(shop.names), weak=False)
    shop.signal.send(None, record=1, function=2, call=3)
    with csignals.trace() if recorded else contextlib.nullcontext():
        run_all()
    assert shop.calls == [(1, 2, 3)]


def test_sends_import_no_django(implementation):
    code = """
import sys, types
from csignals import Signal
from csignals.deferred import configure, deferred

class Backend:
    def prepare(self, options): pass
    def enqueue(self, message, prepared): print("enqueued")

configure(Backend())
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal = Signal()
exec("def receive(total, **named): pass", vars(shop))
shop.signal.connect(receiver := deferred(shop.receive))
shop.signal.send(None, total=1)
print("django" in sys.modules)
"""
    done = run_python("-c", code, implementation=implementation)
    assert done.stdout == "enqueued\nFalse\n", done.stderr
