"""Conditions mean one thing; orders and counts follow."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from storage_app.records.query import AllOf, AnyOf, Condition, Not, Op

ROWS: dict[str, dict[str, Any]] = {
    "empty": {},
    "nulls": {"status": None, "priority": None, "tags": None, "created_at": None, "x": None, "o": {"x": None}},
    "one": {"status": "a", "priority": 1, "weight": 1, "due": True, "tags": ["x", "y"], "x": 1, "o": {"x": 1}},
    "two": {"status": "B", "priority": -2, "weight": 1.5, "due": False, "tags": ["X"], "x": "1", "o": {"x": True}},
    "three": {"status": "ab%_", "priority": 10, "weight": -0.0, "tags": [], "x": True, "o": {"x": 1.0}},
    "four": {
        "status": "ab",
        "priority": 1,
        "x": 1.0,
        "o": [],
        "words": "Große Straße",
        "name": "\uff21\uff22\uff23 Ünï",
    },
    "five": {
        "status": "é",
        "x": [1, "1"],
        "words": "great street, ﬁne",
        "o": {"x": {"y": [1, True]}},
        "name": "a\\b'\"c",
    },
    "time1": {"created_at": "2026-01-01T00:00:00Z", "x": 2**70},
    "time2": {"created_at": "2026-01-01T01:30:00.5+01:00", "x": -(2**70), "name": "%"},
    "time3": {"created_at": "1969-12-31T23:59:59.999999Z", "status": "😀", "x": "é"},
}
ALL = set(ROWS)

CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, ALL),
    ({"status": "a"}, {"one"}),
    ({"status": "A"}, set()),
    ({"status": None}, {"empty", "nulls", "time1", "time2"}),
    ({"status__isnull": True}, {"empty", "nulls", "time1", "time2"}),
    ({"status__isnull": False}, ALL - {"empty", "nulls", "time1", "time2"}),
    ({"status__ne": "a"}, ALL - {"one"}),
    ({"status__ne": None}, ALL - {"empty", "nulls", "time1", "time2"}),
    ({"status__in": ["a", "B", "B", "nothing"]}, {"one", "two"}),
    ({"status__in": ["a", None]}, {"one", "empty", "nulls", "time1", "time2"}),
    ({"status__in": []}, set()),
    ({"status__lt": "ab"}, {"one", "two"}),
    ({"status__lte": "ab"}, {"one", "two", "four"}),
    ({"status__gt": "ab"}, {"three", "five", "time3"}),
    ({"status__gte": "é"}, {"five", "time3"}),
    ({"status__startswith": "ab"}, {"three", "four"}),
    ({"status__startswith": ""}, ALL - {"empty", "nulls", "time1", "time2"}),
    ({"status__startswith": "ab%"}, {"three"}),
    ({"status__startswith": "A"}, set()),
    ({"status__startswith": "😀"}, {"time3"}),
    ({"status__contains": "b"}, {"three", "four"}),
    ({"status__contains": "%"}, {"three"}),
    ({"status__contains": "_"}, {"three"}),
    ({"status__search": "AB"}, {"three", "four"}),
    ({"status__search": "É"}, {"five"}),
    ({"status__search": "e"}, set()),
    ({"priority": 1}, {"one", "four"}),
    ({"priority__gte": 1}, {"one", "three", "four"}),
    ({"priority__lt": 1}, {"two"}),
    ({"priority__gt": -(2**63)}, {"one", "two", "three", "four"}),
    ({"priority__ne": 1}, ALL - {"one", "four"}),
    ({"priority__in": [1, None]}, ALL - {"two", "three"}),
    ({"priority__gte": 0, "priority__lt": 5}, {"one", "four"}),
    ({"priority": 1, "status": "a"}, {"one"}),
    ({"weight": 1.0}, {"one"}),
    ({"weight": 0}, {"three"}),
    ({"weight__lte": 1}, {"one", "three"}),
    ({"due": True}, {"one"}),
    ({"due": False}, {"two"}),
    ({"due__ne": True}, ALL - {"one"}),
    ({"due__in": [True, None]}, ALL - {"two"}),
    ({"created_at": "2026-01-01T01:00:00+01:00"}, {"time1"}),
    ({"created_at": datetime(2026, 1, 1, tzinfo=UTC)}, {"time1"}),
    ({"created_at__gt": "2026-01-01T00:00:00Z"}, {"time2"}),
    ({"created_at__lte": "2026-01-01T00:30:00.5Z"}, {"time1", "time2", "time3"}),
    ({"created_at__lt": "1970-01-01T00:00:00Z"}, {"time3"}),
    ({"tags__contains": "x"}, {"one"}),
    ({"tags__contains": "X"}, {"two"}),
    ({"tags__contains": ""}, set()),
    ({"tags__isnull": False}, {"one", "two", "three"}),
    ({"tags__search": "x"}, {"one", "two"}),
    ({"tags__search": "y x"}, {"one"}),
    ({"words__search": "GROSSE strasse"}, {"four"}),
    ({"words__search": "FINE eat"}, {"five"}),
    ({"words__contains": "Straße"}, {"four"}),
    ({"words__contains": "strasse"}, set()),
    ({"words__isnull": True}, ALL - {"four", "five"}),
    ({"x": 1}, {"one", "four"}),
    ({"x": 1.0}, {"one", "four"}),
    ({"x": "1"}, {"two"}),
    ({"x": True}, {"three"}),
    ({"x": None}, {"empty", "nulls"}),
    ({"x__isnull": False}, ALL - {"empty", "nulls"}),
    ({"x": 2**70}, {"time1"}),
    ({"x": 2.0**70}, {"time1"}),
    ({"x__gt": 1}, {"time1"}),
    ({"x__lt": 0.5}, {"time2"}),
    ({"x__gte": "1"}, {"two", "time3"}),
    ({"x__in": [1, "1", None]}, {"one", "four", "two", "empty", "nulls"}),
    ({"x": [1.0, "1"]}, {"five"}),
    ({"x": ["1", 1]}, set()),
    ({"x__contains": 1}, {"five"}),
    ({"x__contains": "1"}, {"two", "five"}),
    ({"x__contains": True}, set()),
    ({"x__ne": 1}, ALL - {"one", "four"}),
    ({"o.x": 1}, {"one", "three"}),
    ({"o.x": True}, {"two"}),
    ({"o.x.y": [1, True]}, {"five"}),
    ({"o.x.y": [True, 1]}, set()),
    ({"o.x__isnull": True}, {"empty", "nulls", "four", "time1", "time2", "time3"}),
    ({"o": []}, {"four"}),
    ({"o": {"x": 1}}, {"one", "three"}),
    ({"name__contains": "\\"}, {"five"}),
    ({"name__contains": "'\""}, {"five"}),
    ({"name__contains": "%"}, {"time2"}),
    ({"name__search": "abc ünï"}, {"four"}),
    ({"version": 1}, ALL),
    ({"version__gt": 1}, set()),
    ({"progress.percent__isnull": True}, ALL),
]


@pytest.fixture
def names(record_store: RecordStore, project: str) -> dict[Any, str]:
    records = record_store.insert_many(project, "jobs", list(ROWS.values()))
    return {record.id: name for record, name in zip(records, ROWS, strict=True)}


def test_each_condition_finds_what_it_says(record_store: RecordStore, project: str, names: dict[Any, str]) -> None:
    assert len(CASES) > 80
    for conditions, expected in CASES:
        found = record_store.query(project, "jobs", conditions, limit=100).records
        assert {names[record.id] for record in found} == expected, conditions
        assert record_store.count(project, "jobs", conditions) == len(expected), conditions


def test_each_condition_guards_as_it_finds(record_store: RecordStore, project: str, names: dict[Any, str]) -> None:
    for conditions, expected in CASES[::3]:
        batch = record_store.update_where(project, "jobs", conditions, lambda record: None)
        assert batch.records == []
        claimed = record_store.claim_first(project, "jobs", {"version": 1, **conditions}, {"y": 1}, limit=100)
        assert {names[record.id] for record in claimed} == expected, conditions
        for record in claimed:
            record_store.delete(project, "jobs", record.id)
            again = record_store.insert(project, "jobs", ROWS[names[record.id]])
            names[again.id] = names[record.id]


def test_alternatives_and_negation(record_store: RecordStore, project: str, names: dict[Any, str]) -> None:
    a, one = Condition(("status",), Op.EQ, "a"), Condition(("priority",), Op.EQ, 1)
    tagged = Condition(("tags",), Op.CONTAINS, "X")
    cases: list[tuple[list[Any], set[str]]] = [
        ([AnyOf((a, tagged))], {"one", "two"}),
        ([Not(AnyOf((a, tagged)))], ALL - {"one", "two"}),
        ([one, Not(a)], {"four"}),
        ([AnyOf((AllOf((a, one)), AllOf((tagged, one))))], {"one"}),
        ([AnyOf(())], set()),
        ([AllOf(())], ALL),
        ([Not(Condition(("created_at",), Op.GT, "2026-01-01T00:00:00Z"))], ALL - {"time2"}),
    ]
    for conditions, expected in cases:
        found = record_store.query(project, "jobs", conditions, limit=100).records
        assert {names[record.id] for record in found} == expected, conditions
        assert record_store.count(project, "jobs", conditions) == len(expected)


def test_a_name_with_dots_or_underscores_is_reached_by_its_path(record_store: RecordStore, project: str) -> None:
    record = record_store.insert(project, "jobs", {"a.b": 1, "x__lt": 2})
    record_store.insert(project, "jobs", {"a": {"b": 1}, "x": 1})
    for path, value in ((("a.b",), 1), (("x__lt",), 2)):
        assert record_store.query(project, "jobs", [Condition(path, Op.EQ, value)]).records == [record]


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({"status__like": "a"}, "unknown suffix 'like'"),
        ({"status": 1}, "status: must be a text"),
        ({"priority": "1"}, "priority: must be a whole number"),
        ({"priority": True}, "priority: must be a whole number"),
        ({"priority__contains": 1}, "cannot be asked with contains"),
        ({"due__lt": True}, "cannot be asked with lt"),
        ({"tags": ["x"]}, "cannot be asked with eq"),
        ({"words": "x"}, "cannot be asked with eq"),
        ({"tags__contains": 1}, "tags"),
        ({"created_at__lt": "yesterday"}, "created_at: not a time"),
        ({"created_at__lt": None}, "cannot be compared with null"),
        ({"x__gt": None}, "cannot be compared with null"),
        ({"status__isnull": "yes"}, "true or false"),
        ({"status__in": "abc"}, "needs a list"),
        ({"status__in": ["x"] * 1001}, "at most 1000"),
        ({"status__search": " "}, "needs a text with a word"),
        ({"x__search": 1}, "needs a text with a word"),
        ({"x__startswith": 1}, "needs a text"),
        ({"x": float("nan")}, "x"),
        ({"x": "\0"}, "x"),
        ({"": 1}, "not a field"),
        ({"a..b": 1}, "not a field"),
        ({"id": 5}, "is a text"),
        ({f"f{n}": 1 for n in range(51)}, "more than 50"),
    ],
)
def test_a_wrong_condition_is_refused_with_what_is_wrong(
    record_store: RecordStore, project: str, conditions: dict[str, Any], reason: str
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: record_store.query(project, "jobs", conditions),
        lambda: record_store.count(project, "jobs", conditions),
        lambda: record_store.claim_first(project, "jobs", conditions, {}),
        lambda: record_store.update_where(project, "jobs", conditions, {}),
        lambda: record_store.delete_where(project, "jobs", conditions),
    ]
    for call in calls:
        with pytest.raises(InvalidError) as refusal:
            call()
        assert reason in refusal.value.message


ORDERS: list[tuple[Any, list[str]]] = [
    ("priority", ["empty", "nulls", "five", "time1", "time2", "time3", "two", "one", "four", "three"]),
    ("-priority", ["three", "four", "one", "two", "time3", "time2", "time1", "five", "nulls", "empty"]),
    (("-priority", "id"), ["three", "one", "four", "two", "empty", "nulls", "five", "time1", "time2", "time3"]),
    (("priority", "-id"), ["time3", "time2", "time1", "five", "nulls", "empty", "two", "four", "one", "three"]),
    ("status", ["empty", "nulls", "time1", "time2", "two", "one", "four", "three", "five", "time3"]),
    ("-due", ["one", "two", "time3", "time2", "time1", "five", "four", "three", "nulls", "empty"]),
    ("id", list(ROWS)),
    ("-id", list(ROWS)[::-1]),
    (
        ("priority", "-created_at"),
        ["time2", "time1", "time3", "five", "nulls", "empty", "two", "four", "one", "three"],
    ),
]


@pytest.mark.parametrize(("order", "expected"), ORDERS, ids=lambda value: str(value)[:30])
def test_orders_put_null_first_and_break_ties_by_id(
    record_store: RecordStore, project: str, names: dict[Any, str], order: Any, expected: list[str]
) -> None:
    assert [names[record.id] for record in record_store.query(project, "jobs", order=order).records] == expected


@pytest.mark.parametrize(
    "order",
    ["x", "tags", "words", "version", "", "--id", ("id", "status"), ("status", "priority"), (), "o.x", "Status"],
)
def test_an_order_that_is_not_declared_is_refused(record_store: RecordStore, project: str, order: Any) -> None:
    with pytest.raises(InvalidError):
        record_store.query(project, "jobs", order=order)


@pytest.mark.parametrize("limit", [0, -1, 1001, True])
def test_a_limit_out_of_bounds_is_refused(record_store: RecordStore, project: str, limit: int) -> None:
    for call in (
        lambda: record_store.query(project, "jobs", limit=limit),
        lambda: record_store.claim_first(project, "jobs", {}, {}, limit=limit),
        lambda: record_store.update_where(project, "jobs", {}, {}, limit=limit),
    ):
        with pytest.raises(InvalidError):
            call()


@pytest.mark.parametrize("names", [3, 400], ids=["few, each looked up", "more than are looked up"])
def test_counts_of_values_that_are_named_are_of_those_alone(
    record_store: RecordStore, project: str, names: int
) -> None:
    record_store.insert_many(
        project,
        "jobs",
        [*({"status": s, "kind": k} for s in "abc" for k in ("k0", "k1", "other")), {"status": "a", "kind": "k0"}],
    )
    named = {"status__in": ["a", "b", "d"], "kind__in": [f"k{number}" for number in range(names)]}
    assert record_store.count_by(project, "jobs", ["kind", "status"], named) == {
        ("k0", "a"): 2,
        ("k0", "b"): 1,
        ("k1", "a"): 1,
        ("k1", "b"): 1,
    }
    assert record_store.count_by(project, "jobs", ["kind"], named) == {("k0",): 3, ("k1",): 2}
    assert record_store.count(project, "jobs", named) == 5


def test_sequence_ids_are_ordered_as_numbers(record_store: RecordStore, project: str) -> None:
    record_store.insert_many(project, "notes", [{}] * 12)
    assert [record.id for record in record_store.query(project, "notes", order="-id").records] == list(range(12, 0, -1))
    assert record_store.count(project, "notes", {"id__gte": 9}) == 4


def test_counts_follow_every_change(record_store: RecordStore, project: str) -> None:
    a, b, c = record_store.insert_many(
        project, "jobs", [{"status": "a", "kind": "k"}, {"status": "a"}, {"status": "b", "kind": "k", "priority": 1}]
    )
    assert record_store.count_by(project, "jobs", ["status"]) == {("a",): 2, ("b",): 1}
    record_store.update(project, "jobs", a.id, {"status": "b"})
    record_store.replace(project, "jobs", b.id, {"kind": "l"})
    assert record_store.count_by(project, "jobs", ["status"]) == {(None,): 1, ("b",): 2}
    assert list(record_store.count_by(project, "jobs", ["kind", "status"]).items()) == [
        (("k", "b"), 2),
        (("l", None), 1),
    ]
    assert record_store.count_by(project, "jobs", ["kind"], {"status": "b"}) == {("k",): 2}
    assert record_store.count_by(project, "jobs", ["priority"], {"status__in": ["b"], "x": None}) == {
        (None,): 1,
        (1,): 1,
    }
    assert record_store.count_by(project, "jobs", ["due"]) == {(None,): 3}
    record_store.delete(project, "jobs", c.id)
    assert record_store.count_by(project, "jobs", ["status"]) == {(None,): 1, ("b",): 1}
    assert record_store.count(project, "jobs") == 2
    record_store.delete_where(project, "jobs", {})
    assert record_store.count_by(project, "jobs", ["status"]) == {}
    for by in ("x", "tags", "weight", "created_at"):
        with pytest.raises(InvalidError):
            record_store.count_by(project, "jobs", [by])
