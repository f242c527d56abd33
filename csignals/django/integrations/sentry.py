"""Sentry's wrapper of ``Signal._live_receivers``, and what sends do instead of calling it.

On each send, the wrapper of sentry-sdk puts a closure around each sync receiver, and the closure calls the receiver in
a span. It does so even if no span is being recorded, and then sends none of its work to Sentry. csignals calls the
receiver in the same span while a span is being recorded, and otherwise directly. It recognises the wrappers of
sentry-sdk 2.0 to 2.75 by the names that their code uses, and calls any other wrapper. This module does not import the
SDK.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any, TypeAlias
from weakref import ref

from csignals._dispatch.common import KnownWrapper

Caller: TypeAlias = Callable[..., Any]  # called as caller(receiver, **named)

CLOSURE = "patch_signals.<locals>._sentry_live_receivers.<locals>.sentry_sync_receiver_wrapper.<locals>.wrapper"
MODULE = "sentry_sdk.integrations.django.signals_handlers"

# The names that the SDK's functions use. A function with other names does something else.
LIVE_RECEIVERS = {
    "DJANGO_VERSION",
    "enumerate",
    "get_client",
    "get_integration",
    "sentry_sdk",
    "signals_denylist",
    "signals_spans",
}
RECEIVER_NAME = {"__module__", "__name__", "__qualname__", "func", "hasattr", "str"}
SPAN = {"EVENT_DJANGO", "OP", "_get_receiver_name", "sentry_sdk", "set_data", "start_span"}
ORIGIN = SPAN | {"origin"}
STREAMED = ORIGIN | {
    "CODE_FUNCTION_NAME",
    "SPANDATA",
    "get_client",
    "has_span_streaming_enabled",
    "options",
    "traces",
}
ONLY_UNDER_A_SPAN = STREAMED | {"get_current_span"}
CALLS = (
    SPAN,  # from 2.0 on
    ORIGIN,  # from 2.8 on
    STREAMED,  # from 2.62 on: a streamed span may begin a trace
    ONLY_UNDER_A_SPAN,  # from 2.66.1 on: a streamed span may not begin a trace
)


class SentryWrapper(KnownWrapper):
    """The wrapper that ``sentry_sdk.init`` puts on the class, once or several times. Thread-safe.

    `is_original` says whether a function is the ``_live_receivers`` of csignals or Django.
    """

    def __init__(self, is_original: Callable[[Any], bool]) -> None:
        self._is_original = is_original
        self._last: tuple[ref[Any], Spans | None] | None = None  # for the last method

    def is_known(self, method: Any) -> bool:
        return self._spans_of(method) is not None

    def caller(self, signal: Any) -> Caller | None:
        spans = self._spans_of(type(signal)._live_receivers)
        return None if spans is None else spans.caller(signal)

    def forget(self) -> None:
        """Forget the result for the last method."""
        self._last = None

    def _spans_of(self, method: Any) -> Spans | None:
        last = self._last
        if last is not None and last[0]() is method:
            return last[1]
        if type(method) is not FunctionType:
            return None
        times, inner = 0, method
        while is_sentrys(inner) and has_known_code(inner):
            times, inner = times + 1, variable(inner, "old_live_receivers")
        spans = Spans(method, times) if times and self._is_original(inner) else None
        if spans is not None:
            self.scopes = spans.scopes
        self._last = ref(method), spans
        return spans


class Spans:
    """Make the spans that the SDK makes around receivers. `times` is how many of its wrappers are nested."""

    def __init__(self, wrapper: FunctionType, times: int) -> None:
        sdk, call = wrapper.__globals__, code_of_call(wrapper)
        scope = sys.modules["sentry_sdk.scope"]
        keywords = {keyword for each in call.co_consts if type(each) is tuple for keyword in each}
        self._times = times
        self._sdk = sdk["sentry_sdk"]
        self._integration = variable(wrapper, "DjangoIntegration")
        self._name_of: Callable[[Any], str] = sdk["_get_receiver_name"]
        self._is_streaming: Callable[[Any], bool] = sdk.get("has_span_streaming_enabled", lambda options: False)
        self._current_scope, self._isolation_scope = scope._current_scope, scope._isolation_scope
        self._get_current_scope: Callable[[], Any] = scope.Scope.get_current_scope
        self._name = "description" if "description" in keywords else "name"
        self._arguments = {"op": sdk["OP"].EVENT_DJANGO}
        if "origin" in call.co_names:
            self._arguments["origin"] = self._integration.origin
        # If a span may begin a trace, it makes no difference whether a span is being recorded.
        self._begins_traces = set(call.co_names) == STREAMED
        self.scopes = () if self._begins_traces else (self._current_scope, self._isolation_scope)
        # The client, and the values that do not change while it is in use.
        self._last: tuple[ref[Any], Any, Caller] | None = None

    def caller(self, signal: Any) -> Caller | None:
        client = self._sdk.get_client()
        last = self._last
        if last is None or last[0]() is not client:
            caller = self._call_in_streamed_span if self._is_streaming(client.options) else self._call_in_span
            last = self._last = ref(client), client.get_integration(self._integration), self._nested(caller)
        _, integration, caller = last
        if integration is None or not integration.signals_spans or signal in integration.signals_denylist:
            return None
        return caller

    def _nested(self, caller: Caller) -> Caller:
        """Return a caller that makes one span around the receiver for each wrapper around the method."""
        for _ in range(self._times - 1):
            caller = functools.partial(call_wrapped, caller)
        return caller

    def _call_in_span(self, receiver: Any, /, **named: Any) -> Any:
        parent = self._parent()
        transaction = None if parent is None else parent.containing_transaction
        if parent is None or transaction is None or transaction.sampled is False:
            return receiver(**named)  # the SDK would never send the span
        name = self._name_of(receiver)
        scope = self._get_current_scope()
        # As the SDK's start_span() does, but without its new scope, which no code reads.
        with parent.start_child(scope=scope, **{self._name: name}, **self._arguments) as span:
            span.set_data("signal", name)
            return receiver(**named)

    def _parent(self) -> Any:
        scope = self._current_scope.get()
        span = None if scope is None else scope.span
        if span is None and (scope := self._isolation_scope.get()) is not None:
            span = scope.span
        return span

    def _call_in_streamed_span(self, receiver: Any, /, **named: Any) -> Any:
        scope = self._current_scope.get()
        parent = None if scope is None else scope.streamed_span
        is_recorded = self._begins_traces if parent is None else parent.sampled
        if not is_recorded:
            return receiver(**named)
        name = self._name_of(receiver)
        attributes = {
            "sentry.op": self._arguments["op"],
            "sentry.origin": self._arguments["origin"],
            "code.function.name": name,
        }
        with self._sdk.traces.start_span(name=name, attributes=attributes):
            return receiver(**named)


def call_wrapped(caller: Caller, receiver: Any, /, **named: Any) -> Any:
    """Call a receiver through `caller` twice: the outer call gets a wrapper that has the receiver's names."""

    def wrapper(**named: Any) -> Any:
        return caller(receiver, **named)

    wrapper.__qualname__ = CLOSURE  # if the receiver has no name
    return caller(functools.update_wrapper(wrapper, receiver), **named)


