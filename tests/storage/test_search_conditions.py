"""A query finds in the record store what it says."""

from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_app.records import registry
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Ids, Kind
from storage_app.records.declarations import Field as RecordField
from storage_app.records.query import Condition, Op
from storage_app.search.conditions import conditions, seconds_range
from storage_app.search.errors import QueryError
from storage_app.search.fields import Fields
from storage_app.search.grammar import parse
from storage_app.search.nodes import Term
from tests.storage.search_oracle import holds
from tests.storage.search_samples import JOBS

NOW: Final = datetime(2026, 3, 14, 12, tzinfo=UTC)
COLLECTION: Final = Collection(
    "jobs",
    ids=Ids.GIVEN,
    fields=(
        RecordField("status", Kind.TEXT),
        RecordField("content_type", Kind.TEXT),
        RecordField("priority", Kind.INTEGER),
        RecordField("weight", Kind.NUMBER),
        RecordField("created_at", Kind.TIME),
        RecordField("tags", Kind.TEXT_LIST),
        RecordField("search", Kind.SEARCH),
    ),
)
LEAVES: Final = (
    'timed "Timed out" oUt ou* ÉTÉ "ﬁne" status:failed status:pending,TIMEOUT type:pdf type:pdf,doc type:p* type:* '
    'worker:w1 worker:* tag:x tag:x,y name:job name:"b job" where:src where:B error:timed error:ti* error:* id:1* id:3 '
    "created:2026 created:2026-03-14 created:>2026-03-13 created:>=2026-03-13 created:<2026-03-13 created:<=2026-03-13 "
    "created:2026-03-12..2026-03-13 created:-24h..-1h created:>-2h created:<=-12h created:..2026-03-12 "
    "started:>-36h started:2026-03-14 started:* when:2026-03-14 after:2026-03-13 before:2026-03-13 "
    "duration:5m duration:>5m duration:<=5m duration:1m..5m duration:..60s "
    "priority:1 priority:>1 priority:>=1 priority:<0 priority:<=0 priority:-5..0 priority:1,5 "
    "weight:1.5 weight:>1 weight:1,2 options.lang:de options.lang:d* options.n:1 "
    'options.n:"1" options.n:>1 options.n:1..2 options.on:true options.on:null options.a.b:x options.a:*'
)


def leaves() -> list[str]:
    found, inside = [""], False
    for character in LEAVES:
        inside ^= character == '"'
        if character == " " and not inside:
            found.append("")
        else:
            found[-1] += character
    return found


QUERIES: Final = st.recursive(
    st.sampled_from(leaves()),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).flatmap(
            lambda parts: st.sampled_from([" ", " OR "]).map(lambda sign: f"({sign.join(parts)})")
        )
        | inner.map(lambda part: f"-{part}")
    ),
    max_leaves=6,
)


def make_document(dice: Random, id: int) -> dict[str, Any]:
    def maybe(*values: Any) -> Any:
        return dice.choice((None, *values))

    name = maybe("job a", "B Job", "été", "fine")
    path, error = maybe("src/foo.py", "b/c"), maybe("Timed OUT after 5s", "out of time")
    days = ("2026-03-12T09:00:00Z", "2026-03-13T23:59:59.999999Z", "2026-03-14T00:00:00Z", "2026-03-14T11:30:00.5Z")
    return {
        "status": dice.choice(("failed", "pending", "timeout")),
        "content_type": maybe("pdf", "doc", "Pdf"),
        "worker_id": maybe("w1", "w2"),
        "tags": dice.choice(([], ["x"], ["x", "y"], ["X"])),
        "name": name,
        "path": path,
        "error_message": error,
        "search": "\n".join(part for part in (f"id{id}", name, path, error) if part),
        "created_at": dice.choice(("2025-12-31T23:00:00Z", *days)),
        "started_at": maybe("2026-03-12T09:00:00.000000Z", "2026-03-14T11:30:00.500000Z"),
        "duration_seconds": maybe(0, 59.5, 60, 300, 359.9, 360),
        "priority": maybe(-5, 0, 1, 5),
        "weight": maybe(1, 1.5, 2),
        "task_options": maybe(
            {"lang": "de", "n": 1}, {"lang": "dk", "n": "1", "on": True}, {"n": 2.0, "a": {"b": "x"}}, {"n": True}
        ),
    }


