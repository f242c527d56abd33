"""The drop-in: with ``"csignals.django"`` in ``INSTALLED_APPS``, csignals dispatches Django's signals.

_patch.py replaces methods of ``django.dispatch.Signal`` itself, as this also reaches signals and subclasses that exist
already, and names that were imported. Django's own code still registers receivers. _status.py reports the state.
"""

from csignals.django._patch import install, is_installed, uninstall
from csignals.django._status import Status, status

__all__ = ["Status", "install", "is_installed", "status", "uninstall"]
