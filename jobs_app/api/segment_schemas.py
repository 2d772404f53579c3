"""Segments as they come in and go out."""

from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool, StrictInt

from jobs_app.api import segment_examples as examples
from jobs_app.api.job_examples import BY
from jobs_app.api.job_schemas import ByOut, Reason, Tags, Word
from jobs_app.api.schemas import MOMENT, Body, Moment, Time, page_of, shown_as
from jobs_app.domain.new_segment import LONGEST_PATH_BYTES, LONGEST_TEXT, MOST_TOKENS
from jobs_app.domain.segment import Tier
from jobs_app.services import segment_stashing, segments
from jobs_app.services.segment_files import OnConflict

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
FilePath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH_BYTES, description="At most 512 bytes.")]
Tokens = Annotated[StrictInt, Field(ge=0, le=MOST_TOKENS)]
Version = Annotated[StrictInt, Field(ge=1, lt=2**53)]
LONGEST_FILE = 10_000_000  # larger ones come in by the command


class SourceIn(Body):
    """Where a segment came from; `digest` is that of the file as it was seen."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [examples.SOURCE]})
    job_id: Word | None = None
    run_id: Word | None = None
    document_id: Word | None = None
    storage: Word | None = None
    path: FilePath | None = None
    digest: Word | None = None


class SegmentIn(Body):
    """A segment to be stored. The same text and type again add to the one that is there; a known `segment_id` replaces
    its content.
    """

    model_config = shown_as(examples.NEW_SEGMENT)
    text: Text
    type: Word = Field("note", description="message, code, document, decision, note, or a word of your own.")
    segment_id: Word | None = Field(None, description="Left out: a new one is made.")
    metadata: dict[str, Any] = Field(default_factory=dict)
    tokens: Tokens | None = Field(None, description="Left out: estimated.")
    task_id: Word | None = None
    file_path: FilePath | None = None
    tags: Tags = Field(default_factory=list)
    tier: Tier = Tier.ACTIVE
    pinned: StrictBool = False
    source: SourceIn | None = None
    expires_at: Moment | None = Field(None, description="When it leaves by itself.")


class SegmentBatch(Body):
    model_config = shown_as({"segments": [examples.NEW_SEGMENT, {"text": "Another"}]})
    segments: list[SegmentIn] = Field(min_length=1, max_length=segments.MOST_AT_ONCE)


class SegmentChange(Body):
    """The fields that are sent are changed; null clears one that may be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Retries back off.", "pinned": True}]})
    text: Text | None = None
    type: Word | None = None
    metadata: dict[str, Any] | None = None
    tokens: Tokens | None = Field(None, description="null: estimated.")
    task_id: Word | None = None
    file_path: FilePath | None = None
    tags: Tags | None = None
    pinned: StrictBool | None = None
    source: SourceIn | None = None
    expires_at: Moment | None = None


class SourceOut(Schema):
    job_id: str | None
    run_id: str | None
    document_id: str | None
    storage: str | None
    path: str | None
    digest: str | None


class SegmentOut(Schema):
    """`stale`: the file it came from is another now; null where that is not known, and in lists."""

    model_config = shown_as(examples.SEGMENT)
    segment_id: str
    project_id: str
    text: str
    type: str
    metadata: dict[str, Any]
    tokens: int
    task_id: str | None
    file_path: str | None
    tags: list[str]
    tier: Tier
    pinned: bool
    source: SourceOut | None
    created_at: Time
    created_by: ByOut
    touched_at: Time
    expires_at: Time | None
    duplicate: bool = Field(description="Another segment has the same text and type.")
    stale: bool | None
    version: int


class SegmentList(Schema):
    model_config = shown_as({"items": [examples.SEGMENT]})
    items: list[SegmentOut]


class SegmentPage(Schema):
    model_config = shown_as({"items": [examples.SEGMENT], "next_cursor": None, "previous_cursor": None})
    items: list[SegmentOut]
    next_cursor: str | None
    previous_cursor: str | None


class TrashedSegmentOut(SegmentOut):
    model_config = shown_as({**examples.SEGMENT, "deleted_at": MOMENT, "deleted_by": BY})
    deleted_at: Time
    deleted_by: ByOut


class SegmentTrashPage(Schema):
    model_config = page_of({**examples.SEGMENT, "deleted_at": MOMENT, "deleted_by": BY})
    items: list[TrashedSegmentOut]
    next_cursor: str | None


class LeftOutOut(Schema):
    segment_id: str
    tokens: int
    reason: str


class LoadedOut(Schema):
    """`tokens` is never over the budget. `left_out` names up to 1,000 of those that were; `left_out_count` all."""

    model_config = shown_as(
        {"items": [examples.SEGMENT], "tokens": 13, "left_out": [examples.LEFT_OUT], "left_out_count": 1}
    )
    items: list[SegmentOut]
    tokens: int
    left_out: list[LeftOutOut]
    left_out_count: int


