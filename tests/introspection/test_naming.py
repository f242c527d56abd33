"""Names of receivers and senders. Finding a name runs no code of the object."""

import collections
import functools
import gc
import types
from unittest import mock

import pytest
from django.utils.functional import SimpleLazyObject

from tests.helpers.implementations import load


@pytest.fixture
def naming(implementation):
    return load(implementation, "csignals._introspection.naming")


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __call__(self, **named):
        pass


class HostileClass(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


HostileType = HostileClass("HostileType", (), {"__call__": lambda self, **named: None})


class Misleading:
    __wrapped__ = property(lambda self: 1 / 0)

    def __call__(self, **named):
        pass


def function(**named):
    pass


class Proxy:
    """Like wrapt's pure Python proxies, it has the ``__dict__`` of another object."""

    __dict__ = property(lambda self: {})

    def __init__(self):
        object.__setattr__(self, "__wrapped__", function)


def decorate(function):
    @functools.wraps(function)
    def wrapper(**named):
        return function(**named)

    return wrapper


@decorate
@decorate
def decorated(**named):
    pass


class Listener:
    def __init__(self, **named):
        pass

    def hear(self, **named):
        pass

    @classmethod
    def hear_all(cls, **named):
        pass

    @staticmethod
    def overhear(**named):
        pass

    def __call__(self, **named):
        pass


circle = functools.partial(function)
circle.__setstate__((circle, (), {}, {}))
self_wrapped = Listener()
self_wrapped.__wrapped__ = self_wrapped

IN_THIS_MODULE = {
    "function": (function, "function", function),
    "lambda": (lambda **named: None, "<lambda>", None),
    "method": (Listener().hear, "Listener.hear", Listener.hear),
    "class method": (Listener.hear_all, "Listener.hear_all", Listener.hear_all),
    "static method": (Listener.overhear, "Listener.overhear", Listener.overhear),
    "method of a method": (types.MethodType(Listener().hear, 1), "Listener.hear", Listener.hear),
    "callable": (Listener(), "Listener object", Listener.__call__),
    "class": (Listener, "Listener", Listener.__init__),
    "decorated": (decorated, "decorated", decorated.__wrapped__.__wrapped__),
    "cached": (functools.lru_cache(function), "function", function),
    "partial": (functools.partial(function, x=1), "functools.partial({}function)", function),
    "partial of a method": (functools.partial(Listener().hear), "functools.partial({}Listener.hear)", Listener.hear),
    "partial of a decorated function": (
        functools.partial(decorated),
        "functools.partial({}decorated)",
        decorated.__wrapped__.__wrapped__,
    ),
    "hostile": (Hostile(), "Hostile object", vars(Hostile)["__call__"]),
    "object of a hostile class": (HostileType(), "HostileType object", None),
    "hostile class": (HostileType, "HostileType", None),
    "misleading": (Misleading(), "Misleading object", None),
    "with the __dict__ of another": (Proxy(), "Proxy object", function),
    "wraps itself": (self_wrapped, "Listener object", None),
}


@pytest.mark.parametrize("kind", IN_THIS_MODULE)
def test_receivers_have_their_names_in_source(naming, kind):
    receiver, name, function = IN_THIS_MODULE[kind]
    name = name.format(f"{__name__}.") if "{}" in name else f"{__name__}.{name}"
    for _ in range(2):
        description = naming.describe(receiver)
        assert description.name == name
        if function is not None:
            code = function.__code__
            assert (description.file, description.line) == (code.co_filename, code.co_firstlineno)


ELSEWHERE = {
    "builtin": (print, "print"),
    "method of a builtin": ([].append, "list.append"),
    "builtin class": (dict, "dict"),
    "class in C": (collections.OrderedDict, "collections.OrderedDict"),
    "mock": (mock.Mock(), "unittest.mock.Mock object"),
    "mock with a name": (mock.Mock(__qualname__=3), "unittest.mock.Mock object"),
    "mock of a partial": (mock.MagicMock(spec=functools.partial), "unittest.mock.MagicMock object"),
    "no module": (type("Outside", (), {"__module__": 3})(), "Outside object"),
    "nothing": (None, "NoneType object"),
    "circle": (circle, None),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_receivers_without_source_have_names(naming, kind):
    receiver, name = ELSEWHERE[kind]
    description = naming.describe(receiver)
    assert isinstance(description.name, str)
    assert name is None or description.name == name
    assert (description.file is None) == (description.line is None)


def test_descriptions_live_as_long_as_receivers(naming):
    def short_lived(**named):
        pass

    number = id(short_lived)
    assert naming.describe(short_lived) is naming.describe(short_lived) is naming.descriptions.known[number]
    del short_lived
    gc.collect()
    assert number not in naming.descriptions.known
    naming.describe([].append)  # not every Python makes weak references to builtin methods
    naming.describe(5)


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


SENDERS = {
    "none": (None, None),
    "class": (Listener, f"{__name__}.Listener"),
    "object": (Listener(), f"{__name__}.Listener object"),
    "function": (function, f"{__name__}.function"),
    "method": (Listener().hear, f"{__name__}.Listener.hear"),
    "string": ("by mail", "by mail"),
    "subclass of str": (Text("by mail"), "by mail"),
    "empty string": ("", ""),
    "number": (7, "int object"),
    "builtin class": (dict, "dict"),
    "builtin": (print, "print"),
    "hostile": (Hostile(), f"{__name__}.Hostile object"),
    "hostile class": (HostileType, f"{__name__}.HostileType"),
    "object of a hostile class": (HostileType(), f"{__name__}.HostileType object"),
    "lazy": (SimpleLazyObject(pytest.fail), "django.utils.functional.SimpleLazyObject object"),
}


@pytest.mark.parametrize("kind", SENDERS)
def test_senders_have_names_or_class_names(naming, kind):
    sender, name = SENDERS[kind]
    assert naming.describe_sender(sender) == name
    assert type(naming.describe_sender(sender)) in (str, type(None))
