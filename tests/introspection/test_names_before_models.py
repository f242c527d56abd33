"""Names of models as senders, used before the models and the settings are loaded: a scope finds the model on entry."""

import textwrap

import pytest

from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.slow  # new interpreters


# Runs before the models are loaded. Each test then calls load().
START = """
import sys, types
import csignals
from csignals.testing import SignalTester, assert_not_sent, assert_sent, capture
import csignals.django
csignals.django.install()
from django.conf import settings
from django.apps import apps
from django.db.models.signals import post_save, pre_migrate
assert not settings.configured and not apps.ready
own_signal = csignals.Signal()
for each in post_save, own_signal, pre_migrate:
    each.connect(lambda **named: "heard", weak=False)

def failure(function, *args, **named):
    try:
        function(*args, **named)
    except Exception as error:
        return type(error).__name__

def heard(signal, sender):
    return len(signal.send(sender))

def load():
    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
    import django
    django.setup()
    from django.contrib.auth.models import Group, User
    return User, Group
"""


def run(implementation, code):
    done = run_python("-W", "error", "-c", START + textwrap.dedent(code), implementation=implementation)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_mutes_find_models_on_entry(implementation):
    printed = run(
        implementation,
        """
        @csignals.mute(post_save, senders="auth.User")
        def function(sender):
            return heard(post_save, sender)

        @csignals.mute(senders=["auth.USER", "shop"])
        async def coroutine_function(signal, sender):
            return heard(signal, sender)

        @csignals.mute(post_save, senders=("auth.User", "auth.group"))
        class Tests:
            def test(self, sender):
                return heard(post_save, sender)

        User, Group = load()
        print(function(User), function(Group), function(User))
        import asyncio
        for signal, sender in (post_save, User), (post_save, Group), (own_signal, "shop"), (own_signal, "auth.USER"):
            print(asyncio.run(coroutine_function(signal, sender)), end=" ")
        print(Tests().test(User), Tests().test(Group), Tests().test(None))
        """,
    )
    assert printed == ["0 1 0", "0 1 0 1 0 0 1"]


def test_captures_find_models_on_entry(implementation):
    printed = run(
        implementation,
        """
        captures = [capture(post_save, sender="auth.User"), capture(sender="auth.User", scope="process")]
        silent = capture(post_save, sender="auth.User", deliver=False)
        sent, not_sent = assert_sent(post_save, sender="auth.User"), assert_not_sent(post_save, sender="auth.Group")
        User, Group = load()
        with captures[0] as first, captures[1] as second, sent, not_sent:
            post_save.send(User)
            own_signal.send(Group)
        print([send.sender for send in (*first, *second)] == [User, User])
        for _ in range(2):      # a capture may be entered again
            with silent as sends:
                print(heard(post_save, User), heard(post_save, Group), len(sends), end=" ")
        print(failure(first.assert_sent, post_save, sender="auth.Group"))
        with capture(post_save) as sends, SignalTester() as signals:
            signals.mute(post_save, senders="auth.Group")
            print(len(signals.capture(post_save, sender="auth.User")), heard(post_save, Group))
        sends.assert_sent(post_save, sender="auth.Group", times=1)
        """,
    )
    assert printed == ["True", "0 1 1 0 1 1 AssertionError", "0 0"]


def test_unknown_models_raise_on_entry(implementation):
    printed = run(
        implementation,
        """
        made = [
            csignals.mute(post_save, senders=["auth.User", "auth.Missing"]), csignals.mute(senders="auth.Missing"),
            csignals.mute(post_save, senders="nowhere.User"),
            capture(post_save, sender="auth.Missing"), capture(sender="auth.Missing"),
            assert_sent(post_save, sender="auth.Missing"), assert_not_sent(post_save, sender="auth.Missing"),
        ]
        early = [failure(each.__enter__) for each in made]
        User, Group = load()
        late = [failure(each.__enter__) for each in made]
        print(len(made), {*early, *late})
        print(failure(csignals.mute(post_save, senders="auth.Missing")(print)), heard(post_save, User))
        signals = SignalTester()
        print(failure(signals.mute, post_save, senders="auth.Missing"), failure(signals.capture, sender="auth.Missing"))
        with capture() as sends:
            pass
        print(failure(sends.assert_sent, post_save, sender="auth.Missing"), heard(post_save, User))
        """,
    )
    assert printed == ["7 {'LookupError'}", "LookupError 1", "LookupError LookupError", "LookupError 1"]


