"""The audit log of a project."""

from typing import Annotated

from ninja import Query, Router
from pydantic import AwareDatetime

from jobs_app.api.authentication import ApiRequest
from jobs_app.api.parameters import Cursor, Limit
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import AuditPage
from jobs_app.services import audit, paging

router = Router(tags=["Audit"])


@router.get("/projects/{p}/audit", response=AuditPage, summary="Read the audit log")
def list_audit(
    request: ApiRequest,
    p: Slug,
    actor: Annotated[str | None, Query(max_length=200, description="The exact name of who did it.")] = None,
    action: Annotated[str | None, Query(max_length=64, description="For instance `token.create`.")] = None,
    target: Annotated[str | None, Query(max_length=300, description="A part of the target's name.")] = None,
    after: AwareDatetime | None = None,
    before: AwareDatetime | None = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> paging.Page:
    """Newest first; for admins of the project."""
    conditions = audit.AuditFilter(actor=actor, action=action, target=target, after=after, before=before)
    return paging.page(audit.entries(request.auth, p, conditions), "-id", cursor, limit)
