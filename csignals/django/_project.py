"""The signals of this project with their receivers: all, or those that are asked for by ``manage.py signals``."""

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
    """A signal of the project, csignals' or Django's."""

    #: The name that it was given, or that of its place in its module; None if it has neither.
    name: str | None
    #: The dotted name of its class.
    kind: str
    #: Its receivers, in the order in which a send calls them.
    receivers: list[ReceiverInfo]

    def as_data(self) -> dict[str, Any]:
        """Return what ``json`` takes."""
        return {
            "name": self.name,
            "class": self.kind,
            "receivers": [{**vars(each), "dispatch_uid": _plain(each.dispatch_uid)} for each in self.receivers],
        }


def _plain(uid: Any) -> Any:
    return uid if type(uid) in (str, int, type(None)) else describe_uid(uid)


def load_urls() -> None:
    """Import the URLconf, as the first request does: receivers may be connected in the modules of views."""
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018  # imports it


def collect() -> list[SignalInfo]:
    """Return every signal there is, by name; at the end those without one."""
    gc.collect()  # nobody can send those that are only waiting for it
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
    """Return the signals of these names, with their receivers for these senders and out of these apps.

    An empty collection asks for nothing. The end of a signal's dotted name will do, and ``app_label.Model`` for a
    model as a sender. Where receivers are asked for, signals without any are left out. Raises LookupError for what is
    not there.
    """
    _check_names(found, names)
    sending = _names_of_senders(found, senders)
    for label in labels:
        apps.get_app_config(label)  # which raises LookupError

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
    """Return what senders are called in the list of receivers."""
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
            raise LookupError(f'No model is called "{sender}", and no other sender that has a receiver.{hint}')
        names.add(name)
    return names


def _label_of(receiver: ReceiverInfo) -> str | None:
    """Return the label of the app in which a receiver is defined; for a partial, what is in it."""
    config = apps.get_containing_app_config(receiver.receiver.rpartition("(")[2])
    return None if config is None else str(config.label)


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 3)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]
