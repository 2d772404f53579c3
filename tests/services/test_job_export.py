"""Export of whatever a query finds: complete, a page in memory at a time, and harmless in a spreadsheet."""

import csv
import io
import tracemalloc

import pytest

from jobs_app.domain.access import COMMAND
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import InvalidError, InvalidQueryError
from jobs_app.models import Project
from jobs_app.services import job_export, jobs
from jobs_app.services.jobs import JobFilter
from jobs_app.services.project_jobs import now

pytestmark = pytest.mark.django_db


def rows(project: Project, text: str = "", order: str = "created_at") -> list[dict[str, str]]:
    found = job_export.jobs_matching(COMMAND, project.slug, JobFilter(text=text), order)
    data = b"".join(job_export.as_csv(found, now()))
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.usefixtures("record_store")
def test_everything_that_matches_comes_once_page_after_page(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_export, "PAGE", 7)
    jobs.create_many(COMMAND, project.slug, [NewJob(name=f"j{n}", content_type="ab"[n % 2]) for n in range(60)])
    assert [row["name"] for row in rows(project, "type:a")] == [f"j{n}" for n in range(0, 60, 2)]
    assert len(rows(project, order="-priority")) == 60
    assert rows(project, "nothing") == []


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =cmd|' /C calc'!A0", "' =cmd|' /C calc'!A0"),
        ("\u00a0=1", "'\u00a0=1"),
        ('say "hi", ok', 'say "hi", ok'),
        ("größe 漢字 🙂", "größe 漢字 🙂"),
        ("a=b", "a=b"),
    ],
)
def test_no_text_is_a_formula(project: Project, name: str, cell: str) -> None:
    jobs.create(COMMAND, project.slug, NewJob(name=name, priority=-5, tags=[name.strip()], task_options={"x": name}))
    (row,) = rows(project)
    assert row["name"] == cell
    assert row["priority"] == "-5"
    assert not row["tags"].startswith(("=", "+", "-", "@"))


def test_refusals_come_before_the_first_byte(project: Project) -> None:
    with pytest.raises(InvalidQueryError):
        job_export.jobs_matching(COMMAND, project.slug, JobFilter(text="status:odd"))
    with pytest.raises(InvalidError):
        job_export.jobs_matching(COMMAND, project.slug, JobFilter(), "name")


def test_memory_does_not_grow_with_the_number_of_jobs(project: Project) -> None:
    def peak() -> int:
        found = job_export.jobs_matching(COMMAND, project.slug, JobFilter())
        tracemalloc.start()
        try:
            size = sum(map(len, job_export.as_csv(found, now())))
            assert size > 100_000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    jobs.create_many(COMMAND, project.slug, [NewJob(name="x" * 200) for _ in range(400)])
    few = peak()
    for _ in range(3):
        jobs.create_many(COMMAND, project.slug, [NewJob(name="x" * 200) for _ in range(400)])
    assert peak() < few * 2
