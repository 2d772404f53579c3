"""The numbers of one project in the record store: facts that wait to be counted, and the sheets they are counted into.

A fact is written in the same atomic step as the end that it tells of, as a record of its own: no two writers ever meet
at one. Counting deletes facts and adds them to the sheets in one atomic step, so each counts once, whoever counts,
however often somebody is killed over it, and whatever the clocks say.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from jobs_app.domain import job_numbers
from jobs_app.domain.histogram import Histogram
from jobs_app.domain.job import Step
from jobs_app.domain.job_numbers import MOST_TYPES, MOST_WORKERS, Depth, Fact, Named, Outcome, Tally
from jobs_app.domain.job_states import JobState
from jobs_app.domain.number_spans import Aspect, Place, Tier, place, sheet_of, sheets_between
from jobs_app.stores.values import known_time, mapping, number, optional_text, text, time_out
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.errors import AlreadyExistsError, QuarantinedError, RecordNotFoundError
from storage_app.records.operations import Delete, Insert, Operation, Record, Update

FACTS: Final = Collection("job_facts")
SHEETS: Final = Collection(
    "job_numbers",
    ids=Ids.GIVEN,
    fields=(Field("tier", Kind.TEXT), Field("starts_at", Kind.TIME)),
    orders=(Order(("starts_at",), within=("tier",)),),
)
# Used while the sheet itself lies in quarantine, where its name is taken; reading adds the two up.
SPARE: Final = "~2"
log = logging.getLogger("holdfast.numbers")

V = TypeVar("V")


def counted(step: Step) -> list[Operation]:
    """What a step adds to the facts, for the atomic write of the step itself."""
    return [Insert(FACTS.name, fact_out(fact)) for fact in job_numbers.facts_of(step)]


class NumberRecords:
    """Cheap to make; holds nothing but where to look."""

    def __init__(self, store: RecordStore, project: str) -> None:
        self._store = store
        self._project = project

    def uncounted(self, limit: int) -> dict[str, Fact]:
        """The first facts that nobody counted yet, by id."""
        records = self._store.query(self._project, FACTS.name, limit=limit).records
        facts = {str(record.id): fact for record in records if (fact := self._fact_or_set_aside(record)) is not None}
        return facts if facts or not records else self.uncounted(limit)

    def count(self, facts: Mapping[str, Fact]) -> bool:
        """Adds the facts to their sheets and takes them away, in one step. False: somebody else was at it."""
        changes = _gathered(facts.values())
        deletes = [Delete(FACTS.name, id) for id in facts]
        return self._written(lambda: [*deletes, *self._operations(changes)])

    def note(self, depth: Depth) -> bool:
        """What there is now, beside what was seen before in the same minute, hour and day."""
        changes: Changes = {}
        for tier in Aspect.DEPTH.tiers:
            _put(changes, DEPTH, place(tier, depth.at), depth)
        return self._written(lambda: self._operations(changes))

    def cells(self, form: "Form[V]", tier: Tier, first: datetime, last: datetime) -> dict[datetime, V]:
        """By their beginning, those from `first` to `last` that anything is known of."""
        names = [_name(form.aspect, tier, sheet) for sheet in sheets_between(tier, first, last)]
        found: dict[datetime, V] = {}
        for record in self._store.get_many(self._project, SHEETS.name, [n + end for n in names for end in ("", SPARE)]):
            for start, value in self._cells_or_set_aside(form, record, first, last):
                found[start] = form.add(found[start], value) if start in found else value
        return found

    def ever(self, now: datetime) -> Tally:
        """Everything that was ever counted."""
        return sum(self.cells(WHOLE, Tier.EVER, sheet_of(Tier.EVER, now), now).values(), Tally())

    def prune(self, now: datetime) -> int:
        """Removes what is older than its tier is kept."""
        removed = 0
        for tier in Tier:
            if tier.kept is not None:
                old = {"tier": tier.value, "starts_at__lt": now - tier.kept}
                removed += len(self._store.delete_where(self._project, SHEETS.name, old, order="starts_at").records)
        return removed

    def _written(self, operations: Callable[[], Sequence[Operation]]) -> bool:
        for _ in range(_ROUNDS):
            try:
                self._store.apply(self._project, operations())
            except AlreadyExistsError:
                continue  # somebody else began the same sheet just now
            except RecordNotFoundError:
                return False
            except _DamagedSheetError as error:
                self._set_aside(error.record, error)
                continue
            return True
        return False

    def _operations(self, changes: "Changes") -> list[Operation]:
        return [self._added(sheet, cells) for sheet, cells in changes.items()]

    def _added(self, sheet: "_Sheet", cells: Mapping[datetime, Any]) -> Operation:
        name, is_there = self._where(_name(sheet.form.aspect, sheet.tier, sheet.start))
        if is_there:
            return Update(SHEETS.name, name, lambda record: {"cells": _merged(sheet.form, record, cells)})
        document = {
            "tier": sheet.tier.value,
            "aspect": sheet.form.aspect.value,
            "starts_at": time_out(sheet.start),
            "cells": {_key(start): sheet.form.out(value) for start, value in cells.items()},
        }
        return Insert(SHEETS.name, document, name)

    def _where(self, name: str) -> tuple[str, bool]:
        """The id to write to, and whether there is a record of it."""
        for id in (name, name + SPARE):
            try:
                self._store.get(self._project, SHEETS.name, id)
            except RecordNotFoundError:
                return id, False
            except QuarantinedError:
                continue
            return id, True
        raise QuarantinedError(SHEETS.name, name, "and so is the one in its stead")

    def _cells_or_set_aside(
        self, form: "Form[V]", record: Record, first: datetime, last: datetime
    ) -> list[tuple[datetime, V]]:
        try:
            cells = [(known_time(key), value) for key, value in mapping(record.document["cells"]).items()]
            return [(start, form.into(value)) for start, value in cells if first <= start <= last]
        except _NO_SENSE as error:
            self._set_aside(record, error)
            return []

    def _fact_or_set_aside(self, record: Record) -> Fact | None:
        try:
            return _fact_in(record.document)
        except _NO_SENSE as error:
            self._set_aside(record, error, FACTS)
            return None

    def _set_aside(self, record: Record, error: Exception, collection: Collection = SHEETS) -> None:
        reason = f"makes no sense: {type(error).__name__}: {error}"
        log.warning("Record %s of %s in %s goes to quarantine: %s", record.id, collection.name, self._project, reason)
        try:
            self._store.quarantine(self._project, collection.name, record.id, reason)
        except (RecordNotFoundError, QuarantinedError):
            log.info("Record %s was deleted or set aside by somebody else.", record.id)


@dataclass(frozen=True)
class Form(Generic[V]):
    """How the cells of an aspect are written, read and added up; `gather` is what facts come to."""

    aspect: Aspect
    out: Callable[[V], dict[str, Any]]
    into: Callable[[Any], V]
    add: Callable[[V, V], V]
    gather: Callable[[Iterable[Fact]], V] | None = None
    # adding to what is kept, where that may not grow for ever
    keep: Callable[[V | None, V], V] | None = None


def _tally_out(tally: Tally) -> dict[str, Any]:
    value: dict[str, Any] = {outcome.value: count for outcome, count in tally.outcomes.items()}
    return {**value, "waited": _histogram_out(tally.waited), "worked": _histogram_out(tally.worked)}


def _tally_in(value: Any) -> Tally:
    outcomes = {outcome: number(value[outcome.value]) for outcome in Outcome if outcome.value in value}
    return Tally(outcomes, _histogram_in(value["waited"]), _histogram_in(value["worked"]))


def _named_out(named: Named) -> dict[str, Any]:
    return {
        "named": {name: _tally_out(tally) for name, tally in named.named.items()},
        "others": _tally_out(named.others),
    }


def _named_in(value: Any) -> Named:
    named = {name: _tally_in(tally) for name, tally in mapping(value["named"]).items()}
    return Named(named, _tally_in(value["others"]))


def _depth_out(depth: Depth) -> dict[str, Any]:
    return {
        "at": time_out(depth.at),
        "counts": {state.value: count for state, count in depth.counts.items()},
        "due": depth.due,
        "oldest_seconds": depth.oldest_seconds,
        "stored_bytes": depth.stored_bytes,
        "highest_pending": depth.highest_pending,
        "longest_oldest": depth.longest_oldest,
    }


def _depth_in(value: Any) -> Depth:
    stored = value["stored_bytes"]
    return Depth(
        at=known_time(value["at"]),
        counts={JobState(state): number(count) for state, count in mapping(value["counts"]).items()},
        due=number(value["due"]),
        oldest_seconds=_seconds(value["oldest_seconds"]),
        stored_bytes=None if stored is None else number(stored),
        highest_pending=number(value["highest_pending"]),
        longest_oldest=_seconds(value["longest_oldest"]),
    )


WHOLE: Final = Form(Aspect.WHOLE, _tally_out, _tally_in, Tally.__add__, job_numbers.tally_of)
TYPES: Final = Form(
    Aspect.TYPES,
    _named_out,
    _named_in,
    Named.plus,
    job_numbers.by_type,
    lambda old, new: (old or Named()).plus(new, MOST_TYPES),
)
WORKERS: Final = Form(
    Aspect.WORKERS,
    _named_out,
    _named_in,
    Named.plus,
    job_numbers.by_worker,
    lambda old, new: (old or Named()).plus(new, MOST_WORKERS),
)
DEPTH: Final = Form(Aspect.DEPTH, _depth_out, _depth_in, Depth.merged)


@dataclass(frozen=True)
class _Sheet:
    form: Form[Any]
    tier: Tier
    start: datetime


Changes = dict[_Sheet, dict[datetime, Any]]
_ROUNDS: Final = 5
_NO_SENSE: Final = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class _DamagedSheetError(Exception):
    def __init__(self, record: Record, reason: str) -> None:
        self.record = record
        super().__init__(reason)


def _gathered(facts: Iterable[Fact]) -> Changes:
    """What the facts add to each cell of each sheet."""
    changes: Changes = {}
    forms = (WHOLE, TYPES, WORKERS)
    for tier in Tier:
        grouped: dict[Place, list[Fact]] = {}
        for fact in facts:
            grouped.setdefault(place(tier, fact.at), []).append(fact)
        for at, theirs in grouped.items():
            for form in forms:
                if tier in form.aspect.tiers:
                    assert form.gather is not None
                    _put(changes, form, at, form.gather(theirs))
    return changes


def _put(changes: Changes, form: Form[Any], at: Place, value: Any) -> None:
    # through `keep` also for a first value, so that nothing begins with more than it may hold
    changes.setdefault(_Sheet(form, at.tier, at.sheet), {})[at.cell] = _kept(form, None, value)


def _kept(form: Form[V], old: V | None, new: V) -> V:
    if form.keep is not None:
        return form.keep(old, new)
    return new if old is None else form.add(old, new)


def _merged(form: Form[Any], record: Record, cells: Mapping[datetime, Any]) -> dict[str, Any]:
    try:
        merged = dict(mapping(record.document["cells"]))
        for start, value in cells.items():
            old = form.into(merged[_key(start)]) if _key(start) in merged else None
            merged[_key(start)] = form.out(_kept(form, old, value))
    except _NO_SENSE as error:
        raise _DamagedSheetError(record, f"{type(error).__name__}: {error}") from error
    return merged


def _name(aspect: Aspect, tier: Tier, sheet: datetime) -> str:
    return f"{aspect}-{tier}-{sheet:%Y%m%dT%H}"


def _key(start: datetime) -> str:
    key = time_out(start)
    assert key is not None
    return key


def fact_out(fact: Fact) -> dict[str, Any]:
    return {
        "at": time_out(fact.at),
        "outcome": fact.outcome.value,
        "content_type": fact.content_type,
        "worker_id": fact.worker_id,
        "waited_microseconds": fact.waited_microseconds,
        "worked_microseconds": fact.worked_microseconds,
    }


def _fact_in(value: Mapping[str, Any]) -> Fact:
    return Fact(
        at=known_time(value["at"]),
        outcome=Outcome(value["outcome"]),
        content_type=text(value["content_type"]),
        worker_id=optional_text(value["worker_id"]),
        waited_microseconds=_duration(value["waited_microseconds"]),
        worked_microseconds=_duration(value["worked_microseconds"]),
    )


def _duration(value: Any) -> int | None:
    if value is None:
        return None
    if number(value) < 0:
        raise ValueError(f"{value} is no duration")
    return number(value)


def _histogram_out(histogram: Histogram) -> dict[str, Any]:
    return {"buckets": sorted(map(list, histogram.buckets.items())), "microseconds": histogram.total_microseconds}


def _histogram_in(value: Any) -> Histogram:
    return Histogram(
        {number(bucket): number(count) for bucket, count in value["buckets"]}, number(value["microseconds"])
    )


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number of seconds")
    return float(value)
