"""A deferred receiver of any sender for each signal, which writes its calls to a file."""

import json
import os

from django.apps import AppConfig
from django.contrib.auth import signals as of_auth
from django.core import signals as of_core
from django.db import models
from django.db.backends import signals as of_backends
from django.db.models import signals as of_models
from django.dispatch import Signal

from csignals.deferred import deferred

MODULES = [of_auth, of_backends, of_core, of_models]
if "TEMPLATES" in os.environ:
    from django.test import signals as of_tests

    MODULES.append(of_tests)
SIGNALS = {name: each for module in MODULES for name, each in vars(module).items() if isinstance(each, Signal)}


def write_down(name, sender, named):
    with open(f"{os.environ['FOLDER']}/calls", "a") as file:
        file.write(json.dumps([name, written(sender), sorted(named)]) + "\n")


def written(sender):
    """Return a text for a sender, from which a test knows it again."""
    if sender is None or isinstance(sender, str):
        return sender
    if isinstance(sender, AppConfig):
        return f"the app {sender.label}"
    if not isinstance(sender, type):
        return f"an instance of {type(sender).__name__}"
    if issubclass(sender, models.Model):
        from django.apps import apps

        assert apps.get_model(sender._meta.label) is sender
        return sender._meta.label
    return sender.__name__


def any_sender(name):
    """Return the receiver of the signal with this name, as a global of this module."""

    def hear(sender, **named):
        write_down(name, sender, named)

    return of_this_module(hear, f"hear_{name}")


def any_sender_with_row(name):
    """Return the receiver that also names the row."""

    def hear(sender, instance, **named):
        write_down(f"{name} with its row", sender, {"instance": instance, **named})

    return of_this_module(hear, f"hear_{name}_with_row")


def of_this_module(function, name):
    function.__name__ = function.__qualname__ = name
    receiver = globals()[name] = deferred(function)
    return receiver


def connect():
    for name, each in SIGNALS.items():
        each.connect(any_sender(name))
    for name in "post_save", "m2m_changed":
        SIGNALS[name].connect(any_sender_with_row(name))
