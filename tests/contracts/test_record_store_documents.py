"""What may be stored comes back exactly; what may not is refused alike everywhere and leaves nothing behind."""

import datetime
import decimal
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings

from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from tests.storage.test_strict_json import TEXT, VALUES


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"z": 1, "a": 2, "": 3, "__proto__": 4, "a.b": 5, "x__lt": 6},
        {"one": 1, "float": 1.0, "minus": -0.0, "exp": 1e300, "tiny": 5e-324, "third": 0.1, "e": 1e22},
        {"big": 10**900, "negative": -(2**64), "js": 2**53 + 1, "long": 123456789012345678901234567890},
        {"text": "é😀\u2028\u202e\ufeff\x7f\\u0000\"'\t", "html": "<img src=x onerror=alert(1)>"},
        {"nested": json.loads("[" * 62 + "1" + "]" * 62)},
        {"null": None, "empty": [[], {}, ""], "mixed": [True, 1, "1", 1.0, None]},
        {"Id": 1, "nested": {"id": 1, "version": 2}},
        {"large": "x" * 300_000},
    ],
    ids=lambda document: ",".join(document)[:30],
)
def test_a_document_comes_back_as_it_went_in(record_store: RecordStore, project: str, document: dict[str, Any]) -> None:
    id = record_store.insert(project, "jobs", document).id
    record_store.update(project, "jobs", id, {"extra": 1})
    record_store.update(project, "jobs", id, lambda record: {"extra": 2})
    stored = record_store.get(project, "jobs", id).document
    assert stored.pop("extra") == 2
    assert repr(stored) == repr(document)


@settings(max_examples=40)
@given(value=VALUES, name=TEXT)
def test_any_json_comes_back_as_it_went_in(record_store: RecordStore, project: str, value: Any, name: str) -> None:
    document = {"value": value, "in": {name: value}}
    record = record_store.insert(project, "jobs", document)
    assert repr(record_store.get(project, "jobs", record.id).document) == repr(document)


@pytest.mark.parametrize(
    "document",
    [
        {"a": float("nan")},
        {"a": [float("-inf")]},
        {"a": "\0"},
        {"\0": 1},
        {"a": ["\ud800"]},
        {"a": {1: 2}},
        {"a": 10**1000},
        {"a": json.loads("[" * 64 + "]" * 64)},
        {"a": datetime.datetime(2026, 1, 1)},
        {"a": decimal.Decimal(1)},
        {"a": {1, 2}},
        {"a": b"x"},
        {"id": "x"},
        {"version": 1},
        {"a": "x" * (16 * 1024 * 1024)},
        [1],
        None,
        "text",
    ],
    ids=lambda document: repr(document)[:20],
)
def test_what_cannot_be_stored_is_refused_by_every_write(
    record_store: RecordStore, project: str, document: Any
) -> None:
    record = record_store.insert(project, "jobs", {"a": 1})
    calls: list[Callable[[], Any]] = [
        lambda: record_store.insert(project, "jobs", document),
        lambda: record_store.insert_many(project, "jobs", [{}, document]),
        lambda: record_store.replace(project, "jobs", record.id, document),
    ]
    if isinstance(document, dict):
        calls += [
            lambda: record_store.update(project, "jobs", record.id, document),
            lambda: record_store.update(project, "jobs", record.id, lambda record: document),
        ]
    for call in calls:
        with pytest.raises(InvalidError):
            call()
    assert record_store.query(project, "jobs").records == [record]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", 1),
        ("status", ["x"]),
        ("status", "x" * 513),
        ("priority", "1"),
        ("priority", True),
        ("priority", 1.0),
        ("priority", 2**63),
        ("weight", "1"),
        ("weight", False),
        ("weight", 2**53 + 1),
        ("created_at", 5),
        ("created_at", "2026-01-01"),
        ("created_at", "2026-01-01T00:00:00"),
        ("created_at", "2026-02-30T00:00:00Z"),
        ("created_at", "2026-01-01T00:00:00.1234567Z"),
        ("due", 1),
        ("due", "true"),
        ("tags", "x"),
        ("tags", [1]),
        ("tags", [None]),
        ("tags", ["x" * 513]),
        ("words", 1),
        ("progress.percent", "50"),
    ],
)
def test_a_wrong_value_in_an_indexed_field_is_refused_with_its_name(
    record_store: RecordStore, project: str, field: str, value: Any
) -> None:
    document = {"progress": {"percent": value}} if "." in field else {field: value}
    with pytest.raises(InvalidError) as refusal:
        record_store.insert(project, "jobs", document)
    assert refusal.value.details["place"] == field
    assert record_store.count(project, "jobs") == 0


def test_an_object_path_through_something_else_is_missing(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "jobs", [{"progress": 5}, {"progress": [1]}, {"progress": None}])
    assert record_store.count(project, "jobs", {"progress.percent__isnull": True}) == 3
