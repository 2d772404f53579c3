"""Searching by words: every backend finds what looking at each text finds, counts it alike, and forgets nothing."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest

from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from storage_app.records.operations import Delete, Insert, Operation, Update
from storage_app.records.query import Condition, Node, Op
from storage_app.records.words import Hits
from storage_app.search.grammar import parse
from storage_app.search.nodes import Term
from storage_app.search.query import search_of
from storage_app.search.ranking import rank, scored
from tests.contracts.backends import PAPERS, Opening
from tests.storage.search_samples import SEGMENTS, make_query, make_text

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
TOPICS: Final = ("a.py", "b.py", "src/c.py", None)
SHELVES: Final = ("open", "open", None, "back")
ROUNDS: Final = 60


def paper(number: int, text: str | None) -> dict[str, Any]:
    return {
        "topic": TOPICS[number % len(TOPICS)],
        "shelf": SHELVES[number % len(SHELVES)],
        "tags": ["odd"] if number % 2 else [],
        "written_at": (BEGIN + timedelta(minutes=number // 3)).isoformat(),
        "text": text,
        "plain": number % 3,
    }


def meaning(term: Term) -> Node:
    (value,) = term.values
    return Condition(("topic",), Op.STARTSWITH if value.prefix else Op.EQ, value.text)


def plain_meaning(term: Term) -> Node:
    """A condition that no index expresses."""
    return Condition(("plain",), Op.EQ, 1)


def find(store: RecordStore, project: str, text: str, **more: Any) -> Hits:
    search = search_of(parse(text, SEGMENTS), SEGMENTS)
    return store.find_words(project, PAPERS.name, search, **{"meaning": meaning, **more})


def ids(hits: Hits) -> list[str]:
    return [hit.id for hit in hits.hits]


@pytest.fixture
def seed() -> int:
    """Printed when a test fails; a failing run is repeated by putting it here."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")
    return seed


@pytest.fixture
def pair(record_store: RecordStore, project: str) -> tuple[RecordStore, str]:
    record_store.apply(
        project,
        [
            Insert(PAPERS.name, paper(0, "The quick brown fox in src/foo_bar.py"), "p0"),
            Insert(PAPERS.name, paper(1, "parseConfig timed out; timed again"), "p1"),
            Insert(PAPERS.name, paper(2, None), "p2"),
            Insert(PAPERS.name, paper(3, "東京タワー and timed"), "p3"),
        ],
    )
    return record_store, project


def test_words_phrases_prefixes_and_pieces_are_found(pair: tuple[RecordStore, str]) -> None:
    for text, found in (
        ("quick fox", ["p0"]),
        ('"brown quick"', []),
        ('"src/foo"', ["p0"]),
        ("timed", ["p3", "p1"]),
        ("tim*", ["p3", "p1"]),
        ("parseconfig", ["p1"]),
        ("東京", ["p3"]),
        ('sub:"O_B"', ["p0"]),
        ("timed -file:b.py", ["p3"]),
        ("file:b.py OR fox", ["p0", "p1"]),
        ("", ["p3", "p0", "p1"]),
    ):
        assert sorted(ids(find(*pair, text))) == sorted(found), text


def test_the_newest_come_first_and_the_rest_is_told(pair: tuple[RecordStore, str]) -> None:
    hits = find(*pair, "", most=2)
    assert ids(hits) == ["p3", "p0"]
    assert hits.capped
    assert not find(*pair, "", most=3).capped


def test_statistics_are_of_this_collection_and_project_alone(pair: tuple[RecordStore, str], other_project: str) -> None:
    store, project = pair
    before = find(store, project, "timed fo*").statistics
    assert (before.texts, sorted(before.frequencies.values())) == (3, [1, 2])
    store.insert(other_project, PAPERS.name, paper(0, "timed timed fox"), id="p0")
    assert find(store, project, "timed fo*").statistics == before
    assert ids(find(store, project, "timed")) == ["p3", "p1"]


