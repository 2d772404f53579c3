"""What must be true before anything is served: the configuration holds together, the database is up to date, static
files are in place. Safe when several start at once, and quick when there is nothing to do."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

PATIENCE = 120.0
# any number will do, as long as every Holdfast takes the same
ADVISORY_LOCK = 0x486F6C6466


def configuration_faults() -> list[str]:
    """What Django's system checks and ours hold against it."""
    found = checks.run_checks(include_deployment_checks=False)
    return [_sentence(message) for message in found if message.level >= checks.ERROR]


def prepare() -> list[str]:
    """Migrates and collects; a line for each thing done."""
    data = Path(settings.CONFIG.data)
    data.mkdir(parents=True, exist_ok=True)
    with _alone(data / "start.lock"):
        return [*_migrate(), *_collect_static()]


def _sentence(message: checks.CheckMessage) -> str:
    hint = f" {message.hint}" if message.hint else ""
    return f"{message.msg}{hint}"


def _migrate() -> list[str]:
    connection = connections[DEFAULT_DB_ALIAS]
    with _advisory_lock():
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not plan:
            return []
        call_command("migrate", interactive=False, verbosity=0)
    return [f"{len(plan)} migration{'s' if len(plan) > 1 else ''} applied"]


@contextlib.contextmanager
def _advisory_lock() -> Iterator[None]:
    """Holdfasts on several machines may share one PostgreSQL; files lock on one machine only."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _collect_static() -> list[str]:
    target = Path(settings.STATIC_ROOT)
    stamp, state = target / ".collected", _static_state()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == state:
        return []
    call_command("collectstatic", interactive=False, verbosity=0)
    target.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state, encoding="ascii")
    return ["static files collected"]


def _static_state() -> str:
    """Changes when a static file, or how they are collected, does."""
    digest = hashlib.sha256(f"{django.__version__} {settings.STORAGES['staticfiles']}".encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process on this machine at a time; the system lets go of the lock when its holder dies."""
    with path.open("a+b") as file:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"Another start has held {path} for {PATIENCE:.0f} seconds.")
            time.sleep(0.05)
        try:
            yield
        finally:
            _unlock(file.fileno())


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)
