"""SQLite, PostgreSQL and the oracle find the same texts, whatever the texts and whatever is asked."""

import sqlite3
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, Self

import psycopg
import pytest

from storage_app.search import postgresql, tokens
from storage_app.search.fts5 import TOKENIZE, TOKENIZE_TRIGRAMS, Fts5
from storage_app.search.grammar import parse
from storage_app.search.nodes import Term
from storage_app.search.postgresql import PostgreSql
from storage_app.search.query import Document, Search, matches, search_of
from storage_app.search.sql import Sql, condition
from tests.storage.search_samples import LONG, SEGMENTS, WORDS, make_query, make_text

CASES: Final = 1200
FILES: Final = ("a.py", "b.py", "src/c.py", None)
TRAPS: Final = (*WORDS, LONG, LONG[:150], "", "İ ﬁ ŉ", "x" * 99 + "é" * 99, "a \x1f b", "NOT OR AND NEAR", '"', "''\\'")
# `'` beside `\`, `:*` and `&` are what a tsquery is made of; `"`, `*`, `{`, `:` and NEAR what a MATCH is
QUESTIONS: Final = (
    "a'\\:*b",
    "'x' & !y",
    'x" OR "y',
    "NEAR(a b)",
    "{tokens} : a",
    "tokens:a",
    "a AND",
    "^a",
    "%",
    "_",
    "\\",
)


class Engines:
    """The same texts in both databases and in memory; ids are 1, 2, 3 …"""

    def __init__(self, texts: list[str], socket_folder: str) -> None:
        self.documents = [Document(text) for text in texts]
        self.sqlite = sqlite3.connect(":memory:")
        self.postgresql = psycopg.connect(host=socket_folder, user="postgres", dbname="postgres")
        self._fill_sqlite()
        self._fill_postgresql()

    def _fill_sqlite(self) -> None:
        self.sqlite.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, file TEXT, folded TEXT NOT NULL)")
        self.sqlite.execute(f"CREATE VIRTUAL TABLE index_texts USING fts5(project, tokens, {TOKENIZE})")
        self.sqlite.execute(f"CREATE VIRTUAL TABLE trigrams USING fts5(folded, {TOKENIZE_TRIGRAMS})")
        for id, document in enumerate(self.documents, 1):
            self.sqlite.execute("INSERT INTO texts VALUES (?, ?, ?)", (id, file_of(id), document.folded))
            row = (id, "p1", tokens.index_text(document.text))
            self.sqlite.execute("INSERT INTO index_texts (rowid, project, tokens) VALUES (?, ?, ?)", row)
            self.sqlite.execute("INSERT INTO trigrams (rowid, folded) VALUES (?, ?)", (id, document.folded))
        stranger = (len(self.documents) + 1, "p2", tokens.index_text(" ".join(WORDS)))
        self.sqlite.execute("INSERT INTO index_texts (rowid, project, tokens) VALUES (?, ?, ?)", stranger)

    def _fill_postgresql(self) -> None:
        self.postgresql.execute(
            "CREATE TEMPORARY TABLE texts (id int PRIMARY KEY, file text, folded text NOT NULL,"
            " tokens text NOT NULL, vector tsvector)"
        )
        for id, document in enumerate(self.documents, 1):
            stored = tokens.index_text(document.text)
            vector = postgresql.vector(stored) if id % 10 else None  # as where it would not fit
            row = (id, file_of(id), document.folded, stored, vector)
            self.postgresql.execute("INSERT INTO texts VALUES (%s, %s, %s, %s, %s::tsvector)", row)
        self.postgresql.execute("CREATE INDEX ON texts USING gin (vector)")

    def in_memory(self, search: Search | None) -> list[int]:
        return [
            id
            for id, document in enumerate(self.documents, 1)
            if matches(search, document, lambda term, id=id: file_matches(term, file_of(id)))  # type: ignore[misc]  # a default binds
        ]

    def in_sqlite(self, search: Search | None, **more: Any) -> list[int]:
        engine = Fts5("index_texts", "texts.id", "texts.folded", scope=("project", "p1"), **more)
        asked = condition(search, engine, lambda term: file_sql(term, "?"))
        rows = self.sqlite.execute(f"SELECT id FROM texts WHERE {asked.text} ORDER BY id", asked.params)
        return [row[0] for row in rows]

    def in_postgresql(self, search: Search | None) -> list[int]:
        whole = self._asked_of_postgresql(search, None, Sql("texts"))
        held = postgresql.needed(search)
        if held is not None:
            columns = ("id", "file", "tokens", "folded")
            source = postgresql.rows_with("texts", columns, held, Sql("id > %s", (0,)))
            assert self._asked_of_postgresql(search, held, source) == whole, search
        return whole

    def _asked_of_postgresql(self, search: Search | None, held: Search | None, source: Sql) -> list[int]:
        asked = condition(search, PostgreSql("tokens", "folded", held=held), lambda term: file_sql(term, "%s"))
        statement = f"SELECT id FROM {source.text} AS t WHERE {asked.text} ORDER BY id"
        rows = self.postgresql.execute(statement.encode(), (*source.params, *asked.params))
        return [row[0] for row in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sqlite.close()
        self.postgresql.close()


def file_of(id: int) -> str | None:
    return FILES[id % len(FILES)]


def file_matches(term: Term, file: str | None) -> bool:
    value = term.values[0]
    return file is not None and (file.startswith(value.text) if value.prefix else file == value.text)


def file_sql(term: Term, mark: str) -> Sql:
    value = term.values[0]
    if value.prefix:
        return Sql(f"coalesce(substr(file, 1, {len(value.text)}) = {mark}, false)", (value.text,))
    return Sql(f"coalesce(file = {mark}, false)", (value.text,))


@pytest.fixture(scope="module")
def socket_folder() -> Iterator[str]:
    if sys.platform == "win32":
        pytest.skip("PostgreSQL's wheel speaks over a socket file here")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs grumbles on import where there is no XDG_RUNTIME_DIR
        from pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="search-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri().partition("host=")[2]
        server.cleanup()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Printed when a test fails; a failing run is repeated by putting it here."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")
    return seed