class StashFilter(Body):
    """Active segments that match all of it; pinned ones stay."""

    type: Word | None = None
    task_id: Word | None = None
    file_path: FilePath | None = None
    tag: Word | None = None
    touched_before: Moment | None = None
    q: str = Field("", max_length=2000, description="The query language of the search.")


class StashIn(Body):
    """One of `ids`, `filter` and `token_budget`. With `preview` nothing is changed."""

    model_config = shown_as({"token_budget": 8000, "preview": True})
    ids: list[Word] | None = Field(None, min_length=1, max_length=segment_stashing.BATCH * 5)
    filter: StashFilter | None = None
    token_budget: Tokens | None = None
    preview: StrictBool = False
    reason: Reason = ""


class StashOut(Schema):
    """What was stashed, or with a preview would be. `more`: call again. `over_by`: what pinned ones are over the
    budget.
    """

    model_config = shown_as(
        {
            "preview": True,
            "segment_ids": [examples.SEGMENT_ID],
            "tokens": 13,
            "pinned_left": 2,
            "more": False,
            "tokens_before": 9000,
            "tokens_after": 8000,
            "over_by": 0,
        }
    )
    preview: bool
    segment_ids: list[str]
    tokens: int
    pinned_left: int
    more: bool
    tokens_before: int | None
    tokens_after: int | None
    over_by: int | None


class UnstashIn(Body):
    model_config = shown_as({"ids": [examples.SEGMENT_ID]})
    ids: list[Word] = Field(min_length=1, max_length=segment_stashing.MOST_AT_ONCE)
    reason: Reason = ""


class UnstashOut(Schema):
    model_config = shown_as({"segment_ids": [examples.SEGMENT_ID]})
    segment_ids: list[str]


class SpanOut(Schema):
    """Characters of the text, counted from 0; `end` is behind the last."""

    start: int
    end: int


class MatchOut(Schema):
    segment: SegmentOut
    score: float
    highlights: list[SpanOut]
    excerpt: SpanOut = Field(description="The stretch with the most to see.")


class FacetOut(Schema):
    value: str
    count: int


class MatchPage(Schema):
    """`capped`: there are more than `matched`, older ones, and these were not ranked; add a filter."""

    model_config = shown_as(
        {
            "items": [examples.MATCH],
            "next_cursor": None,
            "matched": 1,
            "capped": False,
            "facets": {"type": [{"value": "decision", "count": 1}]},
            "partial_facets": [],
        }
    )
    items: list[MatchOut]
    next_cursor: str | None
    matched: int
    capped: bool
    facets: dict[str, list[FacetOut]] = Field(description="The most common values, where asked for; else empty.")
    partial_facets: list[str] = Field(description="Facets that count the newest 2,000 alone, since more match.")


class TierOut(Schema):
    tier: Tier
    segments: int
    tokens: int
    pinned: int


class TierList(Schema):
    model_config = shown_as({"items": [{"tier": "active", "segments": 12, "tokens": 9000, "pinned": 2}]})
    items: list[TierOut]


class PastOut(Schema):
    """`before` has the fields that were changed, as they were."""

    version: int
    at: Time
    what: str
    by: ByOut
    why: str
    before: dict[str, Any]


class PastPage(Schema):
    model_config = page_of(examples.PAST)
    items: list[PastOut]
    next_cursor: str | None


class SegmentVersionOut(Schema):
    model_config = shown_as(examples.VERSION)
    segment_id: str
    version: int
    text: str
    type: str
    metadata: dict[str, Any]
    tokens: int
    task_id: str | None
    file_path: str | None
    tags: list[str]
    tier: Tier
    pinned: bool
    source: SourceOut | None
    expires_at: Time | None


class RevertIn(Body):
    model_config = shown_as({"version": 1})
    version: Version


class ImportIn(Body):
    """`content` is the text of a file, read as far as it is whole; `file` an object of the single-file form."""

    model_config = shown_as({"form": "lines", "content": '{"segment_id": "a", "text": "One"}\n'})
    content: str | None = Field(None, max_length=LONGEST_FILE)
    file: dict[str, Any] | None = None
    form: str = Field("single", pattern="^(single|lines|memory)$")
    from_: str | None = Field(None, alias="from", max_length=1000, description="Which of several projects in the file.")
    on_conflict: OnConflict = Field(OnConflict.KEEP, description="What becomes of segments that are there and differ.")


class FaultOut(Schema):
    """`position` counts characters from 0, line and column from 1; 0 where the place is not known."""

    reason: str
    position: int
    line: int
    column: int


class ImportOut(Schema):
    model_config = shown_as(
        {
            "from": "reports",
            "created": 41,
            "replaced": 0,
            "unchanged": 0,
            "kept": 0,
            "duplicates": 1,
            "faults": [examples.FAULT],
        }
    )
    from_: str | None = Field(alias="from")
    created: int
    replaced: int
    unchanged: int
    kept: int = Field(description="There already, different, and left alone.")
    duplicates: int
    faults: list[FaultOut]
