"""Export, import, digest: a collection moves whole, and the digest proves it."""

from itertools import islice
from typing import Any

import pytest

from storage_app.records.answers import ExportedEntry, ExportedSequence
from storage_app.records.base import RecordStore
from storage_app.records.errors import AlreadyExistsError, InvalidError
from storage_app.records.operations import Appended, Entry, Record
from storage_app.records.streams import StreamEntry


@pytest.fixture
def filled(record_store: RecordStore, project: str) -> RecordStore:
    for n in range(450):
        record_store.insert(project, "notes", {"topic": f"t{n % 3}", "n": n, "big": 10**30, "f": 1.0})
    record_store.update(project, "notes", 7, {"n": "changed"})
    record_store.append(project, "notes", 7, "logs", [Entry({"n": n}, n) for n in range(1500)], source="a")
    record_store.append(project, "notes", 7, "events", [{"e": 1}])
    record_store.delete(project, "notes", 450)
    return record_store


def test_an_export_goes_record_by_record_with_its_streams(filled: RecordStore, project: str) -> None:
    items = list(filled.export(project, "notes"))
    assert items[0] == ExportedSequence(450)
    assert [item.id for item in items if isinstance(item, Record)] == list(range(1, 450))
    at = next(number for number, item in enumerate(items) if isinstance(item, Record) and item.id == 7)
    assert items[at + 1] == ExportedEntry(7, "events", StreamEntry(1, {"e": 1}))
    assert items[at + 2] == ExportedEntry(7, "logs", StreamEntry(1, {"n": 0}, "a", 0))
    assert items[at + 1502] == filled.get(project, "notes", 8)


def test_an_import_makes_an_equal_collection(filled: RecordStore, project: str, other_project: str) -> None:
    assert filled.import_(other_project, "notes", filled.export(project, "notes")) == 449
    digest = filled.digest(project, "notes")
    assert filled.digest(other_project, "notes") == digest
    assert (digest.records, digest.entries) == (449, 1501)
    assert filled.get(other_project, "notes", 7).version == 2
    assert filled.insert(other_project, "notes", {}).id == 451
    resent = filled.append(other_project, "notes", 7, "logs", [Entry({"n": 3}, 3), Entry({"n": 9}, 9999)], source="a")
    assert resent == Appended(1, 1501)
    assert filled.digest(other_project, "notes") != digest


def test_an_interrupted_import_is_resumed_by_doing_it_again(
    filled: RecordStore, project: str, other_project: str
) -> None:
    part = islice(filled.export(project, "notes"), 700)
    first = filled.import_(other_project, "notes", part)
    assert 0 < first < 449
    assert first + filled.import_(other_project, "notes", filled.export(project, "notes")) == 449
    assert filled.import_(other_project, "notes", filled.export(project, "notes")) == 0
    assert filled.digest(other_project, "notes") == filled.digest(project, "notes")


@pytest.mark.parametrize(
    ("items", "error"),
    [
        ([Record(1, 1, {"other": True})], AlreadyExistsError),
        ([Record(1, 2, {"topic": "t0", "n": 0, "big": 10**30, "f": 1.0})], AlreadyExistsError),
        ([Record(900, 1, {"a": float("nan")})], InvalidError),
        ([Record("x", 1, {})], InvalidError),
        ([ExportedEntry(7, "events", StreamEntry(3, {"e": 1}))], InvalidError),
        ([ExportedEntry(7, "events", StreamEntry(1, {"e": 2}))], AlreadyExistsError),
    ],
    ids=str,
)
def test_an_import_never_overwrites(
    filled: RecordStore, project: str, items: list[Any], error: type[Exception]
) -> None:
    before = filled.digest(project, "notes")
    with pytest.raises(error):
        filled.import_(project, "notes", items)
    assert filled.digest(project, "notes") == before


def test_a_digest_tells_every_difference(record_store: RecordStore, project: str) -> None:
    digests = [record_store.digest(project, "notes").hash]

    def differs() -> bool:
        digests.append(record_store.digest(project, "notes").hash)
        return len(set(digests)) == len(digests)

    record_store.insert(project, "notes", {"a": 1, "b": 2})
    assert differs()
    record_store.update(project, "notes", 1, {})
    assert differs()
    record_store.replace(project, "notes", 1, {"a": 1.0, "b": 2})
    assert differs()
    record_store.append(project, "notes", 1, "logs", [{}])
    assert differs()
    record_store.delete(project, "notes", 1)
    assert differs()
