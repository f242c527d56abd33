"""Deferred receivers on real task backends, servers and workers: which messages survive when one of them ends.

The receivers are those of `store`, a Django project. brokers.py runs the servers.
"""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.deferred.brokers import PostgreSQL, RabbitMQ, Redis, wait_for
from tests.deferred.projects import run_tests_of, variables_of
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.workers

# The options that README.md recommends for Celery. With the options for Redis, another worker gets the message of a
# dead worker within four seconds, or within seven if the dead worker had the lock.
OPTIONS = {
    Redis: {
        "visibility_timeout": 3,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 6,
    },
    RabbitMQ: {"confirm_publish": True},
}

# How many messages a broker loses for each worker that is taking one while the worker or the broker is killed.
# kombu first takes a message off Redis, and only then records which worker has it.
LOST_WHILE_TAKEN = {Redis: 1, RabbitMQ: 0}


@pytest.fixture(autouse=True)
def patience():
    """Allow more than the usual two minutes for a test: the first test may have to install the servers."""
    faulthandler.dump_traceback_later(300, exit=True, file=sys.__stderr__)


class Project:
    """The project `store` with a task backend: its workers, a sending process, and the numbers that receivers wrote."""

    def __init__(self, folder, **environment):
        self.folder = folder
        self.out = folder / "out"
        self.out.touch()
        self.environment = {
            **os.environ,
            **variables_of("store", folder),
            "OUT": str(self.out),
            **environment,
        }
        self.processes = []

    def python(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.folder,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, code):
        """Run code in the project, and return its output."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = self.python("-c", f"import django; django.setup()\n{code}", **pipes)
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        return out

    def start(self, *arguments):
        """Start a worker, with its own log file."""
        log = open(self.folder / f"worker{len(self.processes)}.log", "w")  # noqa: SIM115  # the worker uses it
        with log:
            process = self.python(*arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        process.log = Path(log.name)
        self.processes.append(process)
        return process

    @contextmanager
    def sender(self):
        """Start a sending process. Yield a function that sends a range of numbers and returns the failed sends."""
        with self.python("-m", "store.sender", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

            def send(first, last, name="counted"):
                print(name, first, last, file=process.stdin, flush=True)
                return {int(number): why for number, why in json.loads(process.stdout.readline()).items()}

            assert send(0, 0) == {}  # the process is ready
            yield send
            process.stdin.close()

    def written(self):
        return list(map(int, self.out.read_text().split()))

    def lost(self, sent):
        return set(sent) - set(self.written())

    def stop(self):
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def celery_worker(project, *options):
    """Start a Celery worker, and wait until it is ready."""
    (worker,) = celery_workers(project, 1, *options)
    return worker


def celery_workers(project, number, *options):
    workers = [start_celery_worker(project, *options) for _ in range(number)]
    for worker in workers:
        wait_for(lambda worker=worker: " ready." in worker.log.read_text(), "a worker should be ready")
    return workers


def start_celery_worker(project, *options):
    name = f"w{len(project.processes)}@localhost"
    usual = ["--concurrency=1", f"--hostname={name}", "--loglevel=INFO", "--without-mingle"]
    return project.start("-m", "celery", "-A", "store.celery", "worker", *usual, *options)


def kill(worker):
    """Kill a worker with all its processes, whatever they do."""
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


@pytest.fixture
def project(tmp_path):
    projects = []

    def make(**environment):
        projects.append(Project(tmp_path, **environment))
        return projects[-1]

    yield make
    for each in projects:
        each.stop()


# --- Celery on Redis and on RabbitMQ -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis():
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def rabbitmq():
    with RabbitMQ() as server:
        yield server


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request):
    return request.getfixturevalue(request.param)


def empty(broker):
    """Delete all messages of a broker. Start the broker first if a test has stopped it."""
    if broker.process.poll() is not None:
        broker.start()
    broker.empty()


@pytest.fixture
def on_broker(project, broker):
    """Return a function that creates the project on an empty broker. It accepts further options for Redis."""
    empty(broker)

    def make(environment=None, **for_redis):
        options = OPTIONS[type(broker)] | (for_redis if isinstance(broker, Redis) else {})
        environment = {"TRANSPORT_OPTIONS": json.dumps(options), **(environment or {})}
        return project(BACKEND="celery", BROKER=broker.url, **environment)

    return make


@pytest.fixture
def on_redis(project, redis):
    empty(redis)
    return project(BACKEND="celery", BROKER=redis.url)


def wait_for_the_end(project, broker, sent, workers):
    """Wait until all sent numbers are written. Redis may lose some, so an idle Redis ends the wait, too."""

    def is_there():
        return not project.lost(sent) or (isinstance(broker, Redis) and broker.is_idle(workers))

    wait_for(is_there, "the sent messages should be run")


def test_killed_workers_lose_one_message_at_most(on_broker, broker):
    """Redis loses one of 500 messages at most, and RabbitMQ none."""
    project = on_broker()
    with project.sender() as send:
        assert send(0, 500) == {}
    killed, living = celery_workers(project, 2)
    wait_for(lambda: len(project.written()) > 50, "the workers should run some messages")
    kill(killed)
    wait_for_the_end(project, broker, range(500), workers=1)
    assert len(project.lost(range(500))) <= LOST_WHILE_TAKEN[type(broker)]
    assert living.poll() is None


def test_a_broker_restart_loses_no_messages(on_broker, broker):
    """Messages survive a restart, and the workers reconnect. Redis stops while idle, RabbitMQ at any moment.

    Only sends to a stopped broker fail.
    """
    project = on_broker()
    with project.sender() as send:
        assert send(0, 300) == {}
        broker.stop()
        failed = send(300, 303)
        broker.start()
        workers = celery_workers(project, 2)
        sent = set(range(300))
        if isinstance(broker, Redis):
            wait_for_the_end(project, broker, sent, workers=2)
        broker.stop()
        broker.start()
        assert send(303, 600) == {}
    sent |= set(range(303, 600))
    wait_for_the_end(project, broker, sent, workers=2)
    assert {number: why[0] for number, why in failed.items()} == dict.fromkeys(
        range(300, 303), "kombu.exceptions.OperationalError"
    )
    assert project.lost(sent) == set()
    assert set(project.written()) <= sent
    assert [worker.poll() for worker in workers] == [None, None]


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_a_send_fails_without_rabbitmq_confirmation(on_broker, broker):
    project = on_broker()
    with project.sender() as send, ThreadPoolExecutor(1) as thread:
        assert send(0, 1) == {}
        os.killpg(broker.process.pid, signal.SIGSTOP)
        try:
            sending = thread.submit(send, 1, 2)
            with pytest.raises(TimeoutError):
                sending.result(timeout=1)
        finally:
            os.killpg(broker.process.pid, signal.SIGKILL)
            broker.process.wait()
        assert sending.result(timeout=60)[1][0] == "kombu.exceptions.OperationalError"


# --- Celery workers that are taking a message


@pytest.fixture
def taking(on_broker, broker):
    """Return the project, and a worker that is stopped (SIGSTOP) while it takes the first of ten messages.

    The worker takes several messages at a time if the transport allows it.
    """
    # The polling interval is longer than the test, so the worker always waits for a message. It sends no heartbeat:
    # that would block on a stopped broker, and the worker would read nothing.
    project = on_broker(polling_interval=60)
    worker = celery_worker(project, "--concurrency=2", "--prefetch-multiplier=4", "--without-heartbeat")
    with project.sender() as send:
        send(100, 101)
        wait_for_the_end(project, broker, [100], workers=1)
        if isinstance(broker, Redis):
            wait_for(lambda: broker.is_idle(1), "the worker should wait for a message")
        os.kill(worker.pid, signal.SIGSTOP)
        assert send(0, 10) == {}
    return project, worker


def test_killed_takers_lose_messages_on_redis(taking, broker):
    project, worker = taking
    kill(worker)
    celery_worker(project)
    wait_for_the_end(project, broker, range(10), workers=1)
    assert project.lost(range(10)) == set(range(LOST_WHILE_TAKEN[type(broker)]))


def test_stopping_redis_loses_the_taken_message(taking, broker):
    project, worker = taking
    broker.stop()
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(
        lambda: "Connection to broker lost" in worker.log.read_text(), "the worker should notice the stopped broker"
    )
    broker.start()
    wait_for_the_end(project, broker, range(10), workers=1)
    assert project.lost(range(10)) == set(range(LOST_WHILE_TAKEN[type(broker)]))


def test_a_terminated_worker_loses_no_message(taking, broker):
    project, worker = taking
    worker.terminate()
    os.kill(worker.pid, signal.SIGCONT)
    worker.wait(60)
    celery_worker(project)
    wait_for_the_end(project, broker, range(10), workers=1)
    assert project.lost(range(10)) == set()


# --- Celery workers that have a message


def test_receivers_of_killed_processes_run_again(on_broker):
    project = on_broker(visibility_timeout=600)  # the worker itself returns the message
    celery_worker(project)
    with project.sender() as send:
        assert send(0, 1, "fatal") == {}
    wait_for(lambda: project.written() == [0, 0], "the receiver that killed its process should run again")


def test_receivers_of_killed_workers_run_again(on_broker, broker):
    project = on_broker({"KILLS": "worker"})
    workers = celery_workers(project, 2)
    with project.sender() as send:
        started = time.monotonic()
        assert send(0, 1, "fatal") == {}
    wait_for(lambda: project.written() == [0, 0], "the other worker should run the receiver")
    assert time.monotonic() - started >= OPTIONS[type(broker)].get("visibility_timeout", 0)
    assert sorted(worker.poll() or 0 for worker in workers) == [-signal.SIGKILL, 0]


DIES_WITH_THE_LOCK = """
import os, signal
from kombu.transport.redis import Mutex, MutexHeld
from store.celery import app
with app.connection() as connection, connection.channel() as channel, channel.conn_or_acquire() as client:
    while True:
        try:
            with Mutex(client, channel.unacked_mutex_key, channel.unacked_mutex_expire):
                os.kill(os.getpid(), signal.SIGKILL)
        except MutexHeld:
            pass
