import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from ninja import NinjaAPI

from jobs_app import live
from jobs_app.streaming import Caller, Event, EventStream, Later

api = NinjaAPI(urls_namespace="bench")
hub = live.Hub(lambda topics: dict.fromkeys(topics, 0))


@api.get("/trivial")
def trivial(request: HttpRequest) -> dict[str, bool]:
    return {"ok": True}


@api.post("/trivial")
def trivial_post(request: HttpRequest) -> dict[str, bool]:
    return {"ok": bool(request.body)}


@api.get("/threads")
def threads(request: HttpRequest) -> dict[str, int]:
    return {"threads": threading.active_count()}


@api.get("/wait")
def wait(request: HttpRequest) -> Any:
    async def answer(caller: Caller) -> HttpResponse:
        async with hub.subscribe(["bench/jobs"], caller) as changes:
            await caller.waits_for(changes.next(), timeout=600)
        return JsonResponse({"jobs": []})

    return Later(answer)


@api.get("/events")
def events(request: HttpRequest) -> Any:
    async def follow(caller: Caller) -> AsyncIterator[Event]:
        async with hub.subscribe(["bench/jobs"], caller) as changes:
            yield Event("open")
            while True:
                await changes.next()
                await asyncio.sleep(0)

    return EventStream(follow)


urlpatterns = [path("api/v1/", api.urls)]
