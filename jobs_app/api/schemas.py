"""What comes in and goes out: unknown fields are refused, and every schema is named in the OpenAPI document."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, PlainSerializer

from jobs_app.domain.access import Role, Scope
from jobs_app.domain.project import SLUG


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str)]


def _is_text(value: Any) -> Any:
    if not isinstance(value, (str, datetime)):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _within_reason(moment: datetime) -> datetime:
    """In every zone still a date."""
    if not 1900 <= moment.year <= 9990:
        raise ValueError("must lie in the years 1900 to 9990")
    return moment


# A time that comes in: RFC 3339, never a number of seconds that might be milliseconds.
Moment = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_within_reason)]


class Body(Schema):
    """Something sent to us: a typo never passes silently."""

    model_config = ConfigDict(extra="forbid")


def shown_as(example: dict[str, Any]) -> ConfigDict:
    """The example that the OpenAPI document gives."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def page_of(example: dict[str, Any]) -> ConfigDict:
    return shown_as({"items": [example], "next_cursor": None})


MOMENT = "2026-01-31T12:00:00.123456Z"
PROJECT = {
    "slug": "reports",
    "name": "Quarterly reports",
    "description": "",
    "version": 1,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
TOKEN = {
    "id": 7,
    "name": "worker 1",
    "hint": "hf_4BY66",
    "scopes": ["read", "work"],
    "created_at": MOMENT,
    "created_by": "anna",
    "expires_at": None,
    "last_used_at": MOMENT,
    "revoked_at": None,
}
MEMBER = {"username": "anna", "role": "operator", "created_at": MOMENT}
AUDIT_ENTRY = {
    "id": 1204,
    "at": MOMENT,
    "actor_kind": "person",
    "actor_id": "3",
    "actor_name": "anna",
    "address": "192.0.2.7",
    "action": "member.role",
    "target_kind": "user",
    "target_id": "5",
    "target_name": "ben",
    "outcome": "done",
    "detail": {"person": "ben", "before": "viewer", "after": "operator"},
    "request_id": "5b1c0d0e8a7f4d22",
}
TASK_RUN = {
    "id": 88,
    "name": "clean-up",
    "asked_at": MOMENT,
    "asked_by": "schedule",
    "started_at": MOMENT,
    "ended_at": MOMENT,
    "outcome": "done",
    "counts": {"sessions": 4},
    "error": "",
    "consumer": "host:4711",
}
TASK = {
    "name": "clean-up",
    "sentence": "Removes ended sessions and tokens, kept answers and the history of old runs.",
    "every_seconds": 86400,
    "limit_seconds": 300,
    "due_at": MOMENT,
    "last_run": TASK_RUN,
}
QUARANTINED = {
    "id": "reports.7f3a",
    "project": "reports",
    "collection": "free.notes",
    "record_id": "12",
    "reason": "not JSON: unexpected end at line 1, column 9",
    "at": MOMENT,
    "text": '{"text": ',
}


class Problem(Schema):
    """An RFC 9457 problem document."""

    model_config = shown_as(
        {
            "type": "/docs/errors/#not_found",
            "title": "Not found",
            "status": 404,
            "detail": "There is no project 'reports' here.",
            "code": "not_found",
        }
    )
    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable word in snake case, for programs.", examples=["not_found"])
    errors: list[dict[str, Any]] | None = Field(None, description="Place and reason of each wrong value.")


class ProjectIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"slug": "reports", "name": "Quarterly reports"}]})
    slug: str = Field(pattern=SLUG)
    name: str = Field("", max_length=200)
    description: str = Field("", max_length=2000)


class ProjectChange(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Quarterly reports"}]})
    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=2000)


class ProjectOut(Schema):
    model_config = shown_as(PROJECT)
    slug: str
    name: str
    description: str
    version: int
    created_at: Time
    updated_at: Time


class ProjectPage(Schema):
    model_config = page_of(PROJECT)
    items: list[ProjectOut]
    next_cursor: str | None


class ProjectAccess(Schema):
    slug: str
    name: str
    scopes: list[Scope]


class Me(Schema):
    """Who is asking: a person, or a token."""

    model_config = shown_as(
        {
            "kind": "token",
            "id": "7",
            "name": "worker 1",
            "runs_the_server": False,
            "projects": [{"slug": "reports", "name": "Quarterly reports", "scopes": ["read", "work"]}],
        }
    )
    kind: Literal["person", "token"]
    id: str
    name: str
    runs_the_server: bool
    projects: list[ProjectAccess]


class TokenIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "worker 1", "scopes": ["read", "work"]}]})
    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class TokenOut(Schema):
    model_config = shown_as(TOKEN)
    id: int
    name: str
    hint: str = Field(description="How the secret begins.")
    scopes: list[Scope]
    created_at: Time
    created_by: str
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None


class NewToken(TokenOut):
    model_config = shown_as({**TOKEN, "token": "hf_4BY66…, 47 characters"})
    token: str = Field(description="The secret. It is in this answer only.")


class TokenPage(Schema):
    model_config = page_of(TOKEN)
    items: list[TokenOut]
    next_cursor: str | None


class MemberIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "operator"}]})
    role: Role


class MemberOut(Schema):
    model_config = shown_as(MEMBER)
    username: str
    role: Role
    created_at: Time

    @staticmethod
    def resolve_username(member: Any) -> str:
        return str(member.user.get_username()) if hasattr(member, "user") else str(member.username)


class MemberPage(Schema):
    model_config = page_of(MEMBER)
    items: list[MemberOut]
    next_cursor: str | None


class AuditEntryOut(Schema):
    model_config = shown_as(AUDIT_ENTRY)
    id: int
    at: Time
    actor_kind: str
    actor_id: str
    actor_name: str
    address: str
    action: str
    target_kind: str
    target_id: str
    target_name: str
    outcome: str
    detail: dict[str, Any]
    request_id: str


class AuditPage(Schema):
    model_config = page_of(AUDIT_ENTRY)
    items: list[AuditEntryOut]
    next_cursor: str | None


class TaskRunOut(Schema):
    model_config = shown_as(TASK_RUN)
    id: int
    name: str
    asked_at: Time
    asked_by: str
    started_at: Time | None
    ended_at: Time | None
    outcome: Literal["asked", "running", "done", "failed", "interrupted"]
    counts: dict[str, int]
    error: str
    consumer: str


class TaskOut(Schema):
    model_config = shown_as(TASK)
    name: str
    sentence: str
    every_seconds: int
    limit_seconds: int
    due_at: Time | None
    last_run: TaskRunOut | None


class TaskPage(Schema):
    model_config = page_of(TASK)
    items: list[TaskOut]
    next_cursor: str | None


class TaskRunPage(Schema):
    model_config = page_of(TASK_RUN)
    items: list[TaskRunOut]
    next_cursor: str | None


class RestoreIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": '{"name": "mended"}'}]})
    text: str | None = Field(None, description="The document as JSON text, mended. Left out: as it was.")


class QuarantinedOut(Schema):
    model_config = shown_as(QUARANTINED)
    id: str
    project: str
    collection: str
    record_id: str
    reason: str
    at: Time
    text: str = Field(description="As it was found; perhaps no JSON at all.")


class QuarantinePage(Schema):
    model_config = page_of(QUARANTINED)
    items: list[QuarantinedOut]
    next_cursor: str | None