"""


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_workers_wait_for_an_abandoned_lock(on_broker, broker):
    project = on_broker({"KILLS": "worker"})
    celery_workers(project, 2)
    with project.sender() as send, broker.client() as client:
        assert project.python("-c", DIES_WITH_THE_LOCK).wait(60) == -signal.SIGKILL
        started, locked = time.monotonic(), client.pttl("unacked_mutex") / 1000
        assert send(0, 1, "fatal") == {}
    assert OPTIONS[Redis]["visibility_timeout"] < locked <= OPTIONS[Redis]["unacked_mutex_expire"]
    wait_for(lambda: project.written() == [0, 0], "the other worker should run the receiver")
    assert time.monotonic() - started >= locked


# --- Celery's own features


def test_celery_handles_queues_retries_and_expiry(on_redis):
    celery_worker(on_redis)
    with on_redis.sender() as send:
        assert send(7, 8, "tried") == {}
        assert send(8, 9, "stale") == {}
        assert send(1, 2) == {}
        wait_for(lambda: on_redis.written(), "the messages of its queue should be run")
        worker = celery_worker(on_redis, "--queues=mail")
        wait_for(lambda: on_redis.written() == [1, 7, 7, 7], "the receiver should be retried until it succeeds")
    assert "Discarding revoked task: csignals.run" in worker.log.read_text()


SENT_AT = """
import time
from store import celery, models
print(time.time_ns())
models.timed.send(None, number=0)
"""


def seconds_until_run(project):
    """Send to a receiver that writes the time, and return the seconds between send and call."""
    sent = int(project.run(SENT_AT))
    wait_for(project.written, "the delayed receiver should be called")
    return (project.written()[0] - sent) / 1e9


def test_celery_waits_for_the_delay(on_broker):
    project = on_broker()
    celery_worker(project)
    assert seconds_until_run(project) >= 1


HOSTILE = """
import json
from store.celery import app

