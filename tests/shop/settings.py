"""A project whose receivers run after the commit and in workers: where, the environment says."""

import os

SECRET_KEY = "for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["csignals.django", "shop"]

if "POSTGRES" in os.environ:
    server = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": os.environ["POSTGRES"], "USER": "tests"}
    DATABASES = {"default": {**server, "NAME": "first"}, "other": {**server, "NAME": "second"}}
else:
    DATABASES = {
        alias: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{os.environ['FOLDER']}/{alias}",
            "TEST": {"NAME": f"{os.environ['FOLDER']}/test_{alias}"},
        }
        for alias in ("default", "other")
    }

CSIGNALS = {"DEFERRED": os.environ["ENGINE"]} if "ENGINE" in os.environ else {}
