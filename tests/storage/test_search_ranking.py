"""The order of results, and what is marked in them."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage_app.search import tokens
from storage_app.search.grammar import parse
from storage_app.search.highlights import Span, excerpt, highlights
from storage_app.search.query import Document, Search, matches, search_of
from storage_app.search.ranking import Hit, Scored, Statistics, rank, scored
from tests.storage.search_samples import SEGMENTS, WORDS, make_query, make_text


def asked(text: str) -> Search | None:
    return search_of(parse(text, SEGMENTS), SEGMENTS)


def statistics_of(texts: list[str], terms: tuple[Scored, ...]) -> Statistics:
    documents = [Document(text) for text in texts]
    lists = [[tokens.spelled(token) for token in document.tokens] for document in documents]
    frequencies = {term: sum(has(term, found) for found in lists) for term in terms}
    return Statistics(len(texts), sum(tokens.length(document.tokens) for document in documents), frequencies)


def has(term: Scored, found: list[str]) -> bool:
    return any(one.startswith(term.token) if term.prefix else one == term.token for one in found)


def order(query: str, texts: list[str], touched: list[int] | None = None) -> list[int]:
    search = asked(query)
    terms = scored(search)
    hits = [
        Hit(id, tokens.index_text(text), touched[id] if touched else 0)
        for id, text in enumerate(texts)
        if matches(search, Document(text), lambda term: True)
    ]
    random.Random(1).shuffle(hits)
    return [one.id for one in rank(hits, terms, statistics_of(texts, terms))]


def test_more_often_in_less_text_comes_first() -> None:
    assert order("fox", ["a fox and many more words here", "fox fox", "no", "fox"]) == [1, 3, 0]


def test_the_rarer_word_counts_more() -> None:
    assert order("rare OR common", ["common", "rare", *["common"] * 8])[0] == 1


def test_ties_go_by_time_touched_and_then_by_id() -> None:
    assert order("fox", ["fox", "fox", "fox", "fox"], [1, 2, 1, 2]) == [1, 3, 0, 2]


def test_a_text_that_is_indexed_twice_counts_once() -> None:
    search = asked("fox")
    plain, humped = tokens.index_text("fox github one"), tokens.index_text("fox gitHub")
    numbers = Statistics(2, 6, {Scored("fox"): 2})
    points = rank([Hit(1, plain, 0), Hit(2, humped, 0)], scored(search), numbers)
    assert points[0].score == points[1].score
    assert [one.id for one in points] == [1, 2]


def test_what_must_not_be_there_gives_no_points() -> None:
    assert scored(asked("a -b (GitHub OR pre*) sub:x file:y")) == (
        Scored("a"), Scored("git"), Scored("hub"), Scored("github"), Scored("pre", prefix=True),
    )  # fmt: skip
    assert scored(None) == ()


def test_the_score_is_bm25() -> None:
    """Worked by hand: 2 texts of 3 tokens in all, average 1.5; the term in one of them, twice in 2 tokens."""
    numbers = Statistics(2, 3, {Scored("a"): 1})
    (best,) = rank([Hit(1, tokens.index_text("a a"), 0)], (Scored("a"),), numbers)
    norm = 1.2 * (0.25 + 0.75 * 2 / 1.5)
    assert best.score == pytest.approx(0.6931471805599453 * 2 * 2.2 / (2 + norm))


def test_counting_in_the_text_is_counting_its_tokens() -> None:
    dice = random.Random(3)
    for _ in range(400):
        text = " ".join(dice.choice(["a", "ab", "a", "aB", "b", "", "ü"]) for _ in range(dice.randint(0, 9)))
        indexed = [tokens.spelled(token) for token in tokens.indexed(text)]
        cut, uncut = indexed, list[str]()
        if (barrier := tokens.spelled(tokens.BARRIER)) in indexed:
            place = indexed.index(barrier)
            cut, uncut = indexed[:place], indexed[place + 1 :]
        for term in (Scored("a"), Scored("ab"), Scored("a", prefix=True), Scored(tokens.spelled("ü"))):
            (found,) = rank([Hit(1, tokens.index_text(text), 0)], (term,), Statistics(9, 27, {term: 4}))
            count = max(
                sum(one.startswith(term.token) if term.prefix else one == term.token for one in stream)
                for stream in (cut, uncut)
            )
            norm = 1.2 * (0.25 + 0.75 * len(cut) / 3)
            assert found.score == pytest.approx(0.7985076962177716 * count * 2.2 / (count + norm)), text


def test_a_text_with_humps_at_the_end_of_a_beginning() -> None:
    assert order("git*", ["GitHub github", "digit", "legit git"]) == [0, 2]
    assert order("GitHu*", ["GitHub", "github", "git hull", "hub"]) == [0, 2, 1]


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("timed", "It Timed out, timed", ["Timed", "timed"]),
        ('"timed out"', "timed out; timed in; timed\nOUT", ["timed out", "timed\nOUT"]),
        ("naïve", "a nai\u0308ve ﬁne", ["nai\u0308ve"]),
        ("fine", "a ﬁne thing", ["ﬁne"]),
        ("github", "my GitHub", ["GitHub"]),
        ("GitHub", "my github, Git Hub", ["github", "Git Hub"]),
        ("京タ", "東京タワー", ["京タ"]),
        ("tim*", "timed time sum", ["timed", "time"]),
        ("src/x", "in src/x.py and src x", ["src/x", "src x"]),
        ("-> sub:STRASSE", "a -> b Straße", ["->", "Straße"]),
        ("a -b", "a b", ["a"]),
        ("don't", "don't", ["don't"]),
        ("nothing", "else", []),
        ("file:x", "x", []),
    ],
)
def test_what_is_marked(query: str, text: str, marked: list[str]) -> None:
    assert [text[span.start : span.end] for span in highlights(asked(query), text)] == marked


def test_every_text_that_was_found_by_its_words_has_something_to_mark() -> None:
    dice = random.Random(7)
    texts = [make_text(dice) for _ in range(60)]
    seen = 0
    for _ in range(150):
        query = make_query(dice, texts, depth=0)
        if query.startswith(("-", "file:")):
            continue
        search = asked(query)
        for text in texts:
            found = highlights(search, text)
            assert bool(found) == matches(search, Document(text), lambda term: True), (query, text)
            assert all(0 <= span.start < span.end <= len(text) for span in found)
            seen += bool(found)
    assert seen > 100


def test_an_excerpt_is_cut_between_words_round_the_most_marks() -> None:
    text = "start " + "lorem ipsum " * 50 + "a fox and a fox and " + "dolor sit " * 50
    spans = highlights(asked("start OR fox"), text)
    found = excerpt(text, spans, 60)
    assert "fox and a fox" in text[found.start : found.end]
    assert found.end - found.start <= 60
    assert text[found.start - 1].isspace()
    assert [text[span.start : span.end] for span in found.spans] == ["fox", "fox"]
    assert excerpt("short", [], 60).end == 5


@given(st.text(max_size=80), st.sampled_from(WORDS), st.integers(5, 40))
@example("İ" * 40 + "x", "x", 10)
def test_an_excerpt_lies_in_the_text(text: str, word: str, width: int) -> None:
    text = text + word + text
    spans = highlights(asked('"' + word.replace("\\", "\\\\") + '"'), text)
    found = excerpt(text, spans, width)
    assert 0 <= found.start <= found.end <= len(text)
    assert found.end - found.start <= width
    assert all(found.start <= span.start < span.end <= found.end for span in found.spans)
    assert all(isinstance(span, Span) for span in found.spans)
    assert not spans or found.spans
