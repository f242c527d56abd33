"""Record the arguments of receivers as text that can be compared between two runs."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import Model
from django.db.models.query import QuerySet
from django.dispatch import Signal
from django.http import HttpRequest
from django.template import Template
from django.template.context import BaseContext

from csignals.compare.families import SIGNALS

Records = dict[str, list[str]]  # a signal's name -> its calls, in order

# These values are random or signed with the time of day, so they differ from run to run.
VARYING = ("HTTP_COOKIE", "csrf_token")


@contextmanager
def recording() -> Generator[Records]:
    """Connect a receiver to each built-in signal during a ``with`` block, and yield the records of their calls."""
    records: Records = {name: [] for name in SIGNALS}
    receivers = {name: recorder(records[name]) for name in SIGNALS}
    for name, signal in SIGNALS.items():
        signal.connect(receivers[name])
    try:
        yield records
    finally:
        for name, signal in SIGNALS.items():
            signal.disconnect(receivers[name])


def recorder(calls: list[str]) -> Callable[..., None]:
    """Return a receiver that appends a description of each of its calls."""

    def receive(*positional: object, **named: object) -> None:
        arguments = [describe(value) for value in positional]
        calls.append(", ".join(arguments + [f"{name}={describe(value)}" for name, value in named.items()]))

    return receive


def describe(value: Any) -> str:
    """Describe an argument without values that differ from run to run. Makes no database query."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(describe, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name!r}: {describe_item(name, value[name])}' for name in value)}}}"
    if isinstance(value, BaseContext):
        return describe(value.flatten())
    return f"{describe(value.__class__)}({what_matters(value)})"


def describe_item(name: object, value: object) -> str:
    """Describe an item of a mapping."""
    return "..." if name in VARYING else describe(value)


def what_matters(value: Any) -> str:
    """Return what identifies an object among those of its class, or an empty string."""
    if isinstance(value, Signal):
        return next((name for name, signal in SIGNALS.items() if signal is value), "unknown")
    if isinstance(value, Model):
        return f"pk={value.pk!r}"
    if isinstance(value, HttpRequest):
        return f"{value.method} {value.path}"
    if isinstance(value, QuerySet):
        return describe(value.model)
    if isinstance(value, Template):
        return repr(value.name)
    return ""
