"""Counts the signals. Each send appends a byte to a file, which many threads and processes can do at once."""

import os

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db.backends.signals import connection_created
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver


class Counter:
    """Its bound method is the receiver, so the signal holds only a weak reference."""

    def __init__(self, name):
        self.file = os.open(settings.FILES / f"{name}.count", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def count(self, **named):
        os.write(self.file, b".")


@receiver(connection_created)
def write_ahead(connection, **named):
    # No request waits for another one or for the disk. Otherwise the test would measure the disk.
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=OFF")


class ServedConfig(AppConfig):
    name = "served"

    def ready(self):
        from django.contrib.auth.models import User
        from django.contrib.auth.signals import user_logged_in, user_logged_out
        from django.contrib.sessions.models import Session

        counted = {
            "request_started": (request_started, None),
            "request_finished": (request_finished, None),
            "connection_created": (connection_created, None),
            "user_logged_in": (user_logged_in, User),
            "user_logged_out": (user_logged_out, User),
            "user_saved": (post_save, User),
            "session_saved": (post_save, Session),
            "session_deleted": (post_delete, Session),
        }
        self.counters = [Counter(name) for name in counted]
        for counter, (signal, sender) in zip(self.counters, counted.values(), strict=True):
            signal.connect(counter.count, sender=sender)
