"""Runs, documents and artifacts as they come in and go out."""

from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool

from jobs_app.api import run_examples as examples
from jobs_app.api.job_examples import NEW_USE
from jobs_app.api.job_schemas import ByOut, LeaseToken, Priority, Retries, Tags, UseIn, Word
from jobs_app.api.schemas import Body, Time, page_of, shown_as
from jobs_app.domain.document import DocumentState, Plan, Why
from jobs_app.domain.job import DEFAULT_MAX_RETRIES
from jobs_app.domain.job_states import JobState
from jobs_app.domain.library import MOST_USES, Kind
from jobs_app.domain.new_job import LONGEST_NAME, LONGEST_PATH, LONGEST_WORD
from jobs_app.domain.new_run import MOST_OUTPUTS
from jobs_app.domain.run import RunState
from jobs_app.services import artifacts, documents

Alias = Annotated[str, Field(min_length=1, max_length=63)]
FilePath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]
Uses = Annotated[list[UseIn], Field(max_length=MOST_USES)]
Outputs = Annotated[list[Word], Field(max_length=MOST_OUTPUTS)]


class RunIn(Body):
    """`options` hold for all documents, which may lay their own over them. `outputs` are what a job is to make of each;
    a document is skipped only where all of them are there.
    """

    model_config = shown_as(examples.NEW_RUN)
    name: str = Field("", max_length=LONGEST_NAME)
    content_type: str = Field("", max_length=LONGEST_WORD, description="Of the jobs, and so which workers take them.")
    options: dict[str, Any] = Field(default_factory=dict)
    outputs: Outputs = Field(default_factory=list)
    uses: Uses = Field(default_factory=list, description="Texts of the library; each job is given their content.")
    storage: Alias = Field("default", description="Where artifacts go that name no other.")
    priority: Priority = 0
    tags: Tags = Field(default_factory=list)
    max_retries: Retries = DEFAULT_MAX_RETRIES


class RunChange(Body):
    """The fields that are sent are changed; after the start only name and tags."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Outlines, second try"}]})
    name: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)
    content_type: str | None = Field(None, max_length=LONGEST_WORD)
    options: dict[str, Any] | None = None
    outputs: Outputs | None = None
    uses: Uses | None = None
    storage: Alias | None = None
    priority: Priority | None = None
    tags: Tags | None = None
    max_retries: Retries | None = None


class StartIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"force": False}]})
    force: StrictBool = Field(False, description="Run every document, whatever artifacts there are.")


class CloneIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Once more"}]})
    name: str = Field("", max_length=LONGEST_NAME)


class RunUseOut(Schema):
    """Which content it is, each job says."""

    model_config = shown_as(NEW_USE)
    kind: Kind
    name: str
    variables: dict[str, Any]


class RunOut(Schema):
    model_config = shown_as(examples.RUN)
    id: str
    project: str
    name: str
    content_type: str
    options: dict[str, Any]
    outputs: list[str]
    uses: list[RunUseOut]
    storage: str
    priority: int
    tags: list[str]
    max_retries: int
    state: RunState
    progress: float
    documents: dict[Plan, int]
    jobs: dict[JobState, int]
    created_at: Time
    created_by: ByOut
    started_at: Time | None
    started_by: ByOut | None
    force: bool
    cloned_from: str | None
    version: int


class RunPage(Schema):
    model_config = shown_as({"items": [examples.RUN], "next_cursor": None, "previous_cursor": None})
    items: list[RunOut]
    next_cursor: str | None
    previous_cursor: str | None


class RetriedOut(Schema):
    model_config = shown_as({"retried": 3, "looked_at_anew": 0, "operation_id": None, "more": False})
    retried: int = Field(description="How many jobs went back to the queue.")
    looked_at_anew: int = Field(description="How many documents that were refused wait again, and are looked at anew.")
    operation_id: str | None = Field(description="Goes on with the jobs, where they are too many for one request.")
    more: bool = Field(description="Whether the time was up before all were asked.")


class DocumentIn(Body):
    """One of: a file of a storage by `path`; many by `glob` or `prefix`; content that is sent, with a `filename`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"storage": "default", "path": "handbook/start.md"},
                {"storage": "default", "glob": "handbook/**/*.md"},
                {"filename": "note.md", "content": "# Note"},
            ]
        }
    )
    storage: Alias | None = None
    path: FilePath | None = None
    glob: FilePath | None = None
    prefix: Annotated[str, Field(max_length=LONGEST_PATH)] | None = None
    filename: Annotated[str, Field(min_length=1, max_length=documents.LONGEST_FILENAME)] | None = None
    content: str | None = None
    content_base64: str | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="Laid over the run's.")


