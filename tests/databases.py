"""Real databases for tests and benchmarks: a PostgreSQL server of the run's own, SQLite files, and their tables."""

import contextlib
import os
import tempfile
import threading
import uuid
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connections, models

from storage_app.records import registry, times
from storage_app.records.base import RecordStore
from storage_app.records.database import texts, words
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import Collection

Settings = dict[str, Any]

SHARED_MODELS: Final = (
    "FreeRecord",
    "RecordSequence",
    "RecordStream",
    "RecordEntry",
    "RecordTally",
    "RecordCount",
    "RecordQuarantine",
    "RecordWords",
)


def sqlite_settings(path: Path) -> Settings:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }


@contextlib.contextmanager
def postgresql_server() -> Iterator[str]:
    """The folder of a server's socket; user and first database are `postgres`. The server ends with this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs grumbles on import where there is no XDG_RUNTIME_DIR
        from pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="records-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri().partition("host=")[2]
        finally:
            server.cleanup()


def postgresql_settings(socket_folder: str, name: str = "postgres") -> Settings:
    return {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": "postgres", "HOST": socket_folder}


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    if not apps.ready:
        django.setup()


def use(settings: Settings) -> str:
    """Django's alias for a database, the same for the same settings; sets Django up in a process that has not."""
    set_up()
    alias = f"records-{uuid.uuid5(uuid.NAMESPACE_URL, repr(sorted(settings.items())))}"
    with _LOCK:
        if alias not in connections.settings:
            configured = connections.configure_settings({"default": {}, alias: settings})
            connections.settings[alias] = configured[alias]
    return alias


def open_store(
    collections: Iterable[Collection],
    *,
    settings: Settings,
    clock: times.Clock = times.now,
    lock_timeout: float = 5.0,
) -> RecordStore:
    """A database store over settings instead of an alias, so that another process can open it too."""
    alias = use(settings)
    return registry.open_store("database", collections, alias=alias, clock=clock, lock_timeout=lock_timeout)


def forget(alias: str) -> None:
    """Django's own tests would otherwise make a test database for it."""
    connections[alias].close()
    del connections[alias]
    connections.settings.pop(alias, None)


def make(settings: Settings, collections: Iterable[Collection]) -> None:
    """The tables in a database that has none."""
    alias = use(settings)
    create_tables(alias, collections)
    forget(alias)


def migrate(settings: Settings) -> None:
    """The tables that the product's own migrations make, in a database that has none."""
    alias = use(settings)
    call_command("migrate", database=alias, verbosity=0)
    forget(alias)


def create_tables(alias: str, collections: Iterable[Collection]) -> None:
    """The tables all collections share, and those of these collections."""
    with connections[alias].schema_editor() as editor:
        for name in SHARED_MODELS:
            editor.create_model(apps.get_model("storage_app", name))
        words.make_engine(editor)
        words.make_slim_index(editor)
        for collection in collections:
            for model in _models(collection):
                editor.create_model(model)
            layout = Layout(collection)
            for statement in (
                texts.creation(layout, editor.connection.vendor == "postgresql") if layout.searched else ()
            ):
                editor.execute(statement, None)


_LOCK: Final = threading.Lock()


@cache
def _models(collection: Collection) -> list[type[models.Model]]:
    """Of an app that is not installed, so that no migration is asked for."""
    from storage_app.records.database.tables import element_model, record_model

    model = record_model(collection, __name__, "recordsapp")
    elements = element_model(collection)
    return [model, *([elements] if elements else [])]
