"""Free records: any JSON object in a collection of its project, under a number of its own."""

from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered, tagged
from jobs_app.api.job_answers import answer, as_bytes, time_value
from jobs_app.api.parameters import PLAIN, PLAIN_NUMBER, Cursor, IdempotencyKey, Limit, problems
from jobs_app.api.projects import Slug
from jobs_app.api.record_schemas import (
    CollectionList,
    MessageIn,
    MessageOut,
    RecordIn,
    RecordOut,
    RecordPage,
    RecordQuery,
)
from jobs_app.domain.free_record import FreeRecord
from jobs_app.services import agent_messages, free_records, paging
from jobs_app.services.idempotency import Answer
from jobs_app.stores.free_records import FreePage

router = Router(tags=["Records"])
RECORDS = "/projects/{p}/records"
Collection = Annotated[str, Path(description="The collection's name, 1 to 128 bytes.", max_length=128)]
RecordId = Annotated[int, Path(description="The record's number.", ge=1, lt=2**53), PLAIN]
OWN_PARAMETERS = frozenset({"order", "cursor", "limit"})
JSON_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@router.get(RECORDS, response=CollectionList, summary="List collections")
def list_collections(request: ApiRequest, p: Slug) -> HttpResponse:
    """Those that hold a record or ever held one."""
    found = free_records.collections(request.auth, p)
    return answer({"items": [{"name": one.name, "records": one.records, "bytes": one.bytes} for one in found]})


@router.post(
    f"{RECORDS}/{{collection}}",
    response={201: RecordOut},
    summary="Save a record",
    openapi_extra=problems(versioned=True),
)
def create_record(
    request: ApiRequest, p: Slug, collection: Collection, body: RecordIn, key: IdempotencyKey = None
) -> HttpResponse:
    """Under the next number; the collection comes into being with its first record."""

    def perform() -> Answer:
        made = free_records.create(request.auth, p, collection, body.root)
        return Answer(201, as_bytes(record_value(made)), f"{request.path}/{made.id}")

    return tagged(answered(request, request.auth, perform, key))


@router.get(
    f"{RECORDS}/{{collection}}",
    response=RecordPage,
    summary="List records",
    openapi_extra={**problems(), "x-open-query": True},
)
def list_records(
    request: ApiRequest,
    p: Slug,
    collection: Collection,
    order: Annotated[str, Query(max_length=100, description="`id` or `-id`.")] = "id",
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """Any other parameter is a field and the value it must have, `?state=open&size__gt=3`: a text, or the number, true,
    false or null of that spelling.
    """
    given = {name: values for name, values in request.GET.lists() if name not in OWN_PARAMETERS}
    filters = dict(_filter(name, value) for name, values in given.items() for value in values[-1:])
    return page_answer(free_records.find(request.auth, p, collection, filters, order, limit, cursor))


@router.post(f"{RECORDS}/{{collection}}/query", response=RecordPage, summary="Query records")
def query_records(request: ApiRequest, p: Slug, collection: Collection, body: RecordQuery) -> HttpResponse:
    page = free_records.find(request.auth, p, collection, body.filters, body.order, body.limit, body.cursor)
    return page_answer(page)


@router.get(
    f"{RECORDS}/{{collection}}/{{id}}",
    response={200: RecordOut, 304: None},
    summary="Get a record",
    openapi_extra=problems(409, versioned=True),
)
def get_record(request: ApiRequest, p: Slug, collection: Collection, id: RecordId) -> HttpResponse:
    record = free_records.get(request.auth, p, collection, id)
    tag = preconditions.etag(record.version)
    return preconditions.not_modified(tag) if preconditions.is_current(request, tag) else one(record)


@router.put(
    f"{RECORDS}/{{collection}}/{{id}}",
    response=RecordOut,
    summary="Replace a record",
    openapi_extra=problems(409, versioned=True),
)
def replace_record(request: ApiRequest, p: Slug, collection: Collection, id: RecordId, body: RecordIn) -> HttpResponse:
    """The whole object; never creates."""
    version = preconditions.expected_version(request)
    return one(free_records.replace(request.auth, p, collection, id, body.root, version))


@router.patch(
    f"{RECORDS}/{{collection}}/{{id}}",
    response=RecordOut,
    summary="Change a record",
    openapi_extra=problems(409, versioned=True),
)
def change_record(request: ApiRequest, p: Slug, collection: Collection, id: RecordId, body: RecordIn) -> HttpResponse:
    """The fields that are sent, on the top level; the others stay."""
    version = preconditions.expected_version(request)
    return one(free_records.patch(request.auth, p, collection, id, body.root, version))


@router.delete(
    f"{RECORDS}/{{collection}}/{{id}}",
    response=RecordOut,
    summary="Delete a record",
    openapi_extra=problems(409, versioned=True),
)
def delete_record(request: ApiRequest, p: Slug, collection: Collection, id: RecordId) -> HttpResponse:
    """The record as it was. Its number is never given out again."""
    return one(free_records.delete(request.auth, p, collection, id, preconditions.expected_version(request)))


@router.post("/projects/{p}/agent/messages", response=MessageOut, summary="Send a message")
def send_message(request: ApiRequest, p: Slug, body: MessageIn) -> HttpResponse:
    """200 with success or error; what concerns the project or the token itself is refused as everywhere."""
    return answer(agent_messages.answer(request.auth, p, body.action, body.payload))


def one(record: FreeRecord) -> HttpResponse:
    response = answer(record_value(record))
    response["ETag"] = preconditions.etag(record.version)
    return response


def page_answer(page: FreePage) -> HttpResponse:
    items = [record_value(record) for record in page.records]
    return answer({"items": items, "next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor})


def record_value(record: FreeRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "version": record.version,
        "created_at": time_value(record.created_at),
        "updated_at": time_value(record.updated_at),
        "data": record.data,
    }


def _filter(name: str, text: str) -> tuple[str, Any]:
    """In an address everything is a text: it stands for the JSON value of that spelling too."""
    _, separator, suffix = name.rpartition("__")
    if not separator:
        meanings = _meanings(text)
        return (name, text) if len(meanings) == 1 else (f"{name}__in", meanings)
    if suffix == "in":
        return name, [meaning for part in text.split(",") for meaning in _meanings(part)]
    if suffix in ("contains", "startswith", "search"):
        return name, text
    return name, _meanings(text)[-1]


def _meanings(text: str) -> list[Any]:
    if text in JSON_WORDS:
        return [text, JSON_WORDS[text]]
    return [text, int(text)] if PLAIN_NUMBER.fullmatch(text) else [text]
