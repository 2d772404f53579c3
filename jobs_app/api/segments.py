"""Segments: stored, loaded within a budget, searched, stashed, changed, thrown away, taken out and in as files."""

from typing import Annotated

from django.http import HttpResponse, StreamingHttpResponse
from ninja import Path, Query, Router

from jobs_app.api import preconditions, segment_answers
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import answered, tagged
from jobs_app.api.job_answers import answer, as_bytes
from jobs_app.api.job_schemas import NO_REASON, ReasonIn
from jobs_app.api.operation_schemas import Suggestions
from jobs_app.api.parameters import PLAIN, Cursor, IdempotencyKey, Limit, problems, streamed
from jobs_app.api.projects import Slug
from jobs_app.api.schemas import Moment
from jobs_app.api.segment_schemas import (
    ImportIn,
    ImportOut,
    LoadedOut,
    MatchPage,
    PastPage,
    RevertIn,
    SegmentBatch,
    SegmentChange,
    SegmentIn,
    SegmentList,
    SegmentOut,
    SegmentPage,
    SegmentTrashPage,
    SegmentVersionOut,
    SourceIn,
    StashIn,
    StashOut,
    TierList,
    UnstashIn,
    UnstashOut,
)
from jobs_app.domain.new_segment import MOST_TOKENS, NewSegment
from jobs_app.domain.segment import Source, Tier
from jobs_app.errors import InvalidError
from jobs_app.services import (
    active_segments,
    file_digests,
    paging,
    segment_files,
    segment_search,
    segment_stashing,
    segments,
)
from jobs_app.services.idempotency import Answer
from jobs_app.services.segment_files import FileForm
from jobs_app.services.segments import SegmentFilter
from storage_app import strict_json
from storage_app.search.grammar import LONGEST

router = Router(tags=["Segments"])
SEGMENTS = "/projects/{p}/segments"
SegmentId = Annotated[str, Path(description="The segment's id.", max_length=200)]
Word = Annotated[str | None, Query(max_length=1000)]
Kind = Annotated[str | None, Query(max_length=1000, alias="type")]
Touched = Annotated[Moment | None, Query(description="By the time it was last touched.")]
Flag = Annotated[bool | None, Query(description="true or false.")]
Budget = Annotated[int, Query(ge=0, le=MOST_TOKENS, description="The most tokens to load."), PLAIN]
VersionNumber = Annotated[int, Path(ge=1, lt=2**53, description="1 is the first."), PLAIN]
Before = Annotated[int | None, Query(ge=1, lt=2**53, description="`next_cursor` of the page before."), PLAIN]


@router.post(
    SEGMENTS,
    response={201: SegmentOut, 200: SegmentOut},
    summary="Store a segment",
    openapi_extra=problems(versioned=True),
)
def store_segment(request: ApiRequest, p: Slug, body: SegmentIn, key: IdempotencyKey = None) -> HttpResponse:
    """201 with the segment; 200 where one of this id was replaced, or one with the same text and type added to."""

    def perform() -> Answer:
        stored = segments.store_segment(request.auth, p, _new(body))
        value = as_bytes(segment_answers.segment_value(stored.segment, p))
        if not stored.created:
            return Answer(200, value, "")
        return Answer(201, value, f"{request.path}/{stored.segment.id}")

    return tagged(answered(request, request.auth, perform, key))


@router.post(f"{SEGMENTS}/batch", response={201: SegmentList, 200: SegmentList}, summary="Store many segments")
def store_segments(request: ApiRequest, p: Slug, body: SegmentBatch, key: IdempotencyKey = None) -> HttpResponse:
    """Each as if it were stored alone, in the order given; all are checked first. 200 where all were there before."""

    def perform() -> Answer:
        stored = segments.store_many(request.auth, p, [_new(item) for item in body.segments])
        items = [segment_answers.segment_value(one.segment, p) for one in stored]
        if not any(one.created for one in stored):
            return Answer(200, as_bytes({"items": items}), "")
        return Answer(201, as_bytes({"items": items}), request.path.removesuffix("/batch"))

    return answered(request, request.auth, perform, key)


