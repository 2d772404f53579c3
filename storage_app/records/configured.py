"""The record store of this installation: one a process, made from Django's settings when first asked for.

    # settings
    RECORD_STORE = {"backend": "file", "options": {"file": {"root": …}, "database": {"alias": "default"}}}

    # an app that keeps records, in AppConfig.ready
    configured.declare(JOBS, SEGMENTS)

`options` has the options of each backend by its name, so that `records migrate` can open the other one too.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from storage_app.records import registry
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection


def declare(*collections: Collection) -> None:
    """Makes collections known to the store. The same one twice is harmless; two of one name are a mistake."""
    for collection in collections:
        if _declared.setdefault(collection.name, collection) != collection:
            raise ValueError(f"two apps declare the collection {collection.name!r}, and not alike")


def declared() -> list[Collection]:
    return list(_declared.values())


def backend() -> str:
    """The name of the configured one."""
    return str(settings.RECORD_STORE["backend"])


def record_store() -> RecordStore:
    """The store of this process; after a fork the child has one of its own."""
    with _lock:
        if _held.store is None or _held.process != os.getpid():
            _held.store, _held.process = open_backend(backend()), os.getpid()
        return _held.store


def open_backend(name: str, **further: Any) -> RecordStore:
    """A further store, for whoever asked to close; options as the settings have them, and those given."""
    options = settings.RECORD_STORE.get("options", {}).get(name, {})
    return registry.open_store(name, declared(), **options, **further)


@contextlib.contextmanager
def using(store: RecordStore) -> Iterator[RecordStore]:
    """This store instead, for a while: for tests."""
    with _lock:
        before = (_held.store, _held.process)
        _held.store, _held.process = store, os.getpid()
    try:
        yield store
    finally:
        with _lock:
            _held.store, _held.process = before


class _Held:
    store: RecordStore | None = None
    process = 0


_declared: dict[str, Collection] = {}
_held = _Held()
_lock = threading.Lock()
