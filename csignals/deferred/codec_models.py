"""How Django's models and app configs travel to another process: by their labels, which the apps look up again."""

from __future__ import annotations

import sys
from typing import Any

from csignals._introspection.attributes import Memo
from csignals._introspection.naming import dotted_name
from csignals.deferred.codec import Kind, MalformedError, NotThereError, UnknownModelError, shown, single

_labels = Memo()  # of models

#: What Django sends before its tables exist: the modules and names of signals.
_EARLY_SIGNALS = (
    ("db.models.signals", "class_prepared"),
    ("db.models.signals", "pre_migrate"),
    ("db.backends.signals", "connection_created"),
)


def class_of_django(module: str, name: str) -> Any:
    """Return a class of Django's, or an empty tuple, of which nothing is a subclass, if its module is not loaded."""
    return getattr(sys.modules.get(f"django.{module}"), name, ())


def label_of(model: Any) -> str:
    return _labels.get(model) or _new_label(model)


def _new_label(model: Any) -> str:
    from django.apps import apps

    meta = model._meta
    label: str = meta.label
    found = apps.all_models.get(meta.app_label, {}).get(meta.model_name)
    if found is not model:
        is_of_apps = meta.apps is apps
        # A migration's model has apps of its own. Django's apps do not know a model yet while it is being made.
        is_known = not is_of_apps if found is not None else is_of_apps and not apps.ready
        if not is_known:
            raise UnknownModelError(f"{dotted_name(model)} is not the model that Django's apps know as {label}")
    if found is not None:
        _labels.keep(model, label)
    return label


def _loaded_apps() -> Any:
    apps = getattr(sys.modules.get("django.apps"), "apps", None)
    if apps is None or not apps.models_ready:
        raise NotThereError("Django's models are not loaded here")
    return apps


def find_model(label: Any) -> Any:
    if type(label) is not str or label.count(".") != 1:
        raise MalformedError(f"not a label of a model: {shown(label)}")
    try:
        return _loaded_apps().get_model(label)
    except LookupError as error:
        raise NotThereError(str(error)) from None


def _find_app(label: Any) -> Any:
    if type(label) is not str:
        raise MalformedError(f"not a label of an app: {shown(label)}")
    try:
        return _loaded_apps().get_app_config(label)
    except LookupError as error:
        raise NotThereError(f"{error!s:.200}") from None


def is_before_migrations(signal: Any, sender: Any) -> bool:
    """Return whether Django makes a send while its tables, and so those of a task backend, may not exist yet."""
    for module, name in _EARLY_SIGNALS:
        if signal is getattr(sys.modules.get(f"django.{module}"), name, None):
            return True
    if not issubclass(type(sender), type) or not issubclass(sender, class_of_django("db.models.base", "Model")):
        return False
    return sender._meta.apps is not getattr(sys.modules.get("django.apps"), "apps", None)


MODEL = Kind("model", lambda model, encoder: label_of(model), lambda encoded, decoder: find_model(encoded))
APP = single("app", lambda app: app.label, lambda label: _find_app(label))
