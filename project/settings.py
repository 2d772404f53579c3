"""Django's settings, made from `config.py`; nothing here reads the environment."""

import sqlite3
import sys
from pathlib import Path
from typing import Any

from huey import RedisHuey, SqliteHuey

from project import config, logs
from storage_app.providers import factory

try:
    CONFIG = config.load()
    SECRET_KEY = CONFIG.signing_key()
    FILE_STORAGES = CONFIG.file_storages()
    factory.check_all(FILE_STORAGES)
except (config.ConfigurationError, ValueError, OSError) as error:
    sys.stderr.write(f"Holdfast cannot start: {error}\n")
    raise SystemExit(2) from None

OUTBOX_LIMITS = {
    "window": CONFIG.batch_seconds,
    "files": CONFIG.batch_files,
    "bytes": CONFIG.batch_megabytes * 1_000_000,
}

ROOT = config.ROOT
CONFIG_NAMES = config.KNOWN  # of variables, some of which hold secrets
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
    "project.frame.RequestFrame",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "project.pages_only.Common",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "project.pages_only.Messages",
    "project.pages_only.Htmx",
    "project.login_gate.LoginGate",
    "project.head_requests.HeadAsGet",
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
# Options by backend, so that `records migrate` can open another one than the configured.
RECORD_STORE: dict[str, Any] = {
    "backend": CONFIG.record_store,
    "options": {"file": {"root": CONFIG.records_root}, "database": {"alias": "default"}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 7 * 24 * 3600  # how long an invitation is good

# `__Host-` ties a cookie to this host over https; a browser refuses the name on plain http, as on a first try at home.
COOKIE_PREFIX = "__Host-" if CONFIG.https else ""
SESSION_ENGINE = "jobs_app.sessions"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_SECURE = CONFIG.https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = CONFIG.https
CSRF_COOKIE_HTTPONLY = True  # pages carry the token in hx-headers
CSRF_COOKIE_SAMESITE = "Strict"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # one cookie fewer
CSRF_FAILURE_VIEW = "project.errors.csrf_failure"

# Which scheme a request came by is settled in the front, which believes trusted proxies alone.
SECURE_SSL_REDIRECT = CONFIG.https
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]  # asked from inside, past the proxy
SILENCED_SYSTEM_CHECKS = ["security.W002"]  # security_headers.py sends X-Frame-Options, on static files too
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if CONFIG.https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = CONFIG.https
SECURE_HSTS_PRELOAD = CONFIG.https

LOGGING = logs.configuration(CONFIG.log_level.upper())
LOGGING_CONFIG = "logging.config.dictConfig"

STATIC_URL = "/static/"
STATIC_ROOT = CONFIG.data / "static"
STATICFILES_DIRS = [ROOT / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    **{
        alias: {"BACKEND": "storage_app.django_storage.ProviderStorage", "OPTIONS": {"alias": alias}}
        for alias in FILE_STORAGES
    },
    "staticfiles": {"BACKEND": "project.static_files.StaticFiles"},
}


def _queue() -> SqliteHuey | RedisHuey:
    """Never in-process because of DEBUG: an instance, so that a task runs where the consumer is."""
    kind, place = CONFIG.queue()
    if kind == "redis":
        return RedisHuey("holdfast", url=place)
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    return SqliteHuey("holdfast", filename=place, fsync=True)


try:
    HUEY = _queue()
except (sqlite3.Error, OSError) as error:
    sys.stderr.write(f"Holdfast cannot start: the queue cannot be opened, see HOLDFAST_QUEUE_URL: {error}\n")
    raise SystemExit(2) from None

# Bytes of a request's body, counted in the front before any view runs; the first pattern that matches decides.
BODY_LIMIT = 10 * 1024 * 1024
BODY_LIMITS = {
    r"/api/v1/projects/[^/]+/(storages|jobs)/[^/]+/files/": 1024 * 1024 * 1024,
    # the form without scripts; with them each file goes to the API
    r"/p/[^/]+/documents/[^/]+/upload/": 100 * 1024 * 1024,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_LIMIT
