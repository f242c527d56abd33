"""Weak receivers: each case connects some of them.

Of TRAPS, each is lost uncalled, at once or when it is collected; the line that connects it ends with a mark. What HELD
return holds their receivers. Those of ENDED are called or disconnected, or nobody could have called them, and they die.
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


TRAPS, HELD, ENDED = [], [], []
REFUSED = set()  # by Django's DEBUG, which wants a signature with **kwargs, and a hash


def trap(case):
    TRAPS.append(pytest.param(case, id=case.__name__))
    return case


def held(case):
    HELD.append(pytest.param(case, id=case.__name__))
    return case


def ended(case):
    ENDED.append(pytest.param(case, id=case.__name__))
    return case


def refused(case):
    REFUSED.add(case)
    return case


@trap
def a_lambda(signal, receiver):
    signal.connect(lambda **named: None)  # here


@trap
def a_lambda_by_name(signal, receiver):
    signal.connect(sender=Listener, receiver=lambda **named: None)  # here


@trap
def a_local_function(signal, receiver):
    def local(**named):
        pass

    signal.connect(local, Listener)  # here
    signal.connect(local, Listener)  # a duplicate


@trap
def a_local_function_that_uses_itself(signal, receiver):
    def local(**named):
        signal.disconnect(local)

    signal.connect(local)  # here


@trap
def a_decorated_local_function(signal, receiver):
    connect = receiver(signal, sender=Listener)

    def local(**named):
        pass

    connect(local)  # here


@trap
def a_local_function_decorated_for_two_signals(signal, receiver):
    connect = receiver([signal, type(signal)()], sender=Listener)
    connect(make())  # here
    return connect  # which holds both


@trap
def a_function_that_a_function_made(signal, receiver):
    signal.connect(make())  # here


@trap
def one_that_bears_the_name_of_a_global(signal, receiver):
    signal.connect(wrapped(hear))  # here


@trap
def a_partial(signal, receiver):
    signal.connect(functools.partial(hear, x=1))  # here


@trap
def a_partial_in_a_variable(signal, receiver):
    local = functools.partial(hear)
    signal.connect(local)  # here


@trap
def a_method_of_a_temporary(signal, receiver):
    signal.connect(Listener().hear)  # here


@trap
def a_method_of_a_temporary_in_a_variable(signal, receiver):
    method = Listener().hear
    signal.connect(method)  # here


@trap
def in_a_loop_over_a_tuple(signal, receiver):
    def local(**named):
        pass

    for each in (hear, local):
        signal.connect(each)  # here


@trap
def in_a_loop_over_pairs(signal, receiver):
    def local(**named):
        pass

    for each, function in ((signal, hear), (signal, local)):
        each.connect(function)  # here


@trap
def in_a_generator(signal, receiver):
    def generator():
        local = make()
        signal.connect(local)  # here
        yield

    next(generator())


@trap
def in_a_coroutine(signal, receiver):
    async def coroutine():
        local = make()
        signal.connect(local)  # here

    with pytest.raises(StopIteration):
        coroutine().send(None)


@trap
def in_a_frame_that_others_look_at(signal, receiver):
    frame = sys._getframe()
    local = make()
    signal.connect(local)  # here
    del frame


@trap
def an_async_function(signal, receiver):
    async def local(**named):
        pass

    signal.connect(local)  # here


@trap
def a_decorated_function_in_a_variable(signal, receiver):
    local = wrapped(make())
    signal.connect(local)  # here


@trap
def a_partial_of_a_method(signal, receiver):
    signal.connect(functools.partial(Listener().hear, x=1))  # here


@trap
def an_object(signal, receiver):
    signal.connect(Listener())  # here


@trap
def an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener)  # here


@trap
def an_object_that_was_decorated(signal, receiver):
    listener = receiver(signal)(Listener())  # here
    assert listener


@trap
def a_method_of_an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear)  # here


@trap
def a_method_of_an_object_in_another_function_s_variable(signal, receiver):
    def connect_it(*args):
        signal.connect(*args)  # here

    listener = Listener()
    connect_it(listener.hear)


@trap
def an_object_in_a_cycle(signal, receiver):
    listener = Listener()
    listener.itself = listener
    signal.connect(listener.hear)  # here


@trap
def in_a_list_that_ends(signal, receiver):
    things = [make()]
    signal.connect(things[0])  # here


@trap
def in_a_closure_that_ends(signal, receiver):
    def local(**named):
        return other

    def other():
        return local

    signal.connect(local)  # here


@trap
def under_a_dispatch_uid(signal, receiver):
    signal.connect(make(), dispatch_uid=("a", 1))  # here


@trap
def where_another_is_disconnected(signal, receiver):
    signal.connect(make(), dispatch_uid="uid")  # here
    signal.connect(hear, dispatch_uid="other")
    signal.disconnect(dispatch_uid="other")


@trap
def where_the_wrong_one_is_disconnected(signal, receiver):
    signal.connect(lambda **named: None, Listener)  # here
    signal.disconnect(lambda **named: None, Listener)


@trap
def where_another_sender_sends(signal, receiver):
    local = make()
    signal.connect(local, sender=Listener)  # here
    signal.send(dict)
    signal.send(None)


@trap
def a_class_that_ends(signal, receiver):
    class Called(type):
        def __call__(cls, **named):
            pass

    signal.connect(Called("Local", (), {}))  # here


@trap
def a_mock_that_ends(signal, receiver):
    signal.connect(mock.Mock())  # here


@trap
def what_is_written_in_c(signal, receiver):
    signal.connect(functools.lru_cache(wrapped(hear)))  # here


@trap
def in_a_line_of_many(signal, receiver):
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
def one_that_a_signal_holds(signal, receiver):
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
def in_an_attribute_that_it_comes_to_later(signal, receiver):
    listener = Listener()
    local = make()
    signal.connect(local)
    vars(listener)["receivers"] = {"local": [local]}
    return listener


@held
def what_a_function_returns_that_connected_it(signal, receiver):
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
def in_a_closure_yet_to_be_made(signal, receiver):
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
def in_a_generator_that_goes_on(signal, receiver):
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
@refused
def what_has_no_signature(signal, receiver):
    cls, update = type("Local", (), {"__init__": hear}), {}.update
    signal.connect(cls)
    if sys.implementation.name == "cpython":  # elsewhere it is the method of a dict, which has no weak references
        signal.connect(update)
    return cls, update


@held
def a_mock(signal, receiver):
    receiver = mock.Mock()
    signal.connect(receiver)
    signal.connect(receiver.attribute)
    return receiver


@held
@refused
def what_answers_nobody(signal, receiver):
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
def all_that_were_called(signal, receiver):
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
def a_partial_for_as_long_as_a_with_block(signal, receiver):
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
def a_method_that_another_reference_to_it_disconnects(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear, sender=Listener)
    assert signal.disconnect(listener.hear, sender=Listener) in (True, None)


@ended
def one_that_the_list_does_not_have_any_more(signal, receiver):
    local = make()
    signal.connect(local)
    with signal.lock:
        signal.receivers = []
        signal.sender_receivers_cache.clear()


@ended
def an_object_that_hears_itself(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear, sender=listener)


@ended
def a_class_and_what_hears_it(signal, receiver):
    """As a historical model and its field in a migration."""
    cls = type("Model", (), {"field": Listener()})
    cls.field.model = cls
    signal.connect(cls.field.hear, sender=cls)


@ended
def one_whose_sender_died_before(signal, receiver):
    local, cls = make(), type("Model", (), {})
    signal.connect(local, sender=cls)
    del cls
    for _ in range(3):
        gc.collect()
