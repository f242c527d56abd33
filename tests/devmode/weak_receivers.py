"""Sample functions that connect weak receivers.

The receivers of LOST die before a send calls them. The line that connects them ends with the mark "here". The
functions of HELD return an object that keeps their receivers alive. The receivers of ENDED also die, but they were
called or disconnected, or no send could have called them.
"""

import contextlib
import functools
import gc
import inspect
import sys
from unittest import mock

import pytest


class Listener:
    def hear(self, **named):
        pass

    def __call__(self, **named):
        pass


def hear(**named):
    pass


def make():
    def made(**named):
        pass

    return made


def wrapped(function):
    @functools.wraps(function)
    def wrapper(**named):
        return function(**named)

    return wrapper


def renamed(function):
    return lambda **named: function(**named)


LOST, HELD, ENDED = [], [], []
REJECTED = set()  # Django rejects them under DEBUG: they have no signature with **kwargs, or no hash


def lost(case):
    LOST.append(pytest.param(case, id=case.__name__))
    return case


def held(case):
    HELD.append(pytest.param(case, id=case.__name__))
    return case


def ended(case):
    ENDED.append(pytest.param(case, id=case.__name__))
    return case


def rejected(case):
    REJECTED.add(case)
    return case


@lost
def a_lambda(signal, receiver):
    signal.connect(lambda **named: None)  # here


@lost
def a_lambda_by_name(signal, receiver):
    signal.connect(sender=Listener, receiver=lambda **named: None)  # here


@lost
def a_local_function(signal, receiver):
    def local(**named):
        pass

    signal.connect(local, Listener)  # here
    signal.connect(local, Listener)  # a duplicate


@lost
def a_local_function_that_uses_itself(signal, receiver):
    def local(**named):
        signal.disconnect(local)

    signal.connect(local)  # here


@lost
def a_decorated_local_function(signal, receiver):
    connect = receiver(signal, sender=Listener)

    def local(**named):
        pass

    connect(local)  # here


@lost
def a_local_function_decorated_for_two_signals(signal, receiver):
    connect = receiver([signal, type(signal)()], sender=Listener)
    connect(make())  # here
    return connect  # holds both signals


@lost
def a_function_that_a_function_made(signal, receiver):
    signal.connect(make())  # here


@lost
def a_function_named_like_a_global(signal, receiver):
    signal.connect(wrapped(hear))  # here


@lost
def a_partial(signal, receiver):
    signal.connect(functools.partial(hear, x=1))  # here


@lost
def a_partial_in_a_variable(signal, receiver):
    local = functools.partial(hear)
    signal.connect(local)  # here


@lost
def a_method_of_a_temporary(signal, receiver):
    signal.connect(Listener().hear)  # here


@lost
def a_method_of_a_temporary_in_a_variable(signal, receiver):
    method = Listener().hear
    signal.connect(method)  # here


@lost
def in_a_loop_over_a_tuple(signal, receiver):
    def local(**named):
        pass

    for each in (hear, local):
        signal.connect(each)  # here


@lost
def in_a_loop_over_pairs(signal, receiver):
    def local(**named):
        pass

    for each, function in ((signal, hear), (signal, local)):
        each.connect(function)  # here


@lost
def in_a_generator(signal, receiver):
    def generator():
        local = make()
        signal.connect(local)  # here
        yield

    next(generator())


@lost
def in_a_coroutine(signal, receiver):
    async def coroutine():
        local = make()
        signal.connect(local)  # here

    with pytest.raises(StopIteration):
        coroutine().send(None)


@lost
def in_a_frame_held_by_a_variable(signal, receiver):
    frame = sys._getframe()
    local = make()
    signal.connect(local)  # here
    del frame


@lost
def an_async_function(signal, receiver):
    async def local(**named):
        pass

    signal.connect(local)  # here


@lost
def a_decorated_function_in_a_variable(signal, receiver):
    local = wrapped(make())
    signal.connect(local)  # here


@lost
def a_partial_of_a_method(signal, receiver):
    signal.connect(functools.partial(Listener().hear, x=1))  # here


@lost
def an_object(signal, receiver):
    signal.connect(Listener())  # here


@lost
def an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener)  # here


@lost
def an_object_that_was_decorated(signal, receiver):
    listener = receiver(signal)(Listener())  # here
    assert listener