def put(*args, name="csignals.run", **kwargs):
    app.send_task(name, args, kwargs)

good = {"csignals": 1, "receiver": "store.models:write_down", "signal": {"$": "signal", "v": "store.models:counted"},
        "sender": None, "named": {"number": 1}}
put(json.dumps(good | {"receiver": "os:system"}))
put(json.dumps(good | {"receiver": "store.models:Order"}))
put(json.dumps(good | {"signal": {"$": "signal", "v": "store.models:nothing"}}))
put(json.dumps(good | {"named": {"number": {"$": "row", "v": ["store.Order", "x", "default"]}}}))
huge = {"$": "row", "v": ["store.Order", {"$": "Decimal", "v": "1E+999999999999999999"}, "default"]}
put(json.dumps(good | {"named": {"number": huge}}))
same = {"$": "set", "v": [number * (2**61 - 1) for number in range(50_000)]}
put(json.dumps(good | {"named": {"number": same}}))
put(1)
put()
put("x", retries="many")
put(json.dumps(good), 1, 2, 3)
put(name="os.system")
put("[" * 500_000 + "]" * 500_000)
with app.connection_for_write() as connection:
    for body in "[" * 500_000 + "]" * 500_000, "no JSON", '["' + "x" * 1_000_000:
        producer = connection.Producer()
        producer.publish(body, routing_key="celery", content_type="application/json", content_encoding="utf-8",
                         headers={"task": "csignals.run", "id": "x", "lang": "py"})
    producer.publish(b"cos\\nsystem\\n(S'true'\\ntR.", routing_key="celery", content_encoding="binary",
                     content_type="application/x-python-serialize", headers={"task": "csignals.run", "id": "x"})
