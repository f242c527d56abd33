"""What projects do: management commands, requests and the admin. Each step raises if its result is wrong."""

import asyncio
import io
import json
import os
from wsgiref.util import setup_testing_defaults

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command
from everything.models import Order, Passing, Tag


def root():
    """Return the superuser, who is created by the command."""
    if not User.objects.filter(username="root").exists():
        call_command("createsuperuser", interactive=False, username="root", email="root@example.com", verbosity=0)
        user = User.objects.get(username="root")
        user.set_password("secret")
        user.save()
    return User.objects.get(username="root")


def migrate():
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0, database="other")
    assert Order.objects.get().tags.get().name == "of a migration"


def create_superuser():
    assert root().check_password("secret")


def save_rows():
    for using in "default", "other":
        order, tag = Order.objects.using(using).create(number=1), Tag.objects.using(using).create(name="new")
        order.tags.add(tag)
        tag.order_set.set([])
        order.tags.set([tag])
        order.number += 1
        order.save(update_fields=["number"])
        order.tags.clear()


def delete_rows():
    Passing.objects.create(number=1).delete()
    Passing.objects.create(number=1)
    Passing.objects.all().delete()


def dump_and_load_data():
    tag = {"model": "everything.tag", "pk": 100, "fields": {"name": "loaded"}}
    order = {"model": "everything.order", "pk": 100, "fields": {"number": 100, "tags": [100]}}
    path = f"{os.environ['FOLDER']}/fixture.json"
    with open(path, "w") as file:
        json.dump([tag, order], file)
    call_command("loaddata", path, verbosity=0)
    out = io.StringIO()
    call_command("dumpdata", "everything", stdout=out)
    assert order in json.loads(out.getvalue())


def flush():
    call_command("flush", interactive=False, verbosity=0, database="other")
    assert not Order.objects.using("other").exists()


def request_by_wsgi():
    root()
    assert get("/") == b"1"
    assert get("/save/") == b"saved"
    assert b"Server Error" in get("/fail/")


def login_by_wsgi():
    root()
    assert get("/login/", "password=wrong") == b"None"
    assert get("/login/", "password=secret") == b"root"


def anonymous_logout_by_wsgi():
    assert get("/logout/") == b"logged out"


def get(path, query=""):
    """Call the application as a server does."""
    from everything.wsgi import application

    environ = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    response = application(environ, lambda status, headers: None)
    try:
        return b"".join(response)
    finally:
        response.close()


def request_by_asgi():
    assert get_by_asgi("/") == b"1"
    assert b"Server Error" in get_by_asgi("/fail/")


@async_to_sync
async def get_by_asgi(path):
    from everything.asgi import application

    body = []
    received = iter([{"type": "http.request"}])

    async def receive():
        for message in received:
            return message
        return await asyncio.Event().wait()  # until it is cancelled

    async def send(message):
        body.append(message.get("body", b""))

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await application(scope, receive, send)
    return b"".join(body)


def request_by_client():
    from django.test import Client

    client = Client(raise_request_exception=False)
    assert client.get("/").content == b"1"
    assert client.get("/nothing/").status_code == 404
    assert client.get("/fail/").status_code == 500


def login_and_logout():
    from django.test import Client

    root()
    client = Client()
    assert client.get("/login/?password=wrong").content == b"None"
    assert not client.login(username="root", password="wrong")
    assert client.get("/login/?password=secret").content == b"root"
    client.get("/logout/")
    assert client.login(username="root", password="secret")
    client.logout()


def anonymous_logout():
    from django.test import Client

    client = Client()
    client.get("/logout/")
    client.logout()


def use_async_client():
    from django.test import AsyncClient

    root()

    @async_to_sync
    async def use():
        client = AsyncClient(raise_request_exception=False)
        for path, content in {
            "/": b"1",
            "/save/": b"saved",
            "/login/?password=wrong": b"None",
            "/login/?password=secret": b"root",
            "/logout/": b"logged out",
        }.items():
            assert (await client.get(path)).content == content
        assert (await client.get("/fail/")).status_code == 500
        assert (await client.get("/logout/")).status_code == 200

    use()


def use_the_admin():
    from django.test import Client

    client = Client()
    client.force_login(root())
    tag = Tag.objects.create(name="of the admin")
    for name, model in {"order": Order, "passing": Passing}.items():
        path = f"/admin/everything/{name}/"
        more = {"tags": [tag.pk]} if model is Order else {}
        assert client.post(f"{path}add/", {"number": 7, **more}).status_code == 302
        row = model.objects.get(number=7)
        assert client.post(f"{path}{row.pk}/change/", {"number": 8}).status_code == 302
        assert client.post(path, {"action": "count_up", "_selected_action": [row.pk]}).status_code == 302
        assert model.objects.get(pk=row.pk).number == 9
        assert client.get(path).status_code == client.get(f"{path}{row.pk}/change/").status_code == 200
    assert client.post(f"{path}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    other = Passing.objects.create()
    client.post(path, {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"})
    assert not Passing.objects.exists()


def override_a_setting():
    from django.test import override_settings

    with override_settings(LANGUAGE_CODE="de"):
        pass


#: What a process does: of these, only the last one loads ``django.test``.
PLAYS = {
    "migrate": [migrate],
    "server": [
        create_superuser,
        flush,  # first, so that later rows last
        save_rows,
        delete_rows,
        dump_and_load_data,
        request_by_wsgi,
        login_by_wsgi,
        anonymous_logout_by_wsgi,
        request_by_asgi,
    ],
    "tests": [
        request_by_client,
        login_and_logout,
        anonymous_logout,
        use_async_client,
        use_the_admin,
        override_a_setting,
    ],
}
