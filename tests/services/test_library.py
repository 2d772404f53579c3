"""Prompts and exercises on a storage without versions, and on one with: written, renamed, deleted, and used by jobs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.library import Kind, Use, Wanted
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import (
    AlreadyExistsError,
    ContentTooLargeError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from jobs_app.models import Project
from jobs_app.services import access, files, jobs, library, outbox, tokens
from jobs_app.services.claims import ClaimRequest
from jobs_app.services.claims import claim as claim_jobs
from jobs_app.services.jobs import JobFilter
from storage_app import file_storages
from storage_app.providers import StorageError
from storage_app.records.base import RecordStore
from tests.storage import outbox_places
from tests.storage.outbox_places import Place

pytestmark = pytest.mark.django_db
PROMPTS = Kind.PROMPTS
TEXT = "---\nvariables:\n  - name: language\n  - name: words\n    default: 100\n---\nSummarise.\n"


@pytest.fixture(params=["local", "github"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Place]:
    with outbox_places.known_kinds(), outbox_places.place(request.param, tmp_path) as place:
        settings.FILE_STORAGES = {"default": place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def kept_on(place: Place) -> str:
    return "github" if place.double else "local"


@pytest.fixture
def in_memory(settings: Settings) -> Iterator[None]:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    yield
    file_storages.close()


def write(name: str, content: str, **conditions: str | None) -> library.Entry:
    return library.write(COMMAND, "alpha", PROMPTS, name, content, expected_hash=conditions.get("expected"))[0]


def names() -> list[str]:
    return [entry.name for entry in library.listed(COMMAND, "alpha", PROMPTS)]


def use(name: str = "summarise", **variables: object) -> NewJob:
    return NewJob(uses=[Wanted("prompts", name, variables)])


def make(new: NewJob) -> Job:
    return jobs.create(COMMAND, "alpha", new).job


def content_of(used: Use) -> str:
    """As a worker fetches it."""
    if used.version is not None:
        return library.read(COMMAND, "alpha", Kind(used.kind), used.name, version=used.version).content
    return library.read_content(COMMAND, "alpha", Kind(used.kind), used.name, used.hash).content


@pytest.mark.usefixtures("kept_on")
def test_a_text_is_written_read_listed_renamed_and_deleted(project: Project) -> None:
    made = write("summarise", TEXT)
    write("b", "b\n")
    assert library.read(COMMAND, "alpha", PROMPTS, "summarise") == replace(
        made, last_modified=library.read(COMMAND, "alpha", PROMPTS, "summarise").last_modified
    )
    assert [variable.name for variable in made.text.variables] == ["language", "words"]
    assert names() == ["b", "summarise"]
    assert library.listed(COMMAND, "alpha", Kind.EXERCISES) == []
    library.rename(COMMAND, "alpha", PROMPTS, "summarise", "brief")
    assert names() == ["b", "brief"]
    with pytest.raises(AlreadyExistsError, match="'b' already"):
        library.rename(COMMAND, "alpha", PROMPTS, "brief", "b")
    library.delete(COMMAND, "alpha", PROMPTS, "brief")
    with pytest.raises(NotFoundError, match="no prompt 'brief'"):
        library.read(COMMAND, "alpha", PROMPTS, "brief")
    with pytest.raises(NotFoundError):
        library.delete(COMMAND, "alpha", PROMPTS, "brief")
    assert names() == ["b"]


@pytest.mark.usefixtures("kept_on")
def test_an_edit_of_what_somebody_else_changed_is_refused_with_both_texts_at_hand(project: Project) -> None:
    first = write("a", "one\n")
    theirs = write("a", "two\n", expected=first.hash)
    with pytest.raises(PreconditionFailedError) as refused:
        write("a", "three\n", expected=first.hash)
    assert refused.value.extra["current"] == {"hash": theirs.hash, "content": "two\n"}
    for change in (
        lambda: library.delete(COMMAND, "alpha", PROMPTS, "a", expected_hash=first.hash),
        lambda: library.rename(COMMAND, "alpha", PROMPTS, "a", "b", expected_hash=first.hash),
    ):
        with pytest.raises(PreconditionFailedError):
            change()
    library.delete(COMMAND, "alpha", PROMPTS, "a")
    with pytest.raises(PreconditionFailedError) as gone:
        write("a", "three\n", expected=first.hash)
    assert gone.value.extra["current"] is None
    write("b", "x")
    with pytest.raises(AlreadyExistsError):
        library.write(COMMAND, "alpha", PROMPTS, "b", "y", overwrite=False)


def test_an_edit_goes_out_with_the_next_batch_and_its_condition_holds(project: Project, place: Place) -> None:
    first = write("a", "one\n")
    before = place.commits()
    edited, written = library.write(COMMAND, "alpha", PROMPTS, "a", "two\n", expected_hash=first.hash, deferred=True)
    library.write(COMMAND, "alpha", PROMPTS, "new", "new\n", overwrite=False, deferred=True)
    assert (written.deferred, place.commits()) == (True, before)
    assert library.read(COMMAND, "alpha", PROMPTS, "a").hash == edited.hash
    assert names() == ["a", "new"]
    with pytest.raises(PreconditionFailedError) as refused:
        library.write(COMMAND, "alpha", PROMPTS, "a", "three\n", expected_hash=first.hash, deferred=True)
    assert refused.value.extra["current"] == {"hash": edited.hash, "content": "two\n"}
    with pytest.raises(AlreadyExistsError):
        library.write(COMMAND, "alpha", PROMPTS, "new", "x\n", overwrite=False, deferred=True)
    outbox.flush(COMMAND, "alpha", "default")
    assert before is None or place.commits() == before + 1
    library.delete(COMMAND, "alpha", PROMPTS, "new", deferred=True)
    assert names() == ["a"]
    outbox.flush(COMMAND, "alpha", "default")
    assert [library.read(COMMAND, "alpha", PROMPTS, name).content for name in names()] == ["two\n"]
    assert before is None or place.commits() == before + 2


def test_a_rename_takes_what_waits_along_and_is_a_commit_of_its_own(project: Project, place: Place) -> None:
    write("a", "one\n")
    before = place.commits()
    edited, _ = library.write(COMMAND, "alpha", PROMPTS, "a", "two\n", deferred=True)
    entry, _ = library.rename(COMMAND, "alpha", PROMPTS, "a", "b", expected_hash=edited.hash)
    assert (entry.hash, names()) == (edited.hash, ["b"])
    assert library.read(COMMAND, "alpha", PROMPTS, "b").content == "two\n"
    assert outbox.pending(COMMAND, "alpha", "default").count() == 0
    assert before is None or place.commits() == before + 2


@pytest.mark.usefixtures("in_memory")
def test_who_may_only_write_makes_jobs_that_use_texts_and_is_told_no_content(project: Project) -> None:
    first = write("summarise", TEXT)
    token, _ = tokens.create(COMMAND, "alpha", "writer", ["write"])
    writer = access.actor_for_token(token)
    assert jobs.create(writer, "alpha", use(language="de")).job.uses[0].hash == first.hash
    library.write(writer, "alpha", PROMPTS, "summarise", "two\n", expected_hash=first.hash)
    with pytest.raises(PreconditionFailedError) as refused:
        library.write(writer, "alpha", PROMPTS, "summarise", "three\n", expected_hash=first.hash)
    assert "current" not in refused.value.extra
    with pytest.raises(PermissionDeniedError):
        library.read(writer, "alpha", PROMPTS, "summarise")


def test_history_is_there_where_the_storage_keeps_it(project: Project, kept_on: str) -> None:
    write("a", "one\n")
    write("a", "two\n")
    assert library.keeps_versions(COMMAND, "alpha") == (kept_on == "github")
    if kept_on != "github":
        with pytest.raises(StorageError, match="no versions"):
            library.versions(COMMAND, "alpha", PROMPTS, "a")
        return
    newest, first = library.versions(COMMAND, "alpha", PROMPTS, "a")
    read = [library.read(COMMAND, "alpha", PROMPTS, "a", version=each.version) for each in (newest, first)]
    assert [entry.content for entry in read] == ["two\n", "one\n"]
    assert read[1].hash == first.sha


def test_a_job_keeps_the_very_content_it_was_made_with(project: Project, kept_on: str) -> None:
    entry = write("summarise", TEXT)
    job = make(use(language="de"))
    (used,) = job.uses
    assert (used.hash, used.variables) == (entry.hash, {"language": "de", "words": 100})
    assert (used.version is None) == (kept_on != "github")
    write("summarise", TEXT + "Briefly.\n")
    (later,) = make(use(language="en")).uses
    library.rename(COMMAND, "alpha", PROMPTS, "summarise", "other")
    library.delete(COMMAND, "alpha", PROMPTS, "other")
    assert content_of(used) == TEXT
    assert content_of(later) == TEXT + "Briefly.\n"
    assert library.read_content(COMMAND, "alpha", PROMPTS, "summarise", used.hash).content == TEXT
    with pytest.raises(NotFoundError):
        library.read_content(COMMAND, "alpha", PROMPTS, "summarise", f"sha256:{'0' * 64}")
    (claimed,) = claim_jobs(COMMAND, "alpha", ClaimRequest("w1"))
    assert claimed.job.uses == (used,)


def test_a_content_that_still_waits_in_the_outbox_is_kept_for_jobs(project: Project, kept_on: str) -> None:
    path = "library/prompts/summarise.md"
    files.write(COMMAND, "alpha", "default", path, TEXT.encode(), deferred=True)
    (used,) = make(use(language="de")).uses
    assert used.version is None
    files.write(COMMAND, "alpha", "default", path, b"other", deferred=True)
    assert content_of(used) == TEXT
    write("summarise", TEXT)
    (settled,) = make(use(language="de")).uses
    assert (settled.version is None) == (kept_on != "github")


@pytest.mark.usefixtures("in_memory")
def test_what_is_missing_or_unknown_is_named(project: Project) -> None:
    write("summarise", TEXT)
    files.write(COMMAND, "alpha", "default", "library/prompts/broken.md", b"---\na: *b\n---\n")
    refused = [
        use("absent"),
        use("../default"),
        use("con"),
        use("broken"),
        NewJob(uses=[Wanted("prompts", "summarise", {"language": "de"}), Wanted("exercises", "summarise")]),
        use(typo=1),
    ]
    with pytest.raises(InvalidError) as error:
        jobs.create_many(COMMAND, "alpha", [use(language="de"), *refused])
    assert [item["place"] for item in error.value.extra["errors"]] == [
        "jobs.1.uses.0.name",
        "jobs.2.uses.0.name",
        "jobs.3.uses.0.name",
        "jobs.4.uses.0.name",
        "jobs.5.uses.1.name",
        "jobs.6.uses.0.variables.typo",
        "jobs.6.uses.0.variables.language",
    ]
    assert "there is no prompt 'absent' here" in error.value.detail
    assert "cannot be used: line 2 has '*'" in error.value.detail
    with pytest.raises(InvalidError, match=r"^uses\.0\.variables\.language: is required$"):
        make(use())
    assert jobs.find(COMMAND, "alpha", JobFilter()).jobs == []


@pytest.mark.usefixtures("in_memory")
def test_the_same_request_again_gives_the_first_job_whatever_became_of_the_text(project: Project) -> None:
    write("summarise", TEXT)
    new = replace(use(language="de"), ingestion_task_id="t1")
    first = make(new)
    library.delete(COMMAND, "alpha", PROMPTS, "summarise")
    again = jobs.create(COMMAND, "alpha", new)
    assert (again.replayed, again.job.uses) == (True, first.uses)
    with pytest.raises(AlreadyExistsError):
        make(replace(use(language="en"), ingestion_task_id="t1"))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("---\na: {\n---\n", InvalidError),
        ("a\0b", InvalidError),
        ("a\x1b[31m", InvalidError),
        ("\ud800", InvalidError),
        ("x" * (256 * 1024 + 1), ContentTooLargeError),
    ],
)
@pytest.mark.usefixtures("in_memory")
def test_a_text_that_nobody_could_use_is_not_stored(project: Project, content: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        write("a", content)
    assert names() == []


@pytest.mark.usefixtures("in_memory")
def test_what_came_past_us_is_shown_with_its_fault_and_odd_names_are_left_out(project: Project) -> None:
    for name, content in {"broken.md": b"---\n", "bytes.md": b"\xff", "odd name.md": b"x", "a.txt": b"x"}.items():
        files.write(COMMAND, "alpha", "default", f"library/prompts/{name}", content)
    assert names() == ["broken", "bytes"]
    assert library.read(COMMAND, "alpha", PROMPTS, "broken").fault
    assert library.read(COMMAND, "alpha", PROMPTS, "bytes").fault == "is not UTF-8"


def test_a_storage_called_library_is_the_library(project: Project, other_project: Project, settings: Settings) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}, "library": {"provider": "memory"}}
    write("a", "x")
    assert files.exists(COMMAND, "alpha", "library", "prompts/a.md")
    assert library.listed(COMMAND, "beta", PROMPTS) == []
    file_storages.close()


@pytest.mark.usefixtures("in_memory")
def test_jobs_are_found_by_what_they_use(project: Project, record_store: RecordStore) -> None:
    first = write("summarise", TEXT)
    one = make(use(language="de"))
    make(NewJob(name="uses nothing"))
    write("summarise", TEXT + "x")
    two = make(use(language="de"))
    (claimed,) = claim_jobs(COMMAND, "alpha", ClaimRequest("w1"))
    assert claimed.job.uses == one.uses

    def found(reference: str) -> list[str]:
        return [job.id for job in jobs.find(COMMAND, "alpha", JobFilter(uses=reference)).jobs]

    assert found("prompts/summarise") == [two.id, one.id]
    assert found(f"prompts/summarise@{first.hash}") == [one.id]
    assert found("prompts/summ") == []
    asked = [f"uses:prompts/summarise@{first.hash}", "uses:prompts/summarise -uses:exercises/summarise"]
    told = [jobs.find(COMMAND, "alpha", JobFilter(text=text)).jobs for text in asked]
    assert [[job.id for job in each] for each in told] == [[one.id], [two.id, one.id]]
