"""Redis, RabbitMQ and PostgreSQL servers for tests, as .ci/servers installs them: on loopback, in their own folders."""

import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

INSTALL = Path(__file__).parents[2] / ".ci/servers"


@functools.cache
def servers_folder():
    """Return the folder of the servers' packages. The first call installs them, which takes a minute."""
    return Path(subprocess.run([INSTALL], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(is_there, what, seconds=60):
    """Wait until `is_there()` returns true, and fail after `seconds`."""
    end = time.monotonic() + seconds
    while not is_there():
        assert time.monotonic() < end, f"{what} within {seconds} s"
        time.sleep(0.05)


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A server process that runs during a with block. It keeps its data when it is stopped and started again."""

    process = None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="csignals-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def prepare(self):
        pass

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                list(map(str, self.command())),
                env={**os.environ, **self.environment()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user(),
            )
        wait_for(self.is_ready, f"{type(self).__name__} should be ready")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def environment(self):
        return {}

    def is_ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        return listens(self.port)

    def user(self):
        return None


class Redis(Server):
    def command(self):
        return [
            servers_folder() / "usr/bin/redis-server",
            "--port",
            self.port,
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
        ]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self):
        from redis import Redis as Client

        return Client(port=self.port)

    def empty(self):
        with self.client() as client:
            client.flushall()

    def is_idle(self, workers):
        """Return whether neither the queue nor a worker has a message, and this number of workers wait for one."""
        with self.client() as client, client.pipeline() as at_once:
            at_once.llen("celery").hlen("unacked").zcard("unacked_index").info("clients")
            *messages, clients = at_once.execute()
        return not any(messages) and clients["blocked_clients"] == workers


class RabbitMQ(Server):
    def prepare(self):
        self.names, self.nodes = free_port(), free_port()  # the first port is for epmd, which the node starts

    def command(self):
        return [next(servers_folder().glob("usr/lib/rabbitmq/lib/rabbitmq_server-*")) / "sbin/rabbitmq-server"]

    def environment(self):
        erlang = servers_folder() / "usr/lib/erlang"
        return {
            "HOME": str(self.folder),
            "PATH": f"{erlang / 'bin'}:{os.environ['PATH']}",
            "ERL_EPMD_PORT": str(self.names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.nodes),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
        }

    def stop(self):
        super().stop()
        subprocess.run(
            [servers_folder() / "usr/lib/erlang/bin/epmd", "-kill"],
            env={**os.environ, **self.environment()},
            capture_output=True,
        )

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def empty(self):
        from kombu import Connection

        with Connection(self.url) as connection:
            connection.default_channel.queue_delete("celery")


class PostgreSQL(Server):
    """It refuses to run as root. The tests then run it as the user nobody."""

    def prepare(self):
        self.commands = next(servers_folder().glob("usr/lib/postgresql/*/bin"))
        if self.user() is not None:
            shutil.chown(self.folder, self.user())
        share = next(servers_folder().glob("usr/share/postgresql/*"))
        options = ["-U", "tests", "-A", "trust", "-N", "-L", share, "--no-locale", "-E", "UTF8"]
        self.run("initdb", "-D", self.folder / "data", *options)

    def command(self):
        return [
            self.commands / "postgres",
            "-D",
            self.folder / "data",
            "-p",
            self.port,
            "-h",
            "127.0.0.1",
            "-k",
            self.folder,
            "-F",
        ]

    def run(self, command, *arguments):
        done = subprocess.run(
            [str(self.commands / command), *map(str, arguments)],
            cwd=self.folder,
            user=self.user(),
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_ready(self):
        return super().is_ready() and self.sql("postgres", "SELECT 1", check=False)

    def sql(self, database, text, check=True):
        done = subprocess.run(
            [self.commands / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", "-c", text, database],
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.returncode == 0

    def user(self):
        return "nobody" if os.geteuid() == 0 else None
