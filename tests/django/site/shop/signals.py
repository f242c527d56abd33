from django.db.models.signals import ModelSignal
from django.dispatch import Signal

import csignals

order_paid = Signal()
order_lost = Signal()
order_sent = csignals.Signal()
order_packed = csignals.Signal(name="a name of its own")
order_checked = ModelSignal(use_caching=True)
