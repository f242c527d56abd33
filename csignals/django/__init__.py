"""The drop-in: ``"csignals.django"`` in ``INSTALLED_APPS`` dispatches all of Django's signals by csignals.

``django.dispatch.Signal`` is patched in place, which is the only way to reach the signals that exist already,
their subclasses, and whatever was imported by name. How receivers are registered stays Django's own.
"""

from csignals._once import refuse_without

refuse_without(__name__, "csignals.django._patch", "csignals.django._status", "csignals.django.apps")

from csignals.django._patch import install, is_installed, uninstall  # noqa: E402  # or two of it would be there
from csignals.django._status import Status, status  # noqa: E402

__all__ = ["Status", "install", "is_installed", "status", "uninstall"]
