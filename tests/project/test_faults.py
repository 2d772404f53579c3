"""A database that is locked, full, read-only or gone: an answer that says so, for programs and for people."""

import contextlib
import errno
import sqlite3
import string
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import django.db
import psycopg
import pytest
from django.db import DataError, InterfaceError, connection
from django.test import Client

from jobs_app.models import Project
from jobs_app.services import health
from project import faults, problems
from tests.api.client import Api
from tests.factories import PASSWORD, make_person, make_token

LETTERS = string.ascii_lowercase
on_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="made with SQLite's own means")


@contextlib.contextmanager
def pragma(setting: str, value: int, afterwards: int) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {setting} = {value}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA {setting} = {afterwards}")


@contextlib.contextmanager
def held_by_another() -> Iterator[None]:
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pragma("busy_timeout", 10, 5000):
            yield
    finally:
        other.close()


@contextlib.contextmanager
def full() -> Iterator[None]:
    with connection.cursor() as cursor:
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    with pragma("max_page_count", pages, 2**30):
        yield


@on_sqlite
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("trouble", "code"), [(held_by_another, "lock_timeout"), (lambda: pragma("query_only", 1, 0), "read_only")]
)
def test_trouble_with_the_database_is_said_to_programs_and_people(
    trouble: Callable[[], AbstractContextManager[None]], code: str
) -> None:
    api, person, stranger = _everybody()
    with trouble():
        refused = api.call("PATCH", "/projects/alpha", {"name": "Changed"})
        assert (refused.status_code, refused.json()["code"]) == (503, code)
        assert int(refused["Retry-After"]) > 0
        page = person.post("/projects/new/", {"slug": "beta", "name": "Beta"})
        login = stranger.post("/login/", {"username": "anna", "password": PASSWORD})
        for answer in (page, login):
            assert answer.status_code == 503
            assert faults.SENTENCES[code] in answer.content.decode()
    assert api.call("PATCH", "/projects/alpha", {"name": "Changed"}).status_code == 200


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_is_said_and_loses_nothing() -> None:
    api, _, _ = _everybody()
    with full():
        answers = [api.call("PATCH", "/projects/alpha", {"description": letter * 1999}) for letter in LETTERS]
    statuses = [answer.status_code for answer in answers]
    assert 507 in statuses
    assert set(statuses) <= {200, 507}
    kept = [letter for letter, status in zip(LETTERS, statuses, strict=True) if status == 200][-1:]
    assert api.get("/projects/alpha").json()["description"] == "".join(kept) * 1999


def _everybody() -> tuple[Api, Client, Client]:
    project = Project.objects.create(slug="alpha", name="Alpha")
    api, person = Api(make_token(project)), Client()
    person.force_login(make_person("anna", runs_the_server=True))
    assert api.get("/me").status_code == 200  # its use is noted once a minute, so not in the middle of the trouble
    return api, person, Client()


@on_sqlite
@pytest.mark.django_db
def test_a_database_whose_file_is_gone_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert health.database().ok
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "gone.sqlite3"))
    assert health.database().reason == "The database's file is gone."


def caused_by(error: Exception) -> Exception:
    """As Django tells it: in the class of its own that has the name of the driver's."""
    names = [kind.__name__ for kind in type(error).__mro__]
    kind = next(getattr(django.db, name) for name in names if hasattr(django.db, name))
    wrapped: Exception = kind("password=hunter2")
    wrapped.__cause__ = error
    return wrapped


def of_a_damaged_file(path: Path) -> sqlite3.Error:
    path.write_bytes(b"no database" * 1000)
    with contextlib.closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.DatabaseError) as damaged:
        other.execute("SELECT * FROM sqlite_master")
    return damaged.value


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (caused_by(psycopg.OperationalError("connection refused")), "store_unavailable"),
        (caused_by(psycopg.errors.AdminShutdown()), "store_unavailable"),
        (caused_by(psycopg.errors.LockNotAvailable()), "lock_timeout"),
        (caused_by(psycopg.errors.DiskFull()), "storage_full"),
        (caused_by(psycopg.errors.ReadOnlySqlTransaction()), "read_only"),
        (caused_by(psycopg.errors.DataCorrupted()), "store_damaged"),
        (caused_by(psycopg.errors.InFailedSqlTransaction()), None),
        (InterfaceError("closed"), "store_unavailable"),
        (OSError(errno.ENOSPC, "full"), "storage_full"),
        (OSError(errno.EROFS, "read-only"), "read_only"),
        (OSError(errno.ENOENT, "a bug"), None),
        (DataError("a bug"), None),
        (caused_by(sqlite3.OperationalError("no such table")), None),
        (ValueError("a bug"), None),
    ],
)
def test_each_fault_has_its_code_and_a_bug_has_none(error: Exception, code: str | None) -> None:
    found = faults.of(error)
    assert (found[0] if found else None) == code
    assert "hunter2" not in str(found)


def test_a_damaged_database_needs_a_person(tmp_path: Path) -> None:
    assert faults.of(caused_by(of_a_damaged_file(tmp_path / "damaged.sqlite3"))) == (
        "store_damaged",
        faults.SENTENCES["store_damaged"],
    )


def test_every_fault_is_in_the_table_of_problems() -> None:
    codes = {*faults.SQLITE.values(), *faults.POSTGRESQL.values(), *faults.SYSTEM.values()}
    assert codes <= set(faults.SENTENCES) <= set(problems.PROBLEMS)
