"""Values for calls: usual and odd receivers, senders, names and mappings."""

import functools
import weakref


class Failure(Exception):  # noqa: N818  # an exception for receivers
    pass


class Stop(BaseException):
    pass


class Plain:
    """Any object: a sender, an argument, or the owner of a receiver."""

    def hear(self, **named):
        return named

    def __call__(self, **named):
        return "object", named


class Slotted:
    __slots__ = ()


class Equal:
    """Equal to all objects of its class, and not hashable."""

    def __eq__(self, other):
        return isinstance(other, Equal)

    __hash__ = None

    def hear(self, **named):
        return "equal", named


def hear(**named):
    return named


def hear_both(signal, sender, **named):
    return signal, sender, named


def hear_x(signal, sender, x="default", **named):
    return x, named


def hear_self(self=1, **named):
    return self, named


def takes_no_named(signal, sender):
    return sender


def positional(signal, /, **named):
    return signal


def fail(**named):
    raise Failure([*named])


def stop(**named):
    raise Stop([*named])


async def awaited(**named):
    return named


plain, equal = Plain(), Equal()
hear_partly = functools.partial(hear, part=1)
RECEIVERS = [
    hear,
    hear_both,
    hear_x,
    hear_self,
    takes_no_named,
    positional,
    fail,
    stop,
    plain,
    plain.hear,
    equal.hear,
    hear_partly,
    dict,
    Plain,
    dict.fromkeys,
    print,
    len,
]
SENDERS = [None, plain, Plain, equal, "sender", Slotted(), plain.hear, 0, 1 << 64, weakref.ref(plain)]

VALUES = [None, 0, "", "value", plain, equal, Plain, hear, (), [], {}, Failure("value")]


class Name(str):
    """A subclass of str that changes nothing."""

    __slots__ = ()


class NeverEqual(str):
    __slots__ = ()

    def __eq__(self, other):
        return False

    __hash__ = str.__hash__


class AlwaysEqual(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


class Unlucky(str):
    """Raises when it is compared. All instances have the same hash."""

    __slots__ = ()

    def __eq__(self, other):
        raise Failure("compared")

    def __hash__(self):
        return 7


def not_interned(name):
    return "".join(list(name))


TEXTS = ["x", "sender", "signal", "self", "named", "", "\ud800", "größe", "a b", "receiver", "senders", "y" * 300]
NAME_KINDS = [str, not_interned, str, not_interned, Name, NeverEqual, AlwaysEqual, Unlucky]
NO_NAMES = [1, None, b"x", ("x",), plain]
MANY = [0, 1, 12, 13, 14, 15, 16, 29, 30, 31, 32, 33, 100, 300]
VERY_MANY = [1_000, 20_000, 70_000]


@functools.cache
def many_names(count):
    return dict.fromkeys([f"name_{i}" for i in range(count)])


class Mapping:
    """A mapping for ``**`` that is not a dict. A key may occur more than once."""

    def __init__(self, items):
        self._items = items

    def keys(self):
        return [name for name, _ in self._items]

    def __getitem__(self, wanted):
        return next(value for name, value in self._items if name is wanted)


class WithoutKeys:
    def __getitem__(self, name):
        return name


class KeysThatFail(WithoutKeys):
    def keys(self):
        raise Failure("keys")


class ItemsThatFail(Mapping):
    def __getitem__(self, wanted):
        raise Failure("items")


class DictOfNothing(dict):
    """A dict whose methods claim that it is empty."""

    def keys(self):
        return []

    def __iter__(self):
        return iter(())


def receiver(choices):
    # Awaiting a receiver takes a thousand times as long as calling one.
    return awaited if choices.happens(60) else choices.pick(RECEIVERS)


def name(choices):
    if choices.happens(12):
        return choices.pick(NO_NAMES)
    return choices.pick(NAME_KINDS)(choices.pick(TEXTS))


def mapping(choices):
    """Return keyword arguments, in a dict or in another mapping, or an object that is not a mapping."""
    items = [(name(choices), choices.pick(VALUES)) for _ in range(choices.number(5))]
    kind = choices.number(16)
    if kind == 1 and choices.happens(30):
        return many_names(choices.pick(VERY_MANY)) | as_dict(items)
    if kind == 2:
        return many_names(choices.pick(MANY)) | as_dict(items)
    if kind == 3:
        return Mapping(items)
    if kind == 4:
        return choices.pick([WithoutKeys(), KeysThatFail(), ItemsThatFail(items), None, 7, [("x", 1)]])
    if kind == 5:
        return DictOfNothing(as_dict(items))
    if kind == 6:
        return {**as_dict(items), "sender": choices.pick(SENDERS)}
    if kind == 7:
        return {"sender": choices.pick(SENDERS), **as_dict(items)}
    return as_dict(items)


def as_dict(items):
    try:
        return dict(items)
    except Failure:  # two names were compared
        return dict(items[:1])
