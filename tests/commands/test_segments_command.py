"""`manage.py segments`: files with their recovery, search and numbers."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jobs_app.domain.access import COMMAND
from jobs_app.models import Project
from jobs_app.services import segments
from jobs_app.services.segments import SegmentFilter
from tests.factories import make_project, make_segment

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("segments", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def texts(project: Project) -> set[str]:
    return {one.text for one in segments.find(COMMAND, project.slug, SegmentFilter()).segments}


@pytest.fixture
def file(project: Project, tmp_path: Path) -> Path:
    for text in ("one", "two", "three"):
        make_segment(project, f"{text} word")
    path = tmp_path / "storage.json"
    run("export", "--project", project.slug, "--output", str(path))
    return path


def test_what_was_exported_comes_in_elsewhere_and_is_found(file: Path, project: Project) -> None:
    target = make_project()
    done = told("import", str(file), "--project", target.slug)
    assert (done["created"], done["faults"], done["set_aside"]) == (3, [], None)
    assert run("export", "--project", project.slug) == file.read_text()
    rows = told("search", "word two", "--project", target.slug)
    assert [row["text"] for row in rows] == ["two word"]
    assert told("stats", "--project", target.slug)[0]["segments"] == 3


def test_a_broken_file_gives_what_is_whole_and_is_set_aside(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"three word"', b'"three'))
    target = make_project()
    done = told("import", str(file), "--project", target.slug)
    assert done["created"] == 2
    assert done["faults"][0]["line"] > 1
    assert not file.exists()
    assert Path(done["set_aside"]).exists()
    with pytest.raises(CommandError, match="There is no file"):
        run("import", str(file), "--project", target.slug)


def test_a_whole_leftover_is_taken_where_the_file_is_broken_or_older(file: Path) -> None:
    leftover = file.with_name("storage.json.tmp")
    leftover.write_bytes(file.read_bytes().replace(b"three word", b"fourth word"))
    file.write_bytes(file.read_bytes()[:200])
    target = make_project()
    assert told("import", str(file), "--project", target.slug)["path"] == str(leftover)
    assert texts(target) == {"one word", "two word", "fourth word"}


def test_a_broken_leftover_adds_what_the_file_does_not_have(file: Path, project: Project) -> None:
    make_segment(project, "later word")
    leftover = file.with_name("storage.json.tmp")
    run("export", "--project", project.slug, "--output", str(leftover))
    leftover.write_bytes(leftover.read_bytes()[:-20])
    target = make_project()
    assert told("import", str(file), "--project", target.slug)["created"] == 4
    assert "later word" in texts(target)