@router.get(SEGMENTS, response=SegmentPage, summary="List segments")
def list_segments(
    request: ApiRequest,
    p: Slug,
    tier: Tier | None = None,
    kind: Kind = None,
    task_id: Word = None,
    file_path: Word = None,
    tag: Word = None,
    pinned: Flag = None,
    job_id: Word = None,
    document_id: Word = None,
    touched_after: Touched = None,
    touched_before: Touched = None,
    order: Annotated[str, Query(max_length=100, description=f"One of {', '.join(segments.ORDERS)}.")] = "-touched_at",
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """Active and stashed ones; what lies in the trash is not part of it."""
    wanted = SegmentFilter(
        tier, kind, task_id, file_path, tag, pinned, job_id, document_id, touched_after, touched_before
    )
    page = segments.find(request.auth, p, wanted, order, cursor, limit)
    items = [segment_answers.segment_value(one, p) for one in page.segments]
    return answer({"items": items, "next_cursor": page.next_cursor, "previous_cursor": page.previous_cursor})


@router.get(f"{SEGMENTS}/load", response=LoadedOut, summary="Load the active segments")
def load_segments(
    request: ApiRequest,
    p: Slug,
    token_budget: Budget,
    kind: Kind = None,
    task_id: Word = None,
    file_path: Word = None,
    tag: Word = None,
) -> HttpResponse:
    """Pinned ones first, then those touched last; never over the budget, with what was left out and why."""
    wanted = SegmentFilter(type=kind, task_id=task_id, file_path=file_path, tag=tag)
    return segment_answers.loaded(active_segments.load_segments(request.auth, p, wanted, token_budget), p)


@router.get(f"{SEGMENTS}/search", response=MatchPage, summary="Search segments")
def search_segments(
    request: ApiRequest,
    p: Slug,
    q: Annotated[str, Query(max_length=4000, description='Words, "phrases", pre*, OR, -not, field:value.')] = "",
    tier: Tier | None = None,
    kind: Kind = None,
    task_id: Word = None,
    file_path: Word = None,
    tag: Word = None,
    pinned: Flag = None,
    touched_after: Touched = None,
    touched_before: Touched = None,
    facets: Annotated[bool, Query(description="Also count the values of type, task, file and tag.")] = False,
    cursor: Cursor = None,
    limit: Limit = paging.DEFAULT_LIMIT,
) -> HttpResponse:
    """Best first; the newest 2,000 that match are ranked. A query of filters alone lists everything, newest first."""
    wanted = SegmentFilter(
        tier, kind, task_id, file_path, tag, pinned, touched_after=touched_after, touched_before=touched_before
    )
    found = segment_search.search(request.auth, p, q, wanted, cursor, limit, facets=facets)
    return segment_answers.matches(found, p)


@router.get(f"{SEGMENTS}/suggestions", response=Suggestions, summary="Suggest how a search goes on")
def suggest(
    request: ApiRequest,
    p: Slug,
    q: Annotated[str, Query(max_length=LONGEST, description="The query as far as it is typed.")] = "",
    position: Annotated[
        int | None, Query(ge=0, le=LONGEST, description="Of the cursor; default: the end."), PLAIN
    ] = None,
) -> HttpResponse:
    """Fields, and values that segments of this project have; at most 12."""
    found = segment_search.suggestions(request.auth, p, q, len(q) if position is None else position)
    items = [{"insert": option.insert, "label": option.label, "detail": option.detail} for option in found.options]
    return answer({"start": found.start, "end": found.end, "items": items})


@router.get(f"{SEGMENTS}/stats", response=TierList, summary="How much is there?")
def count_segments(request: ApiRequest, p: Slug) -> HttpResponse:
    """Segments and tokens by tier, from counters."""
    found = segment_search.statistics(request.auth, p)
    items = [
        {"tier": tier.value, "segments": one.segments, "tokens": one.tokens, "pinned": one.pinned}
        for tier, one in found.items()
    ]
    return answer({"items": items})


@router.post(f"{SEGMENTS}/stash", response=StashOut, summary="Stash many segments")
def stash_segments(request: ApiRequest, p: Slug, body: StashIn) -> HttpResponse:
    """By ids, by a filter, or the least recently touched down to a budget; with `preview` only to look at."""
    told = [name for name in ("ids", "filter", "token_budget") if getattr(body, name) is not None]
    if len(told) != 1:
        raise InvalidError.at("body", "give one of ids, filter and token_budget")
    if body.ids is not None:
        done = segment_stashing.stash_ids(request.auth, p, body.ids, body.reason, preview=body.preview)
    elif body.token_budget is not None:
        done = segment_stashing.stash_to_budget(request.auth, p, body.token_budget, body.reason, preview=body.preview)
    else:
        assert body.filter is not None
        named = {name: getattr(body.filter, name) for name in ("type", "task_id", "file_path", "tag", "touched_before")}
        wanted = SegmentFilter(**named)
        done = segment_stashing.stash_matching(
            request.auth, p, wanted, body.filter.q, body.reason, preview=body.preview
        )
    return segment_answers.stashing(done, preview=body.preview)


@router.post(f"{SEGMENTS}/unstash", response=UnstashOut, summary="Unstash many segments")
def unstash_segments(request: ApiRequest, p: Slug, body: UnstashIn) -> HttpResponse:
    """Back into the context: the undo of a stashing. Those that are not stashed are left."""
    back = segment_stashing.unstash_ids(request.auth, p, body.ids, body.reason)
    return answer({"segment_ids": [one.id for one in back]})


@router.get(
    f"{SEGMENTS}/export",
    response={200: None},
    summary="Export segments",
    openapi_extra=streamed("application/octet-stream"),
)
def export_segments(request: ApiRequest, p: Slug, form: FileForm = FileForm.SINGLE) -> HttpResponse:
    """All but the trash, streamed, as one file or as JSON Lines; the same bytes for the same segments."""
    pieces = segment_files.export(request.auth, p, form)
    ending = "json" if form is FileForm.SINGLE else "jsonl"
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="segments-{p}.{ending}"'
    return response  # type: ignore[return-value]  # ninja passes any response of Django's on


@router.post(f"{SEGMENTS}/import", response=ImportOut, by_alias=True, summary="Import segments")
def import_segments(request: ApiRequest, p: Slug, body: ImportIn) -> HttpResponse:
    """Ids, versions and times come along; running it again changes nothing. A broken file gives what is whole in it,
    and the places of its faults.
    """
    if (body.content is None) == (body.file is None):
        raise InvalidError.at("body", "give one of content and file")
    data = strict_json.dumps_bytes(body.file) if body.content is None else body.content.encode(errors="surrogatepass")
    contents = segment_files.read(data, FileForm(body.form))
    done = segment_files.import_(request.auth, p, contents, entry=body.from_, on_conflict=body.on_conflict)
    return segment_answers.imported(done)


@router.get(f"{SEGMENTS}/trash", response=SegmentTrashPage, summary="List deleted segments")
def list_trashed_segments(
    request: ApiRequest, p: Slug, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """What can still be brought back, the one touched last first."""
    page = segments.in_trash(request.auth, p, cursor, limit)
    items = [segment_answers.trashed_value(one, p) for one in page.segments]
    return answer({"items": items, "next_cursor": page.next_cursor})


@router.post(
    f"{SEGMENTS}/trash/{{id}}/restore",
    response=SegmentOut,
    summary="Bring a segment back",
    openapi_extra=problems(versioned=True),
)
def restore_segment(request: ApiRequest, p: Slug, id: SegmentId) -> HttpResponse:
    """As it was, with its history."""
    return segment_answers.one(segments.restore(request.auth, p, id), p)


@router.delete(f"{SEGMENTS}/trash/{{id}}", response={204: None}, summary="Delete a segment for good")
def erase_segment(request: ApiRequest, p: Slug, id: SegmentId) -> HttpResponse:
    """Out of the trash, with its history; there is no way back."""
    segments.erase(request.auth, p, id)
    return HttpResponse(status=204)


@router.get(
    f"{SEGMENTS}/{{id}}",
    response={200: SegmentOut, 304: None},
    summary="Get a segment",
    openapi_extra=problems(409, versioned=True),
)
def get_segment(request: ApiRequest, p: Slug, id: SegmentId) -> HttpResponse:
    segment = segments.get(request.auth, p, id)
    stale = file_digests.is_stale(p, segment.source)
    tag = segment_answers.tag(segment, stale)
    if preconditions.is_current(request, tag):
        return preconditions.not_modified(tag)
    return segment_answers.one(segment, p, stale=stale)


@router.patch(
    f"{SEGMENTS}/{{id}}",
    response=SegmentOut,
    summary="Change a segment",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def change_segment(request: ApiRequest, p: Slug, id: SegmentId, body: SegmentChange) -> HttpResponse:
    """The fields that are sent; what was there stays in the history. `If-Match` makes it conditional."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    if changes.get("source") is not None:
        changes["source"] = _source(changes["source"])
    segment = segments.change(request.auth, p, id, changes, preconditions.expected_version(request))
    return segment_answers.one(segment, p)


@router.delete(
    f"{SEGMENTS}/{{id}}",
    response={204: None},
    summary="Throw a segment away",
    openapi_extra=problems(409, versioned=True),
)
def delete_segment(request: ApiRequest, p: Slug, id: SegmentId) -> HttpResponse:
    """Into the trash, from where it can be brought back for a week."""
    segments.delete_segment(request.auth, p, id, version=preconditions.expected_version(request))
    return HttpResponse(status=204)


@router.post(
    f"{SEGMENTS}/{{id}}/stash",
    response=SegmentOut,
    summary="Stash a segment",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def stash_segment(request: ApiRequest, p: Slug, id: SegmentId, body: ReasonIn = NO_REASON) -> HttpResponse:
    """Out of the context, still found by search. One that is stashed already stays as it is."""
    version = preconditions.expected_version(request)
    return segment_answers.one(segments.stash_segment(request.auth, p, id, body.reason, version), p)


@router.post(
    f"{SEGMENTS}/{{id}}/unstash",
    response=SegmentOut,
    summary="Unstash a segment",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def unstash_segment(request: ApiRequest, p: Slug, id: SegmentId, body: ReasonIn = NO_REASON) -> HttpResponse:
    version = preconditions.expected_version(request)
    return segment_answers.one(segments.unstash(request.auth, p, id, body.reason, version), p)


@router.get(f"{SEGMENTS}/{{id}}/history", response=PastPage, summary="Read a segment's history")
def list_history(
    request: ApiRequest, p: Slug, id: SegmentId, before: Before = None, limit: Limit = paging.DEFAULT_LIMIT
) -> HttpResponse:
    """What was done to it, newest first; `next_cursor` is the next `before`."""
    steps, following = segments.history(request.auth, p, id, before, limit)
    items = [segment_answers.past_value(step) for step in steps]
    return answer({"items": items, "next_cursor": None if following is None else str(following)})


@router.get(f"{SEGMENTS}/{{id}}/versions/{{version}}", response=SegmentVersionOut, summary="Read an earlier version")
def get_version(request: ApiRequest, p: Slug, id: SegmentId, version: VersionNumber) -> HttpResponse:
    return answer(segment_answers.version_value(id, version, segments.as_of(request.auth, p, id, version)))


@router.post(
    f"{SEGMENTS}/{{id}}/revert",
    response=SegmentOut,
    summary="Go back to an earlier version",
    openapi_extra=problems(409, versioned=True, conditional=True),
)
def revert_segment(request: ApiRequest, p: Slug, id: SegmentId, body: RevertIn) -> HttpResponse:
    """Its content, as a new version; tier and pin stay."""
    version = preconditions.expected_version(request)
    return segment_answers.one(segments.revert(request.auth, p, id, body.version, version), p)


def _new(body: SegmentIn) -> NewSegment:
    told = {name: getattr(body, name) for name in SegmentIn.model_fields if name != "source"}
    return NewSegment(**told, source=_source(body.source))


def _source(source: SourceIn | None) -> Source:
    return Source(**source.model_dump()) if source is not None else Source()
