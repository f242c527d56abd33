"""Receivers that nothing else holds, and receivers that something does: each case connects some of them.

Where there is one to be warned of, the line ends with a mark.
"""

import contextlib
import functools
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


TRAPS, HELD = [], []


def trap(case):
    TRAPS.append(pytest.param(case, id=case.__name__))
    return case


def held(case):
    HELD.append(pytest.param(case, id=case.__name__))
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
    signal.connect(local, Listener)     # a duplicate


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
def a_method_of_an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener.hear)
    method = listener.hear
    signal.connect(method, sender=Listener)


@held
def an_object_in_a_variable(signal, receiver):
    listener = Listener()
    signal.connect(listener)
    other = receiver(signal)(Listener())
    assert other


@held
def an_object_in_the_variable_of_a_coroutine(signal, receiver):
    async def coroutine():
        listener = Listener()
        signal.connect(listener)

    with pytest.raises(StopIteration):
        coroutine().send(None)


@held
def an_object_in_another_function_s_variable(signal, receiver):
    def connect_it(*args):
        signal.connect(*args)

    listener = Listener()
    connect_it(listener)


@held
def a_local_function_for_as_long_as_its_function_runs(signal, receiver):
    def local(**named):
        pass

    signal.connect(local)
    try:
        signal.send(None)
    finally:
        signal.disconnect(local)


@held
def a_local_function_that_uses_itself_for_as_long_as_its_function_runs(signal, receiver):
    def local(**named):
        local.calls = 1

    signal.connect(local)
    signal.disconnect(local)


@held
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
        signal.send(None)


@held
def in_a_list_or_a_dict(signal, receiver):
    things = [make(), functools.partial(hear), Listener().hear, Listener()]
    by_name = {"receiver": make(), "other": 1}
    for each in (*things, by_name["receiver"]):
        signal.connect(each)


@held
def in_a_tuple_in_a_list(signal, receiver):
    things = [("first", make())]
    signal.connect(things[0][1])


@held
def in_an_attribute(signal, receiver):
    listener = Listener()
    listener.receiver = make()
    signal.connect(listener.receiver)


@held
def in_a_global(signal, receiver):
    globals()["a_global"] = make()
    signal.connect(a_global)  # noqa: F821


@held
def a_global_by_its_name(signal, receiver):
    with mock.patch.dict(globals(), hear=wrapped(hear)):
        signal.connect(hear)


@held
def in_a_partial_that_stays(signal, receiver):
    local = make()
    globals()["a_global"] = functools.partial(local)
    signal.connect(local)


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


@held
def in_a_cache(signal, receiver):
    cached = functools.lru_cache(make)
    signal.connect(cached())


@held
def a_class(signal, receiver):
    class Called(type):
        def __call__(cls, **named):
            pass

    signal.connect(Called("Local", (), {}))
    signal.connect(type("Local", (), {"__init__": hear}))


@held
def what_is_written_in_c(signal, receiver):
    signal.connect({}.update)
    signal.connect(functools.lru_cache(hear))


@held
def a_mock(signal, receiver):
    receiver = mock.Mock()
    signal.connect(receiver)
    signal.connect(receiver.attribute)


@held
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
