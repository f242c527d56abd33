"""How a coroutine is recorded: step by step, as others run in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator

from csignals._dispatch import CallBase, enter, leave
from csignals._typing import Any


class RecordedCoroutine(Coroutine):  # type: ignore[type-arg]
    """A coroutine that is a part of a recorded call, which ends with it.

    Coroutines that run together may share one context: so that must not be left in the call between the steps.
    """

    __slots__ = ("_call", "_coroutine")

    def __init__(self, awaitable: Awaitable[Any], call: CallBase) -> None:
        self._coroutine = awaitable if isinstance(awaitable, Coroutine) else _await(awaitable)
        self._call = call

    def __await__(self) -> Generator[Any, Any, Any]:
        return self  # it does what a generator does

    def __iter__(self) -> RecordedCoroutine:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        self._step(self._coroutine.close)
        self.__del__()

    def __del__(self) -> None:
        if not self._call.end_ns:  # nobody awaited it to its end
            self._call.end(GeneratorExit())

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        before = enter(self._call)
        try:
            return step(*arguments)
        except StopIteration:
            self._call.end()
            raise
        except BaseException as error:
            self._call.end(error)
            raise
        finally:
            leave(before)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
