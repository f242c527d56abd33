"""The time of a send to a deferred receiver, the queries for its rows, and the throughput of worker processes.

    python -m bench.deferred            all of these
    python -m bench.deferred cost       compare a send with Celery's own enqueuing, in its in-memory broker
    python -m bench.deferred rows       count the queries of a worker for a message with 500 rows of two models
    python -m bench.deferred workers    measure the throughput of 1, 2 and 4 worker processes, with Redis as the broker

Needs the extras ``celery``, ``django`` and ``bench``. ``workers`` installs Redis with .ci/servers. The exit code is 3
if a send takes more than 15 microseconds longer than the enqueuing alone, or if a message needs more than one query for
each model.
"""

import gc
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

BAR = 15e-6  # seconds
ROUNDS, SENDS = 800, 20
WORK = 1000  # sends
ROWS = 500


def cost():
    """Print how much longer a send takes than enqueuing the same message, and return the difference in seconds."""
    from bench.deferred_app import Sender, app, counted
    from csignals.deferred.backends.celery import run_receiver

    def send():
        counted.send(Sender, number=0, total=1.5)

    with mock.patch.object(run_receiver, "apply_async") as enqueue:
        send()
    ((message,),) = enqueue.call_args.args
    most, last = message[:-1], message[-1]
    ways = {
        "enqueued by Celery": lambda: run_receiver.apply_async((most + last,)),  # each message is a new string
        "sent to a deferred receiver": send,
    }
    times = {name: [] for name in ways}
    gc.collect()
    gc.freeze()  # or each collection takes longer than the sends
    for number in range(ROUNDS):
        for name, call in list(ways.items())[:: 1 if number % 2 else -1]:
            gc.collect()
            start = time.perf_counter()
            for _ in range(SENDS):
                call()
            times[name].append((time.perf_counter() - start) / SENDS)
        app.control.purge()
    bare, ours = (statistics.median(each) for each in times.values())
    over = statistics.median(b - a for a, b in zip(*times.values(), strict=True))
    for name, each in zip(times, (bare, ours), strict=True):
        print(f"{name}: {each * 1e6:.1f} µs")
    print(f"difference: {over * 1e6:.1f} µs, {over / bare:.1%} of Celery alone (median of {ROUNDS} rounds)")
    return over


def rows():
    """Print how many queries a worker makes for the rows of a message, and return the queries for each model."""
    from django.conf import settings

    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "csignals.django"]
    settings.configure(INSTALLED_APPS=apps, DATABASES=databases)
    import django

    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from bench import deferred_rows
    from csignals import deferred
    from tests.deferred.box import Box

    call_command("migrate", verbosity=0)
    sent = [
        *Group.objects.bulk_create(Group(name=str(number)) for number in range(ROWS // 2)),
        *User.objects.bulk_create(User(username=str(number)) for number in range(ROWS // 2)),
    ]
    deferred.configure(box := Box())
    deferred_rows.listed.send(None, rows=sent)
    (message,) = box.messages
    start = time.perf_counter()
    with CaptureQueriesContext(connection) as queries:
        deferred.run(message)
    took = time.perf_counter() - start
    assert deferred_rows.arrived == [sent]
    print(f"a message with {ROWS} rows of 2 models: {len(queries)} queries, run in {took * 1000:.0f} ms")
    return len(queries) / 2


def workers():
    """Print how often a second a receiver of 5 ms runs, with workers and inline."""
    from tests.deferred.brokers import Redis

    with tempfile.TemporaryDirectory() as folder, Redis() as redis:
        os.environ.update(BROKER=redis.url, OUT=str(Path(folder, "inline")))  # before the app is created
        from bench.deferred_app import PAUSE, work

        print(f"{WORK} sends to a receiver that sleeps {PAUSE * 1000:.0f} ms:")
        start = time.perf_counter()
        for number in range(WORK):
            work.__wrapped__(None, number, 1.5)
        inline = WORK / (time.perf_counter() - start)
        print(f"inline: {inline:.0f} a second; each send takes {1000 / inline:.2f} ms")
        for count in 1, 2, 4:
            os.environ["OUT"] = str(Path(folder, f"out-{count}"))
            sent, rate = throughput(count)
            processes = f"{count} worker process{'es' * (count > 1)}"
            ratio = f"{rate / inline:.2f} times as many as inline"
            print(f"{processes}: {rate:.0f} a second, {ratio}; each send took {sent * 1000:.2f} ms")


def throughput(count):
    """Return the seconds of a send, and the number of receivers that `count` worker processes run a second."""
    from bench.deferred_app import Sender, counted

    out = Path(os.environ["OUT"])
    out.touch()
    start = time.perf_counter()
    for number in range(WORK):
        counted.send(Sender, number=number, total=1.5)
    sent = (time.perf_counter() - start) / WORK
    command = [sys.executable, "-m", "celery", "-A", "bench.deferred_app", "worker", f"--concurrency={count}"]
    worker = subprocess.Popen([*command, "--loglevel=ERROR"], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        before = done = 0
        while done < WORK:
            done = len(out.read_text().split())
            if not before and done:
                before, start = done, time.perf_counter()
            assert worker.poll() is None, "the worker has ended"
            time.sleep(0.02)
        return sent, (WORK - before) / (time.perf_counter() - start)
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait()


def main():
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - PARTS.keys():
        sys.exit(f"unknown argument: {', '.join(unknown)}. Use {', '.join(PARTS)}.")
    if len(chosen) > 1:  # each part needs its own broker or settings, so its own process
        return max(subprocess.run([sys.executable, "-m", "bench.deferred", part]).returncode for part in chosen)
    measure, most = PARTS[chosen[0]]
    found = measure()
    return 3 if most is not None and found > most else 0


#: What each part measures, and the most that it may be.
PARTS = {"workers": (workers, None), "cost": (cost, BAR), "rows": (rows, 1)}

if __name__ == "__main__":
    sys.exit(main())
