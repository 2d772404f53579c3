"""Every route, every role, own and foreign project: who gets in, who is refused, and who learns nothing.

A route that is not in the table below fails the last test.
"""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLResolver, get_resolver
from pytest_django import Settings

from jobs_app.domain import lease
from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.models import Project, Token
from jobs_app.services import free_records, logins, people, tokens, workspaces
from storage_app.records.base import RecordStore
from tests.factories import (
    file_cast,
    job_cast,
    library_cast,
    make_person,
    make_token,
    run_cast,
    segment_cast,
)

pytestmark = pytest.mark.django_db

READ, WRITE, WORK, ADMIN = Scope
SERVER = "server"  # only those who run the server
HIDDEN = "hidden"  # as SERVER, and nobody else is told that it exists
PERSON = "person"  # anybody who is logged in
TOKEN_HOLDER = "anybody with a login or token"
EVERYBODY = "everybody"
ANYBODY = {PERSON, TOKEN_HOLDER, EVERYBODY}  # once logged in
WORK_OR_WRITE = "work or write"  # either scope is enough


@dataclass(frozen=True)
class Route:
    """`needs` is what the caller must hold; `in_project` routes name a project and hide it from strangers."""

    method: str
    path: str
    needs: str
    body: Any = None

    @property
    def in_project(self) -> bool:
        return any(part in self.path for part in ("<p>", "<slug:slug>", "quarantine/<id>"))

    @property
    def only_reads(self) -> bool:
        return self.method in {"GET", "HEAD"}

    @property
    def is_api(self) -> bool:
        return self.path.startswith("api/")


