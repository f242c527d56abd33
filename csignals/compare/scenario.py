"""The work of a Django project in a second: migrations, rows, logins and requests, which send each built-in signal."""

import asyncio
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.core.management import call_command
from django.db import connections, models
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import isolate_apps, override_settings, setup_test_environment, teardown_test_environment

from csignals.compare.models import Author, Book
from csignals.compare.project import close

PASSWORD = "correct horse"


def play(advance: Callable[[], None]) -> None:
    """Do all acts once, on an empty database, in Django's test environment."""
    setup_test_environment()
    try:
        for act in ACTS:
            act()
            advance()
    finally:
        teardown_test_environment()


def migrate() -> None:
    """Migrate an empty database."""
    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)


def define_model() -> None:
    """Define a model at run time."""
    with isolate_apps("csignals.compare"):
        type("Leaflet", (models.Model,), {"__module__": __name__, "pages": models.IntegerField()})


def save_and_delete() -> None:
    """Create, load, update and delete rows, one by one and with a query."""
    author = Author.objects.create(name="Ann")
    author.name = "Anne"
    author.save()
    author.save(update_fields=["name"])
    Author.objects.get(pk=author.pk).delete()
    for name in "Bob", "Cid":
        Author(name=name).save(force_insert=True)
    Author.objects.all().delete()


def relate() -> None:
    """Change a many-to-many relation from both sides."""
    book = Book.objects.create(title="On Signals")
    first, second, third = (Author.objects.create(name=name) for name in ("Dot", "Eve", "Fay"))
    book.authors.add(first, second)
    book.authors.remove(first)
    book.authors.set([second, third])
    book.authors.clear()
    first.books.add(book)
    first.books.clear()


def log_in_and_out() -> None:
    """Log in with the wrong password, log in, and log out twice."""
    # A random salt would differ from run to run, and Django would replace a shorter one at login.
    User.objects.create(username="ann", password=make_password(PASSWORD, salt="s" * 22))
    client = Client()
    expect(client.post("/login/", {"username": "ann", "password": "wrong"}).status_code, 200)
    expect(client.post("/login/", {"username": "ann", "password": PASSWORD}).status_code, 302)
    expect(client.post("/logout/").status_code, 302)
    expect(client.post("/logout/").status_code, 302)


def request_by_client() -> None:
    """Send one request that succeeds and one that fails through the test client."""
    client = Client(raise_request_exception=False)
    expect(client.get("/greet/").status_code, 200)
    expect(client.get("/fail/").status_code, 500)


def request_by_asgi() -> None:
    """Send a request through the ASGI handler, as a server does."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/greet/",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }

    async def serve() -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not messages:
                await asyncio.Event().wait()  # the client does not disconnect
            return messages.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await ASGIHandler()(scope, receive, send)

    async_to_sync(serve)()
    expect(sent[0]["status"], 200)
    expect(sent[1]["body"], b"hello")


def render_template() -> None:
    """Render a template."""
    expect(render_to_string("page.html", {"title": "On Signals"}), "On Signals")


def override_setting() -> None:
    """Override a setting during a ``with`` block."""
    with override_settings(APPEND_SLASH=False):
        pass


def open_connection() -> None:
    """Open a second connection to a database."""
    connection = connections.create_connection("default")
    connection.connect()
    close(connection)


def expect(actual: object, expected: object) -> None:
    """Raise RuntimeError unless both are equal, as the comparison would otherwise check less than it reports."""
    if actual != expected:
        raise RuntimeError(f"the scenario failed: {actual!r} instead of {expected!r}")


ACTS = (
    migrate,
    define_model,
    save_and_delete,
    relate,
    log_in_and_out,
    request_by_client,
    request_by_asgi,
    render_template,
    override_setting,
    open_connection,
)
