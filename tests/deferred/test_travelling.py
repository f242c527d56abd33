"""Senders and arguments that cannot travel: which are left out, which are None, and what is logged once."""

import io
import json
import logging
import sys
import types

import pytest

MODULE = """
import decimal
from elsewhere import Imported

class Sender:
    pass

def receive(sender, total, note="none", **named):
    calls.append((sender, total, note))

def receive_all(sender, **named):
    calls.append((sender, {name: named[name] for name in named if name != "signal"}))
"""


@pytest.fixture
def shop(csignals, deferred, box, monkeypatch):
    """Return a module that imports another one, and a third module that nothing imports."""
    modules = {
        name: types.ModuleType(name) for name in ("shop_of_test", "elsewhere", "unimported", "shop_of_test.views")
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in "elsewhere", "unimported", "shop_of_test.views":
        exec("class Imported: pass", vars(modules[name]))
    shop = modules["shop_of_test"]
    shop.signal, shop.calls = csignals.Signal(), []
    shop.views = modules["shop_of_test.views"]  # as an import of it by any other module does
    exec(MODULE, vars(shop))
    return shop


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "csignals.deferred"]


@pytest.mark.parametrize(
    "sender",
    [type(None), type(...), types.FunctionType, types.ModuleType, types.GeneratorType, int, type, dict],
    ids=lambda sender: sender.__name__,
)
def test_classes_of_the_language_travel(deferred, shop, caplog, sender, run_all):
    shop.signal.connect(deferred.deferred(shop.receive), weak=False)
    shop.signal.send(sender, total=sender)
    run_all()
    assert shop.calls == [(sender, sender, "none")]
    assert warnings(caplog) == []


def test_imported_classes_travel(deferred, shop, caplog, run_all):
    shop.signal.connect(deferred.deferred(shop.receive), weak=False)
    for cls in shop.Sender, sys.modules["elsewhere"].Imported, shop.decimal.Decimal:
        shop.signal.send(cls, total=cls)
    run_all()
    assert [each[0] is each[1] for each in shop.calls] == [True] * 3
    assert warnings(caplog) == []


def test_other_senders_arrive_as_none(deferred, shop, caplog, run_all):
    """Also those that this process could find, as a worker may not have their module."""

    class Local:
        pass

    shop.signal.connect(deferred.deferred(shop.receive), weak=False)
    senders = [object(), Local, Local(), io.StringIO(), sys.modules["unimported"].Imported, shop.views.Imported]
    for _ in range(2):
        for sender in senders:
            shop.signal.send(sender, total=1)
    run_all()
    assert shop.calls == [(None, 1, "none")] * 2 * len(senders)
    found = warnings(caplog)
    assert len(found) == 5  # once for the class Local and its instance
    assert all("shop_of_test:receive is called with None as the sender: " in each for each in found)
    assert "may not have loaded the module unimported" in found[-2]


def test_each_receiver_logs_for_itself(deferred, shop, caplog):
    for receiver in shop.receive, shop.receive_all:
        shop.signal.connect(deferred.deferred(receiver), weak=False)
    for _ in range(3):
        shop.signal.send(object(), total=1)
    assert len(warnings(caplog)) == 2


def test_arguments_of_unimported_classes_raise(deferred, shop):
    shop.signal.connect(deferred.deferred(shop.receive), weak=False)
    with pytest.raises(TypeError, match=r"may not have loaded the module unimported of unimported\.Imported"):
        shop.signal.send(None, total=sys.modules["unimported"].Imported)


def test_unknown_senders_of_messages_are_none(deferred, shop, caplog):
    deferred.deferred(shop.receive)
    content = {
        "csignals": 1,
        "receiver": "shop_of_test:receive",
        "signal": {"$": "signal", "v": "shop_of_test:signal"},
        "sender": {"$": "class", "v": "antigravity:Sender"},
        "named": {"total": 1},
    }
    for _ in range(2):
        deferred.run(json.dumps(content))
    assert shop.calls == [(None, 1, "none")] * 2
    assert "antigravity" not in sys.modules
    (found,) = warnings(caplog)
    assert "antigravity:Sender: this process has not loaded that module" in found


def test_left_out_arguments_are_logged_once(deferred, shop, caplog, run_all):
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    for _ in range(2):
        shop.signal.send(None, total=1, request=object(), files=[io.StringIO()])
    run_all()
    assert shop.calls == [(None, {"total": 1})] * 2
    assert [each.split(" of shop_of_test:receive_all is left out: ")[0] for each in warnings(caplog)] == [
        "The argument 'request'",
        "The argument 'files'",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_unknown_objects_are_left_out(deferred, shop, caplog, run_all):
    """At the worker, for a receiver that names nothing."""
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    shop.signal.send(None, total=1, cls=shop.Sender)
    del shop.Sender
    run_all()
    assert shop.calls == [(None, {"total": 1})]
    (found,) = warnings(caplog)
    assert found.startswith("The argument 'cls' of shop_of_test:receive_all is left out: ")


def test_large_values_do_not_count_twice(deferred, shop, run_all):
    """A set that is left out because it is too large leaves room for the others."""
    shop.signal.connect(deferred.deferred(shop.receive_all), weak=False)
    shop.signal.send(None, large=set(range(20_000)), small={1})
    run_all()
    assert shop.calls == [(None, {"small": {1}})]
