from typing import Any

task: Any

def __getattr__(name: str) -> Any: ...
