import os

from django.apps import AppConfig


class EverythingConfig(AppConfig):
    name = "everything"

    def ready(self):
        if "BACKEND" not in os.environ:
            return
        from everything import receivers

        receivers.connect()
        if os.environ["BACKEND"] == "inline":
            from csignals.testing import inline_deferred

            self.inline = inline_deferred()
            self.inline.__enter__()
