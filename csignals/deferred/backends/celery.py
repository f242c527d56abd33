"""Deferred receivers on Celery 5, with any broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat
from typing import Any, ClassVar

from celery import Task, shared_task
from celery.app.routes import MapRoute, Router
from celery.backends.redis import RedisBackend
from celery.exceptions import QueueNotFound, TaskPredicate
from kombu.serialization import prepare_accept_content, registry

from csignals.deferred import MessageRejected, Options, run
from csignals.deferred.task_info import TaskInfo, one_line, receiver_of


# Acknowledged once it is done: a worker that is killed meanwhile leaves the message to another. If there is a result
# backend, it stores failures alone.
@shared_task(
    name="csignals.run",
    bind=True,
    serializer="json",
    ignore_result=True,
    store_errors_even_if_ignored=True,
    acks_late=True,
    reject_on_worker_lost=True,
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


@dataclass(frozen=True)
class Backend:
    """The task backend ``"celery"``: the task ``csignals.run`` of the current Celery app, or of `app`.

    Retries wait for the task's ``default_retry_delay`` (seconds), which Celery's ``task_annotations`` can set.

    With RabbitMQ, a killed worker loses no message. With Redis, a killed worker can lose the message that it is just
    taking: kombu removes a message from Redis before it records which worker has it. Redis itself can lose messages
    when it stops or crashes.

    Failed tasks can be listed and retried if Redis is the result backend, and ``result_extended`` is set: without it, a
    failure in the result backend does not say which task failed. A retry has the queue and the number of retries of the
    first time, but not the priority. Celery cannot list messages that wait in a broker.

    Raises what Celery raises, such as ``kombu.exceptions.OperationalError`` while the broker cannot be reached.
    """

    app: Any = None
    statuses: ClassVar = ("failed",)
    own_packages: ClassVar = frozenset({"django_celery_beat", "django_celery_results"})

    def prepare(self, options: Options) -> dict[str, Any]:
        """Return the options under Celery's names. Raises TypeError for those that the app does not support."""
        task = self._task()
        # A message of RabbitMQ has one byte for the priority.
        if options.priority is not None and not 0 <= options.priority <= 255:
            raise TypeError(f"Celery does not support priority={options.priority}: choose one from 0 to 255")
        _check_queue(task.app, options.queue)
        _check_serializer(task)
        named = {
            "queue": options.queue,
            "priority": options.priority,
            "countdown": options.delay,
            "expires": options.expires,
            "kwargs": {"retries": options.retries} if options.retries else None,
        }
        return {name: value for name, value in named.items() if value is not None}

    def enqueue(self, message: str, prepared: dict[str, Any]) -> None:
        self._task().apply_async((message,), **prepared)

    def tasks(self) -> Iterator[TaskInfo]:
        """Return the tasks that have failed. Raises NotImplementedError."""
        store = self._store()
        keys = store.client.scan_iter(match=bytes(store.task_keyprefix) + b"*", count=1000)
        while some := list(islice(keys, 100)):
            for record in map(_read, repeat(store), store.mget(some)):
                if _has_failed(record):
                    yield _info_of(record)

    def retry(self, task: TaskInfo) -> bool:
        """Send the message of a failed task again, as a new task, and delete the failure from the result backend."""
        store = self._store()
        record = _read(store, store.get(store.get_key_for_task(task.id)))
        if not _has_failed(record):
            return False
        self._task().apply_async(record["args"], record.get("kwargs"), queue=record.get("queue"))
        store.forget(task.id)
        return True

    def _task(self) -> Any:
        return run_receiver if self.app is None else self.app.tasks[run_receiver.name]

    def _store(self) -> Any:
        """Return the result backend. Raises NotImplementedError if it does not keep what listing and retrying need."""
        app = self._task().app
        if not isinstance(app.backend, RedisBackend):
            raise NotImplementedError("only Redis as Celery's result backend lets csignals list failed tasks")
        if not app.conf.result_extended:
            raise NotImplementedError("failed tasks have a name only with Celery's setting result_extended = True")
        if app.conf.result_serializer != "json":
            raise NotImplementedError("csignals reads the result backend only with Celery's result_serializer = 'json'")
        return app.backend


def _check_queue(app: Any, queue: str | None) -> None:
    """Raise TypeError if Celery has no such queue, and may not create it."""
    routes = app.amqp.routes
    if not all(isinstance(route, MapRoute) for route in routes):  # code of the project routes each message
        if queue is None:
            return
        routes = ()
    options = {} if queue is None else {"queue": queue}
    try:
        Router(routes, app.amqp.queues, app=app).route(options, run_receiver.name)
    except QueueNotFound as error:
        raise TypeError(
            f"Celery does not support queue={queue!r}: {error}, and task_create_missing_queues is False. Add it to "
            "task_queues, or choose one of those."
        ) from error


def _check_serializer(task: Any) -> None:
    """Raise TypeError if workers with the settings of this app would refuse its messages."""
    accepted = prepare_accept_content(task.app.conf.accept_content)
    if registry.name_to_type.get(task.serializer) not in accepted:
        raise TypeError(
            f"Celery's workers would refuse all messages: these are written in {task.serializer}, which accept_content "
            f'does not have. Add "{task.serializer}" to accept_content.'
        )


def _read(store: Any, value: Any) -> Any:
    """Return a record of the result backend, or None if it is not JSON."""
    try:
        return store.decode(value)
    except Exception:  # of JSON, of the compression, and of kombu, which refuses other content
        return None


def _has_failed(record: Any) -> bool:
    match record:
        case {"name": "csignals.run", "status": "FAILURE", "task_id": str(), "args": [str(), *_]}:
            return True
        case _:
            return False


def _info_of(record: dict[str, Any]) -> TaskInfo:
    since = None
    with suppress(TypeError, ValueError):
        since = datetime.fromisoformat(record["date_done"])
    receiver = receiver_of(record["args"][0])
    return TaskInfo(record["task_id"], "failed", receiver, record.get("queue"), since, _error_of(record))


def _error_of(record: dict[str, Any]) -> str | None:
    match record.get("result"):
        case {"exc_module": module, "exc_type": name, "exc_message": text}:
            full = name if module == "builtins" else f"{module}.{name}"
            return one_line(f"{full}: {', '.join(map(str, text)) if isinstance(text, list) else text}")
        case _:
            return None
