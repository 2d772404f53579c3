"""Search in texts: whatever the index behind it, it finds what the condition says, after every change."""

from typing import Any

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.query import AllOf, AnyOf, Condition, Node, Not, Op

TEXTS = {
    "a": "Connection timed out on host-17",
    "b": "Größe 50%_off \"quoted\" 'single' \\ back",
    "c": "漢字漢字 と かな",
    "d": "xy",
    "e": "",
    "f": None,
    "g": "TIMED in, out of band",
    "h": "a\tb\nc 🙂🙂🙂🙂 NEAR(a b) AND OR",
}


@pytest.fixture
def ids(record_store: RecordStore, project: str) -> dict[Any, str]:
    records = record_store.insert_many(project, "jobs", [{"words": text, "kind": name} for name, text in TEXTS.items()])
    return {record.id: str(record.document["kind"]) for record in records}


def search(text: str) -> Condition:
    return Condition(("words",), Op.SEARCH, text)


def found(store: RecordStore, project: str, *conditions: Node, **asked: Any) -> str:
    page = store.query(project, "jobs", list(conditions), **asked)
    assert store.count(project, "jobs", list(conditions)) == len(page.records)
    return "".join(str(record.document["kind"]) for record in page.records)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timed", "ag"),
        ("timed out", "ag"),
        ("OUT timed host", "a"),
        ("host-17", "a"),
        ("ost-1", "a"),
        ("host-18", ""),
        ("grösse", "b"),
        ("50%_off", "b"),
        ("50__off", ""),
        ('"quoted"', "b"),
        ("'single'", "b"),
        ("\\", "b"),
        ("漢字漢", "c"),
        ("字", "c"),
        ("xy", "d"),
        ("x", "d"),
        ("xyz", ""),
        ("🙂🙂🙂", "h"),
        ("NEAR(a", "h"),
        ("*", ""),
        ("time*", ""),
        ("\ud800abc", ""),
        ("a\0b", ""),
        ("onnectio onnection connection timed out", "a"),
        ("t" * 5000, ""),
    ],
)
def test_words_are_found_anywhere_in_a_text(
    record_store: RecordStore, project: str, ids: dict[Any, str], text: str, expected: str
) -> None:
    assert found(record_store, project, search(text)) == expected
    assert found(record_store, project, search(text), order="-created_at", scan_limit=100) == expected[::-1]


def test_alternatives_and_negations_are_found_too(record_store: RecordStore, project: str, ids: dict[Any, str]) -> None:
    either = AnyOf((search("host-17"), search("漢字漢")))
    assert found(record_store, project, either) == "ac"
    assert found(record_store, project, AnyOf((search("host-17"), search("x")))) == "ad"
    assert found(record_store, project, Not(search("timed"))) == "bcdefh"
    assert found(record_store, project, AllOf((search("timed"), Not(search("host"))))) == "g"
    assert found(record_store, project, either, Condition(("kind",), Op.EQ, "c")) == "c"
    assert found(record_store, project, AnyOf((search("timed"), Condition(("kind",), Op.EQ, "d")))) == "adg"


def test_what_is_searched_follows_every_change(record_store: RecordStore, project: str, ids: dict[Any, str]) -> None:
    by_name = {name: id for id, name in ids.items()}
    record_store.update(project, "jobs", by_name["a"], {"words": "all is well"})
    assert found(record_store, project, search("timed")) == "g"
    assert found(record_store, project, search("well")) == "a"
    record_store.update(project, "jobs", by_name["f"], {"words": "now timed"})
    record_store.update(project, "jobs", by_name["g"], {"words": None})
    assert found(record_store, project, search("timed")) == "f"
    record_store.delete(project, "jobs", by_name["f"])
    assert found(record_store, project, search("timed")) == ""
    set_aside = record_store.quarantine(project, "jobs", by_name["a"], "odd")
    assert found(record_store, project, search("well")) == ""
    record_store.quarantine_restore(project, set_aside.id)
    assert found(record_store, project, search("well")) == "a"
    with pytest.raises(Exception, match="already"):
        record_store.insert(project, "jobs", {"words": "never stored"}, id=by_name["a"])
    assert found(record_store, project, search("never")) == ""
    record_store.rebuild_index(project)
    assert found(record_store, project, search("well")) == "a"
    assert record_store.check(project).problems == []


def test_pages_of_a_search_neither_skip_nor_repeat(record_store: RecordStore, project: str) -> None:
    for start in range(0, 120, 40):
        documents = [
            {
                "words": f"needle {n}" if n % 3 == 0 else "hay",
                "kind": str(n),
                "created_at": f"2026-01-01T00:00:{n % 7:02}Z",
            }
            for n in range(start, start + 40)
        ]
        record_store.insert_many(project, "jobs", documents)
    wanted = [search("needle")]
    whole = record_store.query(project, "jobs", wanted, order="-created_at", limit=100).records
    assert len(whole) == 40
    for scan_limit in (None, 7, 1000):
        seen: list[Any] = []
        cursor: str | None = None
        while True:
            page = record_store.query(
                project, "jobs", wanted, order="-created_at", limit=6, cursor=cursor, scan_limit=scan_limit
            )
            seen += page.records
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [record.id for record in seen] == [record.id for record in whole]


def test_a_search_finds_nothing_of_another_project(
    record_store: RecordStore, project: str, other_project: str, ids: dict[Any, str]
) -> None:
    record_store.insert(other_project, "jobs", {"words": "timed elsewhere", "kind": "z"})
    assert found(record_store, project, search("timed")) == "ag"
    assert found(record_store, other_project, search("timed")) == "z"
    record_store.delete_project(other_project)
    assert found(record_store, other_project, search("timed")) == ""
    assert found(record_store, project, search("timed")) == "ag"
