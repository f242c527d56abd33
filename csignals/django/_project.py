"""The signals of this project and their receivers, for ``manage.py signals``: collected, and filtered by its options.

The command itself, which prints them, is in management/commands/signals.py.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.conf import settings
from django.urls import get_resolver

from csignals._introspection.naming import dotted_name
from csignals._introspection.signal_names import names_of
from csignals.listing import ReceiverInfo, describe_uid, lists_of, signal_classes


@dataclass(frozen=True)
class SignalInfo:
    """A signal of csignals or Django that exists in this process."""

    #: The signal's name, or its dotted place in a module; None if it has neither.
    name: str | None
    #: The dotted name of the signal's class.
    kind: str
    #: The receivers, in the order in which a send calls them.
    receivers: list[ReceiverInfo]

    def as_data(self) -> dict[str, Any]:
        """Return the data in types that ``json`` can write."""
        return {
            "name": self.name,
            "class": self.kind,
            "receivers": [{**vars(each), "dispatch_uid": _plain(each.dispatch_uid)} for each in self.receivers],
        }


def _plain(uid: Any) -> Any:
    return uid if type(uid) in (str, int, type(None)) else describe_uid(uid)


def load_urls() -> None:
    """Import the URLconf, as the first request does: modules with views may connect receivers."""
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018  # imports it


def collect() -> list[SignalInfo]:
    """Return all signals in this process, sorted by name. Signals without a name come last."""
    gc.collect()  # so that unreachable signals are not listed
    classes = signal_classes()
    signals = [each for each in gc.get_objects() if issubclass(type(each), classes)]
    found = [
        SignalInfo(name, str(dotted_name(type(signal))), receivers)
        for signal, name, receivers in zip(signals, names_of(signals), lists_of(signals), strict=True)
    ]
    return sorted(found, key=lambda info: (info.name is None, info.name or info.kind))


def select(
    found: list[SignalInfo], names: Collection[str], senders: Collection[str], labels: Collection[str]
) -> list[SignalInfo]:
    """Return the signals with these names, and their receivers for these senders that are defined in these apps.

    An empty collection filters nothing. A signal may be named by the end of its dotted name, and a model by
    ``app_label.Model``. With `senders` or `labels`, signals without such receivers are left out. Raises LookupError for
    a name that is not found.
    """
    _check_names(found, names)
    sending = _names_of_senders(found, senders)
    for label in labels:
        apps.get_app_config(label)  # raises LookupError if there is no such app

    def is_wanted(receiver: ReceiverInfo) -> bool:
        return (not senders or receiver.sender in sending) and (not labels or _label_of(receiver) in labels)

    chosen = [
        replace(info, receivers=list(filter(is_wanted, info.receivers)))
        for info in found
        if not names or any(_is_called(info, name) for name in names)
    ]
    return [info for info in chosen if info.receivers or not (senders or labels)]


def _is_called(info: SignalInfo, name: str) -> bool:
    return f".{info.name or ''}".endswith(f".{name}")


def _check_names(found: list[SignalInfo], names: Collection[str]) -> None:
    for name in names:
        if not any(_is_called(info, name) for info in found):
            known = [info.name for info in found if info.name]
            raise LookupError(f'No signal is called "{name}".{_hint(name, known + [_last(each) for each in known])}')


def _names_of_senders(found: list[SignalInfo], senders: Collection[str]) -> set[str | None]:
    """Return the names of senders as `ReceiverInfo` has them."""
    models = {
        model._meta.label.lower(): dotted_name(model)
        for model in apps.get_models(include_auto_created=True, include_swapped=True)
    }
    known = {receiver.sender for info in found for receiver in info.receivers} | {*models.values()}
    names: set[str | None] = set()
    for sender in senders:
        name = sender if sender in known else models.get(sender.lower())
        if name is None:
            hint = _hint(sender, [*filter(None, known), *models])
            raise LookupError(f'No model and no sender with a receiver is called "{sender}".{hint}')
        names.add(name)
    return names


def _label_of(receiver: ReceiverInfo) -> str | None:
    """Return the label of the app that defines a receiver, or the function of a partial."""
    config = apps.get_containing_app_config(receiver.receiver.rpartition("(")[2])
    return None if config is None else str(config.label)


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]
