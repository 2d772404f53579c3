"""Finding segments: by words, phrases, beginnings, pieces and filters, ranked the same on every record store.

Ranking looks at the newest 2,000 that match and says where there are more. A query of filters alone is a plain list
and has no such bound.
"""

import base64
import binascii
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.segment import Segment, Tier
from jobs_app.errors import InvalidError
from jobs_app.services.project_segments import segments_of
from jobs_app.services.segments import SegmentFilter, conditions
from jobs_app.services.suggested_values import RECENT, beginning, paths_of, values_at
from jobs_app.stores import segment_fields
from jobs_app.stores.segment_records import Asked, SegmentRecords, read_query, translated
from storage_app import strict_json
from storage_app.records import query
from storage_app.records.declarations import LARGEST_EXACT
from storage_app.records.query import Node
from storage_app.records.words import MOST_HITS
from storage_app.search import highlights
from storage_app.search.completion import Completion, complete
from storage_app.search.grammar import LONGEST
from storage_app.search.highlights import Excerpt, Span
from storage_app.search.nodes import Query
from storage_app.search.query import Every, Filter, No, Search, Some
from storage_app.search.ranking import Hit, Ranked, Scored, Statistics, rank, scored

FACETS: Final = ("type", "task", "file", "tag")
FACET_VALUES: Final = 10
EXCERPT: Final = 240
_FACET_FIELDS: Final = {"type": "type", "task": "task_id", "file": "file_path"}


@dataclass(frozen=True, slots=True)
class Match:
    segment: Segment
    score: float
    highlights: list[Span]
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Matches:
    """`matched` counts what was found; `capped`: there are more, older ones. `facets` are of what was found; those of
    `partial_facets` of the newest of that alone.
    """

    items: list[Match]
    next_cursor: str | None
    matched: int
    capped: bool
    query: Query
    facets: dict[str, list[FacetValue]]
    partial_facets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TierStatistics:
    segments: int
    tokens: int
    pinned: int


def search_stashed(actor: Actor, slug: str, text: str, wanted: SegmentFilter | None = None, **more: Any) -> Matches:
    """Among the stashed ones alone."""
    return search(actor, slug, text, replace(wanted or SegmentFilter(), tier=Tier.STASHED), **more)


def search(
    actor: Actor,
    slug: str,
    text: str,
    wanted: SegmentFilter,
    cursor: str | None = None,
    limit: int = 50,
    *,
    facets: bool = False,
) -> Matches:
    """Best first; equal ones by the time they were touched, then by id."""
    _, records = segments_of(actor, slug, Scope.READ)
    return search_in(records, text, wanted, cursor, limit, facets=facets)


def search_in(
    records: SegmentRecords,
    text: str,
    wanted: SegmentFilter,
    cursor: str | None = None,
    limit: int = 50,
    *,
    facets: bool = False,
) -> Matches:
    """The same, where it was asked already who may look."""
    asked, now = read_query(text), records.now()
    _, slug = records.place
    where = conditions(wanted)
    if (plain := query_conditions(asked, now)) is not None:
        return _listed(records, asked, [*where, *plain], cursor, limit, facets=facets)
    hits = records.find_words(asked, where, now)
    terms, place = scored(asked.search), None
    if cursor is not None:
        place = _opened(cursor, slug, terms)
    numbers = place.statistics if place else hits.statistics
    ranked = rank(hits.hits, terms, numbers)
    touched = {hit.id: hit.touched for hit in hits.hits}
    start = _start(ranked, touched, place) if place else 0
    chosen = ranked[start : start + limit]
    found = {one.id: one for one in records.get_many([one.id for one in chosen])}
    items = [_match(found[one.id], one.score, asked) for one in chosen if one.id in found]
    more = start + limit < len(ranked)
    last = _Place(numbers, chosen[-1].score, touched[chosen[-1].id], chosen[-1].id) if more and chosen else None
    next_cursor = _sealed(slug, last, terms) if last else None
    counted = _facets(records, hits.hits) if facets else {}
    partial = FACETS if facets and hits.capped else ()
    return Matches(items, next_cursor, len(hits.hits), hits.capped, asked.query, counted, partial)


def suggestions(actor: Actor, slug: str, text: str, position: int) -> Completion:
    """What the word at the position can become: fields, and values that segments of this project have.

    Types, tasks and files come from their indexes; tags and what is in metadata from the newest segments: whoever types
    waits for a bounded look, whatever the number of segments.
    """
    _, records = segments_of(actor, slug, Scope.READ)
    return complete(text[:LONGEST], position, segment_fields.FIELDS, _KnownValues(records))


def statistics(actor: Actor, slug: str) -> dict[Tier, TierStatistics]:
    """How much each tier holds, from counters."""
    _, records = segments_of(actor, slug, Scope.READ)
    sizes = records.count_by(["tier", "tokens"])
    pins = records.count_by(["tier", "pinned"])
    return {
        tier: TierStatistics(
            sum(count for (name, _), count in sizes.items() if name == tier.value),
            sum(count * tokens for (name, tokens), count in sizes.items() if name == tier.value),
            sum(count for (name, pinned), count in pins.items() if name == tier.value and pinned),
        )
        for tier in Tier
    }


