"""Deferred receivers on Django's Tasks: of Django 6.0 and newer, or of the package django-tasks before that."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.utils import timezone

if find_spec("django.tasks"):
    from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME, task, task_backends
    from django.tasks.exceptions import InvalidTask
else:
    from django_tasks import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME, task, task_backends
    from django_tasks.exceptions import InvalidTaskError as InvalidTask

from csignals._introspection.naming import dotted_name
from csignals.deferred import MessageRejected, Options, run
from csignals.deferred.task_info import Status, TaskInfo, one_line, receiver_of

logger = logging.getLogger("csignals.deferred")

WAYS_OUT = {
    "queue": "Add it to QUEUES in the setting TASKS, or choose one of those.",
    "priority": "Leave it out, or use a backend of Tasks that supports it.",
    "delay": "Leave it out, or use a backend of Tasks that supports run_after, such as django-tasks-db.",
    "retries": "Leave it out, or use a backend of Tasks that supports run_after, such as django-tasks-db.",
}
STATUSES: dict[str, Status] = {"FAILED": "failed", "READY": "waiting", "RUNNING": "running"}  # of django-tasks-db


def _one_of(names: Any, default: str) -> str:
    """Return the default, unless there are only others."""
    return default if default in names or not names else min(names)


def _default_backend() -> str:
    return _one_of(task_backends.settings, DEFAULT_TASK_BACKEND_ALIAS)


def _queue_of(backend: str) -> str:
    return _one_of(task_backends[backend].queues, DEFAULT_TASK_QUEUE_NAME)


@task(backend=_default_backend(), queue_name=_queue_of(_default_backend()))
def run_receiver(message: str, retry: dict[str, Any] | None = None) -> None:
    """Call the deferred receiver that a message names. If it fails and `retry` allows it, enqueue this task again."""
    try:
        run(message)
    except MessageRejected:
        raise  # a retry would fail again
    except Exception as error:
        if retry is None or retry["left"] < 1:
            raise
        again = {**retry, "left": retry["left"] - 1}
        later = run_receiver.using(**retry["task"], run_after=_in(retry["delay"]))
        later.enqueue(message, again)
        logger.warning(
            "%s failed, and runs again in %g seconds (retries left: %d): %s",
            *(receiver_of(message), retry["delay"], again["left"], one_line(f"{type(error).__qualname__}: {error}")),
            exc_info=error,
        )


@dataclass(frozen=True)
class Backend:
    """The task backend ``"django_tasks"``: the alias `backend` of the setting ``TASKS``, by default "default".

    A receiver with `retries` is called again `retry_delay` seconds after it failed, by default three minutes. `delay`
    and `retries` need a backend of Tasks that supports ``run_after``. The worker that calls the receiver enqueues its
    task again, so that each call is a task of its own.

    Raises what Django's backend raises. A backend that keeps tasks in the database writes them in the same transaction.
    With ``django-tasks-db``, a killed worker loses no task: the task that it was running stays ``RUNNING``. Of the
    backends, only that one can list and retry tasks: those in all aliases.
    """

    backend: str | None = None
    retry_delay: float = 180

    @property
    def own_packages(self) -> frozenset[str]:
        """The package of the backend of Tasks, unless it is one of Django itself."""
        backend = type(task_backends[self.backend or _default_backend()])
        return frozenset({backend.__module__.partition(".")[0]} - {"django"})

    def prepare(self, options: Options) -> tuple[Any, float | None, dict[str, Any] | None]:
        """Return the task with its options, the delay, and what a retry needs.

        Raises TypeError for options that this backend of Tasks does not support.
        """
        alias = self.backend or _default_backend()
        if options.expires is not None:
            raise TypeError(
                "Django's Tasks do not support expires. Let the receiver compare the time itself, or use another task "
                "backend, such as Celery."
            )
        prepared = run_receiver.using(backend=alias, queue_name=_queue_of(alias))
        if options.queue is not None:
            prepared = _with(prepared, "queue", options.queue, queue_name=options.queue)
        if options.priority is not None:
            prepared = _with(prepared, "priority", options.priority, priority=options.priority)
        if options.delay:
            _with(prepared, "delay", options.delay, run_after=_in(options.delay))
        if not options.retries:
            return prepared, options.delay or None, None
        _with(prepared, "retries", options.retries, run_after=_in(self.retry_delay))
        named = {"backend": alias, "queue_name": prepared.queue_name, "priority": prepared.priority}
        return prepared, options.delay or None, {"left": options.retries, "delay": self.retry_delay, "task": named}

    def enqueue(self, message: str, prepared: tuple[Any, float | None, dict[str, Any] | None]) -> None:
        task, delay, retry = prepared
        if delay is not None:
            task = task.using(run_after=_in(delay))
        if retry is None:
            task.enqueue(message)  # as workers of older releases know it
        else:
            task.enqueue(message, retry)

    def tasks(self) -> Iterator[TaskInfo]:
        """Return the tasks that have failed, wait or run, the oldest first. Raises NotImplementedError."""
        rows = self._rows().exclude(status="SUCCESSFUL").order_by("enqueued_at", "pk")
        return map(_info_of, rows.defer("return_value").iterator(chunk_size=500))

    def retry(self, task: TaskInfo) -> bool:
        """Make a failed task ready to run, as it was enqueued."""
        failed = self._rows().filter(pk=task.id, status="FAILED")
        ready = {
            "status": "READY",
            "started_at": None,
            "finished_at": None,
            "exception_class_path": "",
            "traceback": "",
        }
        return bool(failed.update(**ready))

    def _rows(self) -> Any:
        alias = self.backend or _default_backend()
        found = task_backends[alias]
        if apps.is_installed("django_tasks_db"):
            from django_tasks_db import DatabaseBackend
            from django_tasks_db.models import DBTaskResult

            if isinstance(found, DatabaseBackend):
                return DBTaskResult.objects.filter(task_path=run_receiver.module_path)
        raise NotImplementedError(
            f"csignals cannot list the tasks of {dotted_name(type(found))}, which is {alias!r} in TASKS"
        )


def _in(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def _with(task: Any, option: str, value: Any, **changes: Any) -> Any:
    """Return a task with changes. Raises TypeError, which names the option, if its backend does not support them."""
    try:
        return task.using(**changes)
    except InvalidTask as error:
        backend = f"{task.backend!r} in TASKS ({dotted_name(type(task.get_backend()))})"
        raise TypeError(f"{backend} does not support {option}={value!r}: {error} {WAYS_OUT[option]}") from error


def _info_of(row: Any) -> TaskInfo:
    status = STATUSES[row.status]
    since = {"failed": row.finished_at, "running": row.started_at, "waiting": row.enqueued_at}[status]
    error = _error_of(row) if status == "failed" else None
    return TaskInfo(str(row.pk), status, receiver_of(_message_of(row.args_kwargs)), row.queue_name, since, error)


def _message_of(args_kwargs: Any) -> Any:
    match args_kwargs:
        case {"args": [message, *_]} | {"kwargs": {"message": message}}:
            return message
        case _:
            return None


def _error_of(row: Any) -> str:
    """Return the exception and its text, which the last lines of a traceback have."""
    name = row.exception_class_path.removeprefix("builtins.")
    _, found, text = f"\n{row.traceback}".rpartition(f"\n{name}:")
    return one_line(f"{name}:{text}" if found else name)