QUERIES = {
    "DELETE /api/v1/projects/<p>": "?confirm=alpha",
    "GET /api/v1/projects/<p>/segments/load": "?token_budget=9",
    "GET /live/": "?topics=/maintenance",
    "GET /p/<slug:slug>/documents/<slug:storage>/file/": "?path=a.txt",
    "GET /p/<slug:slug>/documents/<slug:storage>/image/": "?path=picture.png",
    "GET /p/<slug:slug>/workers/drain/": "?worker=w1",
    "POST /p/<slug:slug>/documents/<slug:storage>/edit/": "?path=new.txt",
}
V1 = "api/v1"
PROJECT = f"{V1}/projects/<p>"
JOBS = f"{PROJECT}/jobs"
STORAGE = f"{PROJECT}/storages/<s>"
SHELF = f"{PROJECT}/library/<kind>"
SEGMENTS = f"{PROJECT}/segments"
RECORDS = f"{PROJECT}/records"
PAGE = "p/<slug:slug>/"
FILES = f"{PAGE}documents/<slug:storage>/"
LEASE = "the token of the one lease"
RUNS = f"{PROJECT}/runs"
RUN_DOCUMENT = f"{RUNS}/<id>/documents/<doc>"
ROUTES = [
    Route("GET", f"{V1}/me", TOKEN_HOLDER),
    Route("GET", f"{V1}/projects", TOKEN_HOLDER),
    Route("POST", f"{V1}/projects", SERVER, {"slug": "new"}),
    Route("GET", PROJECT, READ),
    Route("PATCH", PROJECT, ADMIN, {"name": "x"}),
    Route("DELETE", PROJECT, ADMIN),
    Route("GET", f"{PROJECT}/members", READ),
    Route("PUT", f"{PROJECT}/members/<username>", ADMIN, {"role": "viewer"}),
    Route("DELETE", f"{PROJECT}/members/<username>", ADMIN),
    Route("GET", f"{PROJECT}/tokens", ADMIN),
    Route("POST", f"{PROJECT}/tokens", ADMIN, {"name": "x", "scopes": ["read"]}),
    Route("POST", f"{PROJECT}/tokens/<token_id>/rotate", ADMIN),
    Route("DELETE", f"{PROJECT}/tokens/<token_id>", ADMIN),
    Route("GET", f"{PROJECT}/audit", ADMIN),
    Route("GET", JOBS, READ),
    Route("POST", JOBS, WRITE, {"name": "x"}),
    Route("POST", f"{JOBS}/batch", WRITE, {"jobs": [{"name": "x"}]}),
    Route("POST", f"{JOBS}/claim", WORK, {"worker_id": "w1"}),
    Route("GET", f"{JOBS}/stats", READ),
    Route("GET", f"{JOBS}/<id>", READ),
    Route("PATCH", f"{JOBS}/<id>", WRITE, {"priority": 1}),
    Route("DELETE", f"{JOBS}/<id>", WRITE),
    Route("POST", f"{JOBS}/<id>/cancel", WRITE, {}),
    Route("POST", f"{JOBS}/<id>/retry", WRITE, {}),
    Route("POST", f"{JOBS}/<id>/heartbeat", WORK, {"lease_token": LEASE}),
    Route("POST", f"{JOBS}/<id>/complete", WORK, {"lease_token": LEASE}),
    Route("POST", f"{JOBS}/<id>/fail", WORK, {"lease_token": LEASE, "error_message": "x"}),
    Route("POST", f"{JOBS}/<id>/release", WORK, {"lease_token": LEASE}),
    Route("GET", f"{JOBS}/<id>/events", READ),
    Route("GET", f"{JOBS}/<id>/attempts", READ),
    Route("GET", f"{JOBS}/<id>/waiting", READ),
    Route("GET", f"{JOBS}/<id>/logs", READ),
    Route("POST", f"{JOBS}/<id>/logs", WRITE, {"entries": [{"message": "x"}]}),
    Route("GET", f"{JOBS}/<id>/logs/stream", READ),
    Route("GET", f"{JOBS}/<id>/logs/download", READ),
    Route("GET", f"{JOBS}/suggestions", READ),
    Route("GET", f"{JOBS}/export", READ),
    Route("POST", f"{JOBS}/actions", WRITE, {"action": "retry", "ids": ["nothing"]}),
    Route("POST", f"{JOBS}/actions/preview", READ, {"filter": {}}),
    Route("GET", f"{JOBS}/failures", READ),
    Route("GET", f"{JOBS}/failures/<fingerprint>", READ),
    Route("POST", f"{JOBS}/failures/<fingerprint>/actions", WRITE, {"action": "retry"}),
    Route("GET", f"{PROJECT}/operations", READ),
    Route("GET", f"{PROJECT}/operations/<id>", READ),
    Route("GET", f"{PROJECT}/operations/<id>/items", READ),
    Route("POST", f"{PROJECT}/operations/<id>/stop", WRITE),
    Route("POST", f"{PROJECT}/operations/<id>/undo", WRITE),
    Route("GET", f"{PROJECT}/views", READ),
    Route("POST", f"{PROJECT}/views", READ, {"name": "mine"}),
    Route("GET", f"{PROJECT}/views/<id>", READ),
    Route("PUT", f"{PROJECT}/views/<id>", WRITE, {"name": "ours", "shared": True}),
    Route("DELETE", f"{PROJECT}/views/<id>", WRITE),
    Route("GET", f"{JOBS}/<id>/files", READ),
    Route("GET", f"{JOBS}/<id>/files/<path:path>", READ),
    Route("HEAD", f"{JOBS}/<id>/files/<path:path>", READ),
    Route("PUT", f"{JOBS}/<id>/files/<path:path>", WRITE),
    Route("DELETE", f"{JOBS}/<id>/files/<path:path>", WRITE),
    Route("GET", f"{PROJECT}/trash", READ),
    Route("POST", f"{PROJECT}/trash/<id>/restore", WRITE),
    Route("DELETE", f"{PROJECT}/trash/<id>", WRITE),
    Route("GET", f"{PROJECT}/retention", READ),
    Route("GET", f"{PROJECT}/workers", READ),
    Route("GET", f"{PROJECT}/workers/<worker_id>", READ),
    Route("POST", f"{PROJECT}/workers/<worker_id>/drain", WRITE, {}),
    Route("POST", f"{PROJECT}/workers/<worker_id>/resume", WRITE),
    Route("GET", f"{PROJECT}/pauses", READ),
    Route("POST", f"{PROJECT}/pauses", WRITE, {"reason": "x"}),
    Route("DELETE", f"{PROJECT}/pauses", WRITE),
    Route("GET", f"{V1}/storages", TOKEN_HOLDER),
    Route("GET", f"{PROJECT}/storages", READ),
    Route("POST", f"{STORAGE}/test", WRITE),
    Route("GET", f"{STORAGE}/files", READ),
    Route("GET", f"{STORAGE}/files/<path:path>", READ),
    Route("HEAD", f"{STORAGE}/files/<path:path>", READ),
    Route("PUT", f"{STORAGE}/files/<path:path>", WRITE),
    Route("DELETE", f"{STORAGE}/files/<path:path>", WRITE),
    Route("POST", f"{STORAGE}/batch", WRITE, {"deletes": ["a.txt"]}),
    Route("GET", f"{STORAGE}/versions/<path:path>", READ),
    Route("GET", f"{STORAGE}/pending", READ),
    Route("GET", f"{STORAGE}/pending/sent", READ),
    Route("POST", f"{STORAGE}/pending/flush", WRITE),
    Route("GET", f"{STORAGE}/pending/<id>", READ),
    Route("POST", f"{STORAGE}/pending/<id>", WRITE),
    Route("DELETE", f"{STORAGE}/pending/<id>", WRITE),
    Route("GET", SHELF, READ),
    Route("GET", f"{SHELF}/<name>", READ),
    Route("PUT", f"{SHELF}/<name>", WRITE, {"content": "New."}),
    Route("DELETE", f"{SHELF}/<name>", WRITE),
    Route("POST", f"{SHELF}/<name>/rename", WRITE, {"name": "other"}),
    Route("GET", f"{SHELF}/<name>/versions", READ),
    Route("GET", RUNS, READ),
    Route("POST", RUNS, WRITE, {"name": "x"}),
    Route("GET", f"{RUNS}/<id>", READ),
    Route("PATCH", f"{RUNS}/<id>", WRITE, {"name": "x"}),
    Route("DELETE", f"{RUNS}/<id>", WRITE),
    Route("POST", f"{RUNS}/<id>/start", WRITE, {}),
    Route("POST", f"{RUNS}/<id>/cancel", WRITE, {}),
    Route("POST", f"{RUNS}/<id>/retry-failed", WRITE, {}),
    Route("POST", f"{RUNS}/<id>/clone", WRITE, {}),
    Route("GET", f"{RUNS}/<id>/documents", READ),
    Route("POST", f"{RUNS}/<id>/documents", WRITE, {"filename": "n.md", "content": "n"}),
    Route("GET", RUN_DOCUMENT, READ),
    Route("DELETE", RUN_DOCUMENT, WRITE),
    Route("GET", f"{RUN_DOCUMENT}/content", READ),
    Route("GET", f"{RUNS}/<id>/artifacts", READ),
    Route(
        "POST",
        f"{RUNS}/<id>/artifacts",
        WORK_OR_WRITE,
        {"document_id": "WORKING", "job_id": "RUN_JOB", "path": "out/b.json", "content": "{}"},
    ),
    Route("GET", f"{PROJECT}/artifacts", READ),
    Route("GET", f"{PROJECT}/artifacts/<id>", READ),
    Route("GET", f"{PROJECT}/artifacts/<id>/content", READ),
    Route("POST", SEGMENTS, WRITE, {"text": "x"}),
    Route("GET", SEGMENTS, READ),
    Route("POST", f"{SEGMENTS}/batch", WRITE, {"segments": [{"text": "x"}]}),
    Route("GET", f"{SEGMENTS}/load", READ),
    Route("GET", f"{SEGMENTS}/search", READ),
    Route("GET", f"{SEGMENTS}/suggestions", READ),
    Route("GET", f"{SEGMENTS}/stats", READ),
    Route("POST", f"{SEGMENTS}/stash", WRITE, {"token_budget": 0}),
    Route("POST", f"{SEGMENTS}/unstash", WRITE, {"ids": ["x"]}),
    Route("GET", f"{SEGMENTS}/export", READ),
    Route("POST", f"{SEGMENTS}/import", WRITE, {"content": "", "form": "lines"}),
    Route("GET", f"{SEGMENTS}/trash", READ),
    Route("POST", f"{SEGMENTS}/trash/<id>/restore", WRITE),
    Route("DELETE", f"{SEGMENTS}/trash/<id>", WRITE),
    Route("GET", f"{SEGMENTS}/<id>", READ),
    Route("PATCH", f"{SEGMENTS}/<id>", WRITE, {"type": "x"}),
    Route("DELETE", f"{SEGMENTS}/<id>", WRITE),
    Route("POST", f"{SEGMENTS}/<id>/stash", WRITE, {}),
    Route("POST", f"{SEGMENTS}/<id>/unstash", WRITE, {}),
    Route("GET", f"{SEGMENTS}/<id>/history", READ),
    Route("GET", f"{SEGMENTS}/<id>/versions/<version>", READ),
    Route("POST", f"{SEGMENTS}/<id>/revert", WRITE, {"version": 1}),
    Route("GET", RECORDS, READ),
    Route("POST", f"{RECORDS}/<collection>", WRITE, {"a": 1}),
    Route("GET", f"{RECORDS}/<collection>", READ),
    Route("POST", f"{RECORDS}/<collection>/query", READ, {"filters": {}}),
    Route("GET", f"{RECORDS}/<collection>/<id>", READ),
    Route("PUT", f"{RECORDS}/<collection>/<id>", WRITE, {"a": 1}),
    Route("PATCH", f"{RECORDS}/<collection>/<id>", WRITE, {"a": 1}),
    Route("DELETE", f"{RECORDS}/<collection>/<id>", WRITE),
    Route("POST", f"{PROJECT}/agent/messages", READ, {"action": "storage_list"}),
    Route("GET", f"{V1}/maintenance/tasks", TOKEN_HOLDER),
    Route("POST", f"{V1}/maintenance/tasks/<name>/run", SERVER),
    Route("GET", f"{V1}/maintenance/history", TOKEN_HOLDER),
    Route("GET", f"{V1}/quarantine", TOKEN_HOLDER),
    Route("POST", f"{V1}/quarantine/<id>/restore", ADMIN, {"text": "{}"}),
    Route("DELETE", f"{V1}/quarantine/<id>", ADMIN),
    Route("GET", f"{V1}/openapi.json", EVERYBODY),
    Route("GET", f"{V1}/docs", EVERYBODY),
    Route("GET", "healthz", EVERYBODY),
    Route("GET", "readyz", EVERYBODY),
    Route("GET", "metrics", EVERYBODY),  # asks for a server token itself; see test_health.py
    Route("GET", "", PERSON),
    Route("GET", "login/", EVERYBODY),
    Route("POST", "logout/", PERSON),
    Route("GET", "invitation/<uid>/<token>/", EVERYBODY),
    Route("GET", "account/", PERSON),
    Route("GET", "account/password/", PERSON),
    Route("GET", "account/sessions/", PERSON),
    Route("POST", "account/sessions/end-others/", PERSON),
    Route("POST", "account/sessions/<name>/end/", PERSON),
    Route("GET", "offline/", EVERYBODY),
    Route("GET", "offline-worker.js", EVERYBODY),
    Route("GET", "favicon.ico", EVERYBODY),
    Route("GET", "live/", PERSON),
    Route("GET", "vitals/", PERSON),
    Route("GET", "projects/", PERSON),
    Route("GET", "projects/new/", SERVER),
    Route("GET", PAGE, READ),
    Route("GET", f"{PAGE}jobs/", READ),
    Route("POST", f"{PAGE}jobs/act/", WRITE, {"action": "cancel", "id": "nothing"}),
    Route("GET", f"{PAGE}jobs/bulk/<slug:action>/", WRITE),
    Route("POST", f"{PAGE}jobs/bulk/<slug:action>/", WRITE, {"asked": "q=nothing"}),
    Route("GET", f"{PAGE}jobs/views/", READ),
    Route("POST", f"{PAGE}jobs/views/save/", READ, {"name": "mine", "q": "status:failed"}),
    Route("POST", f"{PAGE}jobs/views/<view_id>/change/", WRITE, {"name": "ours", "shared": "on"}),
    Route("POST", f"{PAGE}jobs/views/<view_id>/remove/", WRITE),
    Route("GET", f"{PAGE}failures/", READ),
    Route("POST", f"{PAGE}failures/<fingerprint>/retry/", WRITE),
    Route("POST", f"{PAGE}failures/<fingerprint>/cancel/", WRITE),
    Route("POST", f"{PAGE}failures/<fingerprint>/delete/", WRITE),
    Route("GET", f"{PAGE}operations/", READ),
    Route("GET", f"{PAGE}operations/<operation_id>/", READ),
    Route("POST", f"{PAGE}operations/<operation_id>/stop/", WRITE),
    Route("POST", f"{PAGE}operations/<operation_id>/undo/", WRITE),
    Route("GET", f"{PAGE}jobs/trash/", READ),
    Route("POST", f"{PAGE}jobs/trash/restore/", WRITE, {"id": "nothing"}),
    Route("POST", f"{PAGE}jobs/trash/erase/", WRITE, {"id": "nothing"}),
    Route("GET", f"{PAGE}jobs/<job_id>/", READ),
    Route("GET", f"{PAGE}jobs/<job_id>/log/", READ),
    Route("GET", f"{PAGE}jobs/<job_id>/log.txt", READ),
    Route("POST", f"{PAGE}jobs/<job_id>/retry/", WRITE),
    Route("POST", f"{PAGE}jobs/<job_id>/cancel/", WRITE),
    Route("POST", f"{PAGE}jobs/<job_id>/release/", WRITE),
    Route("POST", f"{PAGE}jobs/<job_id>/delete/", WRITE),
    Route("GET", f"{PAGE}workers/", READ),
    Route("GET", f"{PAGE}workers/drain/", WRITE),
    Route("POST", f"{PAGE}workers/drain/", WRITE, {"worker": "w1"}),
    Route("POST", f"{PAGE}workers/resume/", WRITE, {"worker": "w1"}),
    Route("GET", f"{PAGE}pauses/", READ),
    Route("POST", f"{PAGE}pauses/", WRITE, {"reason": "a new disk"}),
    Route("POST", f"{PAGE}pauses/resume/", WRITE, {"content_type": "pdf"}),
    Route("GET", f"{PAGE}library/", READ),
    Route("POST", f"{PAGE}library/preview/", READ, {"content": "x"}),
    Route("GET", f"{PAGE}library/new/<kind>/", WRITE),
    Route("POST", f"{PAGE}library/new/<kind>/", WRITE, {"name": "fresh", "content": "x"}),
    Route("GET", f"{PAGE}library/<kind>/<name>/", READ),
    Route("GET", f"{PAGE}library/<kind>/<name>/edit/", WRITE),
    Route("POST", f"{PAGE}library/<kind>/<name>/edit/", WRITE, {"content": "x", "preview": "1"}),
    Route("POST", f"{PAGE}library/<kind>/<name>/rename/", WRITE, {"name": "other"}),
    Route("POST", f"{PAGE}library/<kind>/<name>/delete/", WRITE),
    Route("GET", f"{PAGE}documents/", READ),
    Route("GET", FILES, READ),
    Route("GET", f"{FILES}file/", READ),
    Route("GET", f"{FILES}image/", READ),
    Route("GET", f"{FILES}new/", WRITE),
    Route("POST", f"{FILES}edit/", WRITE, {"text": "x"}),
    Route("POST", f"{FILES}upload/", WRITE),
    Route("POST", f"{FILES}delete/", WRITE, {"path": "a.txt"}),
    Route("POST", f"{FILES}rename/", WRITE, {"path": "a.txt", "to": "d.txt"}),
    Route("GET", f"{FILES}outbox/", READ),
    Route("POST", f"{FILES}outbox/flush/", WRITE),
    Route("POST", f"{FILES}outbox/<int:id>/retry/", WRITE),
    Route("POST", f"{FILES}outbox/<int:id>/discard/", WRITE),
    Route("GET", f"{PAGE}runs/", READ),
    Route("GET", f"{PAGE}runs/new/", WRITE),
    Route("GET", f"{PAGE}runs/<run_id>/", READ),
    Route("GET", f"{PAGE}runs/<run_id>/edit/", WRITE),
    Route("POST", f"{PAGE}runs/<run_id>/act/", WRITE, {"action": "clone"}),
    Route("POST", f"{PAGE}runs/<run_id>/attach/", WRITE, {"storage": "default", "paths": "docs/*"}),
    Route("POST", f"{PAGE}runs/<run_id>/upload/", WRITE),
    Route("GET", f"{PAGE}runs/<run_id>/documents/<document_id>/", READ),
    Route("GET", f"{PAGE}runs/<run_id>/documents/<document_id>/compare/", READ),
    Route("POST", f"{PAGE}runs/<run_id>/documents/<document_id>/detach/", WRITE),
    Route("GET", f"{PAGE}segments/", READ),
    Route("POST", f"{PAGE}segments/act/", WRITE, {"action": "stash", "id": "nothing"}),
    Route("POST", f"{PAGE}segments/budget/", WRITE, {"budget": "0"}),
    Route("POST", f"{PAGE}segments/unstash/", WRITE, {"id": "nothing"}),
    Route("GET", f"{PAGE}segments/trash/", READ),
    Route("POST", f"{PAGE}segments/trash/restore/", WRITE, {"id": "nothing"}),
    Route("POST", f"{PAGE}segments/trash/erase/", WRITE, {"id": "nothing"}),
    Route("GET", f"{PAGE}segments/<segment_id>/", READ),
    Route("POST", f"{PAGE}segments/<segment_id>/change/", WRITE, {"text": "x", "type": "note", "version": "2"}),
    Route("POST", f"{PAGE}segments/<segment_id>/pin/", WRITE, {"pinned": "yes"}),
    Route("POST", f"{PAGE}segments/<segment_id>/revert/", WRITE, {"to": "1"}),
    Route("GET", f"{PAGE}records/", READ),
    Route("GET", f"{PAGE}records/<collection>/", READ),
    Route("GET", f"{PAGE}records/<collection>/<int:record_id>/", READ),
    Route("POST", f"{PAGE}records/<collection>/<int:record_id>/save/", WRITE, {"data": "{}", "version": "1"}),
    Route("POST", f"{PAGE}records/<collection>/<int:record_id>/delete/", WRITE),
    Route("GET", f"{PAGE}settings/", READ),
    Route("POST", f"{PAGE}settings/", ADMIN, {"name": "x"}),
    Route("POST", f"{PAGE}settings/delete/", ADMIN, {"confirm": "alpha"}),
    Route("GET", f"{PAGE}settings/members/", READ),
    Route("POST", f"{PAGE}settings/members/", ADMIN, {"username": "eve", "role": "viewer"}),
    Route("POST", f"{PAGE}settings/members/<username>/role/", ADMIN, {"role": "viewer"}),
    Route("POST", f"{PAGE}settings/members/<username>/remove/", ADMIN),
    Route("GET", f"{PAGE}settings/tokens/", ADMIN),
    Route("POST", f"{PAGE}settings/tokens/", ADMIN, {"name": "x", "scopes": ["read"]}),
    Route("POST", f"{PAGE}settings/tokens/<int:token_id>/revoke/", ADMIN),
    Route("POST", f"{PAGE}settings/tokens/<int:token_id>/rotate/", ADMIN),
    Route("GET", f"{PAGE}settings/audit/", ADMIN),
    Route("GET", f"{PAGE}storages/", READ),
    Route("POST", f"{PAGE}storages/<slug:storage>/test/", WRITE),
    Route("GET", f"{PAGE}storages/quarantine/", ADMIN),
    Route("POST", f"{PAGE}storages/quarantine/<name>/restore/", ADMIN, {"text": "{}"}),
    Route("POST", f"{PAGE}storages/quarantine/<name>/discard/", ADMIN),
    Route("GET", "maintenance/", PERSON),
    Route("POST", "maintenance/<name>/run/", SERVER),
    Route("GET", "docs/", PERSON),
    Route("GET", "docs/<slug:name>/", PERSON),
    Route("GET", "styleguide/", HIDDEN),
]