class _KnownValues:
    def __init__(self, records: SegmentRecords) -> None:
        self._records = records

    def __call__(self, name: str, typed: str) -> Iterable[str]:
        if name in _FACET_FIELDS:
            return self._indexed(_FACET_FIELDS[name], typed)
        head, dot, path = name.partition(".")
        if head == "meta":
            trees = [one.metadata for one in self._recent()]
            return beginning(values_at(trees, path) if dot else paths_of(trees), typed)
        if name == "tag":
            return beginning((tag for one in self._recent() for tag in one.tags), typed)
        return []

    def _indexed(self, field: str, typed: str) -> Iterator[str]:
        """One seek for each value, however many segments have it."""
        where = [*conditions(SegmentFilter()), query.parse(f"{field}__startswith", typed)]
        after: list[Node] = []
        while found := self._records.find([*where, *after], field, 1).segments:
            value = getattr(found[0], field)
            yield value
            after = [query.parse(f"{field}__gt", value)]

    def _recent(self) -> list[Segment]:
        return self._records.find(conditions(SegmentFilter()), "-touched_at", RECENT).segments


def query_conditions(asked: Asked, now: datetime) -> list[Node] | None:
    """A query of filters alone as conditions of a list; None where texts must be looked into."""
    if asked.search is None:
        return []
    parts = asked.search.parts if isinstance(asked.search, Every) else (asked.search,)
    if not all(map(_is_filter, parts)):
        return None
    with translated():
        return [_condition(part, now) for part in parts]


def _is_filter(search: Search) -> bool:
    if isinstance(search, No):
        return _is_filter(search.part)
    if isinstance(search, (Every, Some)):
        return all(map(_is_filter, search.parts))
    return isinstance(search, Filter)


def _condition(search: Search, now: datetime) -> Node:
    if isinstance(search, Filter):
        return segment_fields.meaning(search.term, now)
    if isinstance(search, No):
        return query.Not(_condition(search.part, now))
    if isinstance(search, (Every, Some)):
        joined = query.AllOf if isinstance(search, Every) else query.AnyOf
        return joined(tuple(_condition(part, now) for part in search.parts))
    raise TypeError(search)


def _listed(
    records: SegmentRecords, asked: Asked, where: list[Node], cursor: str | None, limit: int, *, facets: bool
) -> Matches:
    page = records.find(where, "-touched_at", limit, cursor)
    items = [_match(one, 0.0, asked) for one in page.segments]
    matched = records.count(where)
    counted: dict[str, list[FacetValue]] = {}
    partial: tuple[str, ...] = ()
    if facets:
        partial = FACETS if matched > MOST_HITS else ()
        newest = list(islice(records.walk(where, "-touched_at"), MOST_HITS))
        counted = _counted(newest)
        if len(where) == 1:  # nothing but the tiers, which counters know
            counted.update(_from_counters(records, where))
            partial = tuple(name for name in partial if name not in _FACET_FIELDS)
    return Matches(items, page.next_cursor, matched, False, asked.query, counted, partial)


def _match(segment: Segment, score: float, asked: Asked) -> Match:
    spans = highlights.highlights(asked.search, segment.text) if asked.search else []
    return Match(segment, score, spans, highlights.excerpt(segment.text, spans, EXCERPT))


def _facets(records: SegmentRecords, hits: Sequence[Hit[str]]) -> dict[str, list[FacetValue]]:
    ids = [hit.id for hit in hits]
    return _counted(one for start in range(0, len(ids), 1000) for one in records.get_many(ids[start : start + 1000]))


def _counted(found: Iterable[Segment]) -> dict[str, list[FacetValue]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for one in found:
        counts["type"][one.type] += 1
        counts["tag"].update(one.tags)
        if one.task_id is not None:
            counts["task"][one.task_id] += 1
        if one.file_path is not None:
            counts["file"][one.file_path] += 1
    return {name: _most(counter) for name, counter in counts.items()}


def _from_counters(records: SegmentRecords, where: list[Node]) -> dict[str, list[FacetValue]]:
    return {
        name: _most({value: count for (value,), count in records.count_by([field], where).items() if value is not None})
        for name, field in _FACET_FIELDS.items()
    }


def _most(counts: Mapping[str, int]) -> list[FacetValue]:
    chosen = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:FACET_VALUES]
    return [FacetValue(value, count) for value, count in chosen]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended, and the numbers that it was ranked by: the next page is ranked by the same, since each text
    that comes or goes moves the scores of all.
    """

    statistics: Statistics
    score: float
    touched: int
    id: str


def _start(ranked: list[Ranked[str]], touched: Mapping[str, int], after: _Place) -> int:
    """The place of the first that comes after the cursor's, whether that one is still there or not."""
    place = (-after.score, -after.touched, after.id)
    return bisect_right(ranked, place, key=lambda one: (-one.score, -touched[one.id], one.id))


def _sealed(slug: str, last: _Place, terms: Sequence[Scored]) -> str:
    numbers = [last.statistics.texts, last.statistics.tokens, *(last.statistics.frequencies[term] for term in terms)]
    body = strict_json.dumps_bytes([slug, numbers, last.score, last.touched, last.id])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _opened(cursor: str, slug: str, terms: Sequence[Scored]) -> _Place:
    try:
        body = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        value: Any = strict_json.loads(body)
        made_for, (texts, tokens, *counts), score, touched, id = value
    except (ValueError, TypeError, binascii.Error):
        raise _not_ours() from None
    numbers = (texts, tokens, *counts)
    if not all(type(number) is int and 0 <= number <= LARGEST_EXACT for number in numbers) or len(counts) != len(terms):
        raise _not_ours()
    if made_for != slug or not isinstance(score, float) or type(touched) is not int or not isinstance(id, str):
        raise _not_ours()
    return _Place(Statistics(texts, tokens, dict(zip(terms, counts, strict=True))), score, touched, id)


def _not_ours() -> InvalidError:
    return InvalidError.at("cursor", "is not one that this search gave out")