"""


def test_hostile_messages_stop_no_celery_worker(on_redis):
    worker = celery_worker(on_redis)
    on_redis.run(HOSTILE)
    with on_redis.sender() as send:
        send(5, 6)
    wait_for(lambda: on_redis.written() == [5], "the messages after the hostile ones should be run")
    log = worker.log.read_text()
    assert worker.poll() is None
    assert log.count("csignals.deferred.MessageRejected") == 9, log
    assert log.count("raised unexpected: TypeError") == 2
    assert log.count("Received unregistered task") == 1
    assert log.count("Can't decode message body") == 3
    assert log.count("Received invalid task message: Refusing to deserialize untrusted content of type pickle") == 1


# --- PostgreSQL ----------------------------------------------------------------------------------------------


@contextmanager
def postgresql():
    """Run PostgreSQL with two databases, and yield the environment variables for the project."""
    with PostgreSQL() as server:
        for name in "first", "second":
            server.sql("postgres", f"CREATE DATABASE {name}")
        yield {"POSTGRES": str(server.port)}


def test_the_project_passes_on_postgresql(implementation, tmp_path):
    with postgresql() as database:
        run_tests_of("store", implementation, tmp_path, more_than=20, **database)


def test_rows_and_transactions_pass_on_postgresql(tmp_path):
    with postgresql() as database:
        for tests in "fields", "databases", "once_per":
            run_tests_of(f"fields.tests_{tests}", "cython", tmp_path, **database)


# --- Django's Tasks in the database --------------------------------------------------------------------------


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def in_database(request, project):
    if request.param == "SQLite":
        yield migrated(project(BACKEND="django_tasks"))
        return
    with postgresql() as database:
        found = migrated(project(BACKEND="django_tasks", **database))
        yield found
        found.stop()


def migrated(project):
    command = "call_command('migrate', run_syncdb=True, verbosity=0)"
    project.run(f"from django.core.management import call_command; {command}")
    return project


def db_worker(project):
    return project.start("-m", "django", "db_worker", "--interval=0.1", "--queue-name=*", "-v", "2")


SENT = """
from django.db import transaction
from django_tasks_db.models import DBTaskResult
from store import models
from store.models import Order, counted, happened

with transaction.atomic():
    counted.send(None, number=1)
    print(DBTaskResult.objects.count())
print(DBTaskResult.objects.count())
try:
    with transaction.atomic():
        happened.send(None, what="it")      # the task is a row of this transaction
        print(DBTaskResult.objects.count())
        counted.send(None, number=2)
        raise ZeroDivisionError
except ZeroDivisionError:
    print(DBTaskResult.objects.count())
with transaction.atomic():
    happened.send(None, what="it")
