"""Warnings of weak receivers in processes of their own: Python's development mode, and Django's DEBUG."""

import subprocess
import sys

from implementations import counted, environment

#: Up to Python 3.10, decorators are called where the function begins.
CALLS_DECORATORS_ABOVE = sys.version_info >= (3, 11)

pytestmark = counted
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
    listener = Listener()
    signal.connect(listener.hear)

def hear(**named): pass

main(csignals.Signal())
"""


def test_python_s_development_mode_shows_it(implementation, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    code = f"import sys; sys.path.append({str(tmp_path)!r}); import script"
    done = run(implementation, "-X", "dev", "-c", code)
    assert done.stderr.splitlines()[1::2] == [
        "  signal.connect(lambda **named: None)",
        "  signal.connect(Listener().hear)",
        "  @csignals.receiver(signal)" if CALLS_DECORATORS_ABOVE else "  def local(**named): pass",
    ]
    assert done.stderr.count("WeakReceiverWarning: ") == 3
    assert run(implementation, "-c", code).stderr == ""


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
settings.configure(DEBUG=sys.argv[2] == "debug", INSTALLED_APPS=sys.argv[3:])
import django
django.setup()
"""


def test_django_s_debug_shows_it(implementation, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "apps.py").write_text(APPS)
    installed = ["csignals.django", "django.contrib.contenttypes", "shop.apps.Config"]
    done = run(implementation, "-c", PROJECT, tmp_path, "debug", *installed)
    places, names = [], []
    for line in done.stderr.splitlines():
        if "WeakReceiverWarning: " in line:
            place, _, message = line.partition(": WeakReceiverWarning: ")
            places.append(place)
            names.append(message.partition(" receiver ")[2].partition(" (")[0])
    last = 20 if CALLS_DECORATORS_ABOVE else 21
    assert places == [f"{tmp_path}/shop/apps.py:{number}" for number in (17, 18, 19, last)]
    assert names == [
        "shop.apps.Config.ready.<locals>.<lambda>",
        "functools.partial(shop.apps.handler)",
        "shop.apps.Listener.hear",
        "shop.apps.Config.ready.<locals>.local",
    ]
    assert run(implementation, "-c", PROJECT, tmp_path, "production", *installed).stderr == ""


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


def test_django_s_check_of_models_that_never_come_knows_connect(implementation, tmp_path):
    arguments = "-c", PROJECT + CHECK, tmp_path, "debug"
    seen = [run(implementation, *arguments, *apps).stdout for apps in ([], ["csignals.django"])]
    expected = (
        "(signals.E001) The function 'hear' was connected to the 'post_save' signal with a lazy reference to the "
        "sender 'nowhere.model', but app 'nowhere' isn't installed."
    )
    for said in seen:
        assert expected in said


def run(implementation, *arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment(implementation),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done
