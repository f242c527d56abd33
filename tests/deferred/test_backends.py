"""What the task backends do with options: Celery with its in-memory broker, and Django's Tasks without a database.

test_workers.py has the tests with servers and workers.
"""

import importlib.util
import json
import math
import re
from datetime import timedelta

import pytest

from tests.deferred.test_settings import TASKS, needs_tasks
from tests.helpers.implementations import load
from tests.helpers.interpreter import run_python

needs_celery = pytest.mark.skipif(not importlib.util.find_spec("celery"), reason="Celery is not installed")
NOTHING = {"queue": None, "priority": None, "delay": None, "retries": None, "expires": None}


# --- What the decorator accepts ------------------------------------------------------------------------------


@pytest.fixture
def configuration(implementation):
    return load(implementation, "csignals.deferred.configuration")


def test_valid_options_are_in_seconds(configuration):
    options = {"queue": "mail", "priority": -3, "delay": timedelta(minutes=1), "retries": 0, "expires": 1.5}
    expected = configuration.Options("mail", -3, 60.0, 0, 1.5)
    assert configuration.checked_options(**options) == expected
    assert configuration.checked_options(**NOTHING) == configuration.Options()
    for seconds in 0, 3650 * 86_400:
        assert configuration.checked_options(**{**NOTHING, "delay": seconds}).delay == seconds


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("queue", [1, b"mail", True, ["mail"]]),
        ("priority", ["3", 3.0, True]),
        ("retries", ["3", 3.0, True]),
        ("delay", ["3", True, [3], 1j]),
        ("expires", ["3", False, [3], 1j]),
    ],
)
def test_options_of_wrong_types_raise(configuration, option, values):
    for value in values:
        with pytest.raises(TypeError, match=f"^{option} must be"):
            configuration.checked_options(**{**NOTHING, option: value})


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("queue", [""]),
        ("retries", [-1]),
        ("delay", [-1, -0.5, math.inf, math.nan, 1e300, timedelta(seconds=-1), timedelta(days=3650, seconds=1)]),
        ("expires", [-1, -0.5, math.inf, math.nan, 1e300, timedelta(seconds=-1), timedelta(days=3650, seconds=1)]),
    ],
)
def test_options_of_wrong_values_raise(configuration, option, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^{option} must"):
            configuration.checked_options(**{**NOTHING, option: value})


# --- Celery --------------------------------------------------------------------------------------------------

CELERY = """
import json, sys
from celery import Celery
from csignals.deferred import Options
from csignals.deferred.backends.celery import Backend

outcomes = []
for settings, options in json.loads(sys.argv[1]):
    app = Celery("shop", broker="memory://")
    app.conf.update(settings)
    backend = Backend(app)
    try:
        prepared = backend.prepare(Options(**options))
    except TypeError as error:
        outcomes.append(str(error))
        continue
    backend.enqueue("a message", prepared)
    outcomes.append(None)
print(json.dumps(outcomes))
"""
CHOSEN_QUEUES = {"task_create_missing_queues": False, "task_queues": {"mail": {}}, "task_default_queue": "mail"}
ELSEWHERE = {"task_routes": {"csignals.*": {"queue": "elsewhere"}}}
REFUSED = [
    (CHOSEN_QUEUES, {"queue": "letters"}, "does not support queue='letters': .* Add it to task_queues"),
    (CHOSEN_QUEUES | {"task_default_queue": "celery"}, {}, "Queue 'celery' missing from task_queues"),
    (CHOSEN_QUEUES | ELSEWHERE, {}, "Queue 'elsewhere' missing from task_queues"),
    # Celery looks for the queue of the route, too.
    (CHOSEN_QUEUES | ELSEWHERE, {"queue": "mail"}, "Queue 'elsewhere' missing from task_queues"),
    ({"accept_content": ["pickle"]}, {}, 'written in json, .* Add "json" to accept_content'),
    ({"accept_content": ["application/x-yaml"]}, {}, "refuse all messages"),
    ({"task_annotations": {"*": {"serializer": "pickle"}}}, {}, "written in pickle"),
    ({}, {"priority": -1}, "does not support priority=-1: choose one from 0 to 255"),
    ({}, {"priority": 256}, "does not support priority=256"),
]
ACCEPTED = [
    ({}, {}),
    ({}, {"queue": "letters", "priority": 255, "delay": 0.5, "retries": 3, "expires": 60 * 86_400}),
    ({"accept_content": ["application/json", "pickle"]}, {}),
    ({"accept_content": ["pickle"], "task_annotations": {"*": {"serializer": "pickle"}}}, {}),
    (CHOSEN_QUEUES, {"queue": "mail"}),
    (CHOSEN_QUEUES, {}),
    (CHOSEN_QUEUES | {"task_routes": {"csignals.run": {"queue": "mail"}}, "task_default_queue": "celery"}, {}),
]


def outcomes_of(script, cases):
    """Return, for each case, what the script's backend says to it: its TypeError, or None."""
    done = run_python("-W", "ignore", "-c", script, json.dumps([case[:2] for case in cases]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def celerys():
    return outcomes_of(CELERY, [*REFUSED, *ACCEPTED])


@needs_celery
@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_celery_names_what_it_cannot_do(celerys, number):
    assert re.search(REFUSED[number][2], str(celerys[number]))


@needs_celery
@pytest.mark.parametrize("number", range(len(ACCEPTED)))
def test_celery_gets_all_other_options(celerys, number):
    assert celerys[len(REFUSED) + number] is None


# --- Django's Tasks ------------------------------------------------------------------------------------------

SETUP = f"""
import importlib, json, logging, sys, types
from django.conf import settings
TASKS = {TASKS!r}
queues = ["default", "mail"]
settings.configure(
    USE_TZ=True,
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    TASKS={{
        "default": {{"BACKEND": f"{{TASKS}}.backends.dummy.DummyBackend", "QUEUES": queues}},
        "immediate": {{"BACKEND": f"{{TASKS}}.backends.immediate.ImmediateBackend", "QUEUES": queues}},
        "simple": {{"BACKEND": "builtins.Simple", "QUEUES": []}},
    }},
)
import builtins, django
django.setup()
dummy = importlib.import_module(f"{{TASKS}}.backends.dummy").DummyBackend
builtins.Simple = type("Simple", (dummy,), {{"supports_defer": False, "supports_priority": False}})
module = importlib.import_module(TASKS)
from csignals import Signal
from csignals.deferred import MessageRejected, Options, deferred
from csignals.deferred.backends.django_tasks import Backend, run_receiver
"""
PREPARE = f"""{SETUP}
outcomes = []
for alias, options in json.loads(sys.argv[1]):
    backend = Backend(alias)
    try:
        prepared = backend.prepare(Options(**options))
    except TypeError as error:
        outcomes.append(str(error))
        continue
    logging.disable()  # the immediate backend rejects the message, which is none
    backend.enqueue("a message", prepared)
    outcomes.append(None)
print(json.dumps(outcomes))
"""
TASKS_REFUSE = [
    ("default", {"expires": 5}, "do not support expires"),
    ("default", {"queue": "letters"}, r"DummyBackend\) does not support queue='letters': .* Add it to QUEUES"),
    ("default", {"priority": 101}, "does not support priority=101: .* between -100 and 100"),
    ("default", {"priority": -101}, "does not support priority=-101"),
    ("immediate", {"delay": 5}, r"^'immediate' in TASKS \(.*\.ImmediateBackend\) does not support delay=5: "),
    ("immediate", {"retries": 1}, "does not support retries=1: .* django-tasks-db"),
    ("simple", {"delay": 5}, "does not support delay=5"),
    ("simple", {"retries": 1}, "does not support retries=1"),
    ("simple", {"priority": 1}, "does not support priority=1: .* Leave it out"),
]
TASKS_ACCEPT = [
    ("default", {"queue": "mail", "priority": 100, "delay": 5, "retries": 3}),
    ("immediate", {"queue": "mail", "priority": -100, "delay": 0, "retries": 0}),
    ("simple", {"queue": "letters", "priority": 0}),  # without QUEUES, all queues are valid
]


@pytest.fixture(scope="module")
def of_tasks():
    return outcomes_of(PREPARE, [*TASKS_REFUSE, *TASKS_ACCEPT])


@needs_tasks
@pytest.mark.parametrize("number", range(len(TASKS_REFUSE)))
def test_tasks_name_what_they_cannot_do(of_tasks, number):
    assert re.search(TASKS_REFUSE[number][2], str(of_tasks[number]))


@needs_tasks
@pytest.mark.parametrize("number", range(len(TASKS_ACCEPT)))
def test_tasks_get_all_other_options(of_tasks, number):
    assert of_tasks[len(TASKS_REFUSE) + number] is None


RECEIVERS = f"""{SETUP}
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal, shop.calls = Signal(), []
exec('''
def fail(until=0, **named):
    calls.append(until)
    if len(calls) < until:
        raise ValueError("try again\\\\nlater")
''', vars(shop))
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
"""
AT_THE_SEND = f"""{RECEIVERS}
from django.db import transaction
shop.signal.connect(deferred(delay=5, backend=Backend("immediate"))(shop.fail), weak=False)
with transaction.atomic():
    try:
        shop.signal.send(None)
    except TypeError as error:
        print("raised:", error)
"""


@needs_tasks
def test_an_unsupported_option_raises_before_the_commit():
    done = run_python("-c", AT_THE_SEND)
    assert done.stdout.startswith("raised: 'immediate' in TASKS"), done.stderr


RETRIED = f"""{RECEIVERS}
from datetime import datetime, timezone

results = module.task_backends["default"].results
backend = Backend(retry_delay=float(sys.argv[2])) if sys.argv[2] else Backend()
receiver = deferred(queue="mail", priority=3, retries=int(sys.argv[3]), backend=backend)(shop.fail)
shop.signal.connect(receiver)
shop.signal.send(None, until=int(sys.argv[1]))
while results:
    result = results.pop(0)
    task, now = result.task, datetime.now(timezone.utc)
    delay = task.run_after and round((task.run_after - now).total_seconds())
    print("run", task.backend, task.queue_name, task.priority, delay, len(result.args))
    try:
        task.func(*result.args)
    except Exception as error:
        print("failed", type(error).__name__)
"""


def retried(until, delay, retries):
    """Return the tasks that ran, and the warnings, for a receiver that fails until this call."""
    done = run_python("-c", RETRIED, until, delay, retries)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ran = [line for line in lines if line.startswith(("run ", "failed "))]
    return ran, [line for line in lines if line.startswith("WARNING ")]


@needs_tasks
def test_tasks_retry_until_the_receiver_succeeds():
    ran, logged = retried(3, 7, 5)
    assert ran == ["run default mail 3 None 2", "run default mail 3 7 2", "run default mail 3 7 2"]
    assert logged == [
        f"WARNING csignals.deferred shop:fail failed, and runs again in 7 seconds (retries left: {left}): "
        "ValueError: try again"
        for left in (4, 3)
    ]


@needs_tasks
def test_the_last_failure_fails_the_task():
    ran, logged = retried(9, "", 1)
    assert ran == ["run default mail 3 None 2", "run default mail 3 180 2", "failed ValueError"]
    assert len(logged) == 1


@needs_tasks
def test_tasks_without_retries_have_one_argument():
    """So workers of older releases run these tasks, and this release runs tasks of older ones."""
    ran, logged = retried(9, "", 0)
    assert ran == ["run default mail 3 None 1", "failed ValueError"]
    assert logged == []


@needs_tasks
def test_rejected_messages_are_not_retried():
    code = f"""{RECEIVERS}
task, _, retry = Backend().prepare(Options(retries=3))
try:
    task.func("a message", retry)
except MessageRejected:
    print("rejected", module.task_backends["default"].results)
"""
    done = run_python("-c", code)
    assert done.stdout == "rejected []\n", done.stderr


# --- What is said about a task -------------------------------------------------------------------------------


@pytest.fixture
def task_info(implementation):
    return load(implementation, "csignals.deferred.task_info")


@pytest.mark.parametrize(
    "message",
    [None, 1, b"\xff", "", "{", "[]", "{}", '{"receiver": 1}', "[" * 100_000],
    ids=lambda message: repr(message)[:20],
)
def test_malformed_messages_name_no_receiver(task_info, message):
    assert task_info.receiver_of(message) is None


def test_a_message_names_its_receiver(task_info):
    assert task_info.receiver_of('{"csignals": 2, "receiver": "shop:index", "later": []}') == "shop:index"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("one\ntwo", "one"),
        ("\n\n one", "one"),
        ("\x1b[31mred\a\u202e", "\ufffd[31mred\ufffd\ufffd"),
        ("x" * 200, "x" * 200),
        ("x" * 10**7, "x" * 197 + "..."),
        ("x\u2028y", "x"),
    ],
    ids=["empty", "two lines", "an empty line first", "control characters", "just fits", "long", "another line end"],
)
def test_printed_texts_are_short_lines(task_info, text, line):
    assert task_info.one_line(text) == line
