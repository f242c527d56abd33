"""The expected output of ``manage.py signals --json``, read from the lists of receivers in the same process.

``python -m shop.oracle`` prints the expected and the real output. The expected output does not use csignals.
"""

import functools
import inspect
import io
import json
import sys
import types
import weakref

import django
from django.core.management import call_command
from django.utils.module_loading import import_string

SIGNALS = [
    *[f"django.contrib.auth.signals.user_{what}" for what in ("logged_in", "logged_out", "login_failed")],
    *[f"django.core.signals.request_{what}" for what in ("started", "finished")],
    "django.core.signals.got_request_exception",
    "django.core.signals.setting_changed",
    "django.db.backends.signals.connection_created",
    *[f"django.db.models.signals.{when}_{what}" for when in ("pre", "post") for what in ("init", "save", "delete")],
    *[f"django.db.models.signals.{what}" for what in ("class_prepared", "m2m_changed", "pre_migrate", "post_migrate")],
    *[f"django.tasks.signals.task_{what}" for what in ("enqueued", "started", "finished")],
    "django.test.signals.template_rendered",
    *[f"django.utils.autoreload.{what}" for what in ("autoreload_started", "file_changed")],
    "shop.models.Item.cancelled",
    *[f"shop.signals.order_{what}" for what in ("paid", "lost", "sent", "checked")],
]


def find_signals():
    """Return the signals of all loaded modules by their names."""
    from shop.models import Item
    from shop.signals import order_packed

    names = [name for name in SIGNALS if name.rpartition(".")[0] in sys.modules]
    return {
        **{name: import_string(name) for name in names},
        "shop.models.Item.cancelled": Item.cancelled,
        "a name of its own": order_packed,
    }


def read_connections(signal):
    connections = []
    for entry in signal.receivers:
        (uid, sender_id), receiver = entry[:2]
        is_weak = isinstance(receiver, weakref.ReferenceType)
        receiver = receiver() if is_weak else receiver
        if receiver is None or (len(entry) == 4 and entry[2] is not None and entry[2]() is None):
            continue
        is_method = isinstance(receiver, types.MethodType)
        is_own = uid == ((id(receiver.__self__), id(receiver.__func__)) if is_method else id(receiver))
        file, line = place(receiver)
        connections.append(
            {
                "receiver": name(receiver),
                "file": file,
                "line": line,
                "sender": senders()[sender_id],
                "is_weak": is_weak,
                "is_async": len(entry) > 2 and entry[-1],
                "dispatch_uid": None if is_own else uid if isinstance(uid, str) else repr(uid),
                "runs": None,
                "is_collected": False,
            }
        )
    return sorted(connections, key=lambda connection: connection["is_async"])


def senders():
    """Return the names of the senders that have receivers, by the ids of the senders."""
    from django.apps import apps

    from shop import receivers
    from shop.models import Item, Order

    warm, contenttypes = receivers.Printer.warm, apps.get_app_config("contenttypes")
    return {
        id(None): None,
        id(Item): "shop.models.Item",
        id(Order): "shop.models.Order",
        id(Order.items.through): "shop.models.Order_items",
        id(receivers.index): "shop.receivers.index",
        id(receivers.printer): "shop.receivers.Printer object",
        (id(warm.__self__), id(warm.__func__)): "shop.receivers.Printer.warm",
        id(receivers.BY_MAIL): "by mail",
        id(contenttypes): "django.contrib.contenttypes.apps.ContentTypesConfig object",
    }


def name(receiver):
    if isinstance(receiver, functools.partial):
        return f"functools.partial({name(receiver.func)})"
    if isinstance(receiver, (types.FunctionType, types.MethodType)):
        return f"{receiver.__module__}.{receiver.__qualname__}"
    if isinstance(receiver, (type, types.BuiltinFunctionType)):
        return receiver.__qualname__  # a builtin
    return f"{type(receiver).__module__}.{type(receiver).__qualname__} object"


def place(receiver):
    if isinstance(receiver, functools.partial):
        receiver = receiver.func
    if isinstance(receiver, (type, types.BuiltinFunctionType)):
        return None, None
    is_written = isinstance(
        receiver, (types.FunctionType, types.MethodType)
    )  # on PyPy their __call__ looks written in Python
    if not is_written and type(type(receiver).__call__) is types.FunctionType:
        receiver = type(receiver).__call__
    receiver = inspect.unwrap(receiver)
    return inspect.getsourcefile(receiver), inspect.getsourcelines(receiver)[1]


def command_output():
    output = io.StringIO()
    call_command("signals", "--json", stdout=output)
    return json.loads(output.getvalue())


def main():
    import csignals
    import csignals.django

    django.setup()
    results = {"implementation": csignals.IMPLEMENTATION}
    for moment in ("installed", "uninstalled"):
        lists = {
            name: {
                "class": f"{type(signal).__module__}.{type(signal).__qualname__}",
                "receivers": read_connections(signal),
            }
            for name, signal in find_signals().items()
        }
        results[moment] = {"is_installed": csignals.django.is_installed(), "command": command_output(), "lists": lists}
        csignals.django.uninstall()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
