"""No operation reaches another project."""

from collections.abc import Callable
from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError, RecordNotFoundError, RecordStoreError


def test_nothing_of_one_project_shows_in_another(record_store: RecordStore, project: str, other_project: str) -> None:
    mine = record_store.insert(project, "jobs", {"status": "a", "task": "t", "tags": ["x"]})
    record_store.append(project, "jobs", mine.id, "logs", [{"n": 1}])
    quarantined = record_store.quarantine(project, "jobs", record_store.insert(project, "jobs", {}).id, "reason")
    before = record_store.digest(project, "jobs")
    refused: list[Callable[[], Any]] = [
        lambda: record_store.get(other_project, "jobs", mine.id),
        lambda: record_store.update(other_project, "jobs", mine.id, {"a": 1}),
        lambda: record_store.replace(other_project, "jobs", mine.id, {}),
        lambda: record_store.delete(other_project, "jobs", mine.id),
        lambda: record_store.append(other_project, "jobs", mine.id, "logs", [{}]),
        lambda: record_store.read_stream(other_project, "jobs", mine.id, "logs"),
        lambda: record_store.quarantine(other_project, "jobs", mine.id, "reason"),
        lambda: record_store.quarantine_restore(other_project, quarantined.id),
        lambda: record_store.quarantine_discard(other_project, quarantined.id),
    ]
    for call in refused:
        with pytest.raises(RecordNotFoundError):
            call()
    assert record_store.query(other_project, "jobs").records == []
    assert record_store.count(other_project, "jobs") == record_store.count(other_project, "jobs", {"status": "a"}) == 0
    assert record_store.count_by(other_project, "jobs", ["status"]) == {}
    assert record_store.claim_first(other_project, "jobs", {}, {"a": 1}) == []
    assert record_store.update_where(other_project, "jobs", {}, {"a": 1}).records == []
    assert record_store.delete_where(other_project, "jobs", {}).records == []
    assert record_store.get_many(other_project, "jobs", [mine.id]) == []
    assert record_store.quarantined(other_project) == []
    assert record_store.collections(other_project) == []
    assert record_store.statistics(other_project) == {}
    assert list(record_store.export(other_project, "jobs")) == []
    assert record_store.delete_project(other_project) == 0
    assert record_store.digest(project, "jobs") == before


def test_the_same_id_and_unique_value_live_in_each_project(
    record_store: RecordStore, project: str, other_project: str
) -> None:
    for owner in (project, other_project):
        record_store.insert(owner, "things", {"owner": owner}, id="same")
        record_store.insert(owner, "jobs", {"task": "same"})
    record_store.delete(project, "things", "same")
    assert record_store.get(other_project, "things", "same").document == {"owner": other_project}


def test_a_project_is_listed_and_deleted_whole(record_store: RecordStore, project: str, other_project: str) -> None:
    for owner in (project, other_project):
        record_store.insert_many(owner, "jobs", [{"status": "a", "task": "t"}, {}])
        record_store.insert(owner, "free.tasks", {})
        record_store.quarantine(owner, "jobs", record_store.insert(owner, "jobs", {}).id, "reason")
    listed = record_store.projects()
    assert {project, other_project} <= set(listed)
    assert listed == sorted(listed)
    assert record_store.collections(project) == ["free.tasks", "jobs"]
    assert record_store.delete_project(project) == 3
    assert record_store.delete_project(project) == 0
    assert project not in record_store.projects()
    assert record_store.collections(project) == []
    assert record_store.quarantined(project) == []
    assert record_store.count(project, "jobs") == 0
    assert record_store.count(other_project, "jobs") == 2
    assert record_store.insert(project, "jobs", {"task": "t"}).version == 1
    assert record_store.insert(project, "free.tasks", {}).id == 1


@pytest.mark.parametrize("slug", ["", "A", "a b", "../x", "-a", "a-", "a" * 64, "é", "a\n", "a.b", "a/b"])
def test_what_is_no_slug_is_refused_by_every_call(record_store: RecordStore, slug: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: record_store.insert(slug, "jobs", {}),
        lambda: record_store.query(slug, "jobs"),
        lambda: record_store.get(slug, "things", "x"),
        lambda: record_store.apply(slug, []),
        lambda: record_store.delete_project(slug),
        lambda: record_store.collections(slug),
        lambda: record_store.quarantined(slug),
        lambda: record_store.statistics(slug),
        lambda: record_store.check(slug),
        lambda: record_store.change_counter(slug, "jobs"),
        lambda: list(record_store.export(slug, "jobs")),
    ]
    for call in calls:
        with pytest.raises(InvalidError):
            call()
    assert issubclass(InvalidError, RecordStoreError)
