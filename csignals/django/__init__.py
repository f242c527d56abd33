"""The drop-in: ``"csignals.django"`` in ``INSTALLED_APPS`` dispatches all of Django's signals by csignals.

``django.dispatch.Signal`` is patched in place, which is the only way to reach the signals that exist already,
their subclasses, and whatever was imported by name. How receivers are registered stays Django's own.
"""

from csignals.django._patch import install, is_installed, uninstall
from csignals.django._status import Status, status

__all__ = ["Status", "install", "is_installed", "status", "uninstall"]
