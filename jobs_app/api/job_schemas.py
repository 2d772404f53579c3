"""Jobs, logs and workers as they come in and go out."""

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool, StrictInt

from jobs_app.api import job_examples as examples
from jobs_app.api.schemas import MOMENT, Body, Moment, Time, page_of, shown_as
from jobs_app.domain import lease
from jobs_app.domain import library as library_rules
from jobs_app.domain.job import DEFAULT_MAX_RETRIES, PRIORITIES
from jobs_app.domain.job_log import LONGEST_MESSAGE, MOST_ENTRIES, LogLevel
from jobs_app.domain.job_states import JobState
from jobs_app.domain.new_job import LONGEST_NAME, LONGEST_PATH, LONGEST_WORD, MOST_RETRIES, MOST_TAGS
from jobs_app.services import claims, jobs

Word = Annotated[str, Field(min_length=1, max_length=LONGEST_WORD)]
Priority = Annotated[StrictInt, Field(ge=PRIORITIES[0], le=PRIORITIES[-1], description="Higher ones are given first.")]
Tags = Annotated[list[Word], Field(max_length=MOST_TAGS)]
Retries = Annotated[StrictInt, Field(ge=0, le=MOST_RETRIES)]
Seconds = Annotated[StrictInt, Field(ge=1, le=31 * 86_400)]
LeaseSeconds = Annotated[StrictInt, Field(ge=1, le=lease.LONGEST_LEASE_SECONDS)]
LeaseToken = Annotated[str, Field(max_length=lease.LONGEST_TOKEN, description="What the claim gave for this attempt.")]
Reason = Annotated[str, Field(max_length=jobs.LONGEST_REASON, description="Kept with the event and in the audit log.")]


class UseIn(Body):
    """A text of the library by its name, and what it wants to be told."""

    model_config = shown_as(examples.NEW_USE)
    kind: library_rules.Kind
    name: str = Field(min_length=1, max_length=library_rules.LONGEST_NAME)
    variables: dict[str, Any] = Field(default_factory=dict, description="As its front matter declares them.")


class JobIn(Body):
    """A job to be made. With an `ingestion_task_id` the same request makes it once only."""

    model_config = shown_as(examples.NEW_JOB)
    name: str = Field("", max_length=LONGEST_NAME, description="Default: the last part of the path, or another label.")
    ingestion_task_id: Word | None = None
    run_id: Word | None = None
    document_id: Word | None = None
    source_file_path: str | None = Field(None, max_length=LONGEST_PATH)
    content_type: str = Field("", max_length=LONGEST_WORD)
    task_options: dict[str, Any] = Field(default_factory=dict)
    priority: Priority = 0
    tags: Tags = Field(default_factory=list)
    uses: list[UseIn] = Field(
        default_factory=list,
        max_length=library_rules.MOST_USES,
        description="Texts of the library. Their contents are settled now: later edits change nothing for this job.",
    )
    not_before: Moment | None = Field(None, description="Not given to a worker earlier.")
    timeout_at: Moment | None = Field(None, description="The deadline of the job as a whole.")
    attempt_timeout_seconds: Seconds | None = Field(None, description="The most that one attempt may take.")
    max_retries: Retries = DEFAULT_MAX_RETRIES


class JobBatch(Body):
    model_config = shown_as({"jobs": [examples.NEW_JOB, {"name": "Another"}]})
    jobs: list[JobIn] = Field(min_length=1, max_length=jobs.MOST_AT_ONCE)


