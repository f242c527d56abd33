"""``mute()`` as a decorator: it mutes while the function runs, and raises for objects that it cannot decorate."""

import asyncio
import functools
import inspect

import pytest

from tests.helpers.receivers import Sender, connected, one


def results(signal):
    return [response for _, response in signal.send(Sender)]


def test_mute_decorates_plain_functions(csignals, signal):
    connected(signal, one)

    @csignals.mute(signal)
    def function(depth, *, last):
        """Docstring."""
        assert results(signal) == []
        if depth:
            function(depth - 1, last=last)
            assert results(signal) == []
        return last

    assert function(3, last="end") == "end"
    assert function.__doc__ == "Docstring."
    assert list(inspect.signature(function).parameters) == ["depth", "last"]
    assert results(signal) == ["one"]


def test_mute_decorates_coroutine_functions(csignals, signal):
    connected(signal, one)

    @csignals.mute(signal)
    async def function():
        await asyncio.sleep(0)
        return results(signal)

    async def main():
        assert inspect.iscoroutinefunction(function)
        coroutine = function()
        assert results(signal) == ["one"]
        return await coroutine, results(signal)

    assert asyncio.run(main()) == ([], ["one"])


async def send_late(signal):
    await asyncio.sleep(0)
    return results(signal)


class AsyncCallable:
    async def __call__(self, signal):
        return await send_late(signal)


class Callable:
    """Its ``__call__`` is a plain function that returns a coroutine."""

    def __call__(self, signal):
        return send_late(signal)


@pytest.mark.parametrize(
    "target",
    [
        AsyncCallable(),
        Callable(),
        Callable().__call__,
        functools.partial(send_late),
        functools.partial(Callable()),
        lambda signal: send_late(signal),
    ],
)
def test_mute_decorates_callables_returning_coroutines(csignals, signal, target):
    connected(signal, one)
    muted = csignals.mute(signal)(target)

    async def main():
        coroutine = muted(signal)
        between = results(signal)
        gathered = await asyncio.gather(coroutine, muted(signal=signal), send_late(signal))
        return between, gathered, results(signal)

    assert asyncio.run(main()) == (["one"], [[], [], ["one"]], ["one"])


def test_async_callables_stay_coroutine_functions(csignals):
    assert inspect.iscoroutinefunction(csignals.mute()(AsyncCallable()))


def test_a_wrapped_coroutine_ends_its_mute(csignals, signal):
    """The mute ends if the coroutine raises, and if its task is cancelled."""
    connected(signal, one)

    async def fail():
        assert results(signal) == []
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def main():
        muted = csignals.mute(signal)(lambda: fail())
        with pytest.raises(ZeroDivisionError):
            await muted()
        task = asyncio.create_task(muted())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), results(signal)

    assert asyncio.run(main()) == (True, ["one"])


def test_mute_decorates_class_and_static_methods(csignals, signal):
    """The decorator may stand above or below ``@classmethod``."""
    connected(signal, one)

    class Command:
        @csignals.mute(signal)
        @classmethod
        def of_class(cls):
            return cls, results(signal)

        @csignals.mute(signal)
        @staticmethod
        def static(argument):
            return argument, results(signal)

        @classmethod
        @csignals.mute(signal)
        async def below(cls):
            return cls, await send_late(signal)

    assert Command.of_class() == Command().of_class() == asyncio.run(Command.below()) == (Command, [])
    assert Command.static(1) == Command().static(1) == (1, [])
    assert results(signal) == ["one"]


def generator(argument=None):
    yield


async def async_generator(argument=None):
    yield


@pytest.mark.parametrize(
    "target",
    [
        Sender,
        generator,
        async_generator,
        classmethod(generator),
        property(one),
        "one",
        type("Generator", (), {"__call__": generator})(),
        type("Generator", (), {"__call__": async_generator})(),
    ],
)
def test_decorating_other_objects_raises(csignals, target):
    with pytest.raises(TypeError, match="in a with statement"):
        csignals.mute()(target)
