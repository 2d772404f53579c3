"""Free records and the messages of agents: any object, numbers without gap or double, errors with their kind."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from jobs_app.domain.access import COMMAND, Role
from jobs_app.errors import InvalidError, NotFoundError, PermissionDeniedError, PreconditionFailedError
from jobs_app.models import Project
from jobs_app.services import agent_messages, free_records
from jobs_app.stores.free_records import FreeRecords
from storage_app.records.base import RecordStore
from tests.conftest import opened
from tests.contracts.backends import BACKENDS
from tests.factories import make_actor

pytestmark = pytest.mark.django_db


def send(project: Project, action: object, payload: object = None) -> dict[str, Any]:
    return agent_messages.answer(COMMAND, project.slug, action, {} if payload is None else payload)


def kind(answer: dict[str, Any]) -> str:
    assert answer["status"] == "error"
    assert answer["error"]
    return str(answer["error_type"])


@pytest.mark.usefixtures("record_store")
def test_any_object_comes_back_as_it_was(project: Project) -> None:
    data = {"version": "mine", "created_at": 1, "n": 10**30, "nested": {"a": [1, 1.0, None, "é"]}, "": "no name"}
    made = free_records.create(COMMAND, project.slug, "notes", data)
    assert (made.id, made.version, made.data) == (1, 1, data)
    found = free_records.get(COMMAND, project.slug, "notes", 1)
    assert found == made
    assert list(found.data) == list(data)


@pytest.mark.usefixtures("record_store")
def test_records_are_replaced_changed_and_deleted_with_their_version(project: Project) -> None:
    slug = project.slug
    free_records.create(COMMAND, slug, "notes", {"a": 1, "b": 2})
    assert free_records.patch(COMMAND, slug, "notes", 1, {"b": 3}, version=1).data == {"a": 1, "b": 3}
    with pytest.raises(PreconditionFailedError, match="version 2"):
        free_records.replace(COMMAND, slug, "notes", 1, {}, version=1)
    replaced = free_records.replace(COMMAND, slug, "notes", 1, {"c": 1})
    assert (replaced.version, replaced.data) == (3, {"c": 1})
    assert free_records.delete(COMMAND, slug, "notes", 1).data == {"c": 1}
    for act in (free_records.get, free_records.delete):
        with pytest.raises(NotFoundError):
            act(COMMAND, slug, "notes", 1)
    assert free_records.create(COMMAND, slug, "notes", {}).id == 2


@pytest.mark.usefixtures("record_store")
def test_records_are_found_by_the_values_of_their_fields(project: Project, other_project: Project) -> None:
    for number in range(6):
        free_records.create(
            COMMAND, project.slug, "tasks", {"n": number, "who": {"name": "ann" if number % 2 else "ben"}}
        )
    free_records.create(COMMAND, other_project.slug, "tasks", {"n": 3})

    def ids(filters: dict[str, Any], **more: Any) -> list[int]:
        return [one.id for one in free_records.find(COMMAND, project.slug, "tasks", filters, **more).records]

    assert ids({}) == [1, 2, 3, 4, 5, 6]
    assert ids({}, order="-id", limit=2) == [6, 5]
    assert ids({"who.name": "ann"}) == [2, 4, 6]
    assert ids({"n__gte": 4, "who.name": "ben"}) == [5]
    assert ids({"id__in": [2, 9]}) == [2]
    assert ids({"absent": None}) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InvalidError, match="has the unknown suffix") as caught:
        ids({"n__like": "x"})
    assert caught.value.extra["errors"][0]["place"] == "n__like"
    with pytest.raises(InvalidError):
        ids({}, order="n")
    (tasks,) = free_records.collections(COMMAND, project.slug)
    assert (tasks.name, tasks.records) == ("tasks", 6)


def test_who_may_only_look_changes_no_record(project: Project) -> None:
    free_records.create(COMMAND, project.slug, "notes", {"a": 1})
    viewer = make_actor(project, Role.VIEWER)
    assert free_records.get(viewer, project.slug, "notes", 1).data == {"a": 1}
    with pytest.raises(PermissionDeniedError):
        free_records.create(viewer, project.slug, "notes", {})
    with pytest.raises(PermissionDeniedError):
        agent_messages.answer(viewer, project.slug, "storage_save", {"task": {}})
    assert agent_messages.answer(viewer, project.slug, "storage_list", {})["status"] == "success"


@pytest.mark.usefixtures("record_store")
def test_a_message_saves_gets_lists_queries_and_deletes(project: Project) -> None:
    assert send(project, "storage_save", {"task": {"title": "a", "open": True}}) == {
        "status": "success",
        "result": {"title": "a", "open": True, "id": 1},
    }
    assert send(project, "storage_save", {"record": {"id": 1, "title": "b"}})["result"] == {"title": "b", "id": 1}
    assert send(project, "storage_save", {"task": {"title": "c"}, "collection": "other"})["result"]["id"] == 1
    assert send(project, "storage_get", {"task_id": 1})["result"] == {"title": "b", "id": 1}
    assert send(project, "storage_get", {"id": 1, "collection": "other"})["result"]["title"] == "c"
    assert send(project, "storage_list")["result"] == [{"title": "b", "id": 1}]
    assert send(project, "storage_query", {"filters": {"title": "x"}})["result"] == []
    assert send(project, "storage_query", {"filters": {"title": "b"}})["result"] == [{"title": "b", "id": 1}]
    assert send(project, "storage_delete", {"task_id": 1})["result"] == {"title": "b", "id": 1}
    assert kind(send(project, "storage_delete", {"task_id": 1})) == "not_found"
    assert send(project, "storage_save", {"task": {}})["result"] == {"id": 2}


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("storage_get", {"task_id": 99}, "not_found"),
        ("storage_save", {"task": {"id": 99}}, "not_found"),
        ("storage_drop", {}, "validation_error"),
        (None, {}, "validation_error"),
        ("storage_get", {}, "validation_error"),
        ("storage_get", {"task_id": "1"}, "validation_error"),
        ("storage_get", {"task_id": True}, "validation_error"),
        ("storage_get", {"task_id": 1, "id": 1}, "validation_error"),
        ("storage_save", {"task": [1]}, "validation_error"),
        ("storage_save", {"task": {}, "colection": "x"}, "validation_error"),
        ("storage_save", {"task": {}, "collection": "a\nb"}, "validation_error"),
        ("storage_save", {"task": {}, "collection": 7}, "validation_error"),
        ("storage_save", {"task": {"x": "\ud800"}}, "validation_error"),
        ("storage_query", {"filters": []}, "validation_error"),
        ("storage_query", {"filters": {"a__like": 1}}, "validation_error"),
        ("storage_list", {"limit": 0}, "validation_error"),
        ("storage_list", {"cursor": "x"}, "validation_error"),
        ("storage_list", [], "validation_error"),
    ],
)
def test_what_a_message_gets_wrong_is_told_by_kind(
    project: Project, action: object, payload: object, expected: str
) -> None:
    assert kind(send(project, action, payload)) == expected


def test_a_query_looks_further_than_one_window(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs_app.stores.free_records.SCAN_LIMIT", 10)
    for number in range(60):
        free_records.create(COMMAND, project.slug, "tasks", {"rare": number % 25 == 24})
    found = send(project, "storage_query", {"filters": {"rare": True}})
    assert [record["id"] for record in found["result"]] == [25, 50]
    assert "next_cursor" not in found
    monkeypatch.setattr("jobs_app.services.agent_messages.MOST_WINDOWS", 3)
    found = send(project, "storage_query", {"filters": {"rare": True}})
    assert [record["id"] for record in found["result"]] == [25]
    further = send(project, "storage_query", {"filters": {"rare": True}, "cursor": found["next_cursor"]})
    assert [record["id"] for record in further["result"]] == [50]
    one = send(project, "storage_query", {"filters": {"rare": True}, "limit": 1})
    assert len(one["result"]) == 1
    assert one["next_cursor"]


def test_a_store_that_does_not_answer_is_a_storage_error(project: Project, memory_store: RecordStore) -> None:
    memory_store._lock_timeout = 0.01
    lock = memory_store._lock  # type: ignore[attr-defined]  # the memory store's own
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lock.acquire).result()
        try:
            assert kind(send(project, "storage_list")) == "storage_error"
        finally:
            pool.submit(lock.release).result()


@pytest.mark.parametrize("name", [name for name, backend in BACKENDS.items() if name != "example"])
def test_a_hundred_saves_at_once_get_the_numbers_one_to_a_hundred(
    name: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    options = BACKENDS[name].prepare(request, tmp_path)
    slug = f"hundred-{name}"
    with opened(name, lock_timeout=30.0, **options) as store:
        store.delete_project(slug)
        records = FreeRecords(store, slug)

        def save(number: int) -> int:
            try:
                return records.create("tasks", {"n": number}).id
            finally:
                connection.close()

        with ThreadPoolExecutor(10) as pool:
            ids = list(pool.map(save, range(100)))
        assert sorted(ids) == list(range(1, 101))
        for id in (100, 50):
            records.delete("tasks", id)
    if BACKENDS[name].persistent:
        with opened(name, **options) as store:
            assert FreeRecords(store, slug).create("tasks", {}).id == 101
