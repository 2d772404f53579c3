"""Django's settings, made from `config.py`; nothing here reads the environment."""

import sys
from typing import Any

from huey import RedisHuey, SqliteHuey

from project import config

try:
    CONFIG = config.load()
    SECRET_KEY = CONFIG.signing_key()
except (config.ConfigurationError, ValueError, OSError) as error:
    sys.stderr.write(f"Holdfast cannot start: {error}\n")
    raise SystemExit(2) from None

ROOT = config.ROOT
DEBUG = CONFIG.debug
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in CONFIG.secret_key_fallbacks]
ALLOWED_HOSTS = CONFIG.hosts
CSRF_TRUSTED_ORIGINS = [CONFIG.public_url] if CONFIG.public_url else []

INSTALLED_APPS = [
    "project",
    "jobs_app",
    "storage_app",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "huey.contrib.djhuey",
]

MIDDLEWARE = [
    "project.security_headers.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "jobs_app.pages.shell.shell",
            ],
        },
    }
]

DATABASES = {"default": CONFIG.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = CONFIG.data / "static"
STATICFILES_DIRS = [ROOT / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


def _queue() -> SqliteHuey | RedisHuey:
    """Never in-process because of DEBUG: an instance, so that a task runs where the consumer is."""
    kind, place = CONFIG.queue()
    if kind == "redis":
        return RedisHuey("holdfast", url=place)
    return SqliteHuey("holdfast", filename=place, fsync=True)


HUEY = _queue()