def test_changes_deletes_and_restores_reach_the_index(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    store.update(project, PAPERS.name, "p0", {"text": "slow turtle"})
    store.update(project, PAPERS.name, "p1", {"text": None})
    store.update(project, PAPERS.name, "p2", {"text": "a fox at last"})
    assert ids(find(store, project, "fox")) == ["p2"]
    assert ids(find(store, project, "turtle")) == ["p0"]
    assert ids(find(store, project, "timed")) == ["p3"]
    aside = store.quarantine(project, PAPERS.name, "p2", "odd")
    assert ids(find(store, project, "fox")) == []
    store.quarantine_restore(project, aside.id)
    assert ids(find(store, project, "fox")) == ["p2"]
    store.delete(project, PAPERS.name, "p2")
    assert ids(find(store, project, "fox")) == []
    assert find(store, project, "fox").statistics.texts == 2
    assert store.check(project).problems == []


def test_texts_of_a_partition_that_is_left_out_are_neither_found_nor_counted(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    alone = find(store, project, "timed fo*").statistics
    store.insert(project, PAPERS.name, {**paper(0, "timed timed fox"), "shelf": "bin"}, id="p7")
    assert ids(find(store, project, "timed OR fox")) == ["p3", "p0", "p1"]
    assert find(store, project, "timed fo*").statistics == alone
    store.update(project, PAPERS.name, "p1", {"shelf": "bin"})
    assert ids(find(store, project, "timed")) == ["p3"]
    assert find(store, project, "timed").statistics.texts == 2
    store.update(project, PAPERS.name, "p1", {"shelf": "back"})
    assert ids(find(store, project, "timed", conditions={"shelf": "back"})) == ["p3", "p1"]
    store.update(project, PAPERS.name, "p3", {"shelf": None})
    assert ids(find(store, project, "timed", conditions={"shelf": "back"})) == ["p1"]
    assert ids(find(store, project, "timed", conditions={"shelf__ne": "back"})) == ["p3"]
    assert ids(find(store, project, "timed", conditions={"shelf__isnull": True})) == ["p3"]
    assert ids(find(store, project, "timed", conditions={"shelf": "back", "tags__contains": "odd"})) == ["p1"]
    assert store.check(project).problems == []
    store.rebuild_index(project)
    assert ids(find(store, project, "timed OR fox")) == ["p3", "p0", "p1"]


def test_a_time_that_moves_changes_the_order(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    store.update(project, PAPERS.name, "p1", {"written_at": "2027-01-01T00:00:00Z"})
    assert ids(find(store, project, "timed")) == ["p1", "p3"]
    store.update(project, PAPERS.name, "p3", {"written_at": None})
    assert ids(find(store, project, "timed")) == ["p1", "p3"]
    assert find(store, project, "timed").hits[1].touched == -(2**63)


def test_a_refused_write_leaves_the_index_alone(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    operations: list[Operation] = [Delete(PAPERS.name, "p0"), Update(PAPERS.name, "absent", {"text": "x"})]
    with pytest.raises(Exception, match="absent"):
        store.apply(project, operations)
    assert ids(find(store, project, "fox")) == ["p0"]


def test_conditions_that_no_index_expresses_hold_too(pair: tuple[RecordStore, str]) -> None:
    assert ids(find(*pair, "timed", conditions={"plain": 1})) == ["p1"]
    assert ids(find(*pair, "timed", conditions={"tags__contains": "odd", "plain": 0})) == ["p3"]
    assert ids(find(*pair, "fox OR file:x", meaning=plain_meaning)) == ["p0", "p1"]
    assert ids(find(*pair, "-(fox OR file:x)", meaning=plain_meaning)) == ["p3"]


def test_a_collection_without_text_and_a_wrong_number_are_refused(record_store: RecordStore, project: str) -> None:
    with pytest.raises(InvalidError):
        record_store.find_words(project, "things", None, meaning=meaning)
    with pytest.raises(InvalidError):
        record_store.find_words(project, PAPERS.name, None, meaning=meaning, most=2001)
    with pytest.raises(InvalidError):
        record_store.insert(project, PAPERS.name, {"text": 7}, id="p9")


def test_nothing_is_found_where_nothing_is(record_store: RecordStore, project: str) -> None:
    hits = find(record_store, project, "fox")
    assert (hits.hits, hits.statistics.texts) == ([], 0)


def test_the_index_survives_being_made_anew(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    before = find(store, project, "timed OR fox")
    store.rebuild_index(project)
    assert find(store, project, "timed OR fox") == before
    assert store.check(project).problems == []


def test_a_deleted_project_leaves_no_words(pair: tuple[RecordStore, str]) -> None:
    store, project = pair
    store.delete_project(project)
    assert find(store, project, "timed").statistics.texts == 0
    store.insert(project, PAPERS.name, paper(1, "timed"), id="p1")
    assert ids(find(store, project, "timed")) == ["p1"]


def test_words_stay_after_the_store_was_opened_again(persistent_opening: Opening, project: str) -> None:
    with persistent_opening.open() as store:
        store.insert(project, PAPERS.name, paper(1, "timed"), id="p1")
    with persistent_opening.open() as store:
        assert ids(find(store, project, "timed")) == ["p1"]


def test_any_search_finds_counts_and_ranks_as_looking_at_each_text_does(
    record_store: RecordStore, project: str, seed: int
) -> None:
    dice = Random(seed)
    texts = [make_text(dice) for _ in range(80)]
    record_store.apply(project, [Insert(PAPERS.name, paper(n, text), f"p{n:03}") for n, text in enumerate(texts)])
    for number in dice.sample(range(80), 20):
        texts[number] = make_text(dice)
        record_store.update(project, PAPERS.name, f"p{number:03}", {"text": texts[number]})
    for number in dice.sample(range(80), 12):
        record_store.update(project, PAPERS.name, f"p{number:03}", {"shelf": dice.choice(["bin", "back"])})
    found = 0
    for number in range(ROUNDS):
        query = make_query(dice, texts)
        search = search_of(parse(query, SEGMENTS), SEGMENTS)
        conditions: dict[str, Any] = dice.choice(
            [{}, {"topic__ne": "a.py"}, {"tags__contains": "odd"}, {"plain": 1}, {"shelf__in": ["open", "bin"]}]
        )
        most = dice.choice([2000, 5])
        use = dice.choice([meaning, plain_meaning])
        hits = record_store.find_words(project, PAPERS.name, search, conditions, meaning=use, most=most)
        looked = slowly(record_store).find_words(project, PAPERS.name, search, conditions, meaning=use, most=most)
        assert hits == looked, query
        order = rank(hits.hits, scored(search), hits.statistics)
        assert order == rank(looked.hits, scored(search), looked.statistics)
        found += len(order)
        assert number < ROUNDS
    assert found > ROUNDS


def slowly(store: RecordStore) -> RecordStore:
    """The same store, with the base's way of searching."""

    class Slow:
        def __getattr__(self, name: str) -> Any:
            own = getattr(RecordStore, name, None)
            if name in {"find_words", "_find_words", "_texts"}:
                return own.__get__(self)  # type: ignore[union-attr]  # these three exist
            return getattr(store, name)

    return Slow()  # type: ignore[return-value]  # as far as a search needs one
