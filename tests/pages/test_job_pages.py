"""The pages of jobs without a browser: what they show, what they refuse, what a form changes."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils.html import escape

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_log import NewLogEntry
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import LeaseLostError, NotFoundError
from jobs_app.models import Project
from jobs_app.services import claims, job_counts, jobs, logs, pauses, workers
from jobs_app.services.claims import ClaimRequest
from tests.browser.jobs_world import write_log
from tests.conftest import Clock
from tests.factories import claim_job, job_in, make_job, make_person

pytestmark = pytest.mark.django_db


def client_of(project: Project, role: Role) -> Client:
    client = Client()
    client.force_login(make_person(roles={project: role}))
    return client


@pytest.fixture
def operator(project: Project) -> Client:
    return client_of(project, Role.OPERATOR)


def body(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def names(page: str) -> list[str]:
    return re.findall(r'class="job-name__text">([^<]*)<', page)


def said(client: Client, path: str, **data: object) -> list[str]:
    """What the server says after a form was sent."""
    response = client.post(path, data)
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_an_empty_project_shows_the_first_steps_and_a_command_with_its_own_address(
    operator: Client, project: Project
) -> None:
    page = body(operator, "/p/alpha/")
    assert "http://testserver/api/v1/projects/alpha/jobs" in page
    make_job(project)
    assert "First steps" not in body(operator, "/p/alpha/")


def test_the_overview_counts_states_and_says_what_needs_a_person(operator: Client, project: Project) -> None:
    job_in(project, JobState.FAILED)
    job_in(project, JobState.COMPLETED)
    make_job(project, name="waits")
    page = body(operator, "/p/alpha/")
    assert "1 job failed." in page
    assert "no worker takes any" not in page, "w1 has just asked"
    counts = job_counts.of(COMMAND, "alpha")
    assert counts.by_state[JobState.FAILED] == counts.by_state[JobState.PENDING] == 1
    assert counts.total == 3


def test_waiting_jobs_without_a_worker_need_a_person(operator: Client, project: Project) -> None:
    make_job(project)
    assert "1 job waits, and no worker takes any." in body(operator, "/p/alpha/")


def test_the_trash_is_counted_apart(project: Project) -> None:
    jobs.delete(COMMAND, "alpha", make_job(project).id)
    counts = job_counts.of(COMMAND, "alpha")
    assert (counts.total, counts.trashed) == (0, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["c", "b", "a"]),
        ("?status=failed", ["a"]),
        ("?status=failed&status=pending", ["c", "b", "a"]),
        ("?type=pdf", ["b"]),
        ("?tag=urgent", ["c"]),
        ("?worker=w1", ["a"]),
        ("?q=NO+such", ["a"]),
        ("?q=%0A%20", ["c", "b", "a"]),
        ("?order=created_at", ["a", "b", "c"]),
        ("?order=nonsense&status=nonsense", ["c", "b", "a"]),
    ],
)
def test_the_address_says_which_jobs_are_listed(
    operator: Client, project: Project, query: str, found: list[str]
) -> None:
    job_in(project, JobState.FAILED, name="a")
    make_job(project, name="b", content_type="pdf")
    make_job(project, name="c", tags=["urgent"])
    assert names(body(operator, f"/p/alpha/jobs/{query}")) == found


def test_pages_of_the_list_lead_on_and_back_without_losing_the_filter(operator: Client, project: Project) -> None:
    for number in range(120):
        make_job(project, name=f"job {number}")
    path, seen = "/p/alpha/jobs/?status=pending", []
    pages = []
    while path:
        page = body(operator, path)
        pages.append(names(page))
        seen += names(page)
        following = re.search(r'href="([^"]*)" rel="next"', page)
        back = re.search(r'href="([^"]*)" rel="prev"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == [f"job {number}" for number in reversed(range(120))]
    assert back
    assert "status=pending" in back[1]
    assert names(body(operator, back[1].replace("&amp;", "&"))) == pages[-2]


def test_a_reader_further_down_keeps_the_rows_and_hears_of_new_ones_that_match(
    operator: Client, project: Project
) -> None:
    made = [make_job(project, name=f"job {number}", content_type="pdf") for number in range(60)]
    page = body(operator, "/p/alpha/jobs/?type=pdf")
    since = re.search(r'name="since" value="([^"]*)"', page)
    assert since
    for number in range(4):
        make_job(project, name=f"new {number}", content_type="pdf" if number else "csv")
    jobs.delete(COMMAND, "alpha", made[59].id)  # the very row that stood first
    later = body(operator, f"/p/alpha/jobs/?type=pdf&since={since[1]}")
    assert "3 new" in later
    assert names(later)[0] == "job 58"
    assert "since=" not in "".join(re.findall(r'href="([^"]*)"', later))


def test_more_new_rows_than_are_counted_are_said_to_be_more(operator: Client, project: Project) -> None:
    make_job(project, name="known")
    since = re.search(r'name="since" value="([^"]*)"', body(operator, "/p/alpha/jobs/"))
    assert since
    for _ in range(2):
        jobs.create_many(COMMAND, "alpha", [NewJob(name="new")] * 90)
    assert "100+ new" in body(operator, f"/p/alpha/jobs/?since={since[1]}")


def test_a_viewer_sees_no_buttons_and_may_not_press_them(project: Project) -> None:
    viewer, job = client_of(project, Role.VIEWER), job_in(project, JobState.FAILED)
    page = body(viewer, f"/p/alpha/jobs/{job.id}/")
    assert 'name="ask"' not in page
    assert "row-select" not in body(viewer, "/p/alpha/jobs/")
    assert viewer.post(f"/p/alpha/jobs/{job.id}/retry/").status_code == 403
    assert viewer.post("/p/alpha/jobs/act/", {"action": "retry", "id": job.id}).status_code == 403
    assert jobs.get(COMMAND, "alpha", job.id) == job


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (JobState.PENDING, ["cancel", "delete"]),
        (JobState.PROCESSING, ["release", "cancel"]),
        (JobState.COMPLETED, ["delete"]),
        (JobState.FAILED, ["retry", "delete"]),
        (JobState.TIMEOUT, ["retry", "delete"]),
        (JobState.CANCELLED, ["delete"]),
    ],
)
def test_a_job_offers_what_its_state_allows(
    operator: Client, project: Project, state: JobState, offered: list[str]
) -> None:
    job = job_in(project, state)
    assert re.findall(r'name="ask" value="(\w+)"', body(operator, f"/p/alpha/jobs/{job.id}/")) == offered


def test_a_stale_button_is_answered_with_the_reason(operator: Client, project: Project) -> None:
    job = job_in(project, JobState.COMPLETED)
    assert said(operator, f"/p/alpha/jobs/{job.id}/retry/") == ["A job cannot go from completed to pending."]


def test_a_job_taken_back_waits_again_and_its_worker_finds_the_lease_lost(operator: Client, project: Project) -> None:
    job = make_job(project)
    claimed = claim_job(project)
    said(operator, f"/p/alpha/jobs/{job.id}/release/", reason="the host is gone")
    assert jobs.get(COMMAND, "alpha", job.id).status is JobState.PENDING
    with pytest.raises(LeaseLostError):
        claims.complete(COMMAND, "alpha", job.id, claimed.lease_token)
    assert "the host is gone" in body(operator, f"/p/alpha/jobs/{job.id}/?tab=events")


def test_a_deleted_job_comes_back_by_undo(operator: Client, project: Project) -> None:
    job = make_job(project, name="precious")
    response = operator.post(f"/p/alpha/jobs/{job.id}/delete/", follow=True)
    undo = re.search(r'action="(/p/alpha/jobs/trash/restore/[^"]*)"', response.content.decode())
    assert undo
    with pytest.raises(NotFoundError):
        jobs.get(COMMAND, "alpha", job.id)
    assert said(operator, undo[1]) == ["1 job was brought back."]
    assert jobs.get(COMMAND, "alpha", job.id).name == "precious"


def test_an_action_on_many_tells_how_many_were_left_and_why(operator: Client, project: Project) -> None:
    failed = [job_in(project, JobState.FAILED).id for _ in range(2)]
    done = job_in(project, JobState.COMPLETED).id
    told = said(operator, "/p/alpha/jobs/act/", action="retry", id=[*failed, done, "nothing"])
    assert told[0] == "2 jobs were put back into the queue."
    assert "1 job left as it was: A job cannot go from completed to pending." in told
    assert len(told) == 3


@pytest.mark.parametrize("data", [{"action": "erase", "id": "x"}, {"action": "retry"}])
def test_nonsense_on_many_is_refused(operator: Client, project: Project, data: dict[str, str]) -> None:
    assert operator.post("/p/alpha/jobs/act/", data).status_code == 422


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_a_form_leads_back_to_our_own_addresses_only(operator: Client, project: Project, back: str) -> None:
    response = operator.post("/p/alpha/jobs/act/", {"action": "cancel", "id": make_job(project).id, "back": back})
    assert response["Location"] == "/p/alpha/jobs/"


def test_what_is_removed_for_good_does_not_come_back(operator: Client, project: Project) -> None:
    job = make_job(project)
    jobs.delete(COMMAND, "alpha", job.id)
    said(operator, "/p/alpha/jobs/trash/erase/", id=job.id)
    assert "The trash is empty" in body(operator, "/p/alpha/jobs/trash/")
    assert said(operator, "/p/alpha/jobs/trash/restore/", id=job.id)[0].startswith("1 job left as it was")


def test_a_job_says_why_it_waits(operator: Client, project: Project) -> None:
    job = make_job(project, content_type="pdf")
    pauses.pause(COMMAND, "alpha", "pdf", "new scanner")
    assert "pdf is paused by command line: new scanner" in body(operator, f"/p/alpha/jobs/{job.id}/")


def test_numbers_of_a_job_are_written_as_they_came(operator: Client, project: Project) -> None:
    job = make_job(project, task_options={"big": 12345678901234567890123, "one": 1.0})
    page = body(operator, f"/p/alpha/jobs/{job.id}/?tab=data")
    assert "12345678901234567890123" in page
    assert ">1.0<" in page


def test_a_log_is_read_from_its_end_back_to_its_start(operator: Client, project: Project) -> None:
    job = make_job(project)
    write_log(project, job.id, 1234)
    path, seen = f"/p/alpha/jobs/{job.id}/?tab=log", list[int]()
    while path:
        page = body(operator, path)
        seen = [int(number) for number in re.findall(r'id="line-(\d+)"', page)] + seen
        earlier = re.search(r'href="([^"]*)" rel="prev"', page)
        path = earlier[1].replace("&amp;", "&") if earlier else ""
    assert seen == list(range(1, 1235))


def test_the_lines_that_came_since_follow_with_where_to_go_on(operator: Client, project: Project) -> None:
    job = make_job(project)
    write_log(project, job.id, 10)
    answer = body(operator, f"/p/alpha/jobs/{job.id}/log/?after=6&level=error")
    assert re.findall(r'id="line-(\d+)"', answer) == ["7"]
    assert "level=error&amp;after=10" in answer


def test_a_downloaded_log_is_whole_plain_text(operator: Client, project: Project) -> None:
    job = make_job(project)
    write_log(project, job.id, 1500)
    response = operator.get(f"/p/alpha/jobs/{job.id}/log.txt")
    text = b"".join(response).decode()
    assert response["Content-Type"].startswith("text/plain")
    assert response["Content-Disposition"].startswith("attachment")
    assert len(text.splitlines()) == 1500


def test_control_characters_of_a_log_are_shown_and_do_nothing(operator: Client, project: Project) -> None:
    job = make_job(project)
    logs.append(COMMAND, "alpha", job.id, [NewLogEntry("\x1b[31mred\x1b[0m \x07bell\x1b]0;title")])
    page = body(operator, f"/p/alpha/jobs/{job.id}/?tab=log")
    assert "red ␇bell␛]0;title" in page
    assert "\x1b" not in page


@pytest.mark.parametrize("query", ["after=-1", "before=x", "at=99999999999999999999", "level=nonsense", "after=%C2%B2"])
def test_a_log_address_that_makes_no_sense_shows_the_end(operator: Client, project: Project, query: str) -> None:
    job = make_job(project)
    write_log(project, job.id, 3)
    assert 'id="line-3"' in body(operator, f"/p/alpha/jobs/{job.id}/?tab=log&{query}")


def test_a_worker_is_drained_and_resumed_whatever_its_name(operator: Client, project: Project) -> None:
    name = "host 7 <b>?&"
    claims.claim(COMMAND, "alpha", ClaimRequest(name))
    assert "It holds nothing and is safe to stop." in said(operator, "/p/alpha/workers/drain/", worker=name)[0]
    assert "Safe to stop" in body(operator, "/p/alpha/workers/")
    said(operator, "/p/alpha/workers/resume/", worker=name)
    assert workers.get(COMMAND, "alpha", name).drained is None


def test_why_a_worker_is_drained_is_asked_and_shown(operator: Client, project: Project) -> None:
    name, viewer = "host 7 <b>?&", client_of(project, Role.VIEWER)
    claims.claim(COMMAND, "alpha", ClaimRequest(name))
    address = f"/p/alpha/workers/drain/?worker={quote(name, safe='')}"
    assert f'href="{address}"' in body(operator, "/p/alpha/workers/")
    assert "workers/drain/" not in body(viewer, "/p/alpha/workers/")
    asked = body(operator, address)
    assert escape(f"Drain {name}?") in asked
    assert "safe to stop at once" in asked
    make_job(project)
    claims.claim(COMMAND, "alpha", ClaimRequest(name))
    part = operator.get(address, headers={"HX-Request": "true", "HX-Request-Type": "partial"}).content.decode()
    assert part.lstrip().startswith("<form")
    assert "What it holds it ends" in part
    assert operator.get("/p/alpha/workers/drain/?worker=unknown").status_code == 404
    said(operator, "/p/alpha/workers/drain/", worker=name, reason="a new <disk>")
    assert "a new &lt;disk&gt;" in body(viewer, "/p/alpha/workers/")


def test_a_silent_worker_is_called_so(operator: Client, project: Project, clock: Clock) -> None:
    claims.claim(COMMAND, "alpha", ClaimRequest("w1"))
    assert "Idle" in body(operator, "/p/alpha/workers/")
    clock.advance(minutes=10)
    assert "Silent" in body(operator, "/p/alpha/workers/")


def test_a_jobs_files_are_listed_to_be_downloaded(operator: Client, project: Project) -> None:
    job = job_in(project, JobState.PENDING)
    address = f"/p/alpha/jobs/{job.id}/?tab=files"
    assert "No files" in body(operator, address)
    place = f"/api/v1/projects/alpha/jobs/{job.id}/files/out/50%25%20done.txt"
    assert operator.put(place, b"three", content_type="text/plain", HTTP_ORIGIN="http://testserver").status_code == 201
    page = body(operator, address)
    assert "1 file, 5 B together" in page
    assert f'href="{place}"' in page
    assert "out/50% done.txt" in page
    assert b"".join(operator.get(place)) == b"three"


def test_a_pause_needs_a_reason(operator: Client, project: Project) -> None:
    assert operator.post("/p/alpha/pauses/", {"content_type": "pdf"}).status_code == 422
    assert pauses.of(COMMAND, "alpha") == []
    said(operator, "/p/alpha/pauses/", reason="night")
    assert "This project is paused by" in body(operator, "/p/alpha/settings/")
    assert "This project is paused by" in body(operator, "/vitals/?project=alpha")
    assert "This project is paused by" not in body(operator, "/vitals/?project=beta")


def test_pages_follow_their_projects_topics_and_only_the_log_its_lines(operator: Client, project: Project) -> None:
    job = job_in(project, JobState.FAILED)
    everywhere = followed(body(operator, "/p/alpha/jobs/"))
    assert followed(body(operator, f"/p/alpha/jobs/{job.id}/")) == everywhere | {"alpha/job-logs"}


def test_each_part_of_a_page_that_waits_for_changes_is_told_of_them(operator: Client, project: Project) -> None:
    page = body(operator, f"/p/alpha/jobs/{job_in(project, JobState.FAILED).id}/")  # its log is followed there alone
    told = {topic.partition("/")[2] for topic in followed(page)}
    waiting = {
        word
        for template in (Path(__file__).parents[2] / "templates").rglob("*.html")
        for topics in re.findall(r'data-live-topic="([a-z -]+)"', template.read_text())
        for word in topics.split()
    }
    assert {"jobs", "runs"} <= waiting
    assert waiting <= told


def followed(page: str) -> set[str]:
    found = re.search(r'data-live-url="[^"]*topics=([^"]+)"', page)
    assert found
    return set(found[1].split(","))


def test_a_strangers_banner_tells_nothing(project: Project, other_project: Project) -> None:
    pauses.pause(COMMAND, "alpha", None, "a secret reason")
    stranger = client_of(other_project, Role.ADMIN)
    assert "secret" not in body(stranger, "/vitals/?project=alpha")
    missing = stranger.get("/p/alpha/jobs/")
    assert missing.status_code == 404
    assert b"secret" not in missing.content
    assert b"alpha/jobs" not in missing.content.replace(b"/p/alpha/jobs", b"")


def test_an_error_of_an_attempt_is_shown_while_the_next_one_waits(operator: Client, project: Project) -> None:
    job = make_job(project)
    claimed = claim_job(project)
    claims.fail(COMMAND, "alpha", job.id, claimed.lease_token, Failure("disk full", "Traceback: <b>"))
    page = body(operator, f"/p/alpha/jobs/{job.id}/")
    assert "Error of the last attempt" in page
    assert "Traceback: &lt;b&gt;" in page


def test_a_query_that_cannot_be_read_is_refused_on_the_page(operator: Client) -> None:
    response = operator.get("/p/alpha/jobs/?q=%22+OR+1%3D1+--")
    assert response.status_code == 422
    assert "quote" in response.content.decode().lower()
