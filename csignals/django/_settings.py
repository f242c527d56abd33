"""What the setting ``CSIGNALS`` says about the dispatch of Django's signals. The rest is for deferred receivers."""

from django.conf import settings

#: Whether sends ask Sentry's wrapper of ``Signal._live_receivers``, also where csignals knows what it does.
SENTRY_WRAPPER = "SENTRY_WRAPPER"


def asks_sentry() -> bool:
    chosen = getattr(settings, "CSIGNALS", None) if settings.configured else None
    return isinstance(chosen, dict) and bool(chosen.get(SENTRY_WRAPPER))
