"""A worker reads any message of a megabyte within a second, and what it says of the message is short."""

import json
import sys
import time
import traceback
import zoneinfo

import pytest

from tests.deferred.collisions import colliding_ints
from tests.helpers.implementations import load

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
LONGEST_ERROR = 10_000


def tagged(kind, value):
    return {"$": kind, "v": value}


def many(value):
    """Return a list of copies that fills a megabyte."""
    return [value] * (MEGABYTE // (len(json.dumps(value)) + 2))


def numbered(make):
    """Return a list of different values that fills a megabyte."""
    return [make(number) for number in range(MEGABYTE // (len(json.dumps(make(99_999))) + 2))]


def nested(make, depth):
    value = 1
    for _ in range(depth):
        value = make(value)
    return value


def at(zone, text="2026-01-01T00:00:00"):
    return tagged("datetime", [text, zone, 0])


COUNT = 25_000  # of ints that collide
LONG = "9" * MEGABYTE
ZONES = sorted(zoneinfo.available_timezones())

#: The value of an argument.
VALUES = {
    "colliding ints in a set": lambda: tagged("set", colliding_ints(COUNT)),
    "colliding ints in a frozenset": lambda: tagged("frozenset", colliding_ints(COUNT)),
    "colliding keys of a dict": lambda: tagged("dict", [[each, 0] for each in colliding_ints(COUNT)[:64_000]]),
    "small ints in many tuples": lambda: tagged(
        "set", [tagged("tuple", [each]) for each in colliding_ints(COUNT)[:35_000]]
    ),
    "equal hashes in many sets": lambda: many(tagged("set", [number * (2**61 - 1) for number in range(1, 100)])),
    "equal hashes in tuples": lambda: tagged("set", [tagged("tuple", [n * (2**61 - 1)]) for n in range(1, 20_000)]),
    "the same key": lambda: tagged("dict", many([1, 2])),
    "a set in each set": lambda: many(nested(lambda inner: tagged("frozenset", [inner]), 45)),
    "a long zone name": lambda: at("Europe/" + "a" * 40_000),
    "a zone name of a megabyte": lambda: at("a/" * (MEGABYTE // 2)),
    "a zone name of dots": lambda: at("../" * 13_000),
    "many unknown zones": lambda: numbered(lambda number: at(f"Europe/Nowhere{number}")),
    "many invalid zones": lambda: numbered(lambda number: at(f"../nowhere{number}")),
    "many zones with a null": lambda: numbered(lambda number: at(f"a\0{number}")),
    "many known zones": lambda: [at(ZONES[number % len(ZONES)]) for number in range(15_000)],
    "many zoned times": lambda: many(tagged("time", ["12:00:00", "Europe/Berlin", 0])),
    "a long Decimal": lambda: tagged("Decimal", LONG),
    "a Decimal of no number": lambda: tagged("Decimal", "x" * MEGABYTE),
    "many long Decimals": lambda: many(tagged("Decimal", "9" * 20_000)),
    "long Decimals in a set": lambda: tagged("set", many(tagged("Decimal", "9" * 20_000))),
    "huge Decimals in a set": lambda: tagged("set", numbered(lambda n: tagged("Decimal", f"{n}E+999999999999999"))),
    "tiny Decimals in a dict": lambda: tagged("dict", numbered(lambda n: [tagged("Decimal", f"{n}E-999999999"), n])),
    "Decimals that are no numbers": lambda: tagged("set", many(tagged("Decimal", "sNaN"))),
    "a long float": lambda: tagged("float", LONG),
    "a long float with underscores": lambda: tagged("float", "1_" * (MEGABYTE // 2) + "x"),
    "NaNs in a set": lambda: tagged("set", many(tagged("float", "nan"))),
    "many long ints": lambda: many(10**4299),
    "long ints in a set": lambda: tagged("set", numbered(lambda number: 10**4200 + number)),
    "a long date": lambda: tagged("date", "2026-01-01" + "0" * MEGABYTE),
    "a long datetime": lambda: tagged("datetime", "2026-01-01T00:00:00." + LONG),
    "many dates": lambda: many(tagged("date", "2026-01-01")),
    "a long UUID": lambda: tagged("UUID", "a" * MEGABYTE),
    "a UUID of hyphens": lambda: tagged("UUID", "-" * MEGABYTE),
    "a long timedelta": lambda: tagged("timedelta", many(1)),
    "a timedelta of long ints": lambda: tagged("timedelta", [10**4000] * 7),
    "long lists": lambda: many([]),
    "many deep lists": lambda: many(nested(lambda inner: [inner], 95)),
    "many deep dicts": lambda: many(nested(lambda inner: {"a": inner}, 95)),
    "many deep tuples": lambda: many(nested(lambda inner: tagged("tuple", [inner]), 45)),
    "many deep pairs": lambda: many(nested(lambda inner: tagged("dict", [[1, inner]]), 30)),
    "a dict with many keys": lambda: {f"key{number}": number for number in range(60_000)},
    "an unknown kind": lambda: tagged("x" * MEGABYTE, 1),
    "a kind that is a list": lambda: tagged(many([1]), 1),
    "a class with a long path": lambda: tagged("class", "shop_of_test:" + "a." * (MEGABYTE // 2)),
    "a class in a long module": lambda: tagged("class", "a." * (MEGABYTE // 2) + ":A"),
    "many unknown classes": lambda: numbered(lambda number: tagged("class", f"shop_of_test:Class{number}")),
    "many known classes": lambda: many(tagged("class", "shop_of_test:Sender")),
    "a long label": lambda: tagged("model", "x" * MEGABYTE + ".y"),
    "a long app": lambda: tagged("app", "x" * MEGABYTE),
    "a row with a long key": lambda: tagged("row", ["shop.Order", "x" * MEGABYTE, "default"]),
    "a row with a long database": lambda: tagged("row", ["shop.Order", 1, "x" * MEGABYTE]),
    "many combinations of a flag": lambda: numbered(lambda n: tagged("enum", ["re:RegexFlag", None, n + 2**20])),
    "a set that is a text": lambda: tagged("set", "x" * MEGABYTE),
    "unhashable members": lambda: tagged("set", many([1])),
    "a long text": lambda: "\0" * (MEGABYTE // 6),
}


def content(**changes):
    signal = tagged("signal", "shop_of_test:signal")
    whole = {"csignals": 1, "receiver": "shop_of_test:receive", "signal": signal, "sender": None, "named": {}}
    return json.dumps({**whole, **changes})


#: The whole message.
MESSAGES = {
    "no JSON": lambda: "{" * MEGABYTE,
    "an unfinished text": lambda: '"' + "x" * MEGABYTE,
    "a list of lists": lambda: "[" * 500_000 + "]" * 500_000,
    "another version": lambda: content(csignals="9" * MEGABYTE),
    "an unknown receiver": lambda: content(receiver="x" * MEGABYTE),
    "a receiver that is a list": lambda: content(receiver=many("x")),
    "an unknown signal": lambda: content(signal=tagged("signal", "x" * MEGABYTE)),
    "a text as signal": lambda: content(signal="x" * MEGABYTE),
    "a long sender": lambda: content(sender=tagged("class", "x" * MEGABYTE)),
    "many arguments": lambda: content(named={f"argument{number}": number for number in range(40_000)}),
    "an argument with a long name": lambda: content(named={"x" * MEGABYTE: tagged("set", [[]])}),
    "many arguments that are left out": lambda: content(
        named={f"argument{number}": tagged("class", f"shop_of_test:No{number}") for number in range(14_000)}
    ),
    "a left out argument with a long name": lambda: content(named={"x" * MEGABYTE: tagged("class", "shop_of_test:No")}),
    "arguments that are a list": lambda: content(named=many(1)),
}


@pytest.fixture
def run(implementation, csignals, monkeypatch):
    """Return the worker's function, with a receiver that takes anything."""
    deferred = load(implementation, "csignals.deferred")
    declared = dict(deferred._declared)
    shop = type(sys)("shop_of_test")
    monkeypatch.setitem(sys.modules, "shop_of_test", shop)
    shop.signal = csignals.Signal()
    exec("class Sender: pass\ndef receive(signal, sender, **named): pass", vars(shop))
    deferred.deferred(shop.receive)
    yield deferred.run
    deferred._declared.clear()
    deferred._declared.update(declared)


def check(run, message, caplog):
    before = time.process_time()
    try:
        run(message)
    except ValueError as error:
        assert type(error).__name__ == "MessageRejected"
        assert len("".join(traceback.format_exception(error))) < LONGEST_ERROR
        assert len(repr(error)) < LONGEST_ERROR
    took = time.process_time() - before
    assert len(caplog.text) < LONGEST_ERROR
    assert took < 1


@pytest.mark.parametrize("name", VALUES)
def test_a_hostile_value_is_read_quickly(run, caplog, name):
    message = content(named={"total": VALUES[name]()})
    assert len(message) < 1.2 * MEGABYTE
    check(run, message, caplog)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_hostile_message_is_read_quickly(run, caplog, name):
    check(run, MESSAGES[name](), caplog)


@pytest.mark.parametrize("name", ["many arguments that are left out", "a left out argument with a long name"])
def test_what_is_logged_once_is_bounded(implementation, run, name):
    receivers = load(implementation, "csignals.deferred.receivers")
    receivers._logged.clear()
    for _ in range(2):
        run(MESSAGES[name]())
    assert 0 < sum(map(len, receivers._logged["shop_of_test:receive"])) < LONGEST_ERROR


def test_a_flag_keeps_a_bounded_number(run, caplog):
    """Python's classes keep each combination of members that was ever made."""
    exec("import enum\nclass Mode(enum.IntFlag):\n    READ = 1", vars(sys.modules["shop_of_test"]))
    for start in range(2):
        value = [tagged("enum", ["shop_of_test:Mode", None, number]) for number in range(start, 30_000, 2)]
        check(run, content(named={"total": value}), caplog)
    assert 1 < len(sys.modules["shop_of_test"].Mode._value2member_map_) <= 10_000


def test_the_ints_do_collide():
    """Or the tests above would test nothing. In a set, they are compared less often."""
    numbers = colliding_ints(2_000)
    others = [*numbers[:-2_000], *range(10**9, 10**9 + 2_000)]
    times = []
    for each in numbers, others:
        before = time.process_time()
        assert len(dict.fromkeys(each)) == len(each)
        times.append(time.process_time() - before)
    assert times[0] > 5 * times[1]
