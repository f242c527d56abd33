"""A Django project with a wrapper of ``Signal._live_receivers``, in its own process, for ``test_wrapped.py``.

    python -m bench.wrapped WRAPPER IMPLEMENTATION      IMPLEMENTATION is "cython", "python", or "none": Django alone

The wrapper is installed first, as by a settings module that calls ``sentry_sdk.init()``. Then the process reads
commands, and answers each after it has run: `prepare ACTION`, `before`, `run TIMES`, `after`.
"""

import atexit
import itertools
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

UNKNOWN = "an unknown wrapper"
OFF, NO_TRANSACTION, UNSAMPLED, SAMPLED = SENTRY = "spans off", "no transaction", "unsampled", "sampled"
A_TENTH = "10 % sampled"

ROWS = 10_000
SENDS = "1 receiver", "10 receivers", "none for this sender"
LOADS = "with a receiver", "with one for another model"
REQUESTS = "empty view", "view that reads 20 rows"


class Child:
    """The process, for its parent."""

    def __init__(self, wrapper, implementation):
        choice = {"cython": "0", "python": "1", "none": ""}[implementation]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bench.wrapped", wrapper, implementation],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "CSIGNALS_PURE_PYTHON": choice},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.end)
        self.ask("start")

    def ask(self, command):
        """Send a command, and wait until it has run."""
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError(f"the process has ended instead of running {command!r}")

    def end(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@cache
def child(wrapper, implementation):
    """Return the process with this wrapper and implementation. It ends with its parent."""
    return Child(wrapper, implementation)


def wrap_unknown():
    from django.dispatch import Signal

    original = Signal._live_receivers

    def passing(self, sender):
        return original(self, sender)

    Signal._live_receivers = passing


def init_sentry(wrapper):
    import sentry_sdk
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.transport import Transport

    class Dropping(Transport):
        def capture_envelope(self, envelope):
            pass

    options = {"integrations": [DjangoIntegration(signals_spans=False)]} if wrapper == OFF else {}
    if wrapper == A_TENTH:  # exactly a tenth, so that all batches have the same number
        counter = itertools.count()
        options["traces_sampler"] = lambda context: float(next(counter) % 10 == 0)
    else:
        options["traces_sample_rate"] = float(wrapper == SAMPLED)
        options["_experiments"] = {"max_spans": 10_000}  # of a transaction, which is around a batch
    sentry_sdk.init(dsn="http://key@sentry.invalid/1", transport=Dropping, **options)


def configure(implementation):
    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            *([] if implementation == "none" else ["csignals.django"]),
            "django.contrib.contenttypes",
            "django.contrib.auth",
        ],
        ROOT_URLCONF=__name__,
        SECRET_KEY="protects nothing",
    )
    django.setup()
    if implementation != "none":
        import csignals.django

        status = csignals.django.status()
        if (status.implementation, status.is_installed) != (implementation, True):
            raise RuntimeError(f"csignals does not use {implementation!r}: {status}")


def make_actions():
    """Return the actions by name: functions that connect receivers, and return a function that runs the action."""
    from django.contrib.auth.models import Group, Permission
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.management import call_command
    from django.db.models.signals import post_init
    from django.dispatch import Signal
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.urls import path

    def receive(sender, **kwargs):
        reached.add(sender)

    def receiver():
        return lambda sender, **kwargs: None

    def send(count):
        signal = Signal()
        for _ in range(count):
            signal.connect(receiver(), weak=False)
        if [response for _, response in signal.send(Group)] != [None] * count:
            raise RuntimeError("the receivers are not called")

        def run(times):
            for _ in range(times):
                signal.send(sender=Group)

        return run

    def send_to_no_receiver(times):
        for _ in range(times):
            post_init.send(sender=Group, instance=None)

    def load(times):
        for _ in range(times):
            rows[:] = Group.objects.all()

    def request(url):
        environ = RequestFactory().get(url).environ

        def run(times):
            for _ in range(times):
                handler(environ, lambda status, headers: None).close()

        return run

    def connected(model, run):
        """Return an action during which `post_init` has a receiver for a model."""

        def prepare():
            post_init.disconnect(dispatch_uid="bench", sender=Group)
            post_init.disconnect(dispatch_uid="bench", sender=Permission)
            if model is not None:
                post_init.connect(receive, sender=model, dispatch_uid="bench")
            reached.clear()
            run(2)
            if reached != ({Group} if model is Group else set()):
                raise RuntimeError(f"the receiver was called for {reached}")
            return run

        return prepare

    reached, rows = set(), []
    call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)
    Group.objects.bulk_create(Group(name=f"group {number}") for number in range(ROWS))
    urlpatterns.append(path("empty/", lambda request: HttpResponse()))
    urlpatterns.append(path("rows/", lambda request: HttpResponse(str(len(Group.objects.all()[:20])))))
    handler = WSGIHandler()
    return {
        SENDS[0]: connected(None, send(1)),
        SENDS[1]: connected(None, send(10)),
        SENDS[2]: connected(Permission, send_to_no_receiver),
        LOADS[0]: connected(Group, load),
        LOADS[1]: connected(Permission, load),
        REQUESTS[0]: connected(None, request("/empty/")),
        REQUESTS[1]: connected(None, request("/rows/")),
    }


urlpatterns = []


def transaction_of(wrapper):
    """Return the transaction around a batch."""
    from contextlib import nullcontext

    if wrapper not in (UNSAMPLED, SAMPLED):
        return nullcontext()
    import sentry_sdk

    return sentry_sdk.start_transaction(name="bench")


def serve(wrapper, implementation):
    """Read commands from stdin, and run them."""
    import gc

    answers, sys.stdout = sys.stdout, sys.stderr
    if wrapper == UNKNOWN:
        wrap_unknown()
    else:
        init_sentry(wrapper)
    configure(implementation)
    actions = make_actions()
    gc.disable()  # a collection would add its time to any batch
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "prepare":
            run = actions[argument]()
        elif command == "before":
            transaction = transaction_of(wrapper)
            transaction.__enter__()
        elif command == "run":
            run(int(argument))
        elif command == "after":
            transaction.__exit__(None, None, None)
            gc.collect(0)
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    import bench.wrapped

    bench.wrapped.serve(*sys.argv[1:])  # not in __main__, as this module is the URLconf
