"""Warnings of lost receivers in separate processes, in Python's development mode and under Django's DEBUG."""

import sys

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

#: Up to Python 3.10, the call of a decorator has the line of `def`.
CALLS_DECORATORS_ABOVE = sys.version_info >= (3, 11)
COLLECT = "import gc\nfor _ in range(3): gc.collect()\n"
SCRIPT = """
import csignals

class Listener:
    def hear(self, **named): pass

def main(signal):
    signal.connect(lambda **named: None)
    signal.connect(Listener().hear)

    @csignals.receiver(signal)
    def local(**named): pass
    signal.connect(hear)
    signal.connect(kept.hear)
    listener = Listener()
    signal.connect(listener.hear)
    called = Listener()
    signal.connect(called.hear, sender=Listener)
    other = csignals.Signal()
    other.connect(called.hear)
    other.send(None)

def hear(**named): pass

kept, signal = Listener(), csignals.Signal()
main(signal)
"""


def test_python_development_mode_shows_warnings(implementation, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT + COLLECT)
    code = f"import sys; sys.path.append({str(tmp_path)!r}); import script"
    done = run(implementation, "-X", "dev", "-c", code)
    assert sorted(done.stderr.splitlines()[1::2]) == sorted(
        [
            "  signal.connect(lambda **named: None)",
            "  signal.connect(Listener().hear)",
            "  @csignals.receiver(signal)" if CALLS_DECORATORS_ABOVE else "  def local(**named): pass",
            "  signal.connect(listener.hear)",
            "  signal.connect(called.hear, sender=Listener)",
        ]
    )
    assert done.stderr.count("WeakReceiverWarning: ") == 5
    assert run(implementation, "-c", code).stderr == ""


def test_receivers_alive_at_exit_are_not_lost(implementation):
    script = """
import csignals
class Listener:
    def hear(self, **named): pass
signal, listener = csignals.Signal(), Listener()
listener.itself = listener
signal.connect(listener.hear)
signal.connect(function := lambda **named: None)
def main():
    csignals.Signal.ever = local = lambda **named: None
    signal.connect(local)
    yield
running = main()
next(running)
"""
    assert run(implementation, "-X", "dev", "-c", script).stderr == ""


AT_EXIT = """
import atexit, csignals
kept = csignals.Signal(), (lambda **named: print("called"))
atexit.register(kept[0].send, None)
atexit.register(kept[0].connect, kept[1])
"""


def test_connect_works_without_python_caller(implementation):
    done = run(implementation, "-X", "dev", "-c", AT_EXIT)
    assert (done.stdout, done.stderr) == ("called\n", "")


LOSE = """
import csignals
signal = csignals.Signal()
signal.connect(lambda **named: None)
signal.connect(print_it := lambda **named: print("called"))
"""


def test_a_warning_as_error_is_printed(implementation, tmp_path):
    (tmp_path / "script.py").write_text(LOSE + COLLECT + "signal.send(None)\n")
    done = run(implementation, "-X", "dev", "-W", "error", tmp_path / "script.py")
    assert done.stdout == "called\n"
    assert done.stderr.startswith("Exception ignored in")
    assert f"WeakReceiverWarning: {tmp_path / 'script.py'}:4: The receiver __main__.<lambda> (" in done.stderr


def test_a_warning_as_error_fails_tests(implementation, tmp_path):
    lost, _, _ = LOSE.partition("signal.connect(print_it")
    lose = (lost + COLLECT).replace("\n", "\n    ")
    (tmp_path / "test_it.py").write_text(f"def test_lose():{lose}\ndef test_other(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # otherwise pytest may use the options of csignals
    arguments = "-X", "dev", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir", tmp_path, tmp_path
    shown = run(implementation, *arguments)
    assert f"{tmp_path / 'test_it.py'}:4: WeakReceiverWarning: The receiver test_it.test_lose" in shown.stdout
    errors = "error::csignals.WeakReceiverWarning", "error::pytest.PytestUnraisableExceptionWarning"
    failed = run(implementation, *arguments, "-W", errors[0], "-W", errors[1], code=1)
    assert "1 failed, 1 passed" in failed.stdout
    assert f"WeakReceiverWarning: {tmp_path / 'test_it.py'}:4: The receiver test_it.test_lose" in failed.stdout


APPS = """
import functools
from django.apps import AppConfig
from django.core.signals import request_finished
from django.db.models.signals import post_save
from django.dispatch import receiver

def handler(**named): pass

class Listener:
    def hear(self, **named): pass

class Config(AppConfig):
    name = "shop"

    def ready(self):
        post_save.connect(lambda **named: None, sender="contenttypes.ContentType")
        post_save.connect(functools.partial(handler))
        post_save.connect(Listener().hear, sender="contenttypes.ContentType")
        @receiver([request_finished, post_save])
        def local(**named): pass
        post_save.connect(handler)
        self.listener = Listener()
        post_save.connect(self.listener.hear)
"""
PROJECT = """
import sys
sys.path.append(sys.argv[1])
from django.conf import settings
settings.configure(
    DEBUG=sys.argv[2] == "debug", INSTALLED_APPS=sys.argv[3:], USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
import django
django.setup()
"""


def make_shop(tmp_path, apps, **modules):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "apps.py").write_text(apps)
    for name, source in modules.items():
        (tmp_path / "shop" / f"{name}.py").write_text(source)
    return ["csignals.django", "django.contrib.contenttypes", "shop.apps.Config"]


