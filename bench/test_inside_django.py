"""The time that csignals saves inside Django, installed as in a project: for rows, requests and sends.

The floor is the time of rows with signals that only cost the call of a C method. No dispatcher can reach it.
"""

from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import pytest
from django.conf import settings

from bench.cases import Case, NotReachedError, Table, Work, over
from bench.contestants import Django, InDjango, floor, load, present
from bench.receivers import make_receivers
from bench.sends import Send, case_of
from csignals.compare import project

if not settings.configured:  # `python -m bench` has configured it already
    project.configure()

from django.core.handlers.wsgi import WSGIHandler  # after Django is set up
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db.models import base
from django.db.models.signals import (
    post_delete,
    post_init,
    post_save,
    pre_delete,
    pre_init,
    pre_save,
)
from django.test import RequestFactory

from csignals.compare.loading import connected
from csignals.compare.models import Author, Book, Row

ROWS = 10_000
AS_DOCUMENTED = "sender, **kwargs"  # the parameters of receivers
SENDS = [
    ("1 receiver", 300, {"receivers": 1}),
    ("10 receivers", 30, {"receivers": 10}),
    ("none, 10 for others", 300, {"receivers": 0, "others": 10}),
    ("1, and 1,000 for others", 30, {"receivers": 1, "others": 1000}),
]
CONNECTED = [  # receivers of each signal, and whether the last signal also has a receiver for another model
    ("no receiver", 0, False),
    ("1, for another model", 0, True),
    ("1 receiver each", 1, False),
    ("3 receivers each", 3, False),
]


@contextmanager
def dispatched_by(implementation):
    package = load(implementation, "csignals.django")
    package.install()
    try:
        yield
    finally:
        package.uninstall()


@contextmanager
def hardly_dispatched():
    found = base.pre_init, base.post_init
    base.pre_init = base.post_init = floor().Floor([])
    try:
        yield
    finally:
        base.pre_init, base.post_init = found


def load_all(model, times):
    for _ in range(times):
        rows = list(model.objects.all())
    return rows  # so that they are freed outside of the timed code


def save(times):
    author = Author(pk=1, name="author 0")
    for _ in range(times):
        author.save()


def create_and_delete(times):
    for _ in range(times):
        Author.objects.create(name="one more").delete()


def request(times):
    environ = RequestFactory().get("/greet/").environ
    for _ in range(times):
        handler(environ, lambda status, headers: None).close()


@dataclass(frozen=True)
class Action:
    """An operation of Django, and the signals that it sends for each row."""

    title: str
    unit: str
    batch: int
    run: Callable[[int], object]
    sender: type
    signals: tuple
    rows: int = 1

    def prepare(self, dispatch, count, has_other):
        """Return the work of this operation, with `count` receivers of each signal.

        Raises NotReachedError unless all of them are called, and the receiver for another model is not.
        """
        notes = []
        with dispatch(), connected(self.connections(count, has_other, lambda *note: notes.append(note))):
            self.run(1)
        senders = [named["sender"] for _, _, named in notes]
        if senders != [self.sender] * (self.rows * len(self.signals) * count):
            raise NotReachedError(f"{self.title}: {count} receivers of each signal had {len(senders)} calls in all")
        connections = self.connections(count, has_other)

        @contextmanager
        def around():
            with dispatch(), connected(connections):
                yield

        return Work(self.run, around=around)

    def connections(self, count, has_other, note=None):
        """Return the connections to make: signal, sender, receiver."""
        own = [
            (signal, self.sender, receiver)
            for signal in self.signals
            for receiver in make_receivers(count, AS_DOCUMENTED, note=note)
        ]
        return own + [(self.signals[-1], Book, each) for each in make_receivers(has_other, AS_DOCUMENTED, note=note)]


handler = WSGIHandler()
INIT = pre_init, post_init
LOAD_2 = Action("load 10,000 rows of 2 columns", "ms", 1, partial(load_all, Author), Author, INIT, ROWS)
LOAD_4 = Action("load 10,000 rows of 4 columns", "ms", 1, partial(load_all, Row), Row, INIT, ROWS)
SAVE = Action("save a row", "µs", 5, save, Author, (pre_save, post_save))
CREATE = Action(
    "create and delete a row",
    "µs",
    3,
    create_and_delete,
    Author,
    (pre_init, post_init, pre_save, post_save, pre_delete, post_delete),
)
REQUEST = Action("a request", "µs", 3, request, WSGIHandler, (request_started, request_finished))

DISPATCHES = {
    each.name: partial(dispatched_by, each.implementation) for each in present() if isinstance(each, InDjango)
}
DISPATCHES["Django"] = nullcontext
CASES = [
    Case(
        Table(action.title, action.unit),
        name,
        action.batch,
        {
            contestant: partial(action.prepare, dispatch, count, has_other)
            for contestant, dispatch in {
                **({"floor": hardly_dispatched} if action.rows > 1 and not count else {}),
                **DISPATCHES,
            }.items()
        },
        is_quick=action in (LOAD_2, SAVE) and count != 1,
    )
    for action in (LOAD_2, LOAD_4, SAVE, CREATE, REQUEST)
    for name, count, has_other in CONNECTED
    if action is not REQUEST or not has_other
]
SEND_CASES = [
    case_of(
        Table(f"send inside Django, {'4' if keywords else 'no'} keywords", "ns"),
        name,
        Send(keywords=keywords, to_sender=True, weak=False, parameters=AS_DOCUMENTED, **who),
        batch,
        [each for each in present() if isinstance(each, (InDjango, Django))],
        is_quick=True,
    )
    for keywords in (0, 4)
    for name, batch, who in SENDS
]


@pytest.fixture(scope="module")
def database():
    with project.fresh_database():
        call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
        Author.objects.bulk_create(Author(name=f"author {number}") for number in range(ROWS))
        Row.objects.bulk_create(Row(name=f"row {number}", number=number, active=True) for number in range(ROWS))
        yield


@over(SEND_CASES)
def test_send_inside_django(measure):
    measure()


@over(CASES)
def test_inside_django(database, measure):
    measure()
