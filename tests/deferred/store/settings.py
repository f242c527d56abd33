"""A project whose receivers run after the commit and in workers. Environment variables choose the backend."""

import json
import os

from tests.deferred.two_databases import DATABASES  # noqa: F401

SECRET_KEY = "for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["csignals.django", "store"]
if os.environ.get("BACKEND") == "django_tasks":
    INSTALLED_APPS += ["django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "mail"]}}

CSIGNALS = {"DEFERRED": os.environ["BACKEND"]} if "BACKEND" in os.environ else {}
CELERY_BROKER_URL = os.environ.get("BROKER")
CELERY_BROKER_TRANSPORT_OPTIONS = json.loads(os.environ.get("TRANSPORT_OPTIONS", "{}"))
CELERY_RESULT_BACKEND = os.environ.get("RESULTS")
CELERY_RESULT_EXTENDED = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ANNOTATIONS = {"csignals.run": {"default_retry_delay": 0.1}}
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