@lost
def a_method_of_an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear)  # here


@lost
def a_method_of_an_object_in_an_outer_variable(signal, receiver):
    def connect_it(*args):
        signal.connect(*args)  # here

    listener = Listener()
    connect_it(listener.hear)


@lost
def an_object_in_a_cycle(signal, receiver):
    listener = Listener()
    listener.itself = listener
    signal.connect(listener.hear)  # here


@lost
def in_a_local_list(signal, receiver):
    things = [make()]
    signal.connect(things[0])  # here


@lost
def in_a_local_closure(signal, receiver):
    def local(**named):
        return other

    def other():
        return local

    signal.connect(local)  # here


@lost
def under_a_dispatch_uid(signal, receiver):
    signal.connect(make(), dispatch_uid=("a", 1))  # here


@lost
def where_another_is_disconnected(signal, receiver):
    signal.connect(make(), dispatch_uid="uid")  # here
    signal.connect(hear, dispatch_uid="other")
    signal.disconnect(dispatch_uid="other")


@lost
def where_a_different_lambda_is_disconnected(signal, receiver):
    signal.connect(lambda **named: None, Listener)  # here
    signal.disconnect(lambda **named: None, Listener)


@lost
def where_another_sender_sends(signal, receiver):
    local = make()
    signal.connect(local, sender=Listener)  # here
    signal.send(dict)
    signal.send(None)


@lost
def a_local_class(signal, receiver):
    class Called(type):
        def __call__(cls, **named):
            pass

    signal.connect(Called("Local", (), {}))  # here


@lost
def a_local_mock(signal, receiver):
    signal.connect(mock.Mock())  # here


@lost
def an_object_of_a_c_type(signal, receiver):
    signal.connect(functools.lru_cache(wrapped(hear)))  # here


@lost
def in_a_statement_of_several_lines(signal, receiver):
    receiver(  # here
        signal,
        sender=Listener,
    )(make())


@held
def a_function_of_a_module(signal, receiver):
    signal.connect(hear)
    receiver(signal, sender=Listener)(hear)


@held
def a_strong_receiver(signal, receiver):
    signal.connect(lambda **named: None, weak=False)
    receiver(signal, weak=False)(make())


@held
def one_also_connected_strongly(signal, receiver):
    local = make()
    signal.connect(local, weak=False)
    signal.connect(local, sender=Listener)


@held
def one_that_is_not_added(signal, receiver):
    signal.connect(hear, dispatch_uid="uid")
    signal.connect(lambda **named: None, dispatch_uid="uid")


@held
def objects_and_their_methods(signal, receiver):
    listener, other = Listener(), Listener()
    signal.connect(listener.hear)
    signal.connect(receiver(signal)(other))
    return listener, other


@held
def in_a_list_or_a_dict(signal, receiver):
    listener = Listener()
    things = [make(), functools.partial(hear), listener, wrapped(hear)]
    by_name = {"receiver": make(), "other": 1}
    for each in (*things, by_name["receiver"], things[2].hear):
        signal.connect(each)
    return things, by_name


@held
def in_a_tuple_in_a_list(signal, receiver):
    things = [("first", make())]
    signal.connect(things[0][1])
    return things


@held
def in_an_attribute(signal, receiver):
    listener = Listener()
    listener.receiver = make()
    signal.connect(listener.receiver)
    return listener


@held
def in_an_attribute_set_after_connecting(signal, receiver):
    listener = Listener()
    local = make()
    signal.connect(local)
    vars(listener)["receivers"] = {"local": [local]}
    return listener


@held
def returned_by_the_connecting_function(signal, receiver):
    @receiver(signal)
    def local(**named):
        pass

    return local


@held
def in_a_global(signal, receiver):
    globals()["a_global"] = make()
    signal.connect(a_global)  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@held
def in_a_partial_that_stays(signal, receiver):
    local = make()
    signal.connect(local)
    return functools.partial(local)


@held
def in_a_closure(signal, receiver):
    local = make()

    def other():
        return local

    signal.connect(local)
    return other


@held
def in_a_closure_created_later(signal, receiver):
    def local(**named):
        pass

    signal.connect(local)
    return lambda: signal.disconnect(local)


