"""An index of words in memory: which texts have which tokens. The verdict stays with `query.matches`."""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from storage_app.search import tokens
from storage_app.search.query import Document, Every, Phrase, Search, Some
from storage_app.search.ranking import Scored, Statistics
from storage_app.search.tokens import spelled

T = TypeVar("T", bound=Hashable)


class Inverted(Generic[T]):
    def __init__(self) -> None:
        self.documents: dict[T, Document] = {}
        self._having: dict[str, set[T]] = {}
        self._tokens = 0

    def add(self, id: T, text: str) -> None:
        document = self.documents[id] = Document(text)
        self._tokens += tokens.length(document.tokens)
        for token in set(document.tokens):
            self._having.setdefault(spelled(token), set()).add(id)

    def remove(self, id: T) -> None:
        document = self.documents.pop(id, None)
        if document is None:
            return
        self._tokens -= tokens.length(document.tokens)
        for token in set(document.tokens):
            having = self._having[spelled(token)]
            having.discard(id)
            if not having:
                del self._having[spelled(token)]

    def candidates(self, search: Search | None) -> Iterable[T]:
        """All that can match, and perhaps more."""
        found = self._possible(search)
        return self.documents if found is None else found

    def statistics(self, scored: Iterable[Scored]) -> Statistics:
        return Statistics(len(self.documents), self._tokens, {term: len(self._with(term)) for term in scored})

    def _possible(self, search: Search | None) -> set[T] | None:
        """None: any."""
        if isinstance(search, Phrase):
            return set().union(*(self._form(form, prefix=search.prefix) for form in search.forms))
        if isinstance(search, Every):
            known = [found for part in search.parts if (found := self._possible(part)) is not None]
            return set.intersection(*known) if known else None
        if isinstance(search, Some):
            parts = [self._possible(part) for part in search.parts]
            every = [part for part in parts if part is not None]
            return set().union(*every) if len(every) == len(parts) else None
        return None

    def _form(self, form: tuple[str, ...], *, prefix: bool) -> set[T]:
        *begin, last = map(spelled, form)
        sets = [self._with(Scored(token)) for token in begin] + [self._with(Scored(last, prefix))]
        return set.intersection(*sorted(sets, key=len))

    def _with(self, term: Scored) -> set[T]:
        if term.prefix:
            return set().union(*(self._having[token] for token in self._beginning(term.token)))
        return self._having.get(term.token, set())

    def _beginning(self, prefix: str) -> Iterator[str]:
        return (token for token in self._having if token.startswith(prefix))