DOCUMENTS: Final = {str(id): make_document(Random(id), id) for id in range(150)}


@pytest.fixture(scope="module")
def store() -> RecordStore:
    store = registry.open_store("memory", [COLLECTION])
    for id, document in DOCUMENTS.items():
        store.insert("p", "jobs", document, id=id)
    return store


def found(store: RecordStore, text: str) -> set[str]:
    asked = conditions(parse(text, JOBS), JOBS, NOW)
    return {str(record.id) for record in store.query("p", "jobs", asked, limit=1000).records}


@settings(max_examples=400)
@given(QUERIES)
def test_the_store_finds_what_the_query_says(store: RecordStore, text: str) -> None:
    query = parse(text, JOBS)
    assert found(store, text) == {
        id for id, document in DOCUMENTS.items() if holds(query, JOBS, {**document, "id": id}, NOW)
    }


@pytest.mark.parametrize("leaf", leaves())
def test_every_kind_of_term_tells_documents_apart(store: RecordStore, leaf: str) -> None:
    assert 0 < len(found(store, leaf)) < len(DOCUMENTS)
    assert found(store, leaf) == {
        id for id, document in DOCUMENTS.items() if holds(parse(leaf, JOBS), JOBS, {**document, "id": id}, NOW)
    }
    assert found(store, leaf) | found(store, f"-{leaf}") == set(DOCUMENTS)
    assert not found(store, leaf) & found(store, f"-{leaf}")


def test_nothing_asked_is_no_condition() -> None:
    assert conditions(parse("", JOBS), JOBS, NOW) == []


def test_words_that_must_all_hold_are_one_search() -> None:
    asked = conditions(parse('timed type:pdf "out of"', JOBS), JOBS, NOW)
    assert asked == [
        Condition(("search",), Op.SEARCH, "timed out of"),
        Condition(("content_type",), Op.EQ, "pdf"),
    ]


def test_with_several_fields_for_words_each_word_may_be_in_any() -> None:
    fields = Fields(JOBS.fields, words=("name", "error_message"))
    (asked,) = conditions(parse("x", fields), fields, NOW)
    assert [part.path for part in asked.parts] == [("name",), ("error_message",)]  # type: ignore[union-attr]  # an AnyOf


@pytest.mark.parametrize(
    ("text", "fields", "sentence"),
    [
        ("x", Fields(JOBS.fields), "Plain words are not looked for here"),
        (" OR ".join(f"where:{number} status:failed" for number in range(20)), JOBS, "more than 50 comparisons"),
        (" ".join(f"type:a{number}*,b*,c*" for number in range(20)), JOBS, "more than 50 comparisons"),
    ],
)
def test_what_cannot_be_asked_is_said(text: str, fields: Fields, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        conditions(parse(text, fields), fields, NOW)


def test_the_deepest_query_is_not_too_deep_for_the_store(store: RecordStore) -> None:
    """Alternatives of conjunctions of alternatives …, and innermost what takes most levels of conditions."""
    deepest, text = "", "when:2026-03-14"
    for level in range(20):
        try:
            parse(text, JOBS)
        except QueryError as error:
            assert error.sentence.startswith("This is nested too deep")  # noqa: PT017 it comes at some level
            break
        deepest, text = text, f"status:failed{' OR' * (level % 2)} ({text})"
    assert deepest.count("(") > 5
    assert found(store, deepest)


def test_a_field_may_bring_its_own_condition() -> None:
    def running_too(term: Term, now: datetime) -> Condition:
        low, high = seconds_range(term)
        return Condition(("x",), Op.EQ, [low, high, now.year])

    for text, expected in (
        ("duration:>5m", [300, None]),
        ("duration:<=1h", [None, 3600]),
        ("duration:1m..5m", [60, 300]),
        ("duration:..5m", [None, 300]),
        ("duration:5m", [300, 360]),
        ("duration:*", [None, None]),
    ):
        asked = conditions(parse(text, JOBS), JOBS, NOW, custom={"duration": running_too})
        assert asked == [Condition(("x",), Op.EQ, [*expected, 2026])]


@given(st.text(max_size=30))
def test_whatever_is_a_query_can_be_asked(store: RecordStore, text: str) -> None:
    try:
        asked = conditions(parse(text, JOBS), JOBS, NOW)
    except QueryError:
        return
    store.query("p", "jobs", asked)
