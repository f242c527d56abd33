"""A Django project with an any-sender deferred receiver on each of Django's signals: nothing raises because of them.

`everything` is the project. Each play of its steps.py runs in a process of its own, and its messages in another one.
"""

import functools
import json
import shutil
from collections import Counter
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from tests.deferred.projects import run_in, run_tests_of

pytestmark = pytest.mark.exhaustive

PLAYS = ["migrate", "server", "tests"]
IN_PROCESS = ["inline", *(["immediate"] if find_spec("django.tasks") else [])]
BACKENDS = ["file", *IN_PROCESS]

#: Their rows are deleted in the plays, so that a later call has no row.
DELETED = {"sessions.Session", "everything.Passing"}

#: The calls that there are only if a row is fetched.
FETCHED = {"pre_init", "post_init", "post_save with its row", "m2m_changed with its row"}

#: Some of the calls in a worker: the signal, the sender as the project writes it (... for any), an argument or None.
EXPECTED = {
    "migrate": [
        ("pre_migrate", "the app everything", None),
        ("post_migrate", "the app auth", "app_config"),
        ("class_prepared", "everything.Order", None),  # a historical model
        ("class_prepared", None, None),  # one that a later migration deletes
        ("pre_init", "everything.Order", None),
        ("post_save", "everything.Order", "instance"),
        ("post_save", None, None),  # the recorder of migrations, and the deleted model
        ("post_save with its row", "everything.Order", "instance"),
        ("m2m_changed", "everything.Order_tags", "instance"),
        ("m2m_changed with its row", "everything.Order_tags", "instance"),
        ("pre_delete", None, None),
        ("post_delete", None, None),
        ("connection_created", ..., None),
    ],
    "server": [
        ("request_started", None, None),  # the handler's class
        ("request_finished", None, None),
        ("got_request_exception", None, None),
        ("user_logged_in", "auth.User", "user"),
        ("user_logged_out", "NoneType", None),
        ("user_login_failed", "django.contrib.auth", "credentials"),
        ("post_save with its row", "everything.Order", "instance"),
        ("post_delete", "everything.Passing", None),
        ("post_migrate", "the app everything", None),  # by flush
    ],
    "tests": [
        ("request_started", ..., None),  # its receivers import django.test, and so the handlers
        ("user_logged_out", "auth.User", "user"),
        ("user_logged_out", "NoneType", None),
        ("template_rendered", None, None),
        ("setting_changed", ..., "value"),
        ("post_save with its row", "admin.LogEntry", "instance"),
        ("m2m_changed with its row", "everything.Order_tags", "instance"),
    ],
}


@pytest.mark.parametrize("play", PLAYS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_step_of_projects_raises(play, backend, played):
    assert played(play, backend).failed == {}


@pytest.mark.parametrize("play", PLAYS)
def test_workers_run_all_messages(play, worked):
    assert worked(play).failed == {}


@pytest.mark.parametrize("play", PLAYS)
def test_the_expected_senders_arrive(play, worked):
    calls = worked(play).calls
    found = {
        (name, arrived, argument)
        for name, sender, names in calls
        for arrived in (sender, ...)
        for argument in (*names, None)
    }
    assert [each for each in EXPECTED[play] if each not in found] == []
    # No worker can fetch the row of a model that it does not have.
    assert [each for each in calls if each[1] is None and "instance" in each[2]] == []


@pytest.mark.parametrize("play", PLAYS)
@pytest.mark.parametrize("backend", IN_PROCESS)
def test_calls_in_tests_equal_a_workers(play, backend, played, worked):
    there, here = (lasting(each.calls) for each in (worked(play), played(play, backend)))
    assert (there - here, here - there) == (Counter(), Counter())
    assert there


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_project_passes_its_tests(implementation, backend, tmp_path):
    run_tests_of("everything.tests", implementation, tmp_path, more_than=20, BACKEND=backend, TEMPLATES="1")


def test_its_rules_of_senders_hold(implementation, tmp_path):
    run_tests_of("everything.tests_rules", implementation, tmp_path)


@pytest.fixture(scope="module")
def prepared(implementation, tmp_path_factory):
    """A folder with migrated databases."""
    folder = tmp_path_factory.mktemp("prepared")
    done = run_in("everything", implementation, folder, "-m", "everything.play", "migrate")
    assert done.stdout == "{}\n", done.stderr
    return folder


@pytest.fixture(scope="module")
def played(implementation, tmp_path_factory, prepared):
    @functools.cache
    def play(name, backend):
        folder = tmp_path_factory.mktemp(f"{name}_{backend}")
        if name != "migrate":
            shutil.copytree(prepared, folder, dirs_exist_ok=True)
        return run_play(implementation, folder, name, "everything.play", name, BACKEND=backend)

    return play


@pytest.fixture(scope="module")
def worked(implementation, played):
    @functools.cache
    def work(name):
        folder = played(name, "file").folder
        return run_play(implementation, folder, name, "everything.worker", BACKEND="worker")

    return work


def run_play(implementation, folder, name, *module, **variables):
    """Run a play or its worker, and return its tracebacks, and the calls of receivers in its folder."""
    templates = "1" if name == "tests" else None
    done = run_in("everything", implementation, folder, "-m", *module, TEMPLATES=templates, **variables)
    path = folder / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    calls = [(name, sender, tuple(names)) for name, sender, names in map(json.loads, lines)]
    return SimpleNamespace(folder=folder, failed=json.loads(done.stdout.splitlines()[-1]), calls=calls)


def lasting(calls):
    """Return what calls in the sending process have in common with those in a worker."""
    found = Counter()
    for name, sender, names in calls:
        if sender not in DELETED:
            found[name, sender, names] += 1
        elif name not in FETCHED:
            found[name, sender] += 1
    return found
