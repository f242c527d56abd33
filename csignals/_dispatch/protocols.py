"""What the dispatcher asks of the code above it: an interceptor of sends, and what that returns.

These are for type checkers alone. At run time their names are `object`, as `typing` takes long to import.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol
from weakref import ReferenceType

Receiver = Callable[..., Any]
Response = tuple[Receiver, Any]
LiveReceivers = tuple[list[Receiver], list[Receiver]]
References = tuple[ReferenceType[Any], ...]


class SendRecorder(Protocol):
    """What records the calls of one send: ``csignals.tracing.records.SendRecord``."""

    def call_sync(self, receiver: Receiver, sender: object, named: dict[str, Any]) -> Any: ...

    def call_async(self, receiver: Receiver, sender: object, named: dict[str, Any]) -> Awaitable[Any]: ...


class InterceptedSend(Protocol):
    """A send while a scope is active for it: its receivers, and what is recorded of it."""

    sync: list[Receiver]
    async_: list[Receiver]
    responses: list[Response]

    def __enter__(self) -> "InterceptedSend": ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None: ...

    def calling(self, receiver: Receiver) -> Any: ...

    def await_receivers(self, sender: Any, named: dict[str, Any]) -> None: ...


class Interceptor(Protocol):
    """What sends ask while any mute, capture or trace is active, or any receiver is watched: _interception.py."""

    #: References to the mutes, captures and traces that are active in the current context.
    context_scopes: ContextVar[tuple[References, ...]]
    #: Signals with watched receivers, by id; of each, a dict by the sender's id.
    watched: dict[int, Any]

    def process_scopes(self) -> tuple[References, ...]:
        """Return references to the mutes, captures and traces that are active in the whole process."""
        ...

    def record_classes(self) -> tuple[type, type] | None:
        """Return the classes of which a trace records sends and calls; None while no trace is open."""
        ...

    def is_intercepted(self, signal: Any, sender: object) -> bool:
        """Return whether a send must go through `intercept`."""
        ...

    def needs_more_than_traces(self, signal: Any, sender: object) -> bool:
        """Return whether a mute or capture matches a send, or the send could reach a watched receiver."""
        ...

    def filter_muted(self, signal: Any, sender: object, live: LiveReceivers) -> LiveReceivers:
        """Return the live receivers without those that are muted."""
        ...

    def intercept(self, signal: Any, sender: Any, named: dict[str, Any], robust: bool) -> InterceptedSend:
        """Begin an intercepted send."""
        ...

    def asend(
        self,
        signal: Any,
        sender: Any,
        named: dict[str, Any],
        robust: bool,
        await_both: Callable[..., Awaitable[list[Response]]],
    ) -> Awaitable[list[Response]]:
        """Do the work of an intercepted ``asend`` or ``asend_robust``; `await_both` supplies the awaiting strategy."""
        ...
