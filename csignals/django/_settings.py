"""The keys of the setting ``CSIGNALS`` for dispatch. deferred/configuration.py reads the key for deferred receivers."""

from django.conf import settings

#: Whether sends call Sentry's wrapper of ``Signal._live_receivers`` although csignals knows what it does.
SENTRY_WRAPPER = "SENTRY_WRAPPER"


def asks_sentry() -> bool:
    chosen = getattr(settings, "CSIGNALS", None) if settings.configured else None
    return isinstance(chosen, dict) and bool(chosen.get(SENTRY_WRAPPER))