def name_of(route: Route) -> str:
    return f"{route.method} /{route.path}"


@dataclass(frozen=True)
class World:
    """A project with one of each in it, made when a route asks for its name, and one that is somebody else's."""

    project: Project
    foreign: Project
    member: User
    store: RecordStore

    @cached_property
    def token(self) -> Token:
        return tokens.create(COMMAND, self.project.slug, "existing", [Scope.READ])[0]

    @cached_property
    def invitation(self) -> list[str]:
        """The two secret parts of the address that invites a newcomer."""
        return people.invite(COMMAND, "newcomer")[1].split("/")[2:4]

    @cached_property
    def set_aside(self) -> str:
        note = self.store.insert(self.project.slug, "free.notes", {"text": "odd"})
        return self.store.quarantine(self.project.slug, "free.notes", note.id, "it makes no sense").id

    @cached_property
    def jobs(self) -> dict[str, str]:
        """Ids by what can be done to them; likewise below."""
        made = job_cast(self.project)
        workspaces.write(COMMAND, self.project.slug, made["pending"], "a.txt", [b"x"], 1)
        return made

    @cached_property
    def changes(self) -> dict[str, str]:
        return file_cast(self.project)

    @cached_property
    def runs(self) -> dict[str, str]:
        return run_cast(self.project)

    @cached_property
    def segments(self) -> dict[str, str]:
        return segment_cast(self.project)

    @cached_property
    def record(self) -> str:
        return str(free_records.create(COMMAND, self.project.slug, "tasks", {"a": 1}).id)

    @cached_property
    def prompt(self) -> str:
        library_cast(self.project)
        return "summarise"

    def id_for(self, route: Route) -> str:
        if "quarantine" in route.path:
            return f"{self.project.slug}.{self.set_aside}"
        if "pending" in route.path:
            return self.changes["parked" if route.method == "POST" else "waiting"]
        if f"{PROJECT}/artifacts/" in route.path:
            return self.runs["made"]
        if "/runs/" in route.path:
            return self.runs["running" if route.method == "POST" and "artifacts" in route.path else "drafted"]
        if "/records/" in route.path:
            return self.record
        if "/segments/" in route.path:
            return self.segments["forgotten" if "trash" in route.path else "stored"]
        return self.job_for(route)

    def body_for(self, route: Route) -> Any:
        if "/runs/" not in route.path or not isinstance(route.body, dict):
            return route.body
        named = {name.upper(): id for name, id in self.runs.items()}
        return {key: named.get(str(value), value) for key, value in route.body.items()}

    def job_for(self, route: Route) -> str:
        verb = route.path.rpartition("/")[2]
        if "trash" in route.path:
            return self.jobs["deleted"]
        if "/views/" in route.path:
            return self.jobs["view"]
        if "/operations/" in route.path:
            return self.jobs["undoable" if verb == "undo" else "operation"]
        held = {"heartbeat", "complete", "fail", "release"}
        return self.jobs["held" if verb in held else "failed" if verb == "retry" else "pending"]


