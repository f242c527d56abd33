"""Deferred receivers on Celery 5, with any broker."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task
from celery.exceptions import TaskPredicate

from csignals.deferred import MessageRejected, Options, run


# Acknowledged once it is done: a worker that is killed meanwhile leaves the message to another.
@shared_task(
    name="csignals.run", bind=True, serializer="json", ignore_result=True, acks_late=True, reject_on_worker_lost=True
)
def run_receiver(self: Task, message: str, retries: int = 0) -> None:
    """Call the deferred receiver that a message names."""
    try:
        run(message)
    except (MessageRejected, TaskPredicate):
        raise  # a retry would fail again; or the receiver has decided itself
    except Exception as error:
        if not retries:
            raise
        raise self.retry(exc=error, max_retries=retries) from error


class Backend:
    """The task backend ``"celery"``: the task ``csignals.run`` of the current Celery app, or of `app`.

    Retries wait for the task's ``default_retry_delay`` (seconds), which Celery's ``task_annotations`` can set.

    With RabbitMQ, a killed worker loses no message. With Redis, a killed worker can lose the message that it is just
    taking: kombu removes a message from Redis before it records which worker has it. Redis itself can lose messages
    when it stops or crashes.

    Raises what Celery raises, such as ``kombu.exceptions.OperationalError`` while the broker cannot be reached.
    """

    def __init__(self, app: Any = None) -> None:
        self._app = app

    def prepare(self, options: Options) -> dict[str, Any]:
        """Return the options under Celery's names. Celery supports all of them."""
        named = {
            "queue": options.queue,
            "priority": options.priority,
            "countdown": options.delay,
            "expires": options.expires,
            "kwargs": {"retries": options.retries} if options.retries else None,
        }
        return {name: value for name, value in named.items() if value is not None}

    def enqueue(self, message: str, prepared: dict[str, Any]) -> None:
        task = run_receiver if self._app is None else self._app.tasks[run_receiver.name]
        task.apply_async((message,), **prepared)
