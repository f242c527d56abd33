"""The cost of csignals during development: in Python's development mode, and under Django's DEBUG.

    python -m bench.development             the exit code is 3 if a bar is missed
    python -m bench.development --quick     fewer rounds

Each of the two modes is measured in its own process: the time of connects, and of requests of Django's test client in a
new project. The figures are ratios of median processor times. Stock Django and csignals take turns in the process, by
``uninstall()`` and ``install()``; first with few objects on the heap, then with 500,000. Receivers are created before,
and dropped after the timed code. In development mode, csignals' own signals check ``**kwargs``. Django does so only
under DEBUG, so they are compared with Django under DEBUG.
"""

import argparse
import gc
import json
import subprocess
import sys
from functools import partial, wraps
from statistics import median
from time import process_time_ns
from types import ModuleType

DEV, DEBUG = "-X dev", "DEBUG"
STOCK, IN_DJANGO, STOCK_CHECKING, STANDALONE = "Django", "csignals in Django", "Django with DEBUG", "csignals"
RATIOS = (IN_DJANGO, STOCK), (STANDALONE, STOCK_CHECKING)
MAX_CONNECT, MAX_REQUEST, MAX_GROWTH = 3, 1.15, 1.5
HEAPS = 100_000, 500_000  # the first is that of a new project
PAGE = "{% for item in items %}<p>{{ item }} of {{ request.path }}, for {{ user.is_staff }}</p>{% endfor %}"
PAGES = {"a request of the test client, a page": "/page/", "a request of the test client, empty": "/empty/"}
CONNECTS, REQUESTS = 50, 5  # for each contestant in a round


class Listener:
    def hear(self, **named):
        pass

    def __call__(self, **named):
        pass


def hear(**named):
    pass


def local():
    def function(**named):
        pass

    return function


def decorated():
    function = local()
    return wraps(function)(lambda **named: function(**named))


#: Functions that return the receiver to connect, the same or a new one each time, and arguments of connect().
SAME = Listener()
CONNECTIONS = {
    "a function": (lambda: hear, {}),
    "a function, for a sender, by a uid": (lambda: hear, {"sender": Listener, "dispatch_uid": "uid"}),
    "a method": (lambda: SAME.hear, {}),
    "an object": (lambda: SAME, {}),
    "a new local function": (local, {}),
    "a new decorated function": (decorated, {}),
    "a new partial": (lambda: partial(hear, x=1), {}),
    "a new object's method": (lambda: Listener().hear, {}),
}


def time_connects(make_signal, make_receiver, how):
    """Return the nanoseconds of a connect. Each one is to another signal."""
    signals, receivers = ([make() for _ in range(CONNECTS)] for make in (make_signal, make_receiver))
    gc.disable()  # as timeit does: a collection would fall into the time of the same contestant in most rounds
    before = process_time_ns()
    for signal, receiver in zip(signals, receivers, strict=True):
        signal.connect(receiver, **how)
    took = process_time_ns() - before
    gc.enable()
    for signal in signals:
        signal.receivers = []  # so that no receiver is reported as never called
    return took / CONNECTS


def time_requests(client, path):
    """Return the nanoseconds of a request."""
    gc.disable()
    before = process_time_ns()
    for _ in range(REQUESTS):
        client.get(path)
    took = process_time_ns() - before
    gc.enable()
    return took / REQUESTS


def configure(debug):
    """Configure Django with the settings of a new project."""
    from django.conf import settings

    middleware = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    apps = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"]
    processors = ["template.context_processors.request", "contrib.auth.context_processors.auth"]
    options = {
        "context_processors": [f"django.{name}" for name in processors],
        "loaders": [("django.template.loaders.locmem.Loader", {"page.html": PAGE})],
    }
    settings.configure(
        DEBUG=debug,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="urls",
        SECRET_KEY="of no use",
        STATIC_URL="static/",
        INSTALLED_APPS=["csignals.django", *[f"django.contrib.{name}" for name in apps]],
        MIDDLEWARE=middleware,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": options}],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    import django

    django.setup()
    from django.http import HttpResponse
    from django.shortcuts import render
    from django.urls import path

    urls = sys.modules["urls"] = ModuleType("urls")
    urls.urlpatterns = [
        path("page/", lambda request: render(request, "page.html", {"items": range(3)})),
        path("empty/", lambda request: HttpResponse()),
    ]
    return settings


def measure(mode, rounds):
    """Return the median time of each case, contestant and heap, in the mode of this process."""
    settings = configure(mode == DEBUG)
    from django.dispatch import Signal
    from django.test import Client

    import csignals
    from csignals.django import install, uninstall

    def take_turn(contestant):
        (install if contestant == IN_DJANGO else uninstall)()
        settings.DEBUG = mode == DEBUG or contestant == STOCK_CHECKING
        make_signal = csignals.Signal if contestant == STANDALONE else Signal
        cases = {name: partial(time_connects, make_signal, *case) for name, case in CONNECTIONS.items()}
        if contestant in RATIOS[0]:
            cases |= {name: partial(time_requests, client, path) for name, path in PAGES.items()}
        for name, case in cases.items():
            case()  # the contestant before has filled the caches of the processor
            yield name, case()

    client, heap, found = Client(), [], []
    for size in HEAPS:
        while len(gc.get_objects()) < size:
            heap += [[] for _ in range(1000)]
        figures = {}
        for number in range(rounds):
            contestants = [each for pair in RATIOS for each in pair]
            for contestant in contestants[:: 1 if number % 2 else -1]:
                for name, took in take_turn(contestant):
                    figures.setdefault((name, contestant), []).append(took)
        found += [(*place, size, median(times)) for place, times in figures.items()]
    return found


def run(mode, rounds):
    """Measure a mode in another process."""
    options = ["-X", "dev", "-W", "error"] if mode == DEV else ["-W", "error"]
    command = [sys.executable, *options, "-m", "bench.development", "--mode", mode, "--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {tuple(place): time for *place, time in json.loads(done.stdout)}


def report(mode, figures):
    """Print the results of a mode, and return whether all bars are met."""
    is_met = True
    heads = [f"{size:,} objects" for size in HEAPS]
    print(f"{mode:<40}{'':<40}{heads[0]:>18}{heads[1]:>18}")
    for above, below in RATIOS:
        for name in *CONNECTIONS, *PAGES:
            if (name, above, HEAPS[0]) not in figures:
                continue
            ratios = [figures[name, above, size] / figures[name, below, size] for size in HEAPS]
            most = MAX_REQUEST if name in PAGES else MAX_CONNECT
            is_low, is_flat = max(ratios) <= most, ratios[1] <= ratios[0] * MAX_GROWTH
            is_met = is_met and is_low and is_flat
            missed = f"  more than {most}" * (not is_low) + "  grows with the heap" * (not is_flat)
            cells = "".join(f"{ratio:>18.2f}" for ratio in ratios)
            print(f"{name:<40}{f'{above} ÷ {below}':<40}{cells}{missed}")
    print()
    return is_met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--mode", choices=[DEV, DEBUG], help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.mode:
        print(json.dumps(measure(arguments.mode, arguments.rounds)))
        return 0
    rounds = arguments.rounds or (7 if arguments.quick else 31)
    is_met = [report(mode, run(mode, rounds)) for mode in (DEV, DEBUG)]
    return 0 if all(is_met) else 3


if __name__ == "__main__":
    sys.exit(main())
