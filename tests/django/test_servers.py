"""The drop-in under load: the project in site/, with sessions and login, behind gunicorn and behind uvicorn.

The same load runs with Django's own dispatcher. If both fail, the harness is at fault.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import fmean
from urllib.parse import urlencode

import pytest

from tests.helpers.implementations import different_on_pypy, environment, load, without_gil

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn and passing a socket to a process need POSIX"),
]

SITE = Path(__file__).parent / "site"
USER = {"username": "ada", "password": "lovelace"}

COMMANDS = {
    "gunicorn": ["gunicorn", "--config", SITE / "gunicorn.conf.py", "--bind", "fd://{fd}", "served.wsgi"],
    "uvicorn": [
        "uvicorn",
        "--fd",
        "{fd}",
        "--log-level",
        "warning",
        "--no-access-log",
        "--timeout-keep-alive",
        "60",
        "served.asgi:application",
    ],
}
PROCESSES = {"gunicorn": 2, "uvicorn": 1}

# The requests of one visitor, with the expected status and content.
VISIT = [
    ("POST", "/login", 200, "ada"),
    ("GET", "/page", 200, "visit 1"),
    ("GET", "/page", 200, "visit 2"),
    ("POST", "/logout", 200, "bye"),
    ("GET", "/page", 302, ""),  # redirects to the login, as the session has ended
]
SIGNALS_OF_A_VISIT = {
    "request_started": 5,
    "request_finished": 5,
    "connection_created": 5,
    "user_logged_in": 1,
    "user_logged_out": 1,
    "user_saved": 1,  # Django's receiver of user_logged_in sets last_login
    "session_saved": 4,  # once at the login, and after each of the first three requests
    "session_deleted": 1,
}

CLIENTS = 8
WARM_UP = 100  # visits
STAGES, STAGE = 20, 20  # 20 stages of 20 visits: 2,000 requests

# How much a process may grow during the second 1,000 requests, in kB. Django alone grows by up to 500, because its
# memory settles only after about 7,000 requests. A leak of one dict per send would cost 8,000.
MARGIN = 1024
# On PyPy memory also grows by machine code, and on 3.13t by immortal classes, with and without csignals.
IS_FLAT = sys.implementation.name == "cpython" and not (without_gil and sys.version_info < (3, 14))

DIFFERENT = {"gunicorn": different_on_pypy("gunicorn prints the exception that ends it")}
servers = pytest.mark.parametrize(
    "server", [pytest.param(server, marks=DIFFERENT.get(server, ())) for server in COMMANDS]
)


@servers
def test_servers_lose_no_request_or_memory(server, implementation, tmp_path):
    checkout_or_installed = Path(load(implementation).__file__).parents[1]
    send_load(server, implementation, tmp_path, environment(implementation), [SITE, checkout_or_installed])


@servers
def test_servers_without_csignals_lose_nothing(server, tmp_path):
    send_load(server, "django", tmp_path, os.environ, [SITE])


def send_load(server, dispatcher, folder, variables, path):
    variables = {
        **variables,
        "DJANGO_SETTINGS_MODULE": "served.settings",
        "DJANGO_SUPERUSER_PASSWORD": USER["password"],
        "MALLOC_ARENA_MAX": "1",  # otherwise each new thread may use a new arena
        "PYTHONDONTWRITEBYTECODE": "1",  # keeps the checkout unchanged
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONWARNINGS": "ignore",  # hides warnings of the servers' own code
        "SERVED_BY": dispatcher,
        "SERVED_FILES": str(folder),
    }
    manage(folder, variables, "migrate")
    manage(folder, variables, "createsuperuser", "--noinput", "--username", USER["username"], "--email", "a@b.example")
    before = counts(folder)

    with running(server, folder, variables) as port, ThreadPoolExecutor(CLIENTS) as clients:
        answered, memory = visits(clients, port, WARM_UP), []
        for _ in range(STAGES):
            answered += visits(clients, port, STAGE)
            memory.append(sum(own_memory(process) for process, _ in answered))

    visitors = WARM_UP + STAGES * STAGE
    assert sum(answered.values()) == visitors * len(VISIT)
    assert {by for _, by in answered} == {dispatcher}
    assert len(answered) == PROCESSES[server]
    assert counts(folder) - before == {name: visitors * times for name, times in SIGNALS_OF_A_VISIT.items()}
    # Compare means: the garbage at one moment may be as large as a small leak.
    _, second_quarter, _, last_quarter = (fmean(memory[i : i + STAGES // 4]) for i in range(0, STAGES, STAGES // 4))
    if IS_FLAT:
        assert last_quarter - second_quarter <= MARGIN * PROCESSES[server], memory


def manage(folder, variables, *arguments):
    subprocess.run([sys.executable, SITE / "manage.py", *arguments], cwd=folder, env=variables, check=True, timeout=60)


@contextmanager
def running(server, folder, variables):
    """Run the server, yield its port, and stop the server gracefully."""
    errors = folder / "stderr"
    with socket.create_server(("127.0.0.1", 0)) as listener, errors.open("wb") as stderr:
        # Clients can connect to this socket before the server has started. No other process can take the port.
        port, fd = listener.getsockname()[1], listener.fileno()
        command = [str(word).format(fd=fd) for word in COMMANDS[server]]
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=variables, stderr=stderr, pass_fds=[fd]
        )
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        print(errors.read_text())
    assert errors.read_text() == ""
    assert process.returncode in (0, -signal.SIGTERM)


def visits(clients, port, number):
    """Run this number of visits, each in its own session. Count the requests by process and dispatcher."""
    return sum(clients.map(visit, [port] * number), Counter())


def visit(port):
    answered, headers = Counter(), {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for method, path, *expected in VISIT:
            connection.request(method, path, urlencode(USER) if path == "/login" else None, headers)
            response = connection.getresponse()
            assert [response.status, response.read().decode()] == expected
            # Keep the cookie of the login, also after the session has ended.
            headers.setdefault("Cookie", response.getheader("Set-Cookie", "").partition(";")[0])
            answered[int(response.headers["X-Process"]), response.headers["X-Dispatcher"]] += 1
    return answered


def counts(folder):
    return Counter({file.stem: file.stat().st_size for file in folder.glob("*.count")})


def own_memory(process):
    """Return the anonymous memory of a process in kB, or 0 on a system that does not report it."""
    if sys.platform != "linux":
        return 0
    return int(Path(f"/proc/{process}/status").read_text().partition("RssAnon:")[2].split()[0])
