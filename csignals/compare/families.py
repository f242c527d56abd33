"""Django's built-in signals, by family. The comparison checks each of them."""

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.signals import got_request_exception, request_finished, request_started, setting_changed
from django.db.backends.signals import connection_created
from django.db.models.signals import (
    class_prepared,
    m2m_changed,
    post_delete,
    post_init,
    post_migrate,
    post_save,
    pre_delete,
    pre_init,
    pre_migrate,
    pre_save,
)
from django.dispatch import Signal
from django.test.signals import template_rendered

FAMILIES: dict[str, dict[str, Signal]] = {
    "login and logout": {
        "user_logged_in": user_logged_in,
        "user_logged_out": user_logged_out,
        "user_login_failed": user_login_failed,
    },
    "model": {
        "pre_init": pre_init,
        "post_init": post_init,
        "pre_save": pre_save,
        "post_save": post_save,
        "pre_delete": pre_delete,
        "post_delete": post_delete,
        "m2m_changed": m2m_changed,
        "class_prepared": class_prepared,
    },
    "management": {
        "pre_migrate": pre_migrate,
        "post_migrate": post_migrate,
    },
    "request/response": {
        "request_started": request_started,
        "request_finished": request_finished,
        "got_request_exception": got_request_exception,
    },
    "test": {
        "setting_changed": setting_changed,
        "template_rendered": template_rendered,
    },
    "database wrappers": {
        "connection_created": connection_created,
    },
}

SIGNALS: dict[str, Signal] = {name: signal for family in FAMILIES.values() for name, signal in family.items()}
