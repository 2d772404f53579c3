"""Documents of a run."""

from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Path, Query, Router

from jobs_app.api import file_answers, job_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.file_schemas import FileOut, downloaded
from jobs_app.api.parameters import Cursor, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.run_answers import document_value
from jobs_app.api.run_schemas import AttachedOut, DocumentIn, DocumentOut, DocumentPage
from jobs_app.api.runs import RUN, RunId
from jobs_app.api.sent_content import content_of
from jobs_app.domain.document import DocumentState
from jobs_app.errors import InvalidError
from jobs_app.services import documents, paging
from jobs_app.services.documents import DocumentView

router = Router(tags=["Runs"])
DocumentId = Annotated[str, Path(description="The document's id.", max_length=200)]
DOCUMENTS = f"{RUN}/documents"
DOCUMENT = f"{DOCUMENTS}/{{doc}}"
STORAGE_PROBLEMS = (409, 429, 502)


@router.get(DOCUMENTS, response=DocumentPage, summary="List a run's documents")
def list_documents(
    request: ApiRequest,
    p: Slug,
    id: RunId,
    state: Annotated[DocumentState | None, Query(description="As its job is, or as it was planned.")] = None,
    q: Annotated[str | None, Query(max_length=1000, description="Words in the path.")] = None,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """In the order of attaching; with a job's state, in the order of the jobs."""
    found = documents.find(request.auth, p, id, state=state, text=q, cursor=cursor, limit=limit)
    items = [_value(view) for view in found.items]
    return job_answers.answer(
        {"items": items, "next_cursor": found.next_cursor, "previous_cursor": found.previous_cursor}
    )


@router.post(
    DOCUMENTS,
    response={201: AttachedOut, 200: AttachedOut},
    summary="Attach documents",
    openapi_extra=problems(*STORAGE_PROBLEMS, 413),
)
def attach(request: ApiRequest, p: Slug, id: RunId, body: DocumentIn) -> HttpResponse:
    """One by `path`, many by `glob` or `prefix`, or content that is sent. 200 where all were attached before."""
    _refuse_mixed(body)
    if body.filename is not None:
        content = content_of("body", body.content, body.content_base64)
        document, new = documents.attach_inline(request.auth, p, id, body.filename, content, body.options)
        return _attached([document.id], p, id, request, int(new), int(not new))
    storage = body.storage or "default"
    if body.path is not None:
        document, new = documents.attach(request.auth, p, id, storage, body.path, body.options)
        return _attached([document.id], p, id, request, int(new), int(not new))
    made = documents.attach_many(request.auth, p, id, storage, glob=body.glob, prefix=body.prefix, options=body.options)
    ids = [document.id for document in made.documents[: paging.DEFAULT_LIMIT]]
    return _attached(ids, p, id, request, made.new, made.known)


@router.get(DOCUMENT, response=DocumentOut, summary="Get a document")
def get_document(request: ApiRequest, p: Slug, id: RunId, doc: DocumentId) -> HttpResponse:
    return job_answers.answer(_value(documents.get(request.auth, p, id, doc)))


@router.delete(DOCUMENT, response={204: None}, summary="Take a document out", openapi_extra=problems(409))
def detach(request: ApiRequest, p: Slug, id: RunId, doc: DocumentId) -> HttpResponse:
    """The file stays. Refused while its job is open."""
    documents.detach(request.auth, p, id, doc)
    return HttpResponse(status=204)


@router.get(
    f"{DOCUMENT}/content",
    response={200: FileOut, 206: None, 304: None},
    summary="Read a document",
    openapi_extra={**problems(*STORAGE_PROBLEMS, 412, 416, versioned=True), **downloaded(FileOut)},
)
def read_document(request: ApiRequest, p: Slug, id: RunId, doc: DocumentId) -> HttpResponseBase:
    """Raw bytes, as they are now, with ranges; the tag is the content's hash."""
    return file_answers.answered(
        request,
        lambda: documents.content_info(request.auth, p, id, doc),
        lambda start, length: documents.content(request.auth, p, id, doc, start=start, length=length),
    )


def _refuse_mixed(body: DocumentIn) -> None:
    ways = {name for name in ("path", "glob", "prefix", "filename") if getattr(body, name) is not None}
    if len(ways) != 1:
        raise InvalidError.at("body", "give one of path, glob, prefix and filename")
    if ways != {"filename"} and not (body.content is None and body.content_base64 is None):
        raise InvalidError.at("body.filename", "content needs a filename")
    if ways == {"filename"} and body.storage is not None:
        raise InvalidError.at("body.storage", "content that is sent goes to the default storage")


def _attached(ids: list[str], p: str, run_id: str, request: ApiRequest, new: int, known: int) -> HttpResponse:
    items = [_value(view) for view in documents.get_many(request.auth, p, run_id, ids)]
    response = job_answers.answer({"new": new, "known": known, "items": items}, 201 if new else 200)
    if new:
        response["Location"] = f"{request.path}/{ids[0]}" if new == 1 else request.path
    return response


def _value(view: DocumentView) -> dict[str, object]:
    return document_value(view.document, view.state)
