# ruff: noqa: RUF001 letters of many scripts are the point here
"""What a token is, where it stands, and that engines keep it whole."""

import random
import sqlite3
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage_app.records.query import fold
from storage_app.search import tokens
from storage_app.search.fts5 import TOKENIZE

ODD = st.sampled_from(
    "aZ9_é\u0301\u0316\u0345İßﬁ½ｱﾞǅς東ไ한\u1100\u1161\u11a8\u200d\u00ad\ufe0f👩\U0001d54f\u0e33\u09be\u3099 ./-'"
)
TEXTS = st.text() | st.text(ODD, max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camelCase HTTPServer UTF8String", "camel case http server utf8 string"),
        ("GitHub iOS H2O sha256Sum IDs", "git hub i os h2o sha256 sum i ds"),
        ("src/foo_bar.py:12 C:\\dir", "src foo bar py 12 c dir"),
        ("C++ C# don't pre-edit x", "c c don t pre edit x"),
        ("2026-03-14T12:00Z 192.168.0.1", "2026 03 14 t 12 00 z 192 168 0 1"),
        ("東京タワー 한국", "東 京 タ ワ ー 한 국"),
        ("ภาษา नमस्ते", "ภ า ษ า नमस्ते"),
        ("שָׁלוֹם می\u200cخواهم", "שָׁלוֹם میخواهم"),
        ("Straße STRASSE ẞ ς Σ", "strasse strasse ss σ σ"),
        ("ﬁne ½ ㎏ ｱﾞ Ⅻ", "fine 1 2 kg ア\u3099 xii"),
        ("nai\u0308ve naïve soft\u00adhyphen", "naïve naïve softhyphen"),
        ("❤\ufe0f 👨\u200d👩 -> \u0301 1\ufe0f\u20e3", "1"),
        ("", ""),
    ],
)
def test_tokens(text: str, expected: str) -> None:
    assert [token.text for token in tokens.tokenize(text)] == expected.split()


def test_a_name_with_humps_is_found_with_and_without_them() -> None:
    assert tokens.forms("GitHub") == (("git", "hub"), ("github",))
    assert tokens.forms("github") == (("github",),)
    assert tokens.indexed("my GitHub") == ["my", "git", "hub", tokens.BARRIER, "my", "github"]
    assert tokens.indexed("my github") == ["my", "github"]
    assert tokens.length(tokens.indexed("my GitHub")) == 3
    assert tokens.forms("->") == ()


def test_tokens_know_their_place_in_the_original() -> None:
    text = "ﬁne nai\u0308veTea ½ 東京 ｱﾞ"
    assert [text[token.start : token.end] for token in tokens.tokenize(text)] == [
        "ﬁne", "nai\u0308ve", "Tea", "½", "½", "東", "京", "ｱﾞ",
    ]  # fmt: skip


def test_a_long_run_becomes_several_tokens_and_none_is_lost() -> None:
    found = tokens.tokenize("x" * 250)
    assert [len(token.text) for token in found] == [100, 100, 50]


@given(TEXTS)
@example("a\u0345B")
@example("\u1100\u1161\u11a8")
def test_offsets_lie_in_the_text_and_grow(text: str) -> None:
    for found in (tokens.tokenize(text), tokens.uncut(text)):
        starts = [token.start for token in found]
        assert starts == sorted(starts)
        assert all(0 <= token.start < token.end <= len(text) and token.text for token in found)


@given(TEXTS)
def test_what_a_token_says_is_what_stands_in_its_place(text: str) -> None:
    for token in tokens.uncut(text):
        assert token.text in fold(
            tokens._INVISIBLE.sub("", unicodedata.normalize("NFKC", text[token.start : token.end]))
        )


@given(TEXTS)
def test_normalising_piece_by_piece_is_normalising(text: str) -> None:
    """With short runs of marks, that is; longer ones are cut, which Unicode's own stream-safe form does too."""
    if not tokens._LONG_MARKS.search(text):
        assert tokens._Normal.of(text).text == unicodedata.normalize("NFKC", text)


def test_every_character_composes_within_its_piece() -> None:
    for point in range(0x110000):
        character = chr(point)
        decomposed = unicodedata.normalize("NFD", character)
        if len(decomposed) > 1 and unicodedata.normalize("NFC", decomposed) == character:
            assert all(map(tokens._joins, decomposed[1:])), hex(point)


@given(TEXTS, st.data())
def test_the_beginning_of_a_token_is_the_beginning_of_its_spelling(text: str, data: st.DataObject) -> None:
    for token in tokens.tokenize(text):
        place = data.draw(st.integers(1, len(token.text)))
        assert tokens.spelled(token.text).startswith(tokens.spelled(token.text[:place]))


@given(TEXTS, TEXTS)
def test_the_spelling_tells_tokens_apart(one: str, other: str) -> None:
    for left in tokens.tokenize(one):
        for right in tokens.tokenize(other):
            beginning = tokens.spelled(right.text).startswith(tokens.spelled(left.text))
            assert beginning == right.text.startswith(left.text)


def has_letters(character: str) -> bool:
    normal = unicodedata.normalize("NFKC", character)
    return any(one.isalnum() or unicodedata.category(one)[0] == "M" for one in normal)


def test_fts5_keeps_every_token_whole() -> None:
    """Each character that a token can have, among letters or alone: one term, and the very same."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE texts USING fts5(tokens, {TOKENIZE})")
    database.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, 'row')")
    spelled = [
        tokens.spelled(token.text)
        for point in range(0x110000)
        if has_letters(chr(point))
        for token in tokens.uncut(f"a{chr(point)}b")
    ]
    assert len(set(spelled)) > 100_000
    rows = [" ".join(spelled[start : start + 1000]) for start in range(0, len(spelled), 1000)]
    database.executemany("INSERT INTO texts (tokens) VALUES (?)", [(row,) for row in rows])
    indexed = dict(database.execute("SELECT term, cnt FROM terms"))
    database.close()
    assert sum(indexed.values()) == len(spelled), "none was cut"
    assert indexed.keys() == set(spelled), "none was changed"


@pytest.mark.parametrize("piece", ["camelCase ", "a\u0301\u0316", "\u0316\u0301", "ｱﾞ", "東", "aB", "(", "x"])
def test_time_is_linear_in_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        start = time.process_time()
        tokens.index_text(text)
        return time.process_time() - start

    best = min(seconds(16_000) / (seconds(2000) + 0.001) for _ in range(5))
    assert best < 24, "eight times the text may take eight times the time, with room for noise"


def test_the_same_letters_in_any_order_of_marks_are_one_token() -> None:
    dice = random.Random(3)
    marks = ["\u0301", "\u0316", "\u0327"]
    found = set()
    for _ in range(20):
        dice.shuffle(marks)
        found.add(tokens.forms("a" + "".join(marks)))
    assert len(found) == 1


def test_every_mark_stays_with_its_letter() -> None:
    of_han = {"\U00016fe4", "\U00016ff0", "\U00016ff1"}  # and so cut from it like everything of such scripts
    marks = {chr(point) for point in range(0x110000) if unicodedata.category(chr(point)).startswith("M")} - of_han
    assert len(marks) > 2000
    assert [mark for mark in marks if len(tokens.tokenize(f"a{mark}b")) != 1] == []