@held
def in_a_default_argument(signal, receiver):
    local = make()

    def other(function=local):
        pass

    signal.connect(local)
    return other


@held
def in_a_cache(signal, receiver):
    cached = functools.lru_cache(make)
    signal.connect(cached())
    return cached


@held
def in_a_suspended_generator(signal, receiver):
    def generator():
        local = make()
        signal.connect(local)
        yield

    running = generator()
    next(running)
    return running


@held
def a_class(signal, receiver):
    class Called(type):
        def __call__(cls, **named):
            pass

    cls = Called("Local", (), {})
    signal.connect(cls)
    return cls


@held
@rejected
def without_a_signature(signal, receiver):
    cls, update = type("Local", (), {"__init__": hear}), {}.update
    signal.connect(cls)
    if sys.implementation.name == "cpython":  # on PyPy it is a method of a dict, which has no weak references
        signal.connect(update)
    return cls, update


@held
def a_mock(signal, receiver):
    receiver = mock.Mock()
    signal.connect(receiver)
    signal.connect(receiver.attribute)
    return receiver


@held
@rejected
def an_object_whose_attributes_raise(signal, receiver):
    class Meta(type):
        def __getattr__(cls, name):
            raise AttributeError(name)

        def __instancecheck__(cls, instance):
            raise ZeroDivisionError

        __subclasscheck__ = __instancecheck__

    class Hostile(metaclass=Meta):
        def __call__(self, **named):
            pass

        def __getattr__(self, name):
            raise AttributeError(name)

        def __eq__(self, other):
            raise ZeroDivisionError

        __hash__ = None
        __signature__ = inspect.signature(hear)

    things = [Hostile()]
    signal.connect(things[0], sender=Hostile)
    return things


@ended
def a_local_function_that_was_called(signal, receiver):
    local = make()
    signal.connect(local)
    signal.send(None)


@ended
def several_called_receivers(signal, receiver):
    listener, other, lists = Listener(), Listener(), [type(signal)(), type(signal)()]
    signal.connect(listener)
    signal.connect(other.hear, sender=Listener)
    receiver([signal, *lists], sender=Listener)(partial := functools.partial(hear))
    signal.connect(decorated := wrapped(hear), dispatch_uid="uid")
    for each in signal, *lists:
        assert each.send_robust(Listener)
    assert partial and decorated


@ended
def a_local_function_that_is_disconnected(signal, receiver):
    def local(**named):
        pass

    signal.connect(local)
    try:
        pass
    finally:
        signal.disconnect(local)


@ended
def a_local_function_that_uses_itself_and_is_disconnected(signal, receiver):
    def local(**named):
        local.calls = 1

    signal.connect(local)
    signal.disconnect(local)


@ended
def a_partial_connected_in_a_with_block(signal, receiver):
    @contextlib.contextmanager
    def connected():
        local = functools.partial(hear)
        signal.connect(local, sender=Listener)
        try:
            yield
        finally:
            signal.disconnect(local, sender=Listener)

    with connected():
        pass


@ended
def under_a_dispatch_uid_as_the_test_client_does(signal, receiver):
    def store(data, **named):
        pass

    on_render = functools.partial(store, {})
    signal.connect(on_render, dispatch_uid="template-render-1")
    signal.connect(Listener().hear, dispatch_uid="request-exception-1", weak=False)
    signal.disconnect(dispatch_uid="template-render-1")
    signal.disconnect(dispatch_uid="request-exception-1")


@ended
def a_method_disconnected_by_another_reference(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear, sender=Listener)
    assert signal.disconnect(listener.hear, sender=Listener) in (True, None)


@ended
def one_removed_from_the_list(signal, receiver):
    local = make()
    signal.connect(local)
    with signal.lock:
        signal.receivers = []
        signal.sender_receivers_cache.clear()


@ended
def an_object_that_is_also_the_sender(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear, sender=listener)


@ended
def a_class_that_holds_its_receiver(signal, receiver):
    """As with a historical model in a migration and its field."""
    cls = type("Model", (), {"field": Listener()})
    cls.field.model = cls
    signal.connect(cls.field.hear, sender=cls)


@ended
def one_whose_sender_died_first(signal, receiver):
    local, cls = make(), type("Model", (), {})
    signal.connect(local, sender=cls)
    del cls
    for _ in range(3):
        gc.collect()
