"""No pages, but a receiver, as they are found in modules of views."""

from django.core.signals import request_finished
from django.dispatch import receiver

urlpatterns = []


@receiver(request_finished)
def forget(**named):
    pass
