"""Search: the same ids in the same order on every store; nothing of another project; pages, facets and highlights."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Tier
from jobs_app.errors import InvalidError, InvalidQueryError
from jobs_app.models import Project
from jobs_app.services import segment_search, segments
from jobs_app.services.segment_search import Matches
from jobs_app.services.segments import SegmentFilter
from storage_app.records import configured
from storage_app.records.base import RecordStore
from tests.conftest import Clock, opened
from tests.contracts.backends import BACKENDS
from tests.factories import make_segment
from tests.storage.search_samples import WORDS, make_query, make_text

pytestmark = pytest.mark.django_db
PAIRS: Final = int(os.environ.get("SEARCH_PAIRS", "150"))
STORES: Final = ("memory", "file", "sqlite", "postgresql")
PATHS: Final = ("a.py", "b.py", "src/c.py", None)


def search(project: Project, text: str, **more: Any) -> Matches:
    wanted = {name: more.pop(name) for name in list(more) if name in SegmentFilter.__slots__}
    return segment_search.search(COMMAND, project.slug, text, SegmentFilter(**wanted), **more)


def texts(found: Matches) -> list[str]:
    return [item.segment.text for item in found.items]


@pytest.fixture
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, RecordStore]]:
    with ExitStack() as stack:
        made = {}
        for name in STORES:
            backend = BACKENDS[name]
            made[name] = stack.enter_context(opened(backend.name, **backend.prepare(request, tmp_path)))
            for slug in made[name].projects():
                made[name].delete_project(slug)
        yield made


def test_generated_queries_and_filters_find_the_same_in_the_same_order_everywhere(
    project: Project, stores: dict[str, RecordStore], clock: Clock
) -> None:
    seed = Random().randrange(2**32)
    print(f"seed {seed}")
    dice = Random(seed)
    pieces = [make_text(dice) or "nothing" for _ in range(120)]
    new = [
        NewSegment(
            text,
            type=dice.choice(["code", "note"]),
            segment_id=f"s{number:03}",
            file_path=dice.choice(PATHS),
            task_id=dice.choice(["t1", "t2", None]),
            tags=dice.sample(["x", "y", "Zä"], dice.randint(0, 2)),
            tier=dice.choice(list(Tier)),
            metadata={"n": number % 4},
        )
        for number, text in enumerate(dict.fromkeys(pieces))
    ]
    begin = clock.now
    for store in stores.values():
        clock.now = begin
        with configured.using(store):
            for start in range(0, len(new), 7):  # a few share their time
                clock.advance(seconds=1)
                segments.store_many(COMMAND, project.slug, new[start : start + 7])
    found = 0
    for _ in range(PAIRS):
        query = make_query(dice, pieces)
        wanted: dict[str, Any] = dice.choice(
            [{}, {"type": "code"}, {"tag": "Zä"}, {"tier": Tier.STASHED, "task_id": "t1"}, {"file_path": "a.py"}]
        )
        query = dice.choice([query, f"{query} tag:x,y", f"({query}) OR task:t2", f"{query} -meta.n:1"])
        answers = {}
        for name, store in stores.items():
            with configured.using(store):
                answers[name] = _answer(project, query, wanted)
        assert all(answer == answers["memory"] for answer in answers.values()), (query, wanted, answers)
        found += len(answers["memory"])
    assert found > PAIRS


def _answer(project: Project, query: str, wanted: dict[str, Any]) -> list[Any]:
    try:
        return [(item.segment.id, item.score) for item in search(project, query, limit=500, **wanted).items]
    except InvalidQueryError as error:
        return [error.extra["position"]]


@pytest.mark.usefixtures("record_store")
def test_another_project_changes_nothing_of_ones_own(project: Project, other_project: Project) -> None:
    for text in ("timed out in src/foo.py", "timed by hand", "nothing else"):
        make_segment(project, text, tags=["a"], file_path="x.py")
    before = search(project, "timed OR fo*", facets=True)
    assert len(before.items) == 2
    for number in range(20):
        make_segment(other_project, f"timed timed foo {number}", tags=["a", "b"], file_path="y.py")
    make_segment(other_project, "timed out in src/foo.py", tags=["c"])
    assert search(project, "timed OR fo*", facets=True) == before
    with pytest.raises(InvalidQueryError) as alone:
        search(project, "timed (")
    with pytest.raises(InvalidQueryError) as beside:
        search(other_project, "timed (")
    assert str(alone.value) == str(beside.value)


@pytest.mark.usefixtures("record_store")
def test_pages_follow_each_other_without_gaps(project: Project, clock: Clock) -> None:
    for number in range(25):
        make_segment(project, f"word {'word ' * (number % 3)}number{number}")
        clock.advance(seconds=number % 2)
    whole = texts(search(project, "word", limit=100))
    assert len(whole) == 25
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = search(project, "word", limit=4, cursor=cursor)
        seen += texts(page)
        if (cursor := page.next_cursor) is None:
            break
    assert seen == whole
    with pytest.raises(InvalidError, match="cursor"):
        search(project, "word", cursor="nonsense")


@pytest.mark.usefixtures("record_store")
def test_a_page_goes_on_where_its_last_row_was_deleted(project: Project) -> None:
    for number in range(6):
        make_segment(project, f"word {number}")
    first = search(project, "word", limit=3)
    segments.delete_segment(COMMAND, project.slug, first.items[-1].segment.id)
    rest = search(project, "word", limit=10, cursor=first.next_cursor)
    assert len(texts(first)) + len(texts(rest)) == 6


@pytest.mark.usefixtures("record_store")
def test_pages_skip_and_repeat_nothing_while_texts_come_and_go(project: Project) -> None:
    for number in range(24):
        make_segment(project, f"word {'word ' * (number % 4)}{'more ' * (number % 3)}number{number}")
    whole = [item.segment.id for item in search(project, "word more*", limit=100).items]
    assert len(whole) == 16
    page = search(project, "word more*", limit=4)
    seen = [item.segment.id for item in page.items]
    gone = set()
    for number in range(3):
        for other in range(4):
            make_segment(project, f"word and word more or less, new{number} new{other}")
        gone |= {seen[-1], whole[-1 - number]} - set(seen[:-1])
        for id in (seen[-1], whole[-1 - number]):
            segments.delete_segment(COMMAND, project.slug, id)
        page = search(project, "word more*", limit=4 if number < 2 else 100, cursor=page.next_cursor)
        seen += [item.segment.id for item in page.items if item.segment.id in whole]
    assert len(set(seen)) == len(seen)
    assert set(whole) - gone <= set(seen)


@pytest.mark.usefixtures("record_store")
def test_a_cursor_of_another_search_is_refused(project: Project) -> None:
    for number in range(4):
        make_segment(project, f"word and more {number}")
    cursor = search(project, "word", limit=1).next_cursor
    assert search(project, "word", limit=1, cursor=cursor).items
    with pytest.raises(InvalidError, match="cursor"):
        search(project, "word more", limit=1, cursor=cursor)


@pytest.mark.usefixtures("record_store")
def test_filters_alone_list_everything_and_facets_count(project: Project) -> None:
    make_segment(project, "one", type="code", tags=["x", "y"], file_path="a.py", task_id="t")
    make_segment(project, "two", type="code", tags=["x"], tier=Tier.STASHED)
    make_segment(project, "three", tags=["z"], file_path="a.py")
    found = search(project, "type:code", facets=True)
    assert sorted(texts(found)) == ["one", "two"]
    assert found.matched == 2
    values = {name: [(one.value, one.count) for one in facet] for name, facet in found.facets.items()}
    assert values == {
        "type": [("code", 2)],
        "tag": [("x", 2), ("y", 1)],
        "task": [("t", 1)],
        "file": [("a.py", 1)],
    }
    everything = search(project, "", facets=True)
    assert [(one.value, one.count) for one in everything.facets["file"]] == [("a.py", 2)]
    assert texts(search(project, "-type:code")) == ["three"]
    assert texts(search(project, "tier:stashed")) == ["two"]
    assert texts(search(project, "is:pinned")) == []


def test_facets_say_which_of_them_count_the_newest_alone(
    project: Project, memory_store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_search, "MOST_HITS", 3)
    for number in range(5):
        make_segment(project, f"word {number}", tags=["a"], type="code")
    counts = {}
    for query in ("", "type:code", "0 OR 1"):
        found = search(project, query, facets=True)
        counts[query] = found.facets["type"][0].count, found.facets["tag"][0].count, found.partial_facets
    assert counts[""] == (5, 3, ("tag",))
    assert counts["type:code"] == (3, 3, segment_search.FACETS)
    assert counts["0 OR 1"] == (2, 2, ())


@pytest.mark.usefixtures("record_store")
def test_highlights_are_offsets_into_the_original_text(project: Project) -> None:
    text = "Ünï ﬁne: parseConfig in src/foo.py, naïve 東京タワー"
    make_segment(project, text)
    for query, marked in (
        ("parse config", ["parse", "Config"]),
        ('"src/foo.py"', ["src/foo.py"]),
        ("fine", ["ﬁne"]),
        ("タワー", ["タワー"]),
        ("naï*", ["naïve"]),
        ('sub:"IN SRC"', ["in src"]),
    ):
        (item,) = search(project, query).items
        found = "".join(text[span.start : span.end] for span in item.highlights)
        assert found.replace(" ", "") == "".join(marked).replace(" ", ""), query


@pytest.mark.usefixtures("record_store")
def test_any_string_is_a_result_or_an_error_with_its_place(project: Project) -> None:
    dice = Random(7)
    make_segment(project, "text")
    signs = [
        '"',
        "(",
        ")",
        "-",
        "*",
        ":",
        "|",
        "\\",
        "'",
        "%",
        "_",
        "\0",
        "\ud800",
        "\n",
        "😀",
        "é",
        "NEAR",
        "OR",
        "tag:",
    ]
    hostile = ["'; DROP TABLE x; --", "pre-edit", "2026-03-14", "don't", "C++", "a" * 2001, *WORDS]
    places = []
    for text in [*hostile, *("".join(dice.choices(signs, k=dice.randint(1, 8))) for _ in range(60))]:
        try:
            search(project, text)
        except InvalidQueryError as error:
            places.append((error.extra["position"], len(text)))
    assert len(places) > 5
    assert all(0 <= position <= length for position, length in places)


def test_times_in_a_query_are_seen_from_now(project: Project, clock: Clock) -> None:
    make_segment(project, "old word")
    clock.advance(hours=5)
    make_segment(project, "new word")
    assert texts(search(project, "word after:-2h")) == ["new word"]
    assert texts(search(project, "word before:-2h")) == ["old word"]
    assert texts(search(project, "word", touched_after=clock.now - timedelta(hours=1))) == ["new word"]


@pytest.mark.usefixtures("record_store")
def test_a_number_too_large_for_any_document_is_looked_for_as_a_text(project: Project) -> None:
    digits = "9" * 400
    make_segment(project, "x", metadata={"n": digits})
    make_segment(project, "y", metadata={"n": 9})
    assert texts(search(project, f"meta.n:{digits}")) == ["x"]
    assert texts(search(project, f"y OR meta.n:{digits}")) == ["y", "x"]


@pytest.mark.usefixtures("record_store")
def test_values_are_suggested_while_typing(project: Project, other_project: Project) -> None:
    for number in range(3):
        make_segment(project, f"x{number}", type="decision", file_path=f"src/a{number}.py", task_id="t 1")
    make_segment(
        project, "y", type="note", file_path="src/a0.py", tags=["alpha", "beta"], metadata={"lang": {"to": "de"}}
    )
    gone = make_segment(project, "z", type="deleted", file_path="src/a9.py", tags=["away"])
    segments.delete_segment(COMMAND, project.slug, gone.id)
    make_segment(
        other_project, "x", type="denied", file_path="src/b.py", tags=["alien"], metadata={"lang": {"to": "dk"}}
    )
    for typed, suggested in (
        ("type:de", ["decision"]),
        ("file:src", ["src/a0.py", "src/a1.py", "src/a2.py"]),
        ("word task:t", ['"t 1"']),
        ("tag:a", ["alpha"]),
        ("meta.lang.to:d", ["de"]),
        ("meta.la", ["meta.lang:", "meta.lang.to:"]),
        ("tie", ["tier:"]),
        ("nothing:x", []),
    ):
        options = segment_search.suggestions(COMMAND, project.slug, typed, len(typed)).options
        assert [option.insert.rstrip() for option in options] == suggested, typed
