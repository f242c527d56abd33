"""What a task backend says about its tasks of deferred receivers: which failed, wait or run.

``manage.py signals --deferred`` shows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

LONGEST_LINE = 200  # characters
Status: TypeAlias = Literal["failed", "waiting", "running"]
STATUSES: tuple[Status, ...] = ("failed", "waiting", "running")


@dataclass(frozen=True)
class TaskInfo:
    """A task that a task backend keeps: a call of a deferred receiver that has not succeeded."""

    #: The task's name in the task backend.
    id: str
    status: Status
    #: The name of the receiver, as its message has it, such as "shop.receivers:send_receipt"; None if unknown.
    receiver: str | None
    queue: str | None = None
    #: Since when the task has this status.
    since: datetime | None = None
    #: The exception and its text, for a failed task.
    error: str | None = None


class TaskStore(Protocol):
    """The optional methods of a `Backend`."""

    def tasks(self) -> Iterable[TaskInfo]: ...

    def retry(self, task: TaskInfo) -> bool: ...


def receiver_of(message: Any) -> str | None:
    """Return the name of the receiver in a message, or None if the message is malformed. Runs nothing."""
    try:
        content = json.loads(message)
    except (TypeError, ValueError, RecursionError):
        return None
    name = content.get("receiver") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def one_line(text: str) -> str:
    """Return the first line of a text without control characters, and not longer than fits on the screen."""
    first = next(iter(text.strip()[: LONGEST_LINE + 1].splitlines()), "")
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in first)
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 3]}..."
