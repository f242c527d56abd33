"""The deferred receivers of this project and their tasks, for ``manage.py signals --deferred``.

The command itself, which prints them, is in management/commands/signals.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from csignals._introspection.naming import dotted_name
from csignals.deferred import configuration
from csignals.deferred.receivers import declared
from csignals.deferred.task_info import STATUSES, Status, TaskInfo, TaskStore, one_line


@dataclass
class DeferredInfo:
    """A deferred receiver, declared in this process or named by a task, and its tasks."""

    #: The name in messages, such as "shop.receivers:send_receipt"; None for tasks with a malformed message.
    name: str | None
    is_declared: bool = False
    #: The name of the task backend, such as "celery"; None if there is none.
    backend: str | None = None
    #: The options that are not None.
    options: dict[str, Any] = field(default_factory=dict)
    #: The reason, if the tasks are unknown.
    unknown: str | None = None
    #: The statuses of tasks that the backend lists.
    statuses: tuple[Status, ...] = ()
    failed: list[TaskInfo] = field(default_factory=list)
    waiting: int = 0
    running: list[TaskInfo] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Return the data in types that ``json`` can write."""
        tasks: dict[str, Any] = {
            "failed": list(map(_data_of, self.failed)),
            "running": list(map(_data_of, self.running)),
        }
        tasks.update(dict.fromkeys(set(STATUSES) - set(self.statuses)))
        data = {**asdict(self), **tasks}
        del data["statuses"]
        return data


@dataclass
class Found:
    """All deferred receivers by name, and what their task backends say."""

    receivers: dict[str | None, DeferredInfo] = field(default_factory=dict)
    #: Each backend, and the reason if it does not list its tasks.
    asked: list[tuple[Any, str | None]] = field(default_factory=list)
    #: The backend of each task, by the task's id.
    stores: dict[str, TaskStore] = field(default_factory=dict)


def collect() -> Found:
    """Return the deferred receivers that this process declares, and those that tasks in their backends name."""
    found = Found()
    backends = {}
    for name, receiver in sorted(declared.items()):
        options = {key: value for key, value in vars(receiver.options).items() if value is not None}
        found.receivers[name] = DeferredInfo(name, True, options=options, unknown="there is no task backend")
        backends[name] = _backend_of(receiver.own_configuration)
    for name, backend in backends.items():
        if backend is not None:
            info = found.receivers[name]
            info.backend, info.unknown = _name_of(backend), _ask(found, backend)
            info.statuses = () if info.unknown else _statuses_of(backend)
    default = _backend_of(None)
    if default is not None:
        _ask(found, default)  # also for tasks of receivers that are gone
    return found


def retry(found: Found, receiver: str) -> Counter[str | None]:
    """Run failed tasks again: those of one receiver, or of all for "". Return how many of each receiver.

    Raises LookupError for an unknown receiver, and if the task backends do not list their tasks.
    """
    chosen = [info for name, info in found.receivers.items() if not receiver or _is_called(name, receiver)]
    if receiver and not chosen:
        close = get_close_matches(receiver, [name for name in found.receivers if name], 3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise LookupError(f'No deferred receiver and no task is called "{receiver}".{hint}')
    if chosen and all(info.unknown for info in chosen):
        raise LookupError(f"The failed tasks are unknown: {chosen[0].unknown}")
    return Counter(info.name for info in chosen for task in info.failed if found.stores[task.id].retry(task))


def _is_called(name: str | None, wanted: str) -> bool:
    return name is not None and wanted.replace(":", ".") == name.replace(":", ".")


def _backend_of(own: configuration.Configuration | None) -> Any:
    try:
        return configuration.current(own).backend
    except (LookupError, ImproperlyConfigured):
        return None


def _ask(found: Found, backend: Any) -> str | None:
    """Add the tasks of a backend, once. Return the reason if the backend does not list them."""
    for known, reason in found.asked:
        if known == backend:
            return reason
    reason = _add_tasks(found, backend)
    found.asked.append((backend, reason))
    return reason


def _add_tasks(found: Found, backend: Any) -> str | None:
    if not callable(getattr(backend, "tasks", None)):
        return "this task backend does not list its tasks"
    try:
        for task in backend.tasks():
            # Two backends may have the same tasks, as two aliases of one database do.
            if found.stores.setdefault(task.id, backend) is backend:
                _add(found, backend, task)
    except NotImplementedError as error:
        return one_line(str(error))
    except Exception as error:  # a broker or a database that cannot be reached, or that lacks a table
        return one_line(f"{dotted_name(type(error))}: {error}")
    return None


def _add(found: Found, backend: Any, task: TaskInfo) -> None:
    new = DeferredInfo(task.receiver, backend=_name_of(backend), statuses=_statuses_of(backend))
    info = found.receivers.setdefault(task.receiver, new)
    if task.status == "waiting":
        info.waiting += 1
    else:
        (info.failed if task.status == "failed" else info.running).append(task)


def _statuses_of(backend: Any) -> tuple[Status, ...]:
    return getattr(backend, "statuses", STATUSES)


def _name_of(backend: Any) -> str:
    name = str(dotted_name(type(backend)))
    return next((short for short, full in configuration.BACKENDS.items() if full == name), name)


def _data_of(task: TaskInfo) -> dict[str, Any]:
    return {**asdict(task), "since": None if task.since is None else task.since.isoformat()}