def test_every_engine_finds_what_the_oracle_finds(socket_folder: str, seed: int) -> None:
    dice = Random(seed)
    texts = [*TRAPS, *(make_text(dice) for _ in range(250))]
    with Engines(texts, socket_folder) as engines:
        found = 0
        for number in range(CASES):
            text = make_query(dice, texts)
            search = search_of(parse(text, SEGMENTS), SEGMENTS)
            expected = engines.in_memory(search)
            found += 0 < len(expected) < len(texts)
            assert engines.in_sqlite(search) == expected, text
            assert engines.in_postgresql(search) == expected, text
            if number % 4 == 0:
                assert engines.in_sqlite(search, trigrams="trigrams") == expected, text
    assert found > CASES // 2, "most questions must tell texts apart, else they prove little"


def test_what_is_syntax_to_an_engine_is_text_to_a_user(socket_folder: str) -> None:
    with Engines([*TRAPS, *QUESTIONS], socket_folder) as engines:
        for question in QUESTIONS:
            for text in (f'"{question.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"', question):
                try:
                    search = search_of(parse(text, SEGMENTS), SEGMENTS)
                except ValueError:
                    continue
                expected = engines.in_memory(search)
                assert engines.in_sqlite(search) == expected, text
                assert engines.in_postgresql(search) == expected, text
        quoted = search_of(parse('"{tokens} : a"', SEGMENTS), SEGMENTS)
        assert len(engines.in_sqlite(quoted)) == 2  # `{tokens} : a` and `tokens:a`


def test_a_phrase_is_found_at_the_end_of_a_very_long_text(socket_folder: str) -> None:
    """A tsvector's positions would end at 16,383, and at 256 of a word."""
    with Engines(["to be or not " * 10_000 + "that is", "is that " * 9000], socket_folder) as engines:
        for text, expected in (
            ('"that is"', [1, 2]),
            ('"not that is"', [1]),
            ('"be or that"', []),
            ('-"not that"', [2]),
        ):
            search = search_of(parse(text, SEGMENTS), SEGMENTS)
            assert (engines.in_memory(search), engines.in_sqlite(search), engines.in_postgresql(search)) == (
                expected, expected, expected,
            )  # fmt: skip


def test_a_text_whose_words_do_not_fit_a_vector_is_found_all_the_same(socket_folder: str) -> None:
    large = " ".join(f"word{number:06}" for number in range(90_000))
    assert postgresql.vector(tokens.index_text(large)) is None
    with Engines([large, "word089999"], socket_folder) as engines:
        for text, expected in (
            ("word089999", [1, 2]),
            ("word0000*", [1]),
            ('"word000007 word000008"', [1]),
            ("-word000001", [2]),
        ):
            search = search_of(parse(text, SEGMENTS), SEGMENTS)
            assert engines.in_postgresql(search) == engines.in_sqlite(search) == expected


def test_a_vector_just_below_the_limit_is_accepted(socket_folder: str) -> None:
    words = " ".join(f"w{number:07}" for number in range(99_999))
    literal = postgresql.vector(f" {words} ")
    assert literal is not None
    with psycopg.connect(host=socket_folder, user="postgres", dbname="postgres") as connection:
        row = connection.execute("SELECT length(%s::tsvector)", (literal,)).fetchone()
    assert row == (99_999,)
