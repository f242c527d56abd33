"""Values of the standard library that JSON does not have: their type and value after the way to a worker."""

import collections
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import json
import operator
import pathlib
import typing
import uuid

import pytest

from tests.helpers.implementations import load


@pytest.fixture
def codec(implementation):
    return load(implementation, "csignals.deferred.codec")


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1  # an alias  # noqa: PIE796
    BLUE = object()


class Level(enum.IntEnum):
    LOW = 1


class Size(str, enum.Enum):
    LARGE = "large"


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


class Moment(datetime.datetime):
    """As those of packages that replace the clock."""


class Day(datetime.date):
    pass


class Span(datetime.timedelta):
    pass


class Point(typing.NamedTuple):
    x: float
    y: object = None


Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass(frozen=True)
class Price:
    amount: decimal.Decimal
    currency: str = "EUR"
    tags: tuple = ()


@dataclasses.dataclass
class Basket:
    prices: list
    total: int = dataclasses.field(init=False, default=0)


class Nested:
    class Inner(enum.Enum):
        ONE = "one"

    @dataclasses.dataclass(frozen=True)
    class Data:
        value: int


#: These arrive with their own type.
SAME = [
    Color.RED,
    Color.BLUE,
    Level.LOW,
    Size.LARGE,
    Mode.READ,
    Nested.Inner.ONE,
    collections.OrderedDict([("b", 1), ("a", 2), (1, 3)]),
    collections.deque([1, (2,)], maxlen=2),
    collections.deque(),
    range(3),
    range(10, -10, -3),
    b"",
    bytes(range(256)),
    bytearray(b"\x00abc"),
    datetime.timedelta(days=-1, seconds=1, microseconds=1),
    datetime.timedelta.max,
    pathlib.PurePosixPath("/a/b c/\u00e4"),
    pathlib.PureWindowsPath("C:\\a"),
    pathlib.Path("a/../b"),
    ipaddress.ip_address("10.0.0.1"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_address("fe80::1%eth0"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_interface("10.0.0.1/24"),
    ipaddress.ip_interface("fe80::1/64"),
    Price(decimal.Decimal("1.10"), tags=(Color.RED, b"a")),
    Nested.Data(1),
    Basket([Price(decimal.Decimal(1))]),
    Point(1.5, Price(decimal.Decimal(2))),
    Pair(1, [Color.RED]),
]

#: What arrives is equal, and has a type of its base: the value is all that it is.
BY_VALUE = {
    datetime.datetime: [Moment(2026, 1, 1), Moment(2026, 1, 1, tzinfo=datetime.timezone.utc)],
    datetime.date: [Day(2026, 1, 1)],
    datetime.timedelta: [Span(1)],
    dict: [collections.defaultdict(list, a=[1]), collections.Counter("aab")],
}


def round_trip(codec, value):
    return codec.decode(json.loads(json.dumps(codec.encode(value), allow_nan=False)))


@pytest.mark.parametrize("value", SAME, ids=lambda value: f"{type(value).__name__}-{value}"[:40].replace("\x00", ""))
def test_a_value_arrives_as_it_is(codec, value):
    for sent, get in {
        "alone": (value, lambda found: found),
        "in a list": ([value], operator.itemgetter(0)),
        "in a dict": ({"a": {"b": value}}, lambda found: found["a"]["b"]),
    }.values():
        found = get(round_trip(codec, sent))
        assert type(found) is type(value)
        assert found == value


@pytest.mark.parametrize("value", [each for each in SAME if isinstance(each, collections.abc.Hashable)][:6])
def test_hashable_values_are_keys(codec, value):
    assert round_trip(codec, {value: 1}) == {value: 1}
    assert round_trip(codec, {value}) == {value}


@pytest.mark.parametrize("base", BY_VALUE)
def test_a_subclass_travels_by_value(codec, base):
    for value in BY_VALUE[base]:
        found = round_trip(codec, value)
        assert found == value
        assert type(found) in (base, type(value))


def test_what_collections_know_arrives(codec):
    assert round_trip(codec, collections.deque([1], maxlen=3)).maxlen == 3
    assert list(round_trip(codec, collections.OrderedDict([("b", 1), ("a", 2)]))) == ["b", "a"]
    found = round_trip(codec, collections.defaultdict(list, {("a", 1): [2]}))
    assert isinstance(found, dict)
    assert found == {("a", 1): [2]}


def test_enum_members_are_the_same_object(codec):
    for member in Color.RED, Color.CRIMSON, Color.BLUE, Level.LOW, Size.LARGE, Mode.READ, Nested.Inner.ONE:
        assert round_trip(codec, member) is member
    assert round_trip(codec, Mode.READ | Mode.WRITE) == Mode.READ | Mode.WRITE


def test_fields_keep_what_they_hold(codec):
    found = round_trip(codec, Price(decimal.Decimal("1.10"), tags=(Color.RED, uuid.UUID(int=1))))
    assert [type(each) for each in (found.amount, found.tags, *found.tags)] == [
        decimal.Decimal,
        tuple,
        Color,
        uuid.UUID,
    ]
    basket = Basket([1])
    basket.total = 5
    assert round_trip(codec, basket).total == 5


def test_unreachable_classes_cannot_travel(codec):
    @dataclasses.dataclass(frozen=True)
    class Local:
        value: int

    local_pair = collections.namedtuple("local_pair", "a")
    local_enum = enum.Enum("LocalEnum", "A")
    for value in Local(1), local_pair(1), local_enum.A:
        with pytest.raises(codec.CannotTravelError):
            codec.encode(value)


@dataclasses.dataclass
class FailureError(Exception):
    """A worker could not make it without a call of its class."""

    code: int = 0


@dataclasses.dataclass
class Settings(dict):
    name: str = ""


@pytest.mark.parametrize("value", [FailureError(1), Settings("a")])
def test_dataclasses_with_another_base_cannot_travel(codec, value):
    with pytest.raises(codec.CannotTravelError):
        codec.encode(value)


def test_a_subclass_with_more_cannot_pass(codec):
    """A value with attributes of its own is more than its base class has, and nothing may lose them silently."""
    text = type("Text", (str,), {"__module__": __name__})("a")
    text.more = 1
    with pytest.raises(codec.CannotTravelError):
        codec.encode(text)


def test_renamed_members_are_not_there(codec):
    encoded = json.dumps(codec.encode(Color.RED)).replace("RED", "GREEN")
    with pytest.raises((codec.NotThereError, codec.MalformedError)):
        codec.decode(json.loads(encoded))
