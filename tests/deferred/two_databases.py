"""The setting DATABASES of the projects in this folder: PostgreSQL if its port is in the environment, else SQLite."""

import os

ALIASES = "default", "other"

if "POSTGRES" in os.environ:
    server = {"HOST": "127.0.0.1", "PORT": os.environ["POSTGRES"], "USER": "tests"}
    DATABASES = {
        alias: {"ENGINE": "django.db.backends.postgresql", "NAME": name, **server}
        for alias, name in zip(ALIASES, ("first", "second"), strict=True)
    }
else:
    DATABASES = {
        alias: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{os.environ['FOLDER']}/{alias}",
            "CONN_MAX_AGE": None,  # or the end of a request closes them
            "TEST": {"NAME": f"{os.environ['FOLDER']}/test_{alias}"},
        }
        for alias in ALIASES
    }
