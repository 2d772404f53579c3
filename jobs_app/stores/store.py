"""The record store that the settings name, opened once in a process, and everything that is kept in it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone

from jobs_app.stores.controls import CONTROLS
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.workers import WORKERS
from storage_app.records import registry
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection

COLLECTIONS: tuple[Collection, ...] = (JOBS, WORKERS, CONTROLS)


def record_store() -> RecordStore:
    """The store of this process."""
    global _opened
    with _lock:
        if _opened is None:
            _opened = registry.open_store(settings.CONFIG.record_store, COLLECTIONS, clock=lambda: timezone.now())
        return _opened


@contextmanager
def using(store: RecordStore) -> Iterator[RecordStore]:
    """Another store for a while: for tests, and for moving from one to another."""
    global _opened
    with _lock:
        before, _opened = _opened, store
    try:
        yield store
    finally:
        with _lock:
            _opened = before


_lock = threading.Lock()
_opened: RecordStore | None = None
