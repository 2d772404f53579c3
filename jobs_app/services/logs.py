"""A job's log: appended to in batches, by its holder or by whoever may write; read from either end, and followed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jobs_app.domain import lease
from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job_log import LONGEST_MESSAGE, MOST_ENTRIES, LogEntry, LogLevel, NewLogEntry
from jobs_app.errors import InvalidError
from jobs_app.services.project_jobs import jobs_of
from jobs_app.stores.job_records import translated
from jobs_app.stores.jobs import JOBS, LOGS, from_record
from jobs_app.stores.logs import entry_in, entry_out
from storage_app import strict_json
from storage_app.records.configured import record_store
from storage_app.records.operations import Append, Appended, Entry, Outcome, Record, Update
from storage_app.records.query import Condition, Node, Op, parse

LARGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """`level` is the least severe one that is shown."""

    level: LogLevel | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in order. `after` and `before` say where to read on in either direction; None: nothing is left there.
    `end` is the number of the last line there was: whoever follows goes on after it.
    """

    lines: list[LogEntry]
    after: int | None
    before: int | None
    end: int


@dataclass(frozen=True, slots=True)
class Added:
    """How many of the entries were new, and the number of the log's last line now."""

    added: int
    end: int


def append(actor: Actor, slug: str, id: str, entries: Sequence[NewLogEntry], token: str | None = None) -> Added:
    """All or none. With a token only its holder may write; without, whoever may change the job.

    A batch that is sent again adds nothing: entries are known by their sequence within the attempt, or, where they
    have none but a time each, by the batch as a whole.
    """
    project, records = jobs_of(actor, slug, Scope.WRITE if token is None else Scope.WORK)
    _check(entries)
    job, now, store = records.get(id), records.now(), record_store()

    def hold(record: Record) -> Outcome:
        """Leaves the record alone, and refuses the lines with it where the lease is gone by now."""
        if token is not None:
            lease.require_holder(from_record(record), token)
        return Outcome(None)

    with translated(id):
        if token is not None:
            lease.require_holder(job, token)
        attempt = job.attempt if token is not None else None
        source = f"{actor.kind}-{actor.id}" if attempt is None else f"attempt-{attempt}"
        lines = _lines(job.id, entries, now, attempt, source)
        results = store.apply(project.slug, [Update(JOBS.name, id, hold), *lines])
    appended = [result for result in results if isinstance(result, Appended)]
    return Added(sum(result.added for result in appended), appended[-1].end)


def read(actor: Actor, slug: str, id: str, wanted: LogFilter, *, after: int = 0, limit: int = 100) -> LogPage:
    """From the line after `after` on."""
    return _page(actor, slug, id, wanted, after=after, limit=limit)


def tail(
    actor: Actor, slug: str, id: str, wanted: LogFilter, *, before: int | None = None, limit: int = 100
) -> LogPage:
    """The last lines, or the last before the line `before`; costs the same however long the log is."""
    return _page(actor, slug, id, wanted, before=before, limit=limit, backwards=True)


def download(actor: Actor, slug: str, id: str, wanted: LogFilter) -> Iterator[LogEntry]:
    """Every line there is, page by page."""
    first = read(actor, slug, id, wanted, limit=LARGEST_PAGE)  # refusals come before the first byte
    return _pages(actor, slug, id, wanted, first)


def _pages(actor: Actor, slug: str, id: str, wanted: LogFilter, page: LogPage) -> Iterator[LogEntry]:
    while True:
        yield from page.lines
        if page.after is None:
            return
        page = read(actor, slug, id, wanted, after=page.after, limit=LARGEST_PAGE)


def _page(actor: Actor, slug: str, id: str, wanted: LogFilter, **span: Any) -> LogPage:
    project, records = jobs_of(actor, slug, Scope.READ)
    records.get(id)
    conditions = _conditions(wanted)
    with translated(id):
        page = record_store().read_stream(project.slug, JOBS.name, id, LOGS, conditions=conditions, **span)
    return LogPage([entry_in(entry) for entry in page.entries], page.after, page.before, page.end)


def _conditions(wanted: LogFilter) -> list[Node]:
    found: list[Node] = []
    if wanted.level is not None and wanted.level is not LogLevel.DEBUG:
        found.append(Condition(("level",), Op.IN, [level.value for level in wanted.level.and_above]))
    if wanted.text is not None and wanted.text.split():
        found.append(parse("message__search", wanted.text))
    return found


def _lines(id: str, entries: Sequence[NewLogEntry], now: datetime, attempt: int | None, source: str) -> list[Append]:
    documents = [entry_out(entry, now, attempt) for entry in entries]
    if all(entry.sequence is not None for entry in entries):
        numbered = [Entry(data, entry.sequence) for data, entry in zip(documents, entries, strict=True)]
        return [Append(JOBS.name, id, LOGS, numbered, source)]
    if all(entry.time is not None for entry in entries):
        digest = hashlib.sha256(strict_json.dumps_bytes(documents)).hexdigest()
        numbered = [Entry(data, number) for number, data in enumerate(documents)]
        return [Append(JOBS.name, id, LOGS, numbered, f"batch-{digest}")]
    return [Append(JOBS.name, id, LOGS, documents)]


def _check(entries: Sequence[NewLogEntry]) -> None:
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise InvalidError.at("entries", f"send 1 to {MOST_ENTRIES} at once")
    for number, entry in enumerate(entries):
        if len(entry.message) > LONGEST_MESSAGE:
            raise InvalidError.at(f"entries.{number}.message", f"{LONGEST_MESSAGE} characters are the most")
    given = [entry.sequence is not None for entry in entries]
    if any(given) and not all(given):
        raise InvalidError.at("entries", "give every entry a sequence, or none")
