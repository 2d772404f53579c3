"""What a query for jobs may name, declared beside the collection, and a query as the store's conditions.

A word of a name, path or error is looked for in the indexed search text first, which holds all three, and then in the
field itself: so the index narrows what the field decides.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from jobs_app.domain.job_states import JobState
from jobs_app.stores.jobs import JOBS
from storage_app.records.query import AllOf, Condition, Op
from storage_app.records.query import Node as Filter
from storage_app.search import conditions, grammar
from storage_app.search.conditions import Custom
from storage_app.search.errors import QueryError
from storage_app.search.fields import Comparison, Field, Fields, Kind
from storage_app.search.nodes import Query, Term, leaves

SEARCH: Final = "search"
MOST_CONDITIONS: Final = 40  # leaves room for those of filters and states

FIELDS: Final = Fields(
    (
        Field(
            "status", Kind.CHOICE, choices=tuple(state.value for state in JobState), aliases=("state",), help="state"
        ),
        Field("type", Kind.WORD, ("content_type",), ("content_type",), help="content type"),
        Field("worker", Kind.WORD, ("worker_id",), ("worker_id",), help="worker that has or had it"),
        Field("tag", Kind.TAG, ("tags",), ("tags",), help="one of its tags"),
        Field("uses", Kind.TAG, ("used",), help="a text of the library, as prompts/name"),
        Field("name", Kind.TEXT, help="words of its name"),
        Field("path", Kind.TEXT, ("source_file_path",), ("file",), help="words of its path"),
        Field("error", Kind.TEXT, ("error_message",), help="words of its error"),
        Field("cause", Kind.WORD, ("failure",), ("failure",), help="cause of its failure"),
        Field("created", Kind.TIME, ("created_at",), help="when it was made"),
        Field("completed", Kind.TIME, ("completed_at",), ("finished", "ended"), help="when it ended"),
        Field("duration", Kind.DURATION, help="how long its last attempt took"),
        Field("priority", Kind.INTEGER, help="-100 to 100"),
        Field("id", Kind.WORD, help="its id, or how that begins"),
        Field("run", Kind.WORD, ("run_id",), ("run_id",), help="run it belongs to"),
        Field("document", Kind.WORD, ("document_id",), ("document_id",), help="document it works on"),
        Field("ingestion", Kind.WORD, ("ingestion_task_id",), ("ingestion_task_id",), help="id its maker gave"),
        Field("attempt", Kind.INTEGER, aliases=("attempts",), help="how often it was tried"),
        Field("retries", Kind.INTEGER, ("retry_count",), help="how often it was retried"),
        Field("lost", Kind.INTEGER, ("lost_count",), help="how many workers it lost"),
        Field("options", Kind.VALUE, ("task_options",), ("task_options",), dotted=True, help="a path in its options"),
        Field("result", Kind.VALUE, ("result_data",), dotted=True, help="a path in its result"),
    ),
    words=(SEARCH,),
)


def parse(text: str) -> Query:
    """QueryError says what is wrong and where."""
    query = grammar.parse(text, FIELDS)
    for leaf in leaves(query.node):
        if isinstance(leaf, Term):
            _check_identity(leaf)
    return query


def compiled(query: Query, now: datetime) -> list[Filter]:
    return conditions.conditions(query, FIELDS, now, custom=_CUSTOM, most=MOST_CONDITIONS)


def _check_identity(term: Term) -> None:
    if term.field == "id" and term.comparison is Comparison.SET:
        raise QueryError(term.position, term.length, "Every job has an id")


def _within_search(term: Term, now: datetime) -> Filter:
    field = FIELDS.by_name[term.field]
    path = tuple(field.paths[0].split("."))
    if term.comparison is Comparison.SET:
        return Condition(path, Op.ISNULL, False)
    text = term.values[0].text
    return AllOf((Condition((SEARCH,), Op.SEARCH, text), Condition(path, Op.SEARCH, text)))


_CUSTOM: Final[Mapping[str, Custom]] = {"name": _within_search, "path": _within_search, "error": _within_search}
assert SEARCH in JOBS.by_name