class JobChange(Body):
    """The fields that are sent are changed; null clears a time."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 50, "not_before": None}]})
    name: str | None = Field(None, max_length=LONGEST_NAME)
    priority: Priority | None = None
    tags: Tags | None = None
    task_options: dict[str, Any] | None = None
    timeout_at: Moment | None = None
    not_before: Moment | None = None
    attempt_timeout_seconds: Seconds | None = None
    max_retries: Retries | None = None


class ByOut(Schema):
    kind: str = Field(examples=["person", "token", "worker", "system"])
    name: str


class UseOut(Schema):
    """Exactly this content: `GET …/library/{kind}/{name}` with `?version=` where there is one, else with `?hash=`."""

    kind: library_rules.Kind
    name: str
    hash: str
    version: str | None
    variables: dict[str, Any] = Field(description="What was given, and the defaults of the others.")


class ProgressOut(Schema):
    percent: float | None
    message: str
    at: Time


class JobOut(Schema):
    """Numbers in `task_options` and `result_data` are exactly those that came in, whatever their size."""

    model_config = shown_as(examples.JOB)
    id: str
    project: str
    name: str
    ingestion_task_id: str | None
    run_id: str | None
    document_id: str | None
    source_file_path: str | None
    content_type: str
    task_options: dict[str, Any]
    status: JobState
    priority: int
    tags: list[str]
    uses: list[UseOut]
    worker_id: str | None
    created_at: Time
    created_by: ByOut
    not_before: Time | None
    started_at: Time | None
    completed_at: Time | None
    timeout_at: Time | None
    attempt: int
    attempt_timeout_seconds: int | None
    lease_expires_at: Time | None
    heartbeat_at: Time | None
    progress: ProgressOut | None
    cancel_requested: bool
    error_message: str | None
    traceback: str | None
    result_data: Any
    retry_count: int
    max_retries: int
    lost_count: int
    version: int
    is_expired: bool
    can_retry: bool
    processing_duration: float | None = Field(description="Seconds of the last attempt, so far if it is under way.")
    waiting_duration: float | None = Field(description="Seconds from when it was last due.")


class JobList(Schema):
    model_config = shown_as({"items": [examples.JOB]})
    items: list[JobOut]


class JobPage(Schema):
    model_config = shown_as(
        {
            "items": [examples.JOB],
            "next_cursor": None,
            "previous_cursor": None,
            "searched": {"complete": True, "to": None},
        }
    )
    items: list[JobOut]
    next_cursor: str | None
    previous_cursor: str | None
    searched: "Searched"


class Searched(Schema):
    complete: bool = Field(description="False: the page is not full, and behind the cursor nothing was looked at yet.")
    to: Time | None = Field(description="How far it came, in an order of time.")


class TrashedJobOut(JobOut):
    model_config = shown_as(examples.TRASHED_JOB)
    deleted_at: Time
    deleted_by: ByOut


class TrashPage(Schema):
    model_config = page_of(examples.TRASHED_JOB)
    items: list[TrashedJobOut]
    next_cursor: str | None


class ClaimIn(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"worker_id": "worker-1", "content_types": ["application/pdf"], "wait_seconds": 30}]
        }
    )
    worker_id: Word
    content_types: list[Annotated[str, Field(max_length=LONGEST_WORD)]] | None = Field(
        None, min_length=1, max_length=claims.MOST_TYPES, description="Which it takes; left out: any."
    )
    limit: Annotated[StrictInt, Field(ge=1, le=claims.MOST_AT_ONCE)] = 1
    lease_seconds: LeaseSeconds = 60
    wait_seconds: Annotated[float, Field(ge=0, le=claims.LONGEST_WAIT_SECONDS)] = Field(
        0, description="How long the call waits for a job, where none is due."
    )
    worker_version: str = Field("", max_length=LONGEST_WORD)
    capabilities: dict[str, Any] = Field(default_factory=dict, description="Shown with the worker.")


class ClaimedJob(JobOut):
    model_config = shown_as(examples.CLAIMED_JOB)
    lease_token: str = Field(description="Proves that the caller holds this attempt; it is in this answer only.")


class ClaimOut(Schema):
    model_config = shown_as({"jobs": [examples.CLAIMED_JOB]})
    jobs: list[ClaimedJob]


class HeartbeatIn(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lease_token": "…", "progress": 40, "message": "page 4 of 10"}]}
    )
    lease_token: LeaseToken
    progress: float | None = Field(None, ge=0, le=100)
    message: str | None = Field(None, max_length=claims.LONGEST_PROGRESS_MESSAGE)
    lease_seconds: LeaseSeconds | None = Field(None, description="Default: as before.")


class HeartbeatOut(Schema):
    model_config = shown_as({"lease_expires_at": MOMENT, "cancel_requested": False})
    lease_expires_at: Time
    cancel_requested: bool


class CompleteIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"lease_token": "…", "result_data": {"pages": 10}}]})
    lease_token: LeaseToken
    result_data: Any = None


class FailIn(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"lease_token": "…", "error_message": "no such page", "retryable": False}]}
    )
    lease_token: LeaseToken
    error_message: str = Field(max_length=claims.LONGEST_ERROR)
    traceback: str | None = Field(None, max_length=claims.LONGEST_ERROR)
    retryable: StrictBool = True
    retry_after: float | None = Field(
        None, ge=0, le=claims.LONGEST_RETRY_AFTER.total_seconds(), description="Seconds; default: a growing wait."
    )


class ReleaseIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"lease_token": "…"}]})
    lease_token: LeaseToken


class ReasonIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the input was wrong"}]})
    reason: Reason = ""


NO_REASON = ReasonIn()  # for calls whose body may be left out


class EventOut(Schema):
    model_config = shown_as(examples.EVENT)
    number: int
    at: Time
    type: str = Field(examples=["created", "claimed", "completed", "put_off", "lease_lost", "changed"])
    source: JobState | None = Field(alias="from")
    target: JobState = Field(alias="to")
    by: ByOut
    why: str
    attempt: int | None
    details: dict[str, Any]


class EventPage(Schema):
    model_config = page_of(examples.EVENT)
    items: list[EventOut]
    next_cursor: str | None


class AttemptOut(Schema):
    model_config = shown_as(examples.ATTEMPT)
    number: int
    worker_id: str
    planned_at: Time | None
    started_at: Time
    ended_at: Time
    outcome: str = Field(examples=["completed", "failed", "put_off", "released", "lease_lost", "timed_out"])
    error_message: str | None
    traceback: str | None


class AttemptPage(Schema):
    model_config = page_of(examples.ATTEMPT)
    items: list[AttemptOut]
    next_cursor: str | None


class LogEntryIn(Body):
    message: str = Field(max_length=LONGEST_MESSAGE)
    level: LogLevel = LogLevel.INFO
    time: Moment | None = Field(None, description="Default: when it arrives.")
    data: dict[str, Any] | None = None
    sequence: Annotated[StrictInt, Field(ge=0, lt=2**53)] | None = Field(
        None, description="The sender's own count within the attempt; an entry that is sent again is known by it."
    )


class LogBatch(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"lease_token": "…", "entries": [{"sequence": 1, "level": "info", "message": "page 1"}]}]
        }
    )
    entries: list[LogEntryIn] = Field(min_length=1, max_length=MOST_ENTRIES)
    lease_token: LeaseToken | None = None


class LogAdded(Schema):
    model_config = shown_as({"added": 1, "end": 1})
    added: int = Field(description="How many entries were new.")
    end: int = Field(description="The number of the log's last line.")


class LogEntryOut(Schema):
    model_config = shown_as(examples.LOG_LINE)
    number: int
    level: LogLevel
    message: str
    time: Time
    data: dict[str, Any] | None
    attempt: int | None


class LogPage(Schema):
    model_config = shown_as({"items": [examples.LOG_LINE], "next_cursor": None, "previous_cursor": None, "end": 1})
    items: list[LogEntryOut]
    next_cursor: str | None = Field(description="For `after`.")
    previous_cursor: str | None = Field(description="For `before`.")
    end: int = Field(description="The number of the last line there is: whoever follows goes on after it.")


class StopOut(Schema):
    at: Time
    by: ByOut
    why: str


class WorkerOut(Schema):
    model_config = shown_as(examples.WORKER)
    id: str
    first_seen_at: Time
    last_seen_at: Time
    last_beat_at: Time
    content_types: list[str] | None = Field(description="Null: it takes any.")
    version: str
    capabilities: dict[str, Any]
    holds: list["HeldJob"]
    drained: StopOut | None
    safe_to_stop: bool


class HeldJob(Schema):
    id: str
    name: str
    attempt: int
    started_at: Time | None
    heartbeat_at: Time | None
    lease_expires_at: Time | None
    progress: ProgressOut | None


class WorkerPage(Schema):
    model_config = page_of(examples.WORKER)
    items: list[WorkerOut]
    next_cursor: str | None


class PauseIn(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content_type": "application/pdf", "reason": "the parser is broken"}]}
    )
    content_type: Word | None = Field(None, description="Left out: the whole project.")
    reason: str = Field(min_length=1, max_length=1000)


class PauseOut(StopOut):
    model_config = shown_as(examples.PAUSE)
    content_type: str | None


class PauseList(Schema):
    model_config = page_of(examples.PAUSE)
    items: list[PauseOut]
    next_cursor: None = None


class WaitingReason(Schema):
    code: Literal[
        "not_due",
        "project_paused",
        "content_type_paused",
        "no_worker",
        "workers_drained",
        "workers_busy",
        "in_queue",
    ]
    sentence: str


class QueuePosition(Schema):
    place: int
    exact: bool = Field(description="False: at this place or further back.")
    of: int


class WaitingOut(Schema):
    model_config = shown_as(examples.WAITING)
    reasons: list[WaitingReason]
    position: QueuePosition | None


class DoomedOut(Schema):
    model_config = shown_as(examples.DOOMED)
    state: str
    days: int
    jobs: int
    bytes: int
    complete: bool = Field(description="False where counting ended before all was seen.")


class RetentionPreview(Schema):
    model_config = page_of(examples.DOOMED)
    items: list[DoomedOut]
    next_cursor: None = None
