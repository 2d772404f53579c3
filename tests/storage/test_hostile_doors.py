"""Hostile paths through every door a person or a program has, on every kind of storage: none leaves the root.

Each path goes through one door, another for the next path and on the next kind; `HOSTILE_DOORS=all` takes each through
all of them.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django import Settings

from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.models import Project
from jobs_app.services import files
from storage_app import file_storages, paths
from storage_app.outbox.tables import PendingChange
from tests.api.client import Api
from tests.factories import make_person, make_token
from tests.storage import outbox_places
from tests.storage.hostile_paths import CONTAINED, REFUSED
from tests.storage.s3 import S3

pytestmark = pytest.mark.django_db

PAGES: Final = "/p/alpha/documents/default/"
CALLS: Final = "/projects/alpha/storages/default"
FORM: Final = "application/x-www-form-urlencoded"
SECRET: Final = b"what lies outside"
KINDS: Final = ("local", "memory", "github", "object")
EVERY_DOOR: Final = os.environ.get("HOSTILE_DOORS") == "all"
PATHS: Final = (*REFUSED, "../outside", "..\\outside", "x/../../outside")


class World:
    """A person and a program who may write, and one file."""

    def __init__(self, project: Project) -> None:
        self.person = Client(raise_request_exception=True)
        self.person.force_login(make_person(roles={project: Role.OPERATOR}))
        self.program = Api(make_token(project, Scope.READ, Scope.WRITE))

    # What is no text cannot stand in an address or a form: the bytes come out as a name that harms nobody.

    def page(self, where: str, name: str, path: str) -> tuple[int, bytes]:
        if _NO_TEXT.search(path):
            return 422, b""
        answer = self.person.get(f"{PAGES}{where}?{name}={encoded(path)}")
        return answer.status_code, answer.content

    def form(self, where: str, **fields: str) -> tuple[int, bytes]:
        if any(_NO_TEXT.search(text) for text in (where, *fields.values())):
            return 422, b""
        body = "&".join(f"{name}={encoded(value)}" for name, value in fields.items())
        answer = self.person.post(f"{PAGES}{where}", body, content_type=FORM)
        return answer.status_code, answer.content

    def call(self, method: str, path: str, content: bytes = b"") -> tuple[int, bytes]:
        """What is empty is the address of the list."""
        if not path.strip("/") or _NO_TEXT.search(path):
            return 422, b""
        headers = {"Content_Type": "application/octet-stream"} if content else {}
        answer = self.program.call(method, f"{CALLS}/files/{encoded(path)}", content, **headers)
        return answer.status_code, b"".join(answer) if answer.streaming else answer.content

    def batch(self, **changes: object) -> tuple[int, bytes]:
        answer = self.program.post(f"{CALLS}/batch", json.dumps(changes).encode())
        return answer.status_code, answer.content


Door = Callable[[World, str], tuple[int, bytes]]

DOORS: Final[dict[str, Door]] = {
    "the page of a file": lambda it, path: it.page("file/", "path", path),
    "the page of a folder": lambda it, path: it.page("", "folder", path),
    "a picture": lambda it, path: it.page("image/", "path", path),
    "the page that edits": lambda it, path: it.page("edit/", "path", path),
    "GET": lambda it, path: it.call("GET", path),
    "HEAD": lambda it, path: it.call("HEAD", path),
    "a new file": lambda it, path: it.form("new/", path=path, text="hostile"),
    "a new file, deferred": lambda it, path: it.form("new/", path=path, text="hostile", deferred="on"),
    "an edit": lambda it, path: it.form(f"edit/?path={encoded(path)}", of=path, text="hostile", sha=""),
    "a deletion": lambda it, path: it.form("delete/", path=path),
    "a new name": lambda it, path: it.form("rename/", path="kept.txt", to=path),
    "an old name": lambda it, path: it.form("rename/", path=path, to="renamed.txt"),
    "PUT": lambda it, path: it.call("PUT", path, b"hostile"),
    "DELETE": lambda it, path: it.call("DELETE", path),
    "a batch": lambda it, path: it.batch(writes=[{"path": path, "content": "hostile"}]),
    "a batch, deferred": lambda it, path: it.batch(deletes=[path], deferred=True),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[str]:
    with outbox_places.known_kinds(), contextlib.ExitStack() as stack:
        if request.param == "object":
            s3: S3 = request.getfixturevalue("s3")
            definition = {"provider": "object", **s3.options(s3.new_bucket(), prefix="files")}
            s3.put(definition["bucket"], "outside", SECRET)
        else:
            definition = stack.enter_context(outbox_places.place(request.param, tmp_path)).definition
        settings.FILE_STORAGES = {"default": definition}
        yield request.param
        file_storages.close()


@pytest.fixture
def world(kind: str, project: Project, tmp_path: Path) -> World:
    files.write(COMMAND, "alpha", "default", "kept.txt", b"kept")
    if kind == "local":
        for outside in (tmp_path / "outside", tmp_path / "files" / "outside"):
            outside.write_bytes(SECRET)
    return World(project)


def test_no_hostile_path_gets_through_any_door(world: World, kind: str, tmp_path: Path) -> None:
    tried = 0
    for number, path in enumerate(PATHS, start=5 * KINDS.index(kind)):
        for name, door in through(number):
            status, said = door(world, path)
            allowed = {200} if is_folder(path) and name == "the page of a folder" else set[int]()
            assert status in {302, 400, 404, 405, 414, 422} | allowed, f"{name}: {status} for {ascii(path)[:200]}"
            assert SECRET not in said, f"{name}: {ascii(path)[:200]}"
            tried += 1
    assert tried >= len(PATHS) > 250
    assert [info.path for info in files.listed(COMMAND, "alpha", "default", recursive=True)] == ["kept.txt"]
    assert files.read(COMMAND, "alpha", "default", "kept.txt").content == b"kept"
    assert not PendingChange.objects.exists()
    if kind == "local":
        assert (tmp_path / "outside").read_bytes() == (tmp_path / "files" / "outside").read_bytes() == SECRET
        names = {entry.name for entry in (*tmp_path.iterdir(), *(tmp_path / "files").iterdir())}
        assert names <= {"outside", "files", "alpha", ".holdfast"}


def test_names_that_only_look_hostile_lie_inside_under_just_that_name(world: World, kind: str) -> None:
    chosen = [f"{number}/{path}" for number, path in enumerate(CONTAINED) if path.count("/") < 60]
    assert len(chosen) + len(PATHS) > 300
    for number, path in enumerate(chosen):
        if number % 2:
            assert world.call("PUT", path, b"x")[0] == 201, ascii(path)
        else:
            assert world.form("new/", path=path, text="x")[0] == 302, ascii(path)
    found = {info.path for info in files.listed(COMMAND, "alpha", "default", recursive=True)}
    assert found == {"kept.txt", *chosen}


def through(number: int) -> list[tuple[str, Door]]:
    doors = list(DOORS.items())
    return doors if EVERY_DOOR else [doors[number % len(doors)]]


def is_folder(path: str) -> bool:
    """A slash at the end is nothing hostile in the name of a folder."""
    try:
        paths.normalised_folder(path)
    except paths.InvalidPathError:
        return False
    return True


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


_NO_TEXT: Final = re.compile("[\ud800-\udfff]")
