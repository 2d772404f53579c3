"""The query language for jobs: a text as conditions, and what may stand where somebody types.

    status:failed type:pdf tag:x created:>2026-01-01 duration:>5m error:"timed out" options.lang:de (a OR b) -c

Pages, API, bulk operations, saved views and export all read it here.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import Job
from jobs_app.errors import InvalidQueryError
from jobs_app.services.project_jobs import jobs_of, now
from jobs_app.services.suggested_values import RECENT, beginning, paths_of, values_at
from jobs_app.stores import job_fields
from jobs_app.stores.job_records import NOT_TRASHED, JobRecords
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.workers import WORKERS
from storage_app.records.configured import record_store
from storage_app.records.query import Node
from storage_app.search import completion
from storage_app.search.completion import MOST, Completion
from storage_app.search.errors import QueryError
from storage_app.search.grammar import LONGEST as LONGEST
from storage_app.search.nodes import Query


def read(text: str) -> Query:
    """The query, for chips and menus; InvalidQueryError says what is wrong and where."""
    try:
        return job_fields.parse(text)
    except QueryError as error:
        raise _refusal(text, error) from error


def nodes(text: str, moment: datetime | None = None) -> list[Node]:
    """What must hold of a job, in the store's words; times such as `-2h` are seen from the moment (default: now)."""
    query = read(text)
    try:
        return job_fields.compiled(query, moment or now())
    except QueryError as error:
        raise _refusal(text, error) from error


def suggestions(actor: Actor, slug: str, text: str, position: int) -> Completion:
    """What the word at the position can become: fields, and values that jobs of this project have.

    Content types come from counters and workers from their own list; tags, runs, options and results from the newest
    jobs: whoever types waits for a bounded look, whatever the size of the history.
    """
    project, records = jobs_of(actor, slug, Scope.READ)
    known = _KnownValues(records, project.slug)
    return completion.complete(text[:LONGEST], position, job_fields.FIELDS, known)


class _KnownValues:
    def __init__(self, records: JobRecords, slug: str) -> None:
        self._records = records
        self._slug = slug

    def __call__(self, name: str, typed: str) -> Iterable[str]:
        if name == "type":
            return beginning(self._content_types(), typed)
        if name == "worker":
            page = record_store().query(self._slug, WORKERS.name, {"id__startswith": typed}, limit=MOST)
            return [str(record.id) for record in page.records]
        head, dot, path = name.partition(".")
        if head in _BELOW:
            trees = [_BELOW[head](job) for job in self._recent()]
            found = values_at(trees, path) if dot else paths_of(trees)
            return beginning(found, typed)
        if name in _OF_JOBS:
            return beginning((value for job in self._recent() for value in _OF_JOBS[name](job)), typed)
        return []

    def _content_types(self) -> Iterator[str]:
        counted = record_store().count_by(self._slug, JOBS.name, ["status", "content_type"])
        for (state, content_type), number in counted.items():
            if state in NOT_TRASHED and content_type:
                yield from [str(content_type)] * min(number, RECENT)

    def _recent(self) -> list[Job]:
        return self._records.find({"status__in": NOT_TRASHED}, "-created_at", RECENT).jobs


_OF_JOBS: Final[dict[str, Any]] = {
    "tag": lambda job: job.tags,
    "uses": lambda job: [reference for use in job.uses for reference in use.references],
    "run": lambda job: [job.run_id] if job.run_id else [],
    "document": lambda job: [job.document_id] if job.document_id else [],
    "ingestion": lambda job: [job.ingestion_task_id] if job.ingestion_task_id else [],
    "cause": lambda job: [job.cause.fingerprint] if job.cause else [],
}
_BELOW: Final[dict[str, Any]] = {"options": lambda job: job.task_options, "result": lambda job: job.result_data}


def _refusal(text: str, error: QueryError) -> InvalidQueryError:
    return InvalidQueryError(str(error), error.position, error.length, error.corrected(text))
