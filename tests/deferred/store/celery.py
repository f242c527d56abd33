from celery import Celery

app = Celery("store")
app.config_from_object("django.conf:settings", namespace="CELERY")
