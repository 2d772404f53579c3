"""PostgreSQL as engine: a tsvector written by us, with a GIN index, and tsquery literals, so that its parser and
dictionaries never see a text.

A tsvector keeps positions up to 16,383 only and 256 a word, and holds at most 1 MB. So ours has no positions: it leads
to the rows that have the words (`rows_with`), and the rest is looked up in the stored `tokens.index_text`. Where the
words of a text do not fit, the vector is null, and the index text alone answers for that row (a partial index `WHERE
vector IS NULL` keeps this quick). No condition looks at a vector itself: it lies outside its row, and reading it takes
longer than reading the index text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage_app.search.query import Every, No, Phrase, Search, Some, is_of_tokens, narrows
from storage_app.search.sql import Sql, connected, negation
from storage_app.search.tokens import spelled

LARGEST_VECTOR: Final = 1_000_000  # bytes of lexemes; PostgreSQL ends at 2^20 - 1
KNOWN: Final = "known"  # of the rows that the index led to, true


@dataclass(frozen=True)
class PostgreSql:
    """Columns: the index text, and `text.casefold()`, which a `pg_trgm` index may serve. `LIKE` is asked for narrowing
    only, with every sign of its own escaped. `held` is what `rows_with` was asked for, where they come from there.
    """

    tokens: str
    folded: str
    placeholder: str = "%s"
    held: Search | None = None

    def of_tokens(self, search: Search) -> Sql:
        if search == self.held and is_of_words(search):
            return connected("OR", [Sql(KNOWN), self._looked_up(search)])
        return self._looked_up(search)

    def of_substring(self, needle: str) -> Sql:
        pattern = "%" + needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        mark = self.placeholder
        return Sql(f"({self.folded} LIKE {mark} AND strpos({self.folded}, {mark}) > 0)", (pattern, needle))

    def _looked_up(self, search: Search) -> Sql:
        if isinstance(search, Phrase):
            return connected("OR", [self._form(form, prefix=search.prefix) for form in search.forms])
        if isinstance(search, No):
            return negation(self._looked_up(search.part))
        if not isinstance(search, (Every, Some)):
            raise TypeError(search)
        word = "AND" if isinstance(search, Every) else "OR"
        return connected(word, [self._looked_up(part) for part in search.parts])

    def _form(self, form: tuple[str, ...], *, prefix: bool) -> Sql:
        text = f" {' '.join(map(spelled, form))}{'' if prefix else ' '}"
        return Sql(f"strpos({self.tokens}, {self.placeholder}) > 0", (text,))


def needed(search: Search | None) -> Search | None:
    """Phrases that whatever answers the search has, for `rows_with`; None where it need not have any."""
    if isinstance(search, Phrase):
        return search
    if isinstance(search, Every):
        easy = tuple(part for part in search.parts if is_of_tokens(part))
        whole = Every(easy) if len(easy) > 1 else easy[0] if easy else None
        if whole is not None and is_of_words(whole) and narrows(whole):
            return whole
        found = [one for part in search.parts if (one := needed(part)) is not None]
        return Every(tuple(found)) if len(found) > 1 else found[0] if found else None
    if isinstance(search, Some):
        alternatives = [needed(part) for part in search.parts]
        known = tuple(one for one in alternatives if one is not None)
        return Some(known) if len(known) == len(alternatives) else None
    return None


def rows_with(table: str, columns: Sequence[str], held: Search, scope: Sql, begin: str = "", mark: str = "%s") -> Sql:
    """What stands behind FROM: the rows whose vector has the words of what is held, and those that have no vector.
    `begin` is what every lexeme begins with, where each project has lexemes of its own; `scope` is the condition of the
    project.
    """
    chosen = f"SELECT {', '.join(columns)}"
    return Sql(
        f"({chosen}, true AS {KNOWN} FROM {table} WHERE vector @@ {mark}::tsquery AND {scope.text} UNION ALL"
        f" {chosen}, false FROM {table} WHERE vector IS NULL AND {scope.text})",
        (tsquery(held, begin), *scope.params, *scope.params),
    )


def vector(index_text: str, begin: str = "") -> str | None:
    """The literal of the tsvector of a stored index text; None where PostgreSQL could not hold it."""
    words = sorted({begin + word for word in index_text.split()})
    if sum(len(word.encode()) + 2 for word in words) > LARGEST_VECTOR:
        return None
    return " ".join(map(_lexeme, words))


def tsquery(search: Search, begin: str = "") -> str:
    """The literal of a tsquery for the words, wherever they stand."""
    if isinstance(search, Phrase):
        return _joined("|", [_words(form, begin, prefix=search.prefix) for form in search.forms])
    if isinstance(search, No):
        return f"!({tsquery(search.part, begin)})"
    if not isinstance(search, (Every, Some)):
        raise TypeError(search)
    return _joined("&" if isinstance(search, Every) else "|", [tsquery(part, begin) for part in search.parts])


def is_of_words(search: Search) -> bool:
    """Whether single words are all it asks for, so that the vector alone answers."""
    if isinstance(search, Phrase):
        return all(len(form) == 1 for form in search.forms)
    if isinstance(search, No):
        return is_of_words(search.part)
    return isinstance(search, (Every, Some)) and all(map(is_of_words, search.parts))


def _words(form: tuple[str, ...], begin: str, *, prefix: bool) -> str:
    lexemes = [_lexeme(begin + spelled(token)) for token in form]
    return _joined("&", [*lexemes[:-1], lexemes[-1] + ":*" * prefix])


def _joined(sign: str, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({f' {sign} '.join(parts)})"


def _lexeme(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
