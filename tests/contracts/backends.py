"""The backends that every clause runs on: one line each."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from storage_app.records import registry
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from tests import databases

Prepare = Callable[[pytest.FixtureRequest, Path], dict[str, Any]]


@dataclass(frozen=True)
class Backend:
    """A name of the registry, and what prepares its options for one test (a folder, a database of its own)."""

    name: str
    prepare: Prepare = lambda request, folder: {}
    persistent: bool = True
    shared: bool = True


@dataclass(frozen=True)
class Opening:
    """How to open the store of a test; goes to other processes, so it holds plain values only."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def open(self, **more: Any) -> RecordStore:
        return registry.open_store(self.name, COLLECTIONS, **self.options, **more)


def _prepare_database(kind: str) -> Prepare:
    """One database for all tests of a run, since each test has projects of its own."""

    def prepare(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
        settings = request.getfixturevalue(f"{kind}_records")
        blocker = request.getfixturevalue("django_db_blocker")
        blocker.unblock()
        request.addfinalizer(blocker.restore)
        request.addfinalizer(lambda: databases.forget(databases.use(settings)))
        return {"settings": settings}

    return prepare


for _name in ("sqlite", "postgresql"):
    registry.register(_name, "tests.databases:open_store")
registry.register("example", "tests.contracts.example_store:ShelveRecordStore")

# `persistent` and `shared` must equal the store's own capabilities; a test asks.
BACKENDS: Final[dict[str, Backend]] = {
    "memory": Backend("memory", persistent=False, shared=False),
    "example": Backend(
        "example", lambda request, folder: {"path": str(folder / f"{uuid.uuid4().hex}.shelf")}, shared=False
    ),
    "sqlite": Backend("sqlite", _prepare_database("sqlite")),
    "postgresql": Backend("postgresql", _prepare_database("postgresql")),
    "file": Backend("file", lambda request, folder: {"root": str(folder / "records")}),
}
PERSISTENT: Final = [name for name, backend in BACKENDS.items() if backend.persistent]
SHARED: Final = [name for name, backend in BACKENDS.items() if backend.shared]

JOBS: Final = Collection(
    "jobs",
    fields=(
        Field("status", Kind.TEXT),
        Field("kind", Kind.TEXT),
        Field("priority", Kind.INTEGER),
        Field("weight", Kind.NUMBER),
        Field("created_at", Kind.TIME),
        Field("due", Kind.BOOLEAN),
        Field("tags", Kind.TEXT_LIST),
        Field("words", Kind.SEARCH),
        Field("progress.percent", Kind.INTEGER),
        Field("task", Kind.TEXT, unique=True),
    ),
    partition="status",
    orders=(
        Order(("-priority", "id"), within=("status", "kind")),
        Order(("-priority", "id"), within=("status",)),
        Order(("priority", "-created_at")),
    ),
    counters=(("status", "kind"),),
)
PAPERS: Final = Collection(
    "papers",
    ids=Ids.GIVEN,
    fields=(
        Field("topic", Kind.TEXT),
        Field("tags", Kind.TEXT_LIST),
        Field("written_at", Kind.TIME),
        Field("shelf", Kind.TEXT),
        Field("text", Kind.WORDS, newest="written_at", absent_in=("bin",)),
    ),
    partition="shelf",
)
NOTES: Final = Collection("notes", ids=Ids.SEQUENCE, fields=(Field("topic", Kind.TEXT),), partition="topic")
THINGS: Final = Collection("things", ids=Ids.GIVEN, fields=(Field("rank", Kind.INTEGER),))
COLLECTIONS: Final[Iterable[Collection]] = (JOBS, NOTES, THINGS, PAPERS)
