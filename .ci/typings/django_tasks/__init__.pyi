from typing import Any

DEFAULT_TASK_BACKEND_ALIAS: str
DEFAULT_TASK_QUEUE_NAME: str
task: Any
task_backends: Any

def __getattr__(name: str) -> Any: ...
