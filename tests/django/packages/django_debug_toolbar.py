"""The signals panel of django-debug-toolbar, which reads the receivers of each Django signal."""

import gc

from django.core.signals import request_started
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import RequestFactory
from project import configure, report

configure(
    "django.contrib.staticfiles",
    "debug_toolbar",
    DEBUG_TOOLBAR_CONFIG={"EXTRA_SIGNALS": ["__main__.own_signal"]},
    DEBUG_TOOLBAR_PANELS=["debug_toolbar.panels.signals.SignalsPanel"],
    ROOT_URLCONF="__main__",
    STATIC_URL="static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
from debug_toolbar.toolbar import DebugToolbar  # noqa: E402  # defines a model

urlpatterns = []
own_signal = Signal()


class Sender:
    def method(self, **named):
        pass


def strong(**named):
    pass


def weak(**named):
    pass


def make_dead():
    def dead(**named):
        pass

    return dead  # a module's function may be immortal on 3.13t


async def awaited(**named):
    pass


def render():
    request = RequestFactory().get("/")
    toolbar = DebugToolbar(request, lambda request: HttpResponse())
    panel = toolbar.get_panel_by_id("SignalsPanel")
    panel.generate_stats(request, toolbar.process_request(request))
    return {
        "stats": {name: receivers for name, receivers in panel.get_stats()["signals"] if receivers},
        "subtitle": panel.nav_subtitle(),  # pyright: ignore[reportCallIssue]
        "content": panel.content,
    }


observed = {"before": render()}
sender = Sender()
pre_save.connect(weak, sender=Sender)
pre_save.connect(strong, weak=False)
pre_save.connect(sender.method)
dead = make_dead()
post_save.connect(dead)
post_save.connect(awaited)
own_signal.connect(weak, sender=sender)
observed["connected"] = render()

del dead
gc.collect()  # PyPy does not count references
gc.collect()
for signal in (pre_save, post_save, request_started, own_signal):
    signal.send(Sender, environ={})
observed["sent"] = render()

pre_save.disconnect(weak, sender=Sender)
own_signal.receivers = []
observed["disconnected"] = render()

report(**observed)
