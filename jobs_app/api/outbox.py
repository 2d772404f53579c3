"""The outbox: what waits, what was sent in which commit, what is parked; send now, retry, discard."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Router

from jobs_app.api import file_answers, job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.file_schemas import FileOut, downloaded
from jobs_app.api.parameters import PLAIN, Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.storage_answers import pending_value, queue_value, sent_value
from jobs_app.api.storage_schemas import FlushedOut, PendingOut, PendingPage, SentPage
from jobs_app.api.storages import PLACE, Alias
from jobs_app.services import outbox, paging
from storage_app.providers import StorageFileInfo
from storage_app.providers.streams import BytesStream, StorageStream, span

router = Router(tags=["Outbox"])
ChangeId = Annotated[int, Path(ge=1, lt=2**63, description="`id` of a pending change."), PLAIN]
PENDING = f"{PLACE}/pending"


@router.get(PENDING, response=PendingPage, summary="List pending changes")
def list_pending(
    request: ApiRequest, p: Slug, s: Alias, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """What waits, is being sent or is parked, oldest first; and why nothing goes out, where that is so."""
    page = paging.page(outbox.pending(request.auth, p, s), "id", cursor, limit)
    return job_answers.answer(
        {
            "items": [pending_value(change) for change in page.items],
            "next_cursor": page.next_cursor,
            "queue": queue_value(outbox.state(request.auth, p, s)),
        }
    )


@router.get(f"{PENDING}/sent", response=SentPage, summary="List what was sent")
def list_sent(
    request: ApiRequest, p: Slug, s: Alias, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """The commits of the last month and what each of them holds, latest first."""
    page = paging.page(outbox.sent(request.auth, p, s), "-id", cursor, limit)
    return job_answers.answer({"items": [sent_value(batch) for batch in page.items], "next_cursor": page.next_cursor})


@router.post(f"{PENDING}/flush", response=FlushedOut, summary="Send what waits", openapi_extra=problems(409, 429, 502))
def flush_pending(request: ApiRequest, p: Slug, s: Alias) -> HttpResponse:
    """Without waiting for the batch window. Where the storage does not take it, `queue` says why, and until when."""
    flush = outbox.flush(request.auth, p, s)
    sent = [sent_value(batch) for batch in flush.sent]
    return job_answers.answer({"sent": sent, "busy": flush.busy, "queue": queue_value(flush.state)})


@router.get(
    f"{PENDING}/{{id}}",
    response={200: FileOut, 206: None, 304: None},
    summary="Download a pending change",
    openapi_extra={**problems(409, 412, 416, 429, 502, versioned=True), **downloaded(FileOut)},
)
def get_pending(request: ApiRequest, p: Slug, s: Alias, id: ChangeId) -> HttpResponseBase:
    """What the file is to be: for a parked change, what the storage did not take. Empty for one that deletes."""
    change = outbox.change(request.auth, p, s, id)
    content = bytes(change.content or b"")
    info = StorageFileInfo(change.path, change.sha256 or f"none:{change.pk}", len(content), False, change.changed_at)

    def open_at(start: int, length: int | None) -> StorageStream:
        return BytesStream(info, content, *span(len(content), start, length))

    return file_answers.answered(request, lambda: info, open_at)


@router.post(f"{PENDING}/{{id}}", response=PendingOut, summary="Retry a parked change", openapi_extra=problems(409))
def retry_pending(request: ApiRequest, p: Slug, s: Alias, id: ChangeId) -> HttpResponse:
    """It waits again, and is sent with the next sending. 409 where a later change of the same file is pending."""
    return job_answers.answer(pending_value(outbox.retry(request.auth, p, s, id)))


@router.delete(
    f"{PENDING}/{{id}}", response={204: None}, summary="Discard a pending change", openapi_extra=problems(409)
)
def discard_pending(request: ApiRequest, p: Slug, s: Alias, id: ChangeId) -> HttpResponse:
    """There is no way back. 409 while it is being sent."""
    outbox.discard(request.auth, p, s, id)
    return HttpResponse(status=204)
