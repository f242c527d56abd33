"""The codec restores each value that it encodes, and its errors name the values that cannot travel."""

import builtins
import collections
import dataclasses
import datetime
import decimal
import enum
import http.cookies
import io
import ipaddress
import json
import math
import pathlib
import sys
import types
import urllib.parse  # noqa: F401  # a message names a class of it
import uuid
import zoneinfo
from typing import NamedTuple

import pytest
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.implementations import different_on_pypy, load


@pytest.fixture
def codec(implementation):
    return load(implementation, "csignals.deferred.codec")


class Color(enum.Enum):
    RED = 1


class Size(str, enum.Enum):
    LARGE = "large"


class Money:
    def __init__(self, amount):
        self.amount = amount


class Price(Money):
    pass


def round_trip(codec, value):
    return codec.decode(json.loads(json.dumps(codec.encode(value), allow_nan=False)))


def is_same(one, other):
    """Return whether two values are equal and have the same types at every level."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other or (one != one and other != other)


zones = st.timezones() | st.just(datetime.timezone.utc) | st.none()
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.uuids()
    | st.timedeltas()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.decimals(allow_nan=False)
)
keys = scalars.filter(lambda value: value == value)  # a NaN as a key cannot be found again
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.sets(keys)
        | st.frozensets(keys)
        | st.dictionaries(st.text() | st.just("$"), inner)
        | st.dictionaries(keys, inner)
    ),
    max_leaves=20,
)


def test_values_survive_a_round_trip(codec):
    @settings(deadline=None, database=None)
    @given(values)
    def check(value):
        assert is_same(round_trip(codec, value), value)

    check()


def test_a_zoned_time_keeps_its_moment(codec):
    @settings(deadline=None, database=None)
    @given(st.datetimes(timezones=zones))
    def check(value):
        found = round_trip(codec, value)
        assert (found.replace(tzinfo=None), found.utcoffset()) == (value.replace(tzinfo=None), value.utcoffset())

    check()


def test_classes_and_signals_travel_by_name(codec, csignals):
    module = sys.modules[__name__]
    module.signal_of_test = signal = csignals.Signal(name="called otherwise")
    module.holder_of_test = type("Holder", (), {"__module__": __name__, "signal": csignals.Signal()})
    try:
        for value in [Money, Color, dict, io.StringIO, type, signal, module.holder_of_test.signal]:
            assert round_trip(codec, value) is value
    finally:
        del module.signal_of_test, module.holder_of_test


def test_other_values_cannot_travel(codec, csignals):
    class Local:
        pass

    hidden = type("Money", (), {"__module__": __name__})
    in_itself = []
    in_itself.append(in_itself)
    for value, why in [
        (object(), "object"),
        (io.StringIO(), "StringIO"),
        (print, "builtin_function"),
        (Money(1), "Money"),
        (types.SimpleNamespace(), "SimpleNamespace"),
        ([1, {"a": (object(),)}], "object"),
        (pathlib.PurePosixPath("a" * 20_000), "longer than 10,000 characters"),
        (set(range(20_000)), "more than 10,000 members"),
        ([[]] * 100_000, "more than 100,000 lists"),
        (type("List", (list,), {})(), "List"),
        (Local, "local to a function"),
        (hidden, "is another object than this one"),
        (csignals.Signal(), "not a global of a module"),
    ]:
        with pytest.raises(codec.CannotTravelError, match=why):
            codec.encode(value)
    with pytest.raises(codec.CannotTravelError, match="or in itself"):
        codec.encode(in_itself)


def test_plain_values_do_not_count_as_containers(codec):
    for value in 1, 0.5, "text", None, True:
        assert round_trip(codec, [value] * 150_000) == [value] * 150_000


def test_a_registered_type_can_travel(codec):
    known = dict(codec._registered), dict(codec._by_tag)
    codec.register_type(Money, lambda money: decimal.Decimal(money.amount), lambda amount: Money(int(amount)))
    try:
        for value in Money(3), Price(3):
            found = round_trip(codec, [value])
            assert type(found[0]) is Money
            assert found[0].amount == 3
    finally:
        codec._registered, codec._by_tag = known


class Point(NamedTuple):
    x: int
    y: object


@dataclasses.dataclass(frozen=True)
class Area:
    corner: Point
    name: str = "unnamed"
    size: int = dataclasses.field(init=False, default=3)

    def __post_init__(self):
        made.append(self)


@dataclasses.dataclass
class Slotted:
    __slots__ = ("x",)
    x: object


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


made = []
ROUND_TRIPS = [
    Color.RED,
    Size.LARGE,
    Permission.READ,
    Permission.READ | Permission.WRITE,
    Permission(0),
    http.HTTPStatus.NOT_FOUND,
    Point(1, {2}),
    Area(Point(1, None)),
    Slotted([1]),
    b"\xff\0",
    bytearray(b"\xff"),
    range(1, 10, 3),
    collections.OrderedDict(b=1, a=2),
    collections.OrderedDict({1: 2}),
    collections.Counter("aab"),
    collections.defaultdict(list, a=[1]),
    collections.deque([1, (2,)], maxlen=3),
    collections.deque(),
    pathlib.Path("/a/b"),
    pathlib.PurePosixPath("a"),
    pathlib.PureWindowsPath("c:/a"),
    ipaddress.ip_address("127.0.0.1"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_interface("::1/64"),
]


@pytest.mark.parametrize("value", ROUND_TRIPS, ids=repr)
def test_values_of_classes_survive(codec, value):
    made.clear()
    found = round_trip(codec, [value])[0]
    assert (type(found), found) == (type(value), value)
    assert getattr(found, "maxlen", None) == getattr(value, "maxlen", None)
    assert getattr(found, "default_factory", None) is getattr(value, "default_factory", None)
    assert made == []  # decoding calls no __init__


class Stamp(datetime.datetime):
    pass


class Text(str):
    __slots__ = ()


class Rate(decimal.Decimal):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (
            Stamp(2026, 1, 2, 3, tzinfo=datetime.timezone.utc),
            datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc),
        ),
        (Rate("1.5"), decimal.Decimal("1.5")),
        (memoryview(b"a"), b"a"),
        pytest.param(
            *(sys.float_info, tuple(sys.float_info)), marks=different_on_pypy("its classes have no module of Python")
        ),
        (collections.defaultdict(lambda: 1, a=2), collections.defaultdict(None, a=2)),
        (SafeString("<b>"), "<b>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclasses_travel_by_value(codec, value, plain):
    """What Python's and Django's own classes add to a value is lost."""
    found = round_trip(codec, [value])[0]
    assert (type(found), found) == (type(plain), plain)
    assert getattr(found, "default_factory", None) is None


def test_own_subclasses_need_a_registered_type(codec):
    """Their author may have given them more than the value."""
    for value in Text("a"), http.cookies.SimpleCookie("a=1")["a"]:
        with pytest.raises(codec.CannotTravelError):
            codec.encode(value)


@pytest.mark.parametrize(
    "encoded",
    [
        {"$": "no such kind", "v": 1},
        {"$": ["class"], "v": 1},
        {"$": "class"},
        {"$": "class", "v": "io:StringIO", "x": 1},
        {"$": "class", "v": 1},
        {"$": "class", "v": "os:system"},
        {"$": "class", "v": "os:environ"},
        {"$": "signal", "v": "io:StringIO"},
        {"$": "datetime", "v": "yesterday"},
        {"$": "datetime", "v": 1},
        {"$": "timedelta", "v": [1, 2, 3, 4, 5, 6, 7, 8]},
        {"$": "timedelta", "v": [10**10, 0, 0]},
        {"$": "Decimal", "v": "a lot"},
        {"$": "UUID", "v": "x"},
        {"$": "float", "v": "x"},
        {"$": "float", "v": []},
        {"$": "set", "v": [[]]},
        {"$": "set", "v": 1},
        {"$": "dict", "v": [[1]]},
        {"$": "dict", "v": {"a": 1}},
        {"$": "enum", "v": []},
        {"$": "enum", "v": ["io:StringIO", "a"]},
        {"$": "enum", "v": ["enum:Enum", None, "x"]},
        {"$": "namedtuple", "v": ["builtins:tuple", [1]]},
        {"$": "namedtuple", "v": ["urllib.parse:ParseResult", [1]]},
        {"$": "dataclass", "v": ["io:StringIO", {}]},
        {"$": "dataclass", "v": [f"{__name__}:Area", {"other": 1}]},
        {"$": "bytes", "v": "\u00e4"},
        {"$": "bytes", "v": [1]},
        {"$": "deque", "v": [[], -1]},
        {"$": "range", "v": [1, 2, 0]},
        {"$": "defaultdict", "v": [1]},
        {"$": "IPv4Address", "v": "1.2.3"},
        {"$": "Path", "v": 1},
        {"$": "datetime", "v": ["2026-01-01", "x" * 40_000, 0]},
        {"$": "Decimal", "v": "1" * 20_000},
    ],
)
def test_malformed_data_is_rejected(codec, encoded):
    with pytest.raises(codec.MalformedError):
        codec.decode(["", encoded])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("class", "this:anything"),
        ("class", "io:Nothing"),
        ("class", "io"),
        ("class", ""),
        ("class", "os:path.join.x"),
        ("signal", "antigravity:signal"),
    ],
)
def test_decoding_imports_no_module(codec, kind, name):
    before = set(sys.modules)
    with pytest.raises(codec.NotThereError):
        codec.decode({"$": kind, "v": name})
    assert set(sys.modules) == before


def test_decoding_ignores_a_module_getattr(codec, monkeypatch):
    module = types.ModuleType("lazy_module")
    module.__getattr__ = lambda name: pytest.fail("was asked")
    monkeypatch.setitem(sys.modules, "lazy_module", module)
    with pytest.raises(codec.NotThereError):
        codec.decode({"$": "class", "v": "lazy_module:Anything"})


def test_infinity_and_nan_can_travel(codec):
    assert json.dumps(codec.encode([math.inf, -math.inf, 1.5]), allow_nan=False)
    assert round_trip(codec, [math.inf, -math.inf]) == [math.inf, -math.inf]
    assert math.isnan(round_trip(codec, math.nan))
    assert round_trip(codec, uuid.UUID(int=1)) == uuid.UUID(int=1)


def test_times_keep_their_zones(codec):
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    for time in [
        datetime.datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1),
        datetime.datetime(2026, 10, 25, 2, 30, fold=1),
        datetime.datetime(2026, 7, 1, tzinfo=datetime.timezone.utc),
        datetime.time(12, tzinfo=zone),
        datetime.time(12, tzinfo=datetime.timezone(datetime.timedelta(hours=2)), fold=1),
    ]:
        found = round_trip(codec, time)
        assert (found, found.tzinfo, found.fold) == (time, time.tzinfo, time.fold)

    for folder in map(pathlib.Path, zoneinfo.TZPATH):
        if (folder / "Europe/Berlin").exists():
            with open(folder / "Europe/Berlin", "rb") as file:
                unnamed = zoneinfo.ZoneInfo.from_file(file)
            found = round_trip(codec, datetime.datetime(2026, 7, 1, tzinfo=unnamed))
            assert found.isoformat() == "2026-07-01T00:00:00+02:00"

    class Zone(datetime.tzinfo):
        def utcoffset(self, time):
            return time and datetime.timedelta(hours=1)

    found = round_trip(codec, datetime.datetime(2026, 7, 1, tzinfo=Zone()))
    assert found.isoformat() == "2026-07-01T00:00:00+01:00"
    with pytest.raises(codec.CannotTravelError, match="no offset from UTC"):
        codec.encode(datetime.time(12, tzinfo=Zone()))


@pytest.mark.parametrize("kind", ["set", "frozenset", "dict"])
def test_too_many_equal_hashes_are_rejected(codec, kind):
    same = [number * (2**61 - 1) for number in range(1000)]
    different = list(range(1000)) + [number + 2**61 - 1 for number in range(1000)]  # two of each
    with pytest.raises(codec.MalformedError, match="same hash"):
        codec.decode({"$": kind, "v": [[each, 0] for each in same] if kind == "dict" else same})
    with pytest.raises(codec.CannotTravelError, match="same hash"):
        codec.encode(dict.fromkeys(same) if kind == "dict" else getattr(builtins, kind)(same))
    found = codec.decode({"$": kind, "v": [[each, 0] for each in different] if kind == "dict" else different})
    assert len(found) == 2000


def test_errors_of_registered_types_propagate(codec, monkeypatch):
    monkeypatch.setattr(codec, "_registered", dict(codec._registered))
    monkeypatch.setattr(codec, "_by_tag", dict(codec._by_tag))
    codec.register_type(Money, lambda money: money.amount, lambda amount: 1 // amount)
    encoded = codec.encode((Money(0),))
    with pytest.raises(ZeroDivisionError):
        codec.decode(encoded)


@pytest.mark.parametrize(
    "nest", [lambda value: [value], lambda value: {"a": value}, lambda value: {1: value}, lambda value: (value,)]
)
def test_nesting_is_limited_to_100_levels(codec, nest):
    deepest = 1
    for _ in range(codec.MAX_DEPTH):
        deepest = nest(deepest)
    assert round_trip(codec, deepest) == deepest
    with pytest.raises(codec.CannotTravelError, match="more than 100 deep"):
        codec.encode(nest(deepest))
    encoded = codec.encode(deepest)
    with pytest.raises(codec.MalformedError):
        codec.decode([encoded])