print(DBTaskResult.objects.count())
"""


def test_tasks_follow_the_transaction_of_the_send(in_database):
    assert in_database.run(SENT).split() == ["0", "1", "2", "1", "2"]
    db_worker(in_database)
    wait_for(lambda: in_database.written() == [1], "a worker should run the task")


def test_database_workers_run_every_task(in_database):
    for _ in range(2):
        db_worker(in_database)
    in_database.run("from store.models import counted\nfor n in range(200): counted.send(None, number=n)")
    wait_for(lambda: len(in_database.written()) >= 200, "all tasks should be run")
    assert sorted(in_database.written()) == list(range(200))


MADE_READY = """
from django_tasks_db.models import DBTaskResult
print(DBTaskResult.objects.filter(status="RUNNING").update(status="READY"))
"""


STATES = """
from django_tasks_db.models import DBTaskResult
print(*DBTaskResult.objects.values_list("status", flat=True))
"""


def test_a_killed_worker_leaves_its_task(in_database):
    workers = [db_worker(in_database) for _ in range(2)]
    in_database.run(
        "from store.models import counted, fatal\n"
        "for n in range(1, 20): counted.send(None, number=n)\n"
        "fatal.send(None, number=0)"
    )
    wait_for(lambda: any(worker.poll() for worker in workers), "a task should kill its worker")
    left = {"SUCCESSFUL": 19, "RUNNING": 1}
    wait_for(lambda: Counter(in_database.run(STATES).split()) == left, "the other worker should run the other tasks")
    assert in_database.run(MADE_READY) == "1\n"
    wait_for(lambda: in_database.written().count(0) == 2, "the other worker should run the renewed task")
    assert sorted(in_database.written()) == [0, *range(20)]
    assert sorted(worker.poll() or 0 for worker in workers) == [-signal.SIGKILL, 0]


def test_database_workers_wait_for_the_delay(in_database):
    db_worker(in_database)
    wait_for(lambda: "Starting worker" in in_database.processes[0].log.read_text(), "a worker should be ready")
    assert seconds_until_run(in_database) >= 1


def test_tasks_make_no_tasks_of_their_own(project):
    """A receiver of any sender's post_save is not called for the rows that hold the tasks, nor stops migrations."""
    found = migrated(project(BACKEND="django_tasks", ANY_SENDER="1"))
    before = found.run(STATES).split()  # what the migrations sent once they had made the table
    found.run("from store.models import Order\nOrder.objects.create()")
    assert found.run(STATES).split() == [*before, "READY", "READY"]
    assert found.python("-m", "django", "db_worker", "--queue-name=*", "--batch").wait(60) == 0
    assert found.run(STATES).split() == ["SUCCESSFUL"] * (len(before) + 2)


HOSTILE_ROWS = """
from csignals.deferred.backends.django_tasks import run_receiver
run_receiver.enqueue("os.system")
run_receiver.enqueue(1)
run_receiver.enqueue('{"csignals": 1, "receiver": "os:system", "named": {}, "signal": null, "sender": null}')
run_receiver.enqueue("[" * 500_000 + "]" * 500_000)
from store.models import counted
counted.send(None, number=1)
"""


def test_hostile_tasks_stop_no_database_worker(in_database):
    worker = db_worker(in_database)
    in_database.run(HOSTILE_ROWS)
    wait_for(lambda: in_database.written() == [1], "the messages after the hostile ones should be run")
    assert worker.poll() is None
    ended = in_database.run(
        "from django_tasks_db.models import DBTaskResult\n"
        "print(*DBTaskResult.objects.order_by('enqueued_at').values_list('status', 'exception_class_path'), sep='\\n')"
    )
    assert ended.count("('FAILED', 'csignals.deferred.MessageRejected')") == 4


QUEUES = """
import datetime, importlib.util, sys, types
from django.conf import settings
module = "django.tasks" if importlib.util.find_spec("django.tasks") else "django_tasks"
tasks = {"other": {"BACKEND": f"{module}.backends.dummy.DummyBackend", "QUEUES": ["mail", "reports"]}}
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS={"DEFERRED": "django_tasks"}, TASKS=tasks, USE_TZ=True)
import django
django.setup()
from csignals import Signal
from csignals.deferred import deferred
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal = Signal()
exec("one = lambda **named: None; two = lambda **named: None", vars(shop))
shop.one.__qualname__, shop.two.__qualname__ = "one", "two"
shop.signal.connect(deferred(shop.one), weak=False)
shop.signal.connect(deferred(queue="reports", priority=7, delay=60)(shop.two), weak=False)
started = datetime.datetime.now(datetime.timezone.utc)
shop.signal.send(None)
(backend,) = importlib.import_module(module).task_backends.all()
for task in [result.task for result in backend.results]:
    print(task.queue_name, task.priority, task.run_after and round((task.run_after - started).total_seconds(), -1))
"""


