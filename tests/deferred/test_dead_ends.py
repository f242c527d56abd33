"""``manage.py signals --deferred``: deferred receivers, their failed tasks, and how these run again.

The task backends are classes of the project. test_workers.py has the tests with Celery and django-tasks-db.
"""

import json

import pytest

from tests.helpers.interpreter import run_python

PROJECT = """
import builtins, datetime, sys, types
from django.conf import settings
import django
from csignals.deferred import deferred
from csignals.deferred.task_info import TaskInfo

class Silent:
    def prepare(self, options): pass
    def enqueue(self, message, prepared): pass

class Store(Silent):
    kept = []
    def tasks(self):
        return list(self.kept)
    def retry(self, task):
        if task.id == "gone":
            return False
        self.kept.remove(task)
        return True

class Other(Store):
    kept = []

class Broken(Silent):
    def tasks(self):
        raise ConnectionError("the broker is down\\n\\nfor long")

class Unable(Silent):
    def tasks(self):
        raise NotImplementedError("it needs another setting")

for each in Silent, Store, Other, Broken, Unable:
    setattr(builtins, each.__name__, each)
settings.configure(INSTALLED_APPS=["csignals.django"], CSIGNALS={"DEFERRED": "builtins.Store"}, USE_TZ=True)
django.setup()
shop = sys.modules["shop"] = types.ModuleType("shop")

def declare(name, **options):
    exec(f"def {name}(**named): pass", vars(shop))
    return deferred(**options)(getattr(shop, name))

def task(id, status, receiver, error=None, store=Store, **more):
    since = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.timezone.utc)
    store.kept.append(TaskInfo(id, status, receiver, since=since, error=error, **more))

from django.core.management import CommandError, call_command

def signals(*arguments):
    try:
        call_command("signals", "--no-color", *arguments)
    except CommandError as error:
        print("CommandError:", error)
"""


def printed_by(code, implementation=None):
    done = run_python("-c", PROJECT + code, implementation=implementation)
    assert done.returncode == 0, done.stderr
    return done.stdout


LISTED = """
declare("index", queue="mail", retries=3, delay=1.5)
declare("other", backend=Silent())
declare("quiet")
task("1", "waiting", "shop:index")
task("2", "failed", "shop:index", "ValueError: no", queue="mail")
task("3", "running", "shop:index")
task("4", "waiting", "shop:index")
task("5", "failed", "gone:away", "csignals.deferred.MessageRejected: \\x1b[31mx" + 500 * "x" + "\\n")
task("6", "failed", None)
"""


def test_receivers_are_listed_with_their_tasks(implementation):
    printed = printed_by(f"{LISTED}signals('--deferred')", implementation)
    lines = printed.splitlines()
    long = lines.pop(14)
    assert lines == [
        "shop:index",
        "    __main__.Store  queue=mail  delay=1.5  retries=3",
        "    tasks: 1 failed, 2 waiting, 1 running",
        "    failed  2026-03-01 12:30:00  mail  ValueError: no",
        "    running  2026-03-01 12:30:00",
        "shop:other",
        "    __main__.Silent",
        "    tasks: unknown (this task backend does not list its tasks)",
        "shop:quiet",
        "    __main__.Store",
        "    tasks: 0 failed, 0 waiting, 0 running",
        "gone:away",
        "    __main__.Store  not declared in this process",
        "    tasks: 1 failed, 0 waiting, 0 running",
        "tasks with a malformed message",
        "    __main__.Store  not declared in this process",
        "    tasks: 1 failed, 0 waiting, 0 running",
        "    failed  2026-03-01 12:30:00",
        "",
        "3 deferred receivers, 3 failed tasks",
    ]
    assert long.startswith("    failed  2026-03-01 12:30:00  csignals.deferred.MessageRejected: \ufffd[31mxxx")
    assert len(long) == 204


def test_json_has_all_receivers_and_tasks():
    listed = json.loads(printed_by(f"{LISTED}signals('--deferred', '--json')"))
    assert [each["name"] for each in listed] == ["shop:index", "shop:other", "shop:quiet", "gone:away", None]
    index, other = listed[:2]
    since = "2026-03-01T12:30:00+00:00"
    failed = {"id": "2", "status": "failed", "receiver": "shop:index", "queue": "mail", "since": since}
    running = {"id": "3", "status": "running", "receiver": "shop:index", "queue": None, "since": since}
    assert index == {
        "name": "shop:index",
        "is_declared": True,
        "backend": "__main__.Store",
        "options": {"queue": "mail", "delay": 1.5, "retries": 3},
        "unknown": None,
        "failed": [{**failed, "error": "ValueError: no"}],
        "waiting": 2,
        "running": [{**running, "error": None}],
    }
    assert other["unknown"] == "this task backend does not list its tasks"
    assert (other["failed"], other["waiting"], other["running"]) == (None, None, None)


def test_of_many_failed_tasks_the_last_are_printed():
    code = (
        "for number in range(25): task(str(number), 'failed', 'shop:index', f'Error: {number}')\nsignals('--deferred')"
    )
    printed = printed_by(code)
    assert [number for number in range(25) if f"Error: {number}\n" in printed] == list(range(15, 25))
    assert "    and 15 more that are failed, shown by --json\n" in printed
    assert "25 failed tasks" in printed


