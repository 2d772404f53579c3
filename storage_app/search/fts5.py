"""SQLite's FTS5 as engine, over the stored `tokens.index_text`:

    CREATE VIRTUAL TABLE texts USING fts5(tokens, tokenize='unicode61 remove_diacritics 0')

It gets quoted tokens only, so nothing of a user's text is ever its syntax. It cannot ask for what is *not* there alone,
so each search is turned into what is asked for, and whether its contrary is meant.
"""

from dataclasses import dataclass
from typing import Final

from storage_app.search.query import Every, No, Phrase, Search, Some
from storage_app.search.sql import Sql
from storage_app.search.tokens import spelled

TOKENIZE: Final = "tokenize='unicode61 remove_diacritics 0'"
TOKENIZE_TRIGRAMS: Final = "tokenize='trigram case_sensitive 1'"
_SHORTEST_TRIGRAM: Final = 3


@dataclass(frozen=True)
class Fts5:
    """`table` and `column` hold the index text; `rowid` is what its rowid equals in the query around. `folded` is the
    column with `text.casefold()`. `trigrams`, if given, is an FTS5 table over `folded` that narrows substrings.
    `scope` is a column of `table` and the one token in it that rows must have, such as the project's; `begin`
    is what every token in the index begins with, where each project has tokens of its own: then no list of texts is
    walked but the project's.
    """

    table: str
    rowid: str
    folded: str
    column: str = "tokens"
    trigrams: str | None = None
    scope: tuple[str, str] | None = None
    placeholder: str = "?"
    begin: str = ""

    def of_tokens(self, search: Search) -> Sql:
        asked, contrary = match(search, self.begin)
        text = f"{{{self.column}}} : ({asked})"
        if self.scope:
            text = f"({{{self.scope[0]}}} : {_quoted(self.scope[1:])}) AND ({text})"
        verb = "NOT IN" if contrary else "IN"
        chosen = f"SELECT rowid FROM {self.table} WHERE {self.table} MATCH {self.placeholder}"  # noqa: S608 names are ours
        return Sql(f"{self.rowid} {verb} ({chosen})", (text,))

    def of_substring(self, needle: str) -> Sql:
        exact = f"instr({self.folded}, {self.placeholder}) > 0"
        if self.trigrams is None or len(needle) < _SHORTEST_TRIGRAM or "\x00" in needle:
            return Sql(exact, (needle,))
        chosen = f"SELECT rowid FROM {self.trigrams} WHERE {self.trigrams} MATCH {self.placeholder}"  # noqa: S608
        return Sql(f"({self.rowid} IN ({chosen}) AND {exact})", ('"' + needle.replace('"', '""') + '"', needle))


def match(search: Search, begin: str = "") -> tuple[str, bool]:
    """The MATCH text, and whether the rows that do *not* match it are meant."""
    if isinstance(search, Phrase):
        texts = [_quoted(form, begin) + " *" * search.prefix for form in search.forms]
        return _all_of("OR", texts), False
    if isinstance(search, No):
        text, contrary = match(search.part, begin)
        return text, not contrary
    if not isinstance(search, (Every, Some)):
        raise TypeError(search)
    found = [match(part, begin) for part in search.parts]
    wanted = [text for text, contrary in found if not contrary]
    unwanted = [text for text, contrary in found if contrary]
    if isinstance(search, Every):
        return (_except(wanted, unwanted), False) if wanted else (_all_of("OR", unwanted), True)
    # a OR NOT b is NOT (b AND NOT a)
    return (_except(unwanted, wanted), True) if unwanted else (_all_of("OR", wanted), False)


def _except(wanted: list[str], unwanted: list[str]) -> str:
    text = _all_of("AND", wanted)
    return f"({text} NOT {_all_of('OR', unwanted)})" if unwanted else text


def _all_of(word: str, texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({f' {word} '.join(texts)})"


def _quoted(tokens: tuple[str, ...], begin: str = "") -> str:
    return '"' + " ".join(begin + spelled(token) for token in tokens) + '"'
