"""Changes of Django's settings CSIGNALS and TASKS, as by ``override_settings``, in a project of its own."""

import importlib.util

import pytest

from tests.helpers.interpreter import run_python

TASKS = next((name for name in ("django.tasks", "django_tasks") if importlib.util.find_spec(name)), None)
needs_tasks = pytest.mark.skipif(TASKS is None, reason="neither Django's Tasks nor django-tasks is installed")

PROJECT = """
import builtins, sys, types
from django.conf import settings
import django
from django.test.utils import override_settings

class Backend:
    def prepare(self, options): print(self.name, "prepared")
    def enqueue(self, message, prepared): print(self.name)

class One(Backend): name = "one"
class Other(Backend): name = "other"
builtins.One, builtins.Other = One, Other
ONE, OTHER = {{"DEFERRED": "builtins.One"}}, {{"DEFERRED": "builtins.Other"}}
databases = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
settings.configure(INSTALLED_APPS={apps!r}, CSIGNALS=ONE, DATABASES=databases)
django.setup()
from csignals import Signal
from csignals.deferred import configure, deferred
shop = sys.modules["shop"] = types.ModuleType("shop")
shop.signal = Signal()
exec("def receive(**named): pass", vars(shop))
shop.signal.connect(deferred(shop.receive), weak=False)
send = lambda: shop.signal.send(None)
"""
with_and_without_the_app = pytest.mark.parametrize("apps", [[], ["csignals.django"]], ids=["without", "with"])


def printed_by(code, implementation, apps=(), **options):
    done = run_python("-c", PROJECT.format(apps=list(apps)) + code, implementation=implementation, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@with_and_without_the_app
def test_another_backend_counts_at_once(implementation, apps):
    code = """
send()
with override_settings(CSIGNALS=OTHER):
    send()
    with override_settings(CSIGNALS=ONE):
        send()
    send()
send()
send()
"""
    one, other = ["one prepared", "one"], ["other prepared", "other"]
    assert printed_by(code, implementation, apps) == [*one, *other, *one, *other, *one, "one"]


@with_and_without_the_app
def test_settings_may_change_before_the_first_send(implementation, apps):
    code = "with override_settings(CSIGNALS=OTHER):\n    send()\nsend()"
    assert printed_by(code, implementation, apps) == ["other prepared", "other", "one prepared", "one"]


def test_an_unrelated_setting_changes_nothing(implementation):
    code = "send()\nwith override_settings(DEBUG=True):\n    send()\nsend()"
    assert printed_by(code, implementation) == ["one prepared", "one", "one", "one"]


def test_wrong_settings_raise_until_they_are_undone(implementation):
    code = """
for wrong in {}, {"DEFERED": "celery"}, {"DEFERRED": "builtins.Nothing"}:
    with override_settings(CSIGNALS=wrong):
        try:
            send()
        except Exception as error:
            print(type(error).__name__)
send()
"""
    errors = ["LookupError", "ImproperlyConfigured", "ImproperlyConfigured"]
    assert printed_by(code, implementation) == [*errors, "one prepared", "one"]


def test_the_configured_backend_overrides_changed_settings(implementation):
    code = """
configure(Other())
send()
with override_settings(CSIGNALS=ONE):
    send()
    configure(None)
    send()
send()
"""
    one, other = ["one prepared", "one"], ["other prepared", "other"]
    assert printed_by(code, implementation) == [*other, *other, *one, *one]


def test_whether_sends_wait_for_the_commit_may_change(implementation):
    code = """
from django.db import transaction
for chosen in ONE, {**ONE, "DEFERRED_ON_COMMIT": False}:
    with override_settings(CSIGNALS=chosen), transaction.atomic():
        send()
        print("sent")
"""
    expected = ["one prepared", "sent", "one", "one prepared", "one", "sent"]
    assert printed_by(code, implementation) == expected


@needs_tasks
@pytest.mark.parametrize("chosen", ["of the settings", "configured", "its own"])
def test_changed_task_queues_count_at_once(implementation, chosen):
    code = f"""
import importlib
module = importlib.import_module({TASKS!r})

def tasks(alias, *queues):
    return override_settings(TASKS={{alias: {{"BACKEND": "{TASKS}.backends.dummy.DummyBackend", "QUEUES": queues}}}})

def queue():
    try:
        shop.other.send(None)
    except TypeError as error:
        return "shop.mail" if "queue='mail'" in str(error) else error
    (backend,) = module.task_backends.all()
    return backend.results[-1].task.queue_name

exec("def mail(**named): pass", vars(shop))
shop.other = Signal()
with tasks("default", "default", "mail"), override_settings(CSIGNALS={{"DEFERRED": "django_tasks"}}):
    options = {{"backend": "django_tasks"}} if {chosen!r} == "its own" else {{}}
    if {chosen!r} == "configured":
        configure("django_tasks")
    shop.other.connect(deferred(queue="mail", **options)(shop.mail), weak=False)
    print(queue())
    with tasks("default", "default", "other"):
        print(queue())
    with tasks("second", "mail", "other"):
        print(queue())
    print(queue())
"""
    assert printed_by(code, implementation) == ["mail", "shop.mail", "mail", "mail"]


def test_sentrys_wrapper_follows_the_settings(implementation):
    code = """
import sentry_sdk
from django.dispatch import Signal as DjangoSignal
from sentry_sdk.integrations.django import DjangoIntegration, signals_handlers
import csignals.django
sentry_sdk.init(integrations=[DjangoIntegration()])
csignals.django.install()
signal = DjangoSignal()
signal.connect(lambda **named: print(sys._getframe(1).f_globals["__name__"] == signals_handlers.__name__), weak=False)
asks = lambda: csignals.django.status().asked == signals_handlers.__name__
for chosen in {}, {"SENTRY_WRAPPER": True}, {"SENTRY_WRAPPER": False}:
    with override_settings(CSIGNALS=chosen):
        signal.send(None)
        print(asks())
    signal.send(None)
    print(asks())
"""
    apps = ["csignals.django"]
    printed = printed_by(f"import warnings; warnings.simplefilter('ignore')\n{code}", implementation, apps)
    assert printed == ["False"] * 4 + ["True", "True"] + ["False"] * 6
