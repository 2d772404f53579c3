"""The collections of these tests, and what a store holds as one comparable value."""

import random
import secrets
from pathlib import Path
from typing import Any, TypeAlias

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.store import FileRecordStore

JOBS = Collection(
    "jobs",
    fields=(Field("status", Kind.TEXT), Field("priority", Kind.INTEGER), Field("task", Kind.TEXT, unique=True)),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)),),
)
NOTES = Collection("notes", ids=Ids.SEQUENCE)
THINGS = Collection("things", ids=Ids.GIVEN, fields=(Field("rank", Kind.INTEGER),))
COLLECTIONS = (JOBS, NOTES, THINGS)
PROJECT = "p"

Contents: TypeAlias = dict[str, Any]


def opened(root: Path, layer: FileLayer | None = None, **options: Any) -> FileRecordStore:
    return FileRecordStore(COLLECTIONS, root=root, layer=layer, **options)


def contents(store: RecordStore, project: str = PROJECT) -> Contents:
    """Digests of all collections, and what is in quarantine; sequences are apart, since numbers may be used up."""
    held: Contents = {}
    for name in [collection.name for collection in COLLECTIONS]:
        records = [item for item in store.export(project, name) if hasattr(item, "id")]
        held[name] = sorted(map(repr, records))
        assert store.count(project, name) == sum("Record(" in text[:7] for text in held[name])
    held["quarantine"] = sorted((item.collection, item.record_id, item.text) for item in store.quarantined(project))
    return held


def assert_sound(store: RecordStore) -> None:
    report = store.check()
    assert report.problems == [], report.problems


def seeded(seed: int | None = None) -> tuple[random.Random, int]:
    """Dice that can be thrown again: the seed is printed with a failure."""
    seed = secrets.randbits(32) if seed is None else seed
    print("seed", seed)
    return random.Random(seed), seed