def test_a_failed_entry_may_be_repeated(implementation):
    """Entering raises before the models are loaded, and works afterwards."""
    printed = run(
        implementation,
        """
        mute, seen = csignals.mute(post_save, senders="auth.User"), capture(post_save, sender="auth.User")
        print(failure(mute.__enter__), failure(seen.__enter__), heard(post_save, None))
        User, Group = load()
        with mute, mute, seen as sends:
            print(heard(post_save, User), heard(post_save, Group))
        print(heard(post_save, User), len(sends))
        """,
    )
    assert printed == ["LookupError LookupError 1", "0 1", "1 1"]


def test_models_are_found_while_others_load(implementation):
    """A scope may name a model as soon as its class exists, before Django has loaded all models."""
    printed = run(
        implementation,
        """
        module = sys.modules["app"] = types.ModuleType("app", "An app.")
        module.__path__, module.__file__ = [], "app/__init__.py"
        class Models:
            # Finds and loads the module app.models.
            def find_spec(self, name, path=None, target=None):
                from importlib.machinery import ModuleSpec
                return ModuleSpec(name, self) if name == "app.models" else None
            def create_module(self, spec):
                return None
            def exec_module(self, module):
                from django.db.models import Model
                class Meta: app_label = "app"
                print(failure(csignals.mute(post_save, senders="app.Order").__enter__))
                Order = type("Order", (Model,), {"__module__": "app.models", "Meta": Meta})
                with csignals.mute(post_save, senders="app.Order"):
                    print(apps.models_ready, heard(post_save, Order))
        sys.meta_path.insert(0, Models())
        settings.configure(INSTALLED_APPS=["app"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
        import django
        django.setup()
        """,
    )
    assert printed == ["LookupError", "False 0"]


def test_invalid_model_names_raise_at_once(implementation):
    printed = run(
        implementation,
        """
        for wrong in "User", "auth.models.User", "":
            print(
                failure(csignals.mute, post_save, senders=wrong),
                failure(csignals.mute, own_signal, post_save, senders=[wrong]),
                failure(capture, post_save, sender=wrong),
                failure(assert_sent, post_save, sender=wrong),
                failure(assert_not_sent, post_save, sender=wrong),
            )
        # For other signals, a string is a sender like any other object.
        with csignals.mute(senders="User"), csignals.mute(own_signal, senders="auth.User"):
            print(heard(own_signal, "User"), heard(own_signal, "auth.User"), heard(own_signal, "auth.Group"))
        with csignals.mute(pre_migrate, senders="auth.User"):
            print(heard(pre_migrate, "auth.User"))
        """,
    )
    assert printed == ["ValueError ValueError ValueError ValueError ValueError"] * 3 + ["0 0 1", "0"]


@pytest.mark.parametrize("name", ["auth.User", "auth.user"])
def test_names_follow_the_rules_of_connect(implementation, name):
    printed = run(
        implementation,
        f"""
        from enum import Enum
        class Names(str, Enum):
            user = {name!r}
        User, Group = load()
        for name in {name!r}, Names.user:
            post_save.connect(print, sender=name)
            print(post_save.disconnect(print, sender=User), len(post_save.receivers), end=" ")
            with csignals.mute(post_save, senders=name), capture(post_save, sender=name) as sends:
                print(heard(post_save, User), heard(post_save, Group), len(sends))
        """,
    )
    assert printed == ["True 1 0 1 1"] * 2
