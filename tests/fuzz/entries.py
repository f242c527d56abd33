"""Entries of ``signal.receivers``, in the shapes of all Django versions, and in invalid shapes."""

import weakref

from .things import Failure, Plain, equal, hear, plain, receiver


class Tuple(tuple):
    __slots__ = ()


class Lying(tuple):
    """A tuple whose methods contradict its items."""

    __slots__ = ()

    def __iter__(self):
        return iter([(1, id(None)), hear, None, False])

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return (1, id(None))


class Reference(weakref.ref):
    __slots__ = ()


class Undecided:
    def __bool__(self):
        raise Failure("bool")


def give_plain():
    return plain


NONE_ID = id(None)
dead = weakref.ref(Plain())
dead_method = weakref.WeakMethod(Plain().hear)

KEYS = [
    ("uid", NONE_ID),
    (id(hear), NONE_ID),
    ((id(plain), id(Plain.hear)), id(plain)),
    (id(hear), id(Plain)),
    (0, (id(plain), id(Plain.hear))),
    ("uid", -1),
    ("uid", 1 << 64),
    ("uid", True),
    ("uid", 0.5),
    ("uid", [1]),
    ("uid", "sender"),
    ([], NONE_ID),
    (float("nan"), NONE_ID),
    ((((((1,),),),),), NONE_ID),
    ("uid", 1, 2),
    ("uid",),
    (),
    7,
    "ab",
    [1, NONE_ID],
    None,
    (Failure, id(equal)),
    ("\ud800", id(plain)),
]
REFERENCES = [
    weakref.ref(hear),
    weakref.ref(plain),
    weakref.WeakMethod(plain.hear),
    weakref.WeakMethod(equal.hear),
    Reference(hear),
    dead,
    dead_method,
    None,
    7,
]
SENDER_REFERENCES = [
    None,
    None,
    weakref.ref(plain),
    weakref.ref(Plain),
    weakref.WeakMethod(plain.hear),
    Reference(plain),
    dead,
    dead_method,
    give_plain,
    7,
]
FLAGS = [False, False, False, 0, 1, None, []]
SIZES = [4, 4, 4, 4, 3, 2, 2, 1, 0, 5]
KINDS = [tuple, tuple, tuple, tuple, tuple, Tuple, list]
NO_LISTS = [None, (), 0, "", 7, "ab", {}, {"uid": 1}, iter(()), plain]


def entry(choices):
    key = choices.pick(KEYS)
    whom = choices.pick(REFERENCES) if choices.happens(2) else receiver(choices)
    parts = key, whom, choices.pick(SENDER_REFERENCES), choices.pick(FLAGS), "more"
    size = choices.pick(SIZES)
    if size == 3:
        parts = key, whom, parts[3]
    return choices.pick(KINDS)(parts[:size])


def entries(choices, most=4):
    return [entry(choices) for _ in range(choices.number(most + 1))]
