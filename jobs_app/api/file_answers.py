"""A file's bytes as an answer: conditions, ranges, a type that no browser runs, and the other way round a body as the
pieces of a write.

What was stored is never trusted: it is a download under our name for it, sandboxed should somebody open it after all.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from jobs_app.api.schemas import rfc3339
from jobs_app.errors import BusyError, PreconditionFailedError, RangeNotSatisfiableError
from storage_app import file_storages
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.streams import StorageStream
from storage_app.providers.types import StorageFileInfo

# Types that a program gains by knowing and a browser cannot run; everything else is bytes.
TYPES: Final = {
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".zip": "application/zip",
}
BYTES: Final = "application/octet-stream"
SANDBOX: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
READ_AT_ONCE: Final = 1024 * 1024
PIECE: Final = 256 * 1024
_TRIES: Final = 5

LookAt: TypeAlias = Callable[[], StorageFileInfo]
OpenAt: TypeAlias = Callable[[int, int | None], StorageStream]


def answered(request: HttpRequest, look: LookAt, open_at: OpenAt) -> HttpResponseBase:
    """The file, or the part of it that `Range` asks for; 304 where the caller has it; as JSON what is known of it,
    where that is what `Accept` names first. A HEAD gets the same without the bytes.
    """
    for _ in range(_TRIES):
        info = look()
        early = _early(request, info)
        if early is not None:
            return early
        part = _part(request, info)
        if request.method == "HEAD":
            return _described(HttpResponse(), info, part)
        stream = open_at(part.start, part.length)
        if stream.info.sha == info.sha:
            return _described(_sent(stream, part), info, part)
        file_storages.run(lambda _, stream=stream: stream.aclose())  # type: ignore[misc]  # bound now, not later
    raise BusyError("The file is being changed at this moment. Try again in a second.")


def etag(sha: str | None) -> str:
    return f'"{sha}"'


def value_of(info: StorageFileInfo) -> dict[str, Any]:
    modified = None if info.last_modified is None else rfc3339(info.last_modified)
    return {"path": info.path, "size": info.size, "sha": info.sha, "last_modified": modified}


def pieces_of(request: HttpRequest) -> Iterator[bytes]:
    """The body, which the front has counted and keeps on disk where it is large."""
    while piece := request.read(PIECE):
        yield piece


def size_of(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)


@dataclass(frozen=True, slots=True)
class Condition:
    """Under which a write is wanted: as `overwrite` and `expected_sha` of a storage."""

    overwrite: bool = True
    expected_sha: str | None = None


def condition_of(request: HttpRequest, look: LookAt) -> Condition:
    """`If-None-Match: *`: only where there is no file. `If-Match`: only while it is one of those, `*` being any."""
    absent, present = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    if absent is not None and absent.strip() != "*":
        raise PreconditionFailedError("A write takes If-None-Match: * alone, for a file that is not there yet.")
    if present is None:
        return Condition(overwrite=absent is None)
    tags = _tags(present)
    if len(tags) == 1 and "*" not in tags and absent is None:
        return Condition(expected_sha=_sha(tags[0]))
    current = _current(look)
    if absent is not None or current is None or not ("*" in tags or etag(current) in tags):
        raise PreconditionFailedError("The file is another one by now, or gone.")
    return Condition(expected_sha=current)


@contextmanager
def conditional(condition: Condition) -> Iterator[None]:
    """A storage's refusal of the caller's own condition, in the words of HTTP."""
    try:
        yield
    except StorageError as error:
        mine = (not condition.overwrite and error.code is StorageErrorCode.ALREADY_EXISTS) or (
            condition.expected_sha is not None and (error.is_absence or "actual" in error.details)
        )
        if not mine:
            raise
        raise PreconditionFailedError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Part:
    """Which bytes are sent; `asked` where it is less than all, by the caller's wish."""

    start: int
    length: int
    asked: bool


class _Download(FileResponse):
    """A FileResponse reads piece by piece as the caller takes them, and holds no thread meanwhile."""

    def set_headers(self, filelike: object) -> None:
        """All of them are set by `_described`; there is no file of the disk whose size and name could be asked."""


class _Reader:
    def __init__(self, stream: StorageStream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """One piece as the storage gives it, whatever was asked for."""
        return file_storages.run(lambda _: anext(self._stream, b""))

    def close(self) -> None:
        file_storages.run(lambda _: self._stream.aclose())


def _early(request: HttpRequest, info: StorageFileInfo) -> HttpResponse | None:
    """What is answered without the bytes."""
    tag = etag(info.sha)
    expected = request.headers.get("If-Match")
    if expected is not None and "*" not in _tags(expected) and tag not in _tags(expected):
        raise PreconditionFailedError("The file is another one by now.")
    known = [known.removeprefix("W/") for known in _tags(request.headers.get("If-None-Match", ""))]
    if "*" in known or tag in known:
        return _tagged(HttpResponse(status=304), tag)
    if request.headers.get("Accept", "").partition(",")[0].partition(";")[0].strip() == "application/json":
        body = json.dumps(value_of(info), ensure_ascii=False)
        return _tagged(HttpResponse(body, content_type="application/json; charset=utf-8"), tag)
    return None


def _part(request: HttpRequest, info: StorageFileInfo) -> _Part:
    """One range is given, several at once are answered with the whole file, as is a range of an earlier state."""
    whole = _Part(0, info.size, asked=False)
    header, only_if = request.headers.get("Range", ""), request.headers.get("If-Range")
    unit, _, span = header.partition("=")
    first, dash, last = span.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or (only_if is not None and only_if.strip() != etag(info.sha)):
        return whole
    if not all(_is_number(number) for number in (first, last)) or not (first or last):
        return whole
    if not first:
        start, end = max(info.size - int(last), 0), info.size
    else:
        start, end = int(first), min(int(last) + 1 if last else info.size, info.size)
        if last and int(last) < start:
            return whole
    if start >= end:
        raise RangeNotSatisfiableError(info.size)
    return _Part(start, end - start, asked=True)


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= 18)


def _sent(stream: StorageStream, part: _Part) -> HttpResponseBase:
    reader = _Reader(stream)
    if part.length > READ_AT_ONCE:
        return _Download(reader)
    try:
        return HttpResponse(file_storages.run(lambda _: stream.read()))
    finally:
        reader.close()


def _described(response: HttpResponseBase, info: StorageFileInfo, part: _Part) -> HttpResponseBase:
    name = info.path.rpartition("/")[2]
    suffix = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    response["Content-Type"] = TYPES.get(suffix, BYTES)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    response["Content-Security-Policy"] = SANDBOX
    response["Content-Length"] = str(part.length)
    response["Accept-Ranges"] = "bytes"
    if part.asked:
        response.status_code = 206
        response["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{info.size}"
    return _tagged(response, etag(info.sha))


_Response = TypeVar("_Response", bound=HttpResponseBase)


def _tagged(response: _Response, tag: str) -> _Response:
    response["ETag"] = tag
    response["Vary"] = "Accept"
    # private, and to be asked after each time: the tag makes that cheap
    response["Cache-Control"] = "private, no-cache"
    return response


def _tags(header: str) -> list[str]:
    return [tag for part in header.split(",") if (tag := part.strip())]


def _sha(tag: str) -> str:
    """Of a weak tag, or of what is none, a text that matches no file."""
    return tag[1:-1] if len(tag) > 1 and tag[0] == tag[-1] == '"' else tag


def _current(look: LookAt) -> str | None:
    try:
        return look().sha
    except StorageError as error:
        if error.is_absence:
            return None
        raise
