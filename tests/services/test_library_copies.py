"""Copies of library texts stay as long as a job uses them, and go a day after the last one went."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.library import Kind, Wanted
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import files, jobs, library, library_copies
from storage_app import file_storages
from storage_app.records.base import RecordStore

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("local")]


@pytest.fixture
def local(settings: Settings, tmp_path: Path, memory_store: RecordStore) -> Iterator[None]:
    settings.FILE_STORAGES = {"default": {"provider": "local", "root_path": str(tmp_path)}}
    yield
    file_storages.close()


def write(text: str) -> str:
    return library.write(COMMAND, "alpha", Kind.PROMPTS, "outline", text)[0].hash


def job(project: Project) -> str:
    return jobs.create(COMMAND, project.slug, NewJob(uses=[Wanted("prompts", "outline")])).job.id


def copies() -> list[str]:
    found = files.listed(COMMAND, "alpha", "default", prefix="library/used", recursive=True)
    return [info.path for info in found if not info.is_directory]


def read(content_hash: str) -> str:
    return library.read_content(COMMAND, "alpha", Kind.PROMPTS, "outline", content_hash).content


def test_a_copy_goes_a_day_after_the_last_job_that_used_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write("one")
    ids = [job(project), job(project)]
    assert len(copies()) == 1
    write("two")
    monkeypatch.setattr(library_copies, "NEEDLESS", timedelta())
    for id in ids:
        assert (library_copies.remove_needless(), read(first)) == (0, "one")
        jobs.delete(COMMAND, "alpha", id)
    assert (library_copies.remove_needless(), library_copies.remove_needless()) == (0, 0)  # they could come back
    for id in ids:
        jobs.erase(COMMAND, "alpha", id)
    monkeypatch.setattr(library_copies, "NEEDLESS", timedelta(hours=20))
    assert [library_copies.remove_needless() for _ in range(3)] == [0, 0, 0]  # not for a day yet
    monkeypatch.setattr(library_copies, "NEEDLESS", timedelta())
    assert (library_copies.remove_needless(), copies()) == (1, [])
    with pytest.raises(NotFoundError):
        read(first)


def test_what_the_text_says_again_starts_the_day_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_copies, "NEEDLESS", timedelta())
    write("one")
    jobs.delete(COMMAND, "alpha", id := job(project))
    jobs.erase(COMMAND, "alpha", id)
    assert [library_copies.remove_needless() for _ in range(2)] == [0, 0]  # it is what the text says now
    write("two")
    assert library_copies.remove_needless() == 0
    write("one")
    assert library_copies.remove_needless() == 0
    write("two")
    assert [library_copies.remove_needless() for _ in range(2)] == [0, 1]


def test_a_copy_that_does_not_tell_whose_it_is_is_read_and_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write("one")
    files.write(COMMAND, "alpha", "default", library.place_of("alpha").used_path_before(first), b"one")
    write("two")
    monkeypatch.setattr(library_copies, "NEEDLESS", timedelta())
    assert [library_copies.remove_needless() for _ in range(2)] == [0, 0]
    assert (read(first), len(copies())) == ("one", 1)
