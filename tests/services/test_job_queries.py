"""The query language over real jobs: what each part finds, what is refused where, and what is suggested."""

from typing import Any

import pytest

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_transitions import Failure
from jobs_app.errors import InvalidQueryError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import claims, job_queries, jobs
from jobs_app.services.jobs import JobFilter
from tests.conftest import Clock
from tests.factories import claim_job, make_actor, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]


@pytest.fixture
def world(project: Project, clock: Clock) -> Project:
    """`a` failed after seven minutes, `b` is done, `c` is at work, `d` waits, `e` lies in the trash."""
    fields: dict[str, dict[str, Any]] = {
        "a": {
            "name": "alpha report",
            "content_type": "pdf",
            "tags": ["x", "y"],
            "task_options": {"lang": "de", "n": 3},
        },
        "b": {"name": "beta", "content_type": "html", "run_id": "r1", "task_options": {"deep": {"er": True}}},
        "c": {"name": "gamma", "content_type": "pdf", "source_file_path": "in/50%_off.pdf", "priority": -5},
        "d": {"name": "delta report", "priority": 7, "tags": ["y"], "ingestion_task_id": "t-1"},
        "e": {"name": "epsilon report", "tags": ["x"]},
    }
    ids = {}
    for name, values in fields.items():
        ids[name] = make_job(project, **{"priority": -50, **values}).id
        clock.advance(hours=1)
        if name == "a":
            held = claim_job(project, "w1", lease_seconds=900)
            clock.advance(minutes=7)
            failure = Failure("Connection timed out after 30 s", "Traceback", retryable=False)
            claims.fail(COMMAND, project.slug, ids["a"], held.lease_token, failure)
        if name == "b":
            held = claim_job(project, "w2")
            claims.complete(COMMAND, project.slug, ids["b"], held.lease_token, {"pages": 3})
        if name == "c":
            claim_job(project, "w1", lease_seconds=86_400)
    jobs.delete(COMMAND, project.slug, ids["e"])
    return project


def found(project: Project, text: str) -> str:
    page = jobs.find(COMMAND, project.slug, JobFilter(text=text), "created_at")
    assert page.is_complete
    return "".join(job.name[0] for job in page.jobs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "abgd"),
        ("   ", "abgd"),
        ("report", "ad"),
        ("REPORT alpha", "a"),
        ("-report", "bg"),
        ("(alpha OR beta)", "ab"),
        ("alpha | gamma", "ag"),
        ('"alpha report"', "a"),
        ("status:failed", "a"),
        ("status:failed,pending", "ad"),
        ("-status:failed", "bgd"),
        ("status:failed status:pending", ""),
        ("type:pdf", "ag"),
        ("type:p*", "ag"),
        ("worker:w1", "ag"),
        ("-worker:w1", "bd"),
        ("worker:*", "abg"),
        ("tag:x", "a"),
        ("tag:x,y", "ad"),
        ("run:r1", "b"),
        ("ingestion:t-1", "d"),
        ("priority:>0", "d"),
        ("priority:-50..-5", "abg"),
        ("created:>2000-01-01", "abgd"),
        ("created:<2000-01-01", ""),
        ("created:-90m..", ""),
        ("created:>-4h", "gd"),
        ("completed:*", "ab"),
        ("duration:>5m", "a"),
        ("duration:<=1s", "b"),
        ('error:"timed out"', "a"),
        ("error:timed name:alpha", "a"),
        ("-error:timed", "bgd"),
        ("error:*", "a"),
        ("name:report -error:*", "d"),
        ("path:50%_off", "g"),
        ("path:50__off", ""),
        ("off.pdf", "g"),
        ("options.lang:de", "a"),
        ("options.n:3", "a"),
        ("options.n:>2", "a"),
        ('options.n:"3"', ""),
        ("options.deep.er:true", "b"),
        ("result.pages:3", "b"),
        ("attempt:1", "abg"),
        ("retries:0 lost:0", "abgd"),
        ("nothing-like-it", ""),
        ("status:failed type:pdf worker:w1 tag:x created:>2000 duration:>5m error:\"timed out\" options.lang:de "
         "(alpha OR b) -c", ""),
        ("status:failed type:pdf worker:w1 tag:x duration:>5m options.lang:de (alpha OR beta) -gamma", "a"),
    ],
)  # fmt: skip
def test_a_query_finds_what_it_names(world: Project, text: str, expected: str) -> None:
    assert found(world, text) == expected


