"""Deferred receivers on Django's Tasks: of Django 6.0 and newer, or of the package django-tasks before that."""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from typing import Any

if find_spec("django.tasks"):
    from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME, task, task_backends
else:
    from django_tasks import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME, task, task_backends

from django.utils import timezone

from csignals.deferred import Options, run


def _one_of(names: Any, default: str) -> str:
    """Return the default, unless there are only others."""
    return default if default in names or not names else min(names)


def _queue_of(backend: str) -> str:
    return _one_of(task_backends[backend].queues, DEFAULT_TASK_QUEUE_NAME)


BACKEND = _one_of(task_backends.settings, DEFAULT_TASK_BACKEND_ALIAS)


@task(backend=BACKEND, queue_name=_queue_of(BACKEND))
def run_receiver(message: str) -> None:
    """Call the deferred receiver that a message names."""
    run(message)


class Backend:
    """The task backend ``"django_tasks"``: the alias `backend` of the setting ``TASKS``, by default "default".

    Raises what Django's backend raises. A backend that keeps tasks in the database writes them in the same transaction.
    With ``django-tasks-db``, a killed worker loses no task: the task that it was running stays ``RUNNING``.
    """

    def __init__(self, backend: str = BACKEND) -> None:
        self._backend = backend

    def prepare(self, options: Options) -> tuple[Any, float | None]:
        """Return the task with its options, and the delay. Raises TypeError for options that Tasks do not have."""
        for name in ("retries", "expires"):
            if getattr(options, name) is not None:
                raise TypeError(f"Django's Tasks have no {name}: do that in the receiver, or use another task backend")
        queue = options.queue or _queue_of(self._backend)
        prepared = run_receiver.using(priority=options.priority, queue_name=queue, backend=self._backend)
        return prepared, options.delay

    def enqueue(self, message: str, prepared: tuple[Any, float | None]) -> None:
        task, delay = prepared
        if delay is not None:
            task = task.using(run_after=timezone.now() + timedelta(seconds=delay))
        task.enqueue(message)