class DocumentOut(Schema):
    model_config = shown_as(examples.DOCUMENT)
    id: str
    run_id: str
    storage: str
    path: str
    filename: str
    content_hash: str
    size: int
    attached_at: Time
    inline: bool
    options: dict[str, Any]
    state: DocumentState
    why: Why | None
    reason: str
    job_id: str | None
    served_by: list[str]
    attached_hash: str | None = Field(description="The hash when it was attached, where the file changed since.")
    version: int


class AttachedOut(Schema):
    model_config = shown_as({"new": 1, "known": 0, "items": [examples.DOCUMENT]})
    new: int
    known: int = Field(description="How many were attached before.")
    items: list[DocumentOut] = Field(description="The first of the new ones.")


class DocumentPage(Schema):
    model_config = shown_as({"items": [examples.DOCUMENT], "next_cursor": None, "previous_cursor": None})
    items: list[DocumentOut]
    next_cursor: str | None
    previous_cursor: str | None


class ArtifactIn(Body):
    model_config = shown_as(examples.NEW_ARTIFACT)
    document_id: Word
    job_id: Word | None = None
    output: Word = artifacts.MAIN
    path: FilePath
    content: str | None = None
    content_base64: str | None = None
    options: dict[str, Any] | None = Field(None, description="What it was made with; left out: as the run says.")
    storage: Alias | None = None
    lease_token: LeaseToken | None = Field(None, description="Of the job: nothing is written once its lease is lost.")


Artifacts = Annotated[list[ArtifactIn], Field(min_length=1, max_length=artifacts.MOST_AT_ONCE)]


class ArtifactsIn(Body):
    """One artifact with its fields here, or several in `artifacts` as one batch."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [examples.NEW_ARTIFACT, {"artifacts": [examples.NEW_ARTIFACT]}]}
    )
    document_id: Word | None = None
    job_id: Word | None = None
    output: Word | None = None
    path: FilePath | None = None
    content: str | None = None
    content_base64: str | None = None
    options: dict[str, Any] | None = None
    storage: Alias | None = None
    lease_token: LeaseToken | None = None
    artifacts: Artifacts | None = None
    deferred: StrictBool = Field(False, description="Acknowledged once durable, and committed with what else waits.")
    message: str = Field("", max_length=2000)


class ArtifactOut(Schema):
    model_config = shown_as(examples.ARTIFACT)
    id: str
    run_id: str
    document_id: str
    job_id: str | None
    attempt: int | None
    output: str
    storage: str
    path: str
    content_hash: str
    size: int
    source: str | None = Field(description="The SHA-256 of what it was made from; null where the file had changed.")
    options: dict[str, Any]
    fingerprint: str | None = Field(description="Equal for equal content, content type and options.")
    created_at: Time
    created_by: ByOut
    deferred: bool


class ArtifactsOut(Schema):
    model_config = shown_as({"items": [examples.ARTIFACT], "commits": {"default": "01JH0Z"}, "deferred": False})
    items: list[ArtifactOut]
    commits: dict[str, str] = Field(description="By storage; one that is deferred or changed nothing has none.")
    deferred: bool


class ArtifactPage(Schema):
    model_config = page_of(examples.ARTIFACT)
    items: list[ArtifactOut]
    next_cursor: str | None