def lines_and_names(stderr):
    found = []
    for line in stderr.splitlines():
        if "WeakReceiverWarning: " in line:
            place, _, message = line.partition(": WeakReceiverWarning: The receiver ")
            found.append((place, message.partition(" (")[0]))
    return sorted(found)


def test_django_debug_shows_the_warnings(implementation, tmp_path):
    installed = make_shop(tmp_path, APPS)
    done = run(implementation, "-c", PROJECT + COLLECT, tmp_path, "debug", *installed)
    last = 20 if CALLS_DECORATORS_ABOVE else 21
    assert lines_and_names(done.stderr) == [
        (f"{tmp_path}/shop/apps.py:{number}", name)
        for number, name in (
            (17, "shop.apps.Config.ready.<locals>.<lambda>"),
            (18, "functools.partial(shop.apps.handler)"),
            (19, "shop.apps.Listener.hear"),
            (last, "shop.apps.Config.ready.<locals>.local"),
        )
    ]
    assert run(implementation, "-c", PROJECT + COLLECT, tmp_path, "production", *installed).stderr == ""


LAZY_APPS = """
from django.apps import AppConfig
from django.db.models.signals import post_save

def connect():
    post_save.connect(lambda **named: None, sender="shop.Order")

connect()

class Config(AppConfig):
    name = "shop"
"""
LAZY_MODELS = """
from django.db import models

class Order(models.Model):
    pass
"""


def test_lazy_connections_warn_at_the_model(implementation, tmp_path):
    installed = make_shop(tmp_path, LAZY_APPS, models=LAZY_MODELS)
    done = run(implementation, "-c", PROJECT + COLLECT, tmp_path, "debug", *installed)
    assert lines_and_names(done.stderr) == [(f"{tmp_path}/shop/models.py:4", "shop.apps.connect.<locals>.<lambda>")]
    assert f"({tmp_path}/shop/apps.py:6)" in done.stderr


URLS = """
from django.http import HttpResponse
from django.urls import path

def index(request):
    return HttpResponse("hello")

urlpatterns = [path("", index)]
"""
REQUESTS = """
from django.core.signals import got_request_exception
from django.test import Client
from django.test.signals import template_rendered
from csignals import _scopes
settings.ROOT_URLCONF = "urls"
for client in Client(), Client():
    for _ in range(20):
        assert client.get("/").content == b"hello"
    for signal in got_request_exception, template_rendered:
        assert _scopes.watched.get(signal) is None
"""


def test_the_test_client_causes_no_warnings(implementation, tmp_path):
    (tmp_path / "urls.py").write_text(URLS)
    done = run(implementation, "-X", "dev", "-c", PROJECT + REQUESTS + COLLECT, tmp_path, "debug", "csignals.django")
    assert (done.stdout, lines_and_names(done.stderr)) == ("", [])


HISTORY = """
import gc
from django.db import models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models.signals import class_prepared, post_init
from django.dispatch import receiver

class Image(models.CharField):
    def contribute_to_class(self, cls, name, **named):
        super().contribute_to_class(cls, name, **named)
        post_init.connect(self.update, sender=cls)

    def update(self, **named): pass

for _ in range(3):
    state = ProjectState()
    state.add_model(ModelState("shop", "Order", [("id", models.AutoField(primary_key=True)), ("photo", Image())]))
    state.apps.get_model("shop", "Order")
    assert post_init.receivers[0][1]() is not None
    del state
    gc.collect()

from django.core.management import call_command
call_command("migrate", verbosity=0)    # the options of each historical User listen to a signal
"""


def test_historical_models_cause_no_warnings(implementation, tmp_path):
    installed = "csignals.django", "django.contrib.contenttypes", "django.contrib.auth"
    done = run(implementation, "-c", PROJECT + HISTORY + COLLECT, tmp_path, "debug", *installed)
    assert (done.stdout, done.stderr) == ("", "")


CHECK = """
from django.core.management import call_command
from django.db.models.signals import post_save
def hear(**named): pass
post_save.connect(hear, sender="nowhere.Model")
try:
    call_command("check")
except SystemExit:
    pass
except Exception as error:
    print(error)
"""


def test_the_check_of_lazy_senders_works(implementation, tmp_path):
    """Django's check signals.E001 looks for its own `connect` in the calls."""
    arguments = "-c", PROJECT + CHECK, tmp_path, "debug"
    seen = [run(implementation, *arguments, *apps).stdout for apps in ([], ["csignals.django"])]
    expected = (
        "(signals.E001) The function 'hear' was connected to the 'post_save' signal with a lazy reference to the "
        "sender 'nowhere.model', but app 'nowhere' isn't installed."
    )
    for printed in seen:
        assert expected in printed


def run(implementation, *arguments, code=0):
    done = run_python(*arguments, implementation=implementation)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_connections_of_django_cause_no_warnings(implementation):
    """The options of each model listen to a signal. The options of a historical model die with the model."""
    script = f"""
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["csignals.django", "django.contrib.contenttypes", "django.contrib.auth"], DEBUG=True,
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
)
import django
django.setup()
from django.core.management import call_command
from django.core.signals import setting_changed
import csignals

def living():
    return sum(entry[1]() is not None for entry in setting_changed.receivers)

import gc
gc.disable()
call_command("migrate", verbosity=0)
before = living()
{COLLECT}
assert living() < before or django.VERSION < (5,)  # 4.2 keeps historical models
assert not any(each.is_collected for each in csignals.list_receivers(setting_changed))
"""
    done = run(implementation, "-X", "dev", "-c", script)
    assert done.stderr == ""