def test_a_job_is_found_by_its_id_its_beginning_and_its_cause(world: Project) -> None:
    job = jobs.find(COMMAND, world.slug, JobFilter(text="status:failed")).jobs[0]
    assert job.cause is not None
    for text in (job.id, f"id:{job.id}", f"id:{job.id[:30]}* alpha", f"cause:{job.cause.fingerprint}"):
        assert found(world, text) == "a", text


@pytest.mark.parametrize(
    ("text", "position", "length", "suggestion"),
    [
        ("status:faild", 7, 5, "status:failed"),
        ("stauts:failed", 0, 6, "status:failed"),
        ("a OR", 2, 2, None),
        ("(a b", 0, 1, "a b"),
        ('x "open', 2, 5, None),
        ("priority:high", 9, 4, None),
        ("duration:>5q", 10, 2, None),
        ("created:>2026-13-01", 9, 10, None),
        ("error:", 6, 0, None),
        ("a\0b", 1, 1, "ab"),
        ("x" * 2001, 2000, 1, "x" * 2000),
        ("id:*", 0, 4, None),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    project: Project, text: str, position: int, length: int, suggestion: str | None
) -> None:
    with pytest.raises(InvalidQueryError) as refusal:
        jobs.find(COMMAND, project.slug, JobFilter(text=text))
    extra = refusal.value.extra
    assert extra["position"] == position
    assert length in (extra["length"], length)
    if suggestion is not None and extra["suggestion"] is not None:
        assert extra["suggestion"] == suggestion


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE records_jobs; --",
        "%", "_", "\\", "''", '\\"', "a*b", "NEAR(a b)", "{text} : a", "é'\"", "\u202e", "🙂🙂🙂", "漢字漢字", "İ ﬁ",
        "a" * 500, "\ufeff", "search:x", "x:y", "C:\\temp", "http://x/y?z=1", "<img src=x onerror=alert(1)>",
        "(" * 60, "-" * 100, " OR ".join("abc" for _ in range(60)), "a b " * 200,
    ],
)  # fmt: skip
def test_any_text_is_a_query_or_a_refusal_with_a_place(world: Project, text: str) -> None:
    try:
        page = jobs.find(COMMAND, world.slug, JobFilter(text=text))
    except InvalidQueryError as error:
        assert 0 <= error.extra["position"] <= len(text)  # noqa: PT017 - a refusal is one of two good ends
    else:
        assert len(page.jobs) <= 4


def test_a_search_that_ends_early_says_so_and_goes_on_from_its_cursor(
    project: Project, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SCAN_LIMIT", 10)
    for number in range(35):
        make_job(project, name=f"job {number}", task_options={"rare": number == 0})
        clock.advance(seconds=1)
    names, cursor, rounds, cut = [], None, 0, 0
    while True:
        page = jobs.find(COMMAND, project.slug, JobFilter(text="options.rare:true"), cursor=cursor)
        names += [job.name for job in page.jobs]
        cut += not page.is_complete
        assert page.is_complete or page.searched_to is not None
        cursor, rounds = page.next_cursor, rounds + 1
        if cursor is None:
            break
    assert names == ["job 0"]
    assert 3 <= cut < rounds <= 5


def options(project: Project, text: str, position: int | None = None) -> list[str]:
    completion = job_queries.suggestions(COMMAND, project.slug, text, len(text) if position is None else position)
    return [option.insert for option in completion.options]


def test_fields_states_and_known_values_are_suggested(world: Project) -> None:
    assert options(world, "sta")[0] == "status:"
    assert options(world, "status:f") == ["failed"]
    assert options(world, "type:") == ["pdf", "html"]
    assert options(world, "worker:w") == ["w1", "w2"]
    assert options(world, "tag:") == ["y", "x"]
    assert options(world, "run:") == ["r1"]
    assert set(options(world, "options.")) == {"options.lang:", "options.n:", "options.deep:", "options.deep.er:"}
    assert options(world, "options.lang:") == ["de"]
    assert options(world, "result.pages:") == ["3"]
    assert options(world, "type:pdf sta x", 12)[0] == "status:"
    assert len(options(world, "")) <= 12
    for text in ("x" * 5000, '"', "a:b:c", "options.lang:\0", "(((", "\ud800"):
        options(world, text)
    assert options(world, "", 10**9) == options(world, "")


def test_suggestions_show_nothing_of_another_project(world: Project, other_project: Project) -> None:
    assert options(other_project, "type:") == []
    assert options(other_project, "worker:") == []
    with pytest.raises(NotFoundError):
        job_queries.suggestions(make_actor(other_project, Role.ADMIN), world.slug, "type:", 5)