def is_sentrys(method: Any) -> bool:
    """Return whether a method is a wrapper of the SDK, of any version."""
    return (
        type(method) is FunctionType
        and method.__globals__.get("__name__") == MODULE
        and method.__code__.co_name == "_sentry_live_receivers"
        and "old_live_receivers" in method.__code__.co_freevars
    )


def has_known_code(wrapper: FunctionType) -> bool:
    """Return whether a wrapper of the SDK, and the functions that it uses, are of a version that csignals knows."""
    call, receiver_name = code_of_call(wrapper), wrapper.__globals__.get("_get_receiver_name")
    names = set() if call is None else set(call.co_names)
    module: Any = sys.modules.get("sentry_sdk.scope")
    scope = getattr(module, "Scope", None)
    return (
        set(wrapper.__code__.co_names) == LIVE_RECEIVERS
        and type(receiver_name) is FunctionType
        and set(receiver_name.__code__.co_names) == RECEIVER_NAME
        and names in CALLS
        and all(type(getattr(module, name, None)) is ContextVar for name in ("_current_scope", "_isolation_scope"))
        and all(hasattr(scope, name) for name in ("_span", "span"))
        and (hasattr(scope, "streamed_span") or not names >= STREAMED)
    )


def code_of_call(wrapper: FunctionType) -> Any:
    """Return the code of the closure that the SDK's wrapper puts around a receiver, or None."""
    code: Any = wrapper.__code__
    for name in "sentry_sync_receiver_wrapper", "wrapper":
        code = next((each for each in code.co_consts if type(each) is CodeType and each.co_name == name), None)
        if code is None:
            return None
    return code


def variable(function: Any, name: str) -> Any:
    """Return the value of a free variable of a function."""
    return function.__closure__[function.__code__.co_freevars.index(name)].cell_contents
