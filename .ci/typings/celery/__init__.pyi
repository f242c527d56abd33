from typing import Any

shared_task: Any

def __getattr__(name: str) -> Any: ...
