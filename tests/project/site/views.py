"""Each view shows one thing the server must do; what happens out of sight is written to a file of marks."""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from jobs_app.streaming import Caller, Event, EventStream, Later

# Longer than any test is patient: what waits ends because the test ended it.
LONGEST = 600


def environ(request: HttpRequest, rest: str) -> HttpResponse:
    known = {name: value for name, value in request.META.items() if isinstance(value, str)}
    return JsonResponse({"rest": rest, "secure": request.is_secure(), **known})


@csrf_exempt
def body(request: HttpRequest) -> HttpResponse:
    digest, length = hashlib.sha256(), 0
    while piece := request.read(65536):
        digest.update(piece)
        length += len(piece)
    return JsonResponse({"length": length, "sha256": digest.hexdigest(), "thread": threading.current_thread().name})


def slow(request: HttpRequest) -> HttpResponse:
    _mark("slow-began")
    _wait_for_mark(request.GET.get("until", "go"))
    return JsonResponse({"slow": "done"})


def rows(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        (f"row {number}\n" for number in range(int(request.GET["count"]))), content_type="text/csv"
    )


def endless_rows(request: HttpRequest) -> StreamingHttpResponse:
    def generate() -> Iterator[bytes]:
        made = 0
        try:
            while True:
                made += 1
                (_marks() / "rows-made").write_text(str(made))
                yield b"x" * 65536
        finally:
            _mark("rows-closed")

    return StreamingHttpResponse(generate(), content_type="text/csv")


def file(request: HttpRequest) -> FileResponse:
    return FileResponse((_marks() / "file").open("rb"), as_attachment=True, filename="größe.bin")


def later(request: HttpRequest) -> Later:
    async def wait(caller: Caller) -> HttpResponse:
        _mark("later-began")
        came = await caller.waits_for(_mark_seen("go"), timeout=LONGEST)
        _mark("later-ended")
        where = await caller.in_thread(lambda: threading.current_thread().name)
        return JsonResponse({"came": came, "open": caller.is_open, "thread": where}, status=201)

    promise = Later(wait)
    promise.headers["X-Promise"] = "kept"
    return promise


def fails_later(request: HttpRequest) -> Later:
    async def wait(caller: Caller) -> HttpResponse:
        raise RuntimeError("later")

    return Later(wait)


def events(request: HttpRequest) -> EventStream:
    async def follow(caller: Caller) -> AsyncIterator[Event]:
        last = request.headers.get("Last-Event-ID", "0")
        try:
            yield Event("hello\nworld", name="greeting", id=last)
            await asyncio.Event().wait()
        finally:
            _mark(f"events-{last}-closed")

    return EventStream(follow, heartbeat=0.2)


def seen(request: HttpRequest) -> HttpResponse:
    threads = [thread.name for thread in threading.enumerate()]
    return JsonResponse(
        {"marks": sorted(path.name for path in _marks().iterdir()), "threads": threads, "pid": os.getpid()}
    )


def mark(request: HttpRequest, name: str) -> HttpResponse:
    _mark(name)
    return HttpResponse()


def connections(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse(
        {
            "connection": id(connection.connection),
            "thread": threading.get_ident(),
            "name": threading.current_thread().name,
        }
    )


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a bug")


def _marks() -> Path:
    folder = Path(settings.CONFIG.data) / "marks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _mark(name: str) -> None:
    (_marks() / name).touch()


def _wait_for_mark(name: str) -> None:
    deadline = time.monotonic() + LONGEST
    while not (_marks() / name).exists() and time.monotonic() < deadline:
        time.sleep(0.02)


async def _mark_seen(name: str) -> bool:
    while not (_marks() / name).exists():
        await asyncio.sleep(0.02)
    return True