FAILED = """
for name in "index", "other": declare(name)
for number in range(3): task(f"index {number}", "failed", "shop:index")
task("waits", "waiting", "shop:index")
task("other", "failed", "shop:other")
task("gone", "failed", "shop:other")
task("unknown", "failed", "gone:away")
"""


def test_all_failed_tasks_run_again(implementation):
    code = f"{FAILED}signals('--deferred', '--retry')\nprint([task.id for task in Store.kept])"
    assert printed_by(code, implementation).splitlines() == [
        "shop:index: 3 failed tasks will run again",
        "shop:other: 1 failed task will run again",
        "gone:away: 1 failed task will run again",
        "5 failed tasks will run again",
        "['waits', 'gone']",
    ]


@pytest.mark.parametrize(
    ("receiver", "first"),
    [
        ("shop:index", "shop:index: 3 failed tasks will run again"),
        ("shop.index", "shop:index: 3 failed tasks will run again"),
        ("gone:away", "gone:away: 1 failed task will run again"),
        ("letters", 'CommandError: No deferred receiver and no task is called "letters".'),
        (
            "shop:index1",
            'CommandError: No deferred receiver and no task is called "shop:index1". Did you mean shop:index?',
        ),
    ],
)
def test_failed_tasks_of_one_receiver_run_again(receiver, first):
    code = f"{FAILED}signals('--deferred', '--retry', {receiver!r})\nprint(len(Store.kept))"
    lines = printed_by(code).splitlines()
    assert lines[0] == first
    number = 0 if first.startswith("CommandError") else int(first.split()[1])
    assert lines[-1] == str(7 - number)


def test_json_has_the_number_of_retried_tasks():
    printed = printed_by(f"{FAILED}signals('--deferred', '--json', '--retry', 'shop:index')")
    assert json.loads(printed) == [{"receiver": "shop:index", "retried": 3}]


def test_a_receiver_without_failed_tasks_has_none_to_retry():
    printed = printed_by("declare('index')\nsignals('--deferred', '--retry', 'shop:index')")
    assert printed == "0 failed tasks will run again\n"


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        ("Silent", "this task backend does not list its tasks"),
        ("Unable", "it needs another setting"),
        ("Broken", "ConnectionError: the broker is down"),
    ],
)
def test_backends_that_cannot_list_say_why(backend, reason):
    code = f"""
from django.test.utils import override_settings
declare("index")
with override_settings(CSIGNALS={{"DEFERRED": "builtins.{backend}"}}):
    signals("--deferred")
    signals("--deferred", "--retry")
    signals("--deferred", "--retry", "shop:index")
"""
    lines = printed_by(code).splitlines()
    assert lines[2] == f"    tasks: unknown ({reason})"
    assert lines[-2:] == [f"CommandError: The failed tasks are unknown: {reason}"] * 2


def test_receivers_without_a_backend_are_listed():
    code = """
from django.test.utils import override_settings
declare("index", queue="mail")
with override_settings(CSIGNALS={}):
    signals("--deferred")
"""
    assert printed_by(code).splitlines()[:3] == [
        "shop:index",
        "    no task backend  queue=mail",
        "    tasks: unknown (there is no task backend)",
    ]


def test_each_backend_is_asked_and_retries_its_own_tasks():
    """Two backends that keep the same tasks count each once."""
    code = """
declare("one", backend=Other())
declare("two", backend=Store())
declare("three", backend=Store())
task("1", "failed", "shop:two")
task("2", "waiting", "shop:two")
task("3", "failed", "shop:one", store=Other)
signals("--deferred")
signals("--deferred", "--retry")
print(Store.kept[0].id, Other.kept)
"""
    lines = printed_by(code).splitlines()
    assert "3 deferred receivers, 2 failed tasks" in lines
    assert "    tasks: 1 failed, 1 waiting, 0 running" in lines
    assert lines[-2:] == ["2 failed tasks will run again", "2 []"]


def test_backends_may_list_only_failed_tasks():
    code = """
Store.statuses = ("failed",)
declare("index")
task("1", "failed", "shop:index")
signals("--deferred")
signals("--deferred", "--json")
"""
    lines = printed_by(code).splitlines()
    assert lines[2] == "    tasks: 1 failed, waiting unknown, running unknown"
    (index,) = json.loads("\n".join(lines[lines.index("[") :]))
    assert (len(index["failed"]), index["waiting"], index["running"]) == (1, None, None)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--retry"], "--retry needs --deferred"),
        (["--retry", "shop:index", "--signal", "post_save"], "--retry needs --deferred"),
        (["--deferred", "--signal", "post_save"], "--deferred cannot be combined with"),
        (["--deferred", "--sender", "shop.Order"], "--deferred cannot be combined with"),
        (["--deferred", "--app", "shop"], "--deferred cannot be combined with"),
        (["--deferred", "--time", "check"], "--deferred cannot be combined with"),
    ],
)
def test_options_that_do_not_apply_raise(arguments, error):
    assert printed_by(f"signals(*{arguments!r})").startswith(f"CommandError: {error}")
