"""Pages: every record once, both ways, while rows come and go."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from storage_app.records.answers import Page
from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError

ORDERS: list[Any] = [
    "id",
    "-id",
    "priority",
    "-priority",
    "created_at",
    ("-priority", "id"),
    ("priority", "-created_at"),
]


@pytest.fixture
def filled(record_store: RecordStore, project: str) -> RecordStore:
    """Few values and many ties, nulls among them; the whole set is larger than a few pages."""
    dice = random.Random(7)
    documents = [
        {
            "n": n,
            "status": dice.choice(["pending", "failed"]),
            "kind": dice.choice(["pdf", "txt", None]),
            "priority": dice.choice([None, -1, 0, 0, 5]),
            "created_at": dice.choice(
                [None, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-02T00:00:00Z"]
            ),
        }
        for n in range(120)
    ]
    record_store.insert_many(project, "jobs", documents)
    return record_store


def walk(
    store: RecordStore, project: str, forwards: bool = True, cursor: str | None = None, **query: Any
) -> list[Page]:
    pages = []
    for _ in range(1000):
        pages.append(store.query(project, "jobs", cursor=cursor, **query))
        cursor = pages[-1].next_cursor if forwards else pages[-1].previous_cursor
        if cursor is None:
            return pages
    raise AssertionError("the pages do not end")


def ids(pages: list[Page]) -> list[Any]:
    return [record.id for page in pages for record in page.records]


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("conditions", [{}, {"status": "failed"}, {"kind__in": ["pdf", None], "n__lt": 100}], ids=str)
def test_pages_hold_every_record_once_in_order_both_ways(
    filled: RecordStore, project: str, order: Any, conditions: dict[str, Any]
) -> None:
    whole = ids(walk(filled, project, conditions=conditions, order=order, limit=1000))
    assert len(whole) > 40
    for limit in (1, 7, len(whole)):
        there = walk(filled, project, conditions=conditions, order=order, limit=limit)
        assert ids(there) == whole
        assert there[0].previous_cursor is None
        back = (
            walk(
                filled,
                project,
                forwards=False,
                cursor=there[-1].previous_cursor,
                conditions=conditions,
                order=order,
                limit=limit,
            )
            if len(there) > 1
            else []
        )
        assert ids(back[::-1]) + [record.id for record in there[-1].records] == whole


def test_a_cursor_outlives_its_own_row(filled: RecordStore, project: str) -> None:
    whole = ids(walk(filled, project, order="-priority", limit=1000))
    first = filled.query(project, "jobs", order="-priority", limit=10)
    filled.delete(project, "jobs", first.records[-1].id)
    filled.update(project, "jobs", first.records[-2].id, {"priority": None})
    rest = ids(walk(filled, project, order="-priority", cursor=first.next_cursor, limit=10))
    assert [id for id in rest if id != first.records[-2].id] == whole[10:]


def test_rows_that_come_and_go_neither_repeat_nor_hide_others(filled: RecordStore, project: str) -> None:
    stay = set(ids(walk(filled, project, limit=1000)))
    seen: list[Any] = []
    cursor: str | None = None
    dice = random.Random(3)
    while True:
        page = filled.query(project, "jobs", order="priority", limit=9, cursor=cursor)
        seen += [record.id for record in page.records]
        new = filled.insert_many(project, "jobs", [{"priority": dice.choice([None, -5, 0, 9])} for _ in range(4)])
        assert not stay & {record.id for record in new}
        gone = dice.choice(sorted(stay))
        filled.delete(project, "jobs", gone)
        stay.discard(gone)
        if (cursor := page.next_cursor) is None or len(seen) > 2000:
            break
    assert len(seen) == len(set(seen)) < 2000
    assert stay <= set(seen)


def test_a_page_of_nothing_knows_the_way_back(filled: RecordStore, project: str) -> None:
    first = filled.query(project, "jobs", limit=119)
    assert first.next_cursor
    (last,) = filled.query(project, "jobs", cursor=first.next_cursor).records
    filled.delete(project, "jobs", last.id)
    empty = filled.query(project, "jobs", cursor=first.next_cursor)
    assert (empty.records, empty.next_cursor) == ([], None)
    back = filled.query(project, "jobs", cursor=empty.previous_cursor, limit=119)
    assert back.records == first.records


def test_an_empty_list_is_one_page(record_store: RecordStore, project: str) -> None:
    assert record_store.query(project, "jobs") == Page([], None, None)


def test_a_scan_limit_bounds_the_work_and_hides_nothing(filled: RecordStore, project: str) -> None:
    conditions = {"n__in": [3, 60, 110]}
    pages = walk(filled, project, conditions=conditions, order="-id", limit=2, scan_limit=10)
    assert [record.document["n"] for page in pages for record in page.records] == [110, 60, 3]


def test_a_cursor_is_bound_to_its_list_and_order(filled: RecordStore, project: str, other_project: str) -> None:
    cursor = filled.query(project, "jobs", order="priority", limit=5).next_cursor
    assert cursor
    assert filled.query(project, "jobs", {"status": "failed"}, order="priority", cursor=cursor).records
    half = len(cursor) // 2
    altered = cursor[:half] + ("A" if cursor[half] != "A" else "B") + cursor[half + 1 :]
    calls: list[Callable[[], Any]] = [
        lambda: filled.query(project, "jobs", order="-priority", cursor=cursor),
        lambda: filled.query(project, "jobs", cursor=cursor),
        lambda: filled.query(other_project, "jobs", order="priority", cursor=cursor),
        lambda: filled.query(project, "notes", cursor=cursor),
        lambda: filled.query(project, "jobs", order="priority", cursor=altered),
        *[
            lambda bad=bad: filled.query(project, "jobs", order="priority", cursor=bad)
            for bad in ("", "x", cursor[:-4], cursor + "AAAA", "é", "====", "../", cursor + "\n", "A" * 5000)
        ],
    ]
    for call in calls:
        with pytest.raises(InvalidError, match="cursor"):
            call()
