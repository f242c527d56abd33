"""Settings of the shop."""

SECRET_KEY = "not one"
ROOT_URLCONF = "shop.urls"
USE_TZ = True

INSTALLED_APPS = [
    "csignals.django",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "shop.apps.ShopConfig",
]

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
