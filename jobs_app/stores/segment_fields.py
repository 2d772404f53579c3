"""What a query for segments may name, declared beside the collection, and its filters as the store's conditions."""

from datetime import datetime
from typing import Final

from jobs_app.domain.segment import Tier
from storage_app.records.query import Condition, Op
from storage_app.records.query import Node as Filter
from storage_app.search import conditions, grammar
from storage_app.search.fields import Comparison, Field, Fields, Kind
from storage_app.search.nodes import Query, Term

FIELDS: Final = Fields(
    (
        Field("tag", Kind.TAG, ("tags",), ("tags",), help="one of its tags"),
        Field("task", Kind.WORD, ("task_id",), ("task_id",), help="task it belongs to"),
        Field("file", Kind.WORD, ("file_path",), ("path", "file_path"), help="path of its file, or how that begins"),
        Field("type", Kind.WORD, help="message, code, document, decision, note …"),
        Field("tier", Kind.CHOICE, choices=tuple(tier.value for tier in Tier), help="active or stashed"),
        Field("is", Kind.CHOICE, choices=("pinned", "duplicate"), help="pinned or a duplicate"),
        Field("before", Kind.TIME, ("touched_at",), implied=Comparison.LT, help="last touched before"),
        Field("after", Kind.TIME, ("touched_at",), implied=Comparison.GTE, help="last touched from then on"),
        Field("touched", Kind.TIME, ("touched_at",), help="when it was last touched"),
        Field("created", Kind.TIME, ("created_at",), help="when it was stored first"),
        Field("expires", Kind.TIME, ("expires_at",), help="when it leaves"),
        Field("tokens", Kind.INTEGER, help="how large it is"),
        Field("id", Kind.WORD, aliases=("segment_id",), help="its id, or how that begins"),
        Field("job", Kind.WORD, ("source.job_id",), help="job it came from"),
        Field("run", Kind.WORD, ("source.run_id",), help="run it came from"),
        Field("document", Kind.WORD, ("source.document_id",), help="document it came from"),
        Field("meta", Kind.VALUE, ("metadata",), ("metadata",), dotted=True, help="a path in its metadata"),
        Field("sub", Kind.SUBSTRING, help="exactly this, whatever the case"),
    )
)


def parse(text: str) -> Query:
    """QueryError says what is wrong and where."""
    return grammar.parse(text, FIELDS)


def meaning(term: Term, now: datetime) -> Filter:
    """The condition that a `field:value` stands for; times such as `-2h` are seen from `now`."""
    if term.field == "is":
        return Condition((term.values[0].text,), Op.EQ, True) if term.values else Condition(("id",), Op.ISNULL, False)
    (found,) = conditions.conditions(Query(term), FIELDS, now)
    return found
