"""Records set aside because they could not be read."""

from typing import Annotated

from ninja import Path, Query, Router

from jobs_app.api.authentication import ApiRequest
from jobs_app.api.parameters import problems
from jobs_app.api.schemas import QuarantinedOut, QuarantinePage, RestoreIn
from jobs_app.services import quarantine

router = Router(tags=["Maintenance"])
QuarantineId = Annotated[str, Path(max_length=700, description="`id` of a record in quarantine.")]
ProjectFilter = Annotated[str | None, Query(max_length=63, description="One project only.")]


@router.get(
    "/quarantine",
    response=QuarantinePage,
    summary="List records in quarantine",
    openapi_extra=problems(403, 404),
)
def list_quarantine(request: ApiRequest, project: ProjectFilter = None) -> QuarantinePage:
    """Oldest first, of the projects that you look after."""
    found = quarantine.of(request.auth, project) if project else quarantine.of_all(request.auth)
    return QuarantinePage(items=[QuarantinedOut.from_orm(item) for item in found], next_cursor=None)


@router.post("/quarantine/{id}/restore", response={204: None}, summary="Restore a record", openapi_extra=problems(409))
def restore(request: ApiRequest, id: QuarantineId, body: RestoreIn) -> None:
    """Takes it back among the records, mended to `text` where that is given. 422 if it still cannot be read."""
    quarantine.restore(request.auth, id, body.text)


@router.delete("/quarantine/{id}", response={204: None}, summary="Discard a record")
def discard(request: ApiRequest, id: QuarantineId) -> None:
    """There is no way back."""
    quarantine.discard(request.auth, id)