# what a route works with, by words of its path; runs come first, as nothing else may be due where they are made
MADE_FOR = {
    "runs": ["runs"],
    "artifacts": ["runs"],
    "jobs": ["jobs"],
    "failures": ["jobs"],
    "operations": ["jobs"],
    "views": ["jobs"],
    "trash": ["jobs"],
    "workers": ["jobs"],
    "pauses": ["jobs"],
    "library": ["prompt"],
    "segments": ["segments"],
    "records": ["record"],
    "agent": ["record"],
    "storages": ["changes", "set_aside"],
    "documents": ["changes"],
    "quarantine": ["set_aside"],
    "tokens": ["token"],
}


def furnish(world: World, route: Route) -> None:
    for word, things in MADE_FOR.items():
        if word in route.path.split("/"):
            for thing in things:
                getattr(world, thing)


@pytest.fixture
def world(
    project: Project,
    other_project: Project,
    memory_store: RecordStore,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> World:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    monkeypatch.setattr(lease, "new_token", lambda: LEASE)
    member = make_person("eve", roles={project: Role.VIEWER})
    make_person("anna", roles={project: Role.ADMIN})
    return World(project, other_project, member, memory_store)


def address(route: Route, world: World, caller: User | None = None) -> str:
    furnish(world, route)
    path = route.path
    for placeholder, value in _values(route, world, caller).items():
        if placeholder in path:
            path = path.replace(placeholder, value())
    return f"/{path}{QUERIES.get(name_of(route), '')}"


def _values(route: Route, world: World, caller: User | None) -> dict[str, Callable[[], str]]:
    return {
        "<kind>": lambda: "prompts",
        "<p>": lambda: world.project.slug,
        "<slug:slug>": lambda: world.project.slug,
        "<username>": lambda: world.member.username,
        "<job_id>": lambda: world.job_for(route),
        "<worker_id>": lambda: "w1",
        "<slug:action>": lambda: "retry",
        "<view_id>": lambda: world.jobs["view"],
        "<operation_id>": lambda: world.jobs["operation"],
        "<fingerprint>": lambda: world.jobs["cause"],
        "<token_id>": lambda: str(world.token.pk),
        "<int:token_id>": lambda: str(world.token.pk),
        "<uid>": lambda: world.invitation[0],
        "<token>": lambda: world.invitation[1],
        "<slug:name>": lambda: "index",
        "<path:path>": lambda: "a.txt",
        "<s>": lambda: "default",
        "<slug:storage>": lambda: "default",
        "<int:id>": lambda: world.changes["parked"],
        "<id>": lambda: world.id_for(route),
        "<run_id>": lambda: world.runs["drafted"],
        "<document_id>": lambda: world.runs["attached"],
        "<doc>": lambda: world.runs["attached"],
        "<version>": lambda: "1",
        "<collection>": lambda: "tasks",
        "<segment_id>": lambda: world.segments["stored"],
        "<int:record_id>": lambda: world.record,
        "<name>": lambda: _name(route, world, caller),
    }


def _name(route: Route, world: World, caller: User | None) -> str:
    if "library" in route.path:
        return world.prompt
    if "quarantine" in route.path:
        return world.set_aside
    session = logins.sessions_of(caller).first() if caller and "sessions" in route.path else None
    return session.name if session else "clean-up"


def call(client: Client, route: Route, world: World, path: str, token: str | None = None) -> HttpResponseBase:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if route.is_api:
        body = json.dumps(world.body_for(route)) if route.body is not None else ""
        response = client.generic(route.method, path, body, "application/json", headers=headers)
    else:
        response = (
            client.generic(route.method, path, "", headers=headers)
            if route.method == "GET"
            else client.post(path, route.body or {}, headers=headers)
        )
    assert isinstance(response, HttpResponseBase)
    return response


def let_in(response: HttpResponseBase) -> bool:
    return response.status_code < 400 and "/login/?next=" not in response.headers.get("Location", "")


@dataclass(frozen=True)
class Visitor:
    """How a caller comes along: a browser, perhaps logged in, or a program with a token."""

    client: Client
    user: User | None = None
    token: str | None = None


@dataclass(frozen=True)
class Caller:
    name: str
    arrive: Callable[[World], Visitor]
    enters: Callable[[Route], bool]
    refusal: Callable[[Route], int]  # the status where the caller does not get in
    comes_to: Callable[[Route], bool] = lambda route: True

    def checks(self, route: Route, world: World) -> None:
        visitor = self.arrive(world)
        path = address(route, world, visitor.user)
        response = call(visitor.client, route, world, path, visitor.token)
        if self.enters(route):
            assert let_in(response), f"{self.name} is kept out: {response}"
            return
        status = self.refusal(route)
        assert response.status_code == status, f"{self.name}: {response}"
        if status == 302:
            assert response["Location"].startswith("/login/?next="), self.name
        if route.in_project and status == 404:
            assert world.project.name.encode() not in b"".join(response), self.name


def logged_in(user: User) -> Visitor:
    client = Client()
    client.force_login(user)
    return Visitor(client, user)


def asks_for_one_of(route: Route, scopes: Collection[str]) -> bool:
    return route.needs in scopes or any(need in scopes for need in route.needs.split(" or "))


def counts_calls(route: Route) -> bool:
    return route.path == "metrics"


def member(role: Role) -> Caller:
    return Caller(
        name=f"a member as {role}",
        arrive=lambda world: logged_in(make_person(roles={world.project: role})),
        enters=lambda route: not counts_calls(route) and asks_for_one_of(route, {*ANYBODY, *role.scopes}),
        refusal=lambda route: 404 if route.needs == HIDDEN else 403,
    )


def holder(scope: Scope) -> Caller:
    return Caller(
        name=f"a token for {scope}",
        arrive=lambda world: Visitor(Client(), token=make_token(world.project, scope)),
        enters=lambda route: asks_for_one_of(route, {TOKEN_HOLDER, EVERYBODY, scope}),
        refusal=lambda route: 403,
        comes_to=lambda route: route.is_api,
    )


STRANGER = Caller(
    name="a stranger",
    arrive=lambda world: logged_in(make_person(roles={world.foreign: Role.ADMIN})),
    enters=lambda route: not counts_calls(route) and route.needs in ANYBODY,
    refusal=lambda route: 404 if route.in_project or route.needs == HIDDEN else 403,
)
NOBODY = Caller(
    name="somebody without a login",
    arrive=lambda world: Visitor(Client()),
    enters=lambda route: not counts_calls(route) and route.needs == EVERYBODY,
    refusal=lambda route: 401 if counts_calls(route) or route.is_api else 302,
)
SERVER_ADMIN = Caller(
    name="one who runs the server",
    arrive=lambda world: logged_in(make_person(runs_the_server=True)),
    enters=lambda route: True,
    refusal=lambda route: 403,
)
FOREIGN_TOKEN = Caller(
    name="another project's token",
    arrive=lambda world: Visitor(Client(), token=make_token(world.foreign)),
    enters=lambda route: False,
    refusal=lambda route: 404,
    comes_to=lambda route: route.is_api and route.in_project,
)
TOKEN_ON_A_PAGE = Caller(
    name="a token on a page",
    arrive=lambda world: Visitor(Client(), token=make_token(world.project)),
    enters=lambda route: False,
    refusal=lambda route: 302,
    comes_to=lambda route: not route.is_api and route.needs != EVERYBODY,
)
CALLERS = [
    *[member(role) for role in Role],
    *[holder(scope) for scope in Scope],
    *[STRANGER, NOBODY, SERVER_ADMIN, FOREIGN_TOKEN, TOKEN_ON_A_PAGE],
]
CHANGES = [
    pytest.param(route, caller, id=f"{name_of(route)} by {caller.name}")
    for route in ROUTES
    for caller in CALLERS
    if not route.only_reads and caller.comes_to(route) and caller.enters(route)
]


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_callers_are_refused_or_read(route: Route, world: World) -> None:
    """All in one world, as neither a refusal nor reading changes it."""
    for caller in CALLERS:
        if caller.comes_to(route) and (route.only_reads or not caller.enters(route)):
            caller.checks(route, world)


@pytest.mark.parametrize(("route", "caller"), CHANGES)
def test_a_caller_changes_what_is_his_to_change(route: Route, caller: Caller, world: World) -> None:
    caller.checks(route, world)


def test_every_route_is_in_the_table() -> None:
    served = set(_served(get_resolver()))
    known = {route.path for route in ROUTES}
    assert len(served) > 30
    assert served - known == set()
    assert known - served == set()


def test_every_method_of_the_api_is_in_the_table() -> None:
    served = {
        f"{method.upper()} {path}".replace("{path}", "<path:path>").replace("{", "<").replace("}", ">")
        for path, operations in Client().get("/api/v1/openapi.json").json()["paths"].items()
        for method in operations
    }
    assert len(served) > 12
    assert served - {name_of(route) for route in ROUTES} == set()


def _served(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Every pattern of ours; Django's admin has rights and tests of its own."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from _served(pattern, path)
        elif pattern.name != "api-root":
            yield path
