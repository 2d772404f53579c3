"""Finding, bulk operations, failures and saved views as they come in and go out."""

from typing import Annotated, Any, Final, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool, StrictInt

from jobs_app.api import job_examples as examples
from jobs_app.api.job_schemas import ByOut, JobOut, Reason, Word
from jobs_app.api.schemas import MOMENT, Body, Moment, Time, page_of, shown_as
from jobs_app.domain.job import PRIORITIES
from jobs_app.domain.job_states import JobState
from jobs_app.domain.operation import Action, ItemOutcome, OperationState
from jobs_app.services import job_actions, job_queries, jobs, saved_views

JOB_ID: Final = examples.JOB_ID
REFUSED: Final = {
    "job": JOB_ID,
    "outcome": "refused",
    "code": "invalid_transition",
    "detail": "A job cannot go from completed to pending.",
}
OPERATION: Final = {
    "id": "01984f60-1d2c-7a3b-8e55-0c1d2e3f4a5b",
    "action": "retry",
    "state": "running",
    "reason": "the parser is mended",
    "by": {"kind": "person", "name": "anna"},
    "created_at": MOMENT,
    "started_at": MOMENT,
    "ended_at": None,
    "filter": {"q": "status:failed type:pdf"},
    "ids": None,
    "undoes": None,
    "matched": 50000,
    "done": 12000,
    "changed": 11990,
    "refused": 10,
    "can_be_undone": False,
    "error": "",
}
FAILURE: Final = {
    "fingerprint": "7f3a0b6c9d2e4f18",
    "exception": "ValueError",
    "frame": "worker/pages.py in read",
    "message": "no such page: #",
    "count": 4711,
    "standing": 120,
    "tried_again": 3,
    "first_seen_at": MOMENT,
    "last_seen_at": MOMENT,
    "last_job_id": JOB_ID,
    "cells": {"1h": 12, "24h": 340, "7d": 4711},
}
VIEW: Final = {
    "id": "01984f61-2d3c-7b4a-9e66-1c2d3e4f5a6b",
    "name": "Failed PDFs",
    "query": "status:failed type:pdf",
    "order": "-created_at",
    "columns": ["name", "error"],
    "shared": True,
    "is_mine": False,
    "made_by": {"kind": "person", "name": "anna"},
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "version": 1,
}


class FilterIn(Body):
    """As the parameters of `GET /jobs`; what is left out does not narrow. Empty: every job."""

    model_config = shown_as({"q": "status:failed type:pdf"})
    status: list[JobState] = Field(default_factory=list)
    content_type: Word | None = None
    worker_id: Word | None = None
    ingestion_task_id: Word | None = None
    run_id: Word | None = None
    tag: Word | None = None
    q: str | None = Field(None, max_length=job_queries.LONGEST)
    created_after: Moment | None = None
    created_before: Moment | None = None
    priority: Annotated[StrictInt, Field(ge=PRIORITIES[0], le=PRIORITIES[-1])] | None = None


class ChoiceIn(Body):
    """Which jobs: `ids`, or a `filter`."""

    model_config = shown_as({"filter": {"q": "status:failed type:pdf"}})
    ids: Annotated[list[str], Field(min_length=1, max_length=job_actions.MOST_IDS)] | None = None
    filter: FilterIn | None = None


class ActionIn(ChoiceIn):
    model_config = shown_as(
        {"action": "retry", "filter": {"q": "status:failed type:pdf"}, "reason": "the parser is mended"}
    )
    action: Action
    reason: Reason = ""


class ActionPreview(Schema):
    model_config = shown_as({"matched": 50000, "exact": True, "sample": [examples.JOB]})
    matched: int
    exact: bool = Field(description="False: at least so many.")
    sample: list[JobOut]


class ItemOut(Schema):
    model_config = shown_as(REFUSED)
    job: str
    outcome: ItemOutcome
    code: str = Field(description="Why it was refused; empty where it was changed.")
    detail: str


class ActionDone(Schema):
    model_config = shown_as({"matched": 2, "changed": 1, "refused": [REFUSED]})
    matched: int
    changed: int
    refused: list[ItemOut]


class OperationStarted(Schema):
    model_config = shown_as({"operation_id": OPERATION["id"]})
    operation_id: str


class OperationOut(Schema):
    model_config = shown_as(OPERATION)
    id: str
    action: Action
    state: OperationState
    reason: str
    by: ByOut
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    filter: dict[str, Any] | None
    ids: int | None = Field(description="How many were named.")
    undoes: str | None = Field(description="The operation whose deletes it brings back.")
    matched: int | None = Field(
        description="How many there were when it was asked for; null where only the work tells."
    )
    done: int
    changed: int
    refused: int
    can_be_undone: bool
    error: str = Field(description="Why the last try at it was broken off; it is tried again.")


class OperationPage(Schema):
    model_config = page_of(OPERATION)
    items: list[OperationOut]
    next_cursor: str | None


class ItemPage(Schema):
    model_config = page_of(REFUSED)
    items: list[ItemOut]
    next_cursor: str | None = Field(description="For `after`.")


class FailureOut(Schema):
    model_config = shown_as(FAILURE)
    fingerprint: str
    exception: str
    frame: str
    message: str = Field(description="With ids and numbers taken out.")
    count: int = Field(description="How often it was seen.")
    standing: int = Field(description="Jobs that are failed or timed out by it now.")
    tried_again: int = Field(description="Jobs that wait for another try after it, or are at it.")
    first_seen_at: Time
    last_seen_at: Time
    last_job_id: str
    cells: dict[Literal["1h", "24h", "7d"], int]


class FailurePage(Schema):
    model_config = page_of(FAILURE)
    items: list[FailureOut]
    next_cursor: str | None


class FailureActionIn(Body):
    model_config = shown_as({"action": "retry", "reason": "the parser is mended"})
    action: Literal["retry", "cancel", "delete"]
    reason: Reason = ""


class ViewIn(Body):
    model_config = shown_as({"name": "Failed PDFs", "query": "status:failed type:pdf", "shared": True})
    name: str = Field(min_length=1, max_length=saved_views.LONGEST_NAME)
    query: str = Field("", max_length=job_queries.LONGEST)
    order: str = Field("-created_at", description=f"One of {', '.join(jobs.ORDERS)}.", max_length=100)
    columns: list[Annotated[str, Field(min_length=1, max_length=saved_views.LONGEST_COLUMN)]] = Field(
        default_factory=list, max_length=saved_views.MOST_COLUMNS
    )
    shared: StrictBool = False


class ViewOut(Schema):
    model_config = shown_as(VIEW)
    id: str
    name: str
    query: str
    order: str
    columns: list[str]
    shared: bool
    is_mine: bool
    made_by: ByOut
    created_at: Time
    updated_at: Time
    version: int


class ViewList(Schema):
    model_config = page_of(VIEW)
    items: list[ViewOut]
    next_cursor: None = None


class SuggestionOut(Schema):
    insert: str = Field(description="Takes the place of the text from `start` to `end`.")
    label: str
    detail: str


class Suggestions(Schema):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"start": 0, "end": 2, "items": [{"insert": "status:", "label": "status:", "detail": "state"}]}
            ]
        }
    )
    start: int
    end: int
    items: list[SuggestionOut]
