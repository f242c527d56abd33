from typing import Any

from csignals._dispatch_py import Entry, Hooks, Receiver, Response

class RoutingTable:
    def __init__(self, receivers: list[Entry]) -> None: ...

class SignalBase:
    receivers: list[Entry]
    lock: Any
    use_caching: bool
    sender_receivers_cache: dict[Any, Any]
    _dead_receivers: bool
    _csignals_table: RoutingTable | None

    # These come to the class over it, through methods().
    def has_listeners(self, sender: object = None) -> bool: ...
    def send(self, sender: Any, **named: Any) -> list[Response]: ...
    def send_robust(self, sender: Any, **named: Any) -> list[Response]: ...
    def _live_receivers(self, sender: object) -> tuple[list[Receiver], list[Receiver]]: ...

def methods(cls: type, hooks: Hooks) -> dict[str, Any]: ...