def test_no_default_backend_or_queue_is_needed():
    done = run_python("-c", QUEUES)
    assert done.stdout == "mail 0 None\nreports 7 60.0\n", done.stderr


def test_unsupported_options_raise_at_the_send(in_database):
    code = """
from csignals import Signal
from csignals.deferred import deferred
from store import models
def more(**named): pass
more.__module__, models.more = "store.models", more
receiver = deferred(expires=3)(more)
models.counted.connect(receiver)
try:
    models.counted.send(None, number=1)
except TypeError as error:
    print(error)
"""
    assert "do not support expires" in in_database.run(code)


@pytest.mark.parametrize("in_database", ["SQLite"], indirect=True)
def test_database_workers_retry_after_the_delay(in_database):
    worker = db_worker(in_database)
    in_database.run("from store.models import tried\ntried.send(None, number=7)")
    wait_for(lambda: in_database.written() == [7, 7, 7], "the receiver should be retried until it succeeds")
    wait_for(lambda: "RUNNING" not in in_database.run(STATES), "the last task should end")
    assert in_database.run(STATES).split() == ["SUCCESSFUL"] * 3
    log = worker.log.read_text()
    assert log.count("store.models:try_again failed, and runs again in 0.2 seconds") == 2


# --- Failed tasks --------------------------------------------------------------------------------------------

GONE = """
import json
from store.models import repaired
for number in range(2): repaired.send(None, number=number)
gone = json.dumps({"csignals": 1, "receiver": "store.models:gone", "signal": None, "sender": None, "named": {}})
"""
FAILED = """
import store.celery
from django.core.management import call_command
call_command("signals", "--deferred", *ARGUMENTS)
"""


def failed_tasks_run_again(project):
    """Check that the failed tasks of a project on a task backend are listed, and run again."""

    def signals(*arguments):
        return project.run(FAILED.replace("ARGUMENTS", repr(arguments)))

    wait_for(lambda: ", 3 failed tasks\n" in signals(), "the tasks should fail")
    listed = {each["name"]: each for each in json.loads(signals("--json"))}
    assert listed["store.models:write_down"]["failed"] == []
    errors = [each["error"] for each in listed["store.models:fail_until_repaired"]["failed"]]
    assert errors == ["ConnectionError: not yet"] * 2
    gone = listed["store.models:gone"]
    assert not gone["is_declared"]
    assert "csignals.deferred.MessageRejected: rejected a message: " in gone["failed"][0]["error"]
    assert "store.models:gone" in gone["failed"][0]["error"]

    project.folder.joinpath("out.repaired").touch()
    printed = signals("--retry", "store.models.fail_until_repaired")
    assert printed.endswith("\n2 failed tasks will run again\n")
    wait_for(lambda: sorted(project.written()) == [0, 1], "the failed tasks should run again")
    wait_for(lambda: ", 1 failed task\n" in signals(), "the retried tasks should have failed no more")
    assert signals("--retry") == "store.models:gone: 1 failed task will run again\n1 failed task will run again\n"


@pytest.mark.parametrize("in_database", ["SQLite"], indirect=True)
def test_failed_tasks_in_the_database_run_again(in_database):
    db_worker(in_database)
    in_database.run(
        f"{GONE}from csignals.deferred.backends.django_tasks import run_receiver\nrun_receiver.enqueue(gone)"
    )
    failed_tasks_run_again(in_database)


def test_failed_tasks_of_celery_run_again(project, redis):
    empty(redis)
    on_redis = project(BACKEND="celery", BROKER=redis.url, RESULTS=redis.url)
    celery_worker(on_redis)
    on_redis.run(f"from store.celery import app\n{GONE}app.send_task('csignals.run', [gone])")
    failed_tasks_run_again(on_redis)
