"""Pages of many jobs: queries, views, what is done to all that match, operations, failures by cause."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.models import Project
from jobs_app.services import claims, failures, job_counts, jobs, operations, saved_views
from jobs_app.services.job_actions import AT_ONCE
from jobs_app.services.saved_views import ViewContent
from tests.factories import claim_job, job_in, make_actor, make_job
from tests.pages.test_job_pages import body, client_of, names
from tests.pages.test_job_pages import said as all_said

pytestmark = pytest.mark.django_db
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def operator(project: Project) -> Client:
    return client_of(project, Role.OPERATOR)


@pytest.fixture
def viewer(project: Project) -> Client:
    return client_of(project, Role.VIEWER)


def fail(project: Project, message: str, **fields: Any) -> str:
    job = make_job(project, **fields)
    claimed = claim_job(project)
    assert claimed.job.id == job.id
    claims.fail(COMMAND, project.slug, job.id, claimed.lease_token, Failure(message, None, retryable=False))
    return job.id


def said(client: Client, path: str, **data: object) -> list[str]:
    """What this form came to; what was said before waits for a page to be shown."""
    return all_said(client, path, **data)[-1:]


def chips(page: str) -> list[str]:
    return re.findall(r'<span class="chip"><span>(?:<b>[^<]*</b> )?([^<]*)</span>', page)


def test_a_query_is_asked_in_its_language_and_told_in_chips(operator: Client, project: Project) -> None:
    fail(project, "timed out after 30 s", name="a")
    make_job(project, name="b", content_type="pdf", task_options={"lang": "de"})
    make_job(project, name="c", content_type="pdf")
    page = body(operator, f"/p/alpha/jobs/?q={quote('type:pdf options.lang:de')}")
    assert names(page) == ["b"]
    assert chips(page) == ["type:pdf", "options.lang:de"]
    timed_out = quote('error:"timed out"')
    assert names(body(operator, f"/p/alpha/jobs/?q={timed_out}")) == ["a"]
    without = re.search(r'class="chip__remove" href="([^"]*)"', page)
    assert without
    assert names(body(operator, without[1].replace("&amp;", "&"))) == ["b"]


@pytest.mark.parametrize(
    ("query", "part", "suggestion"),
    [("status:faled x", "faled", "status:failed x"), ("name:(", "(", ""), ("ceated:today", "ceated", "created:today")],
)
def test_a_query_that_cannot_be_read_is_marked_where_it_is_wrong(
    operator: Client, project: Project, query: str, part: str, suggestion: str
) -> None:
    make_job(project)
    answer = operator.get(f"/p/alpha/jobs/?q={quote(query)}")
    page = answer.content.decode()
    assert answer.status_code == 422
    marked = re.search(r"<mark>([^<]*)</mark>", page)
    assert marked
    assert part.startswith(marked[1].strip()[:1])
    assert names(page) == []
    assert f"q={quote(suggestion, safe='')}".replace("%20", "+") in page or not suggestion


def test_a_hostile_query_is_text(operator: Client, project: Project) -> None:
    make_job(project)
    for query in (HOSTILE, f"status:{HOSTILE}", f'"{HOSTILE}'):
        assert HOSTILE not in operator.get(f"/p/alpha/jobs/?q={quote(query)}").content.decode()


def test_what_the_list_shows_is_kept_as_a_view_with_menus_and_text_in_one_query(
    operator: Client, project: Project
) -> None:
    make_job(project, content_type="pdf")
    page = body(operator, "/p/alpha/jobs/?q=report&status=failed&status=timeout&type=pdf&order=created_at")
    kept = re.search(r'name="q" value="(report[^"]*)"><input type="hidden" name="order" value="([^"]*)"', page)
    assert kept
    assert kept[1] == "report status:failed,timeout type:pdf"
    assert said(operator, "/p/alpha/jobs/views/save/", name="Lost reports", q=kept[1], order=kept[2]) == [
        "The view Lost reports is kept."
    ]
    assert "Lost reports" in body(operator, "/p/alpha/jobs/")
    listed = body(operator, "/p/alpha/jobs/views/")
    assert "report status:failed,timeout type:pdf" in listed
    assert "Oldest first" in listed


def test_views_of_others_are_not_seen_until_they_are_shared(operator: Client, viewer: Client, project: Project) -> None:
    said(operator, "/p/alpha/jobs/views/save/", name=f"mine {HOSTILE}", q="status:failed")
    assert "mine" not in body(viewer, "/p/alpha/jobs/views/")
    listed = body(operator, "/p/alpha/jobs/views/")
    assert HOSTILE not in listed
    change = re.search(r'action="(/p/alpha/jobs/views/[^/"]+/change/)"', listed)
    assert change
    assert said(operator, change[1], name="ours", shared="on") == ["The view ours was changed."]
    assert "ours" in body(viewer, "/p/alpha/jobs/")
    assert viewer.post(change[1], {"name": "theirs", "shared": "on"}).status_code == 403
    assert said(operator, change[1].replace("change", "remove")) == ["The view ours was removed."]
    assert ">ours<" not in body(viewer, "/p/alpha/jobs/views/")


def test_a_view_without_a_name_or_with_a_broken_query_is_refused_in_words(operator: Client, project: Project) -> None:
    assert "name: must be a line" in said(operator, "/p/alpha/jobs/views/save/", name=" ", q="x")[0]
    assert "faled" in said(operator, "/p/alpha/jobs/views/save/", name="x", q="status:faled")[0]


def test_a_name_that_is_taken_is_refused_and_the_list_stays(operator: Client, project: Project) -> None:
    said(operator, "/p/alpha/jobs/views/save/", name="x", q="status:failed")
    response = operator.post("/p/alpha/jobs/views/save/", {"name": "x", "q": "status:timeout"})
    assert "q=status%3Atimeout" in response["Location"]


def test_what_matches_is_shown_before_it_is_done_and_done_at_once_where_it_is_little(
    operator: Client, project: Project
) -> None:
    failed = [fail(project, "broken", name=f"job {HOSTILE} {number}") for number in range(7)]
    make_job(project, name="other")
    page = body(operator, "/p/alpha/jobs/bulk/retry/?status=failed")
    assert "Retry 7 jobs?" in page
    assert page.count("&lt;img src=x onerror") == 5
    assert "and others" in page
    response = operator.post("/p/alpha/jobs/bulk/retry/", {"asked": "status=failed", "reason": "disk is back"})
    assert response["Location"] == "/p/alpha/jobs/?status=failed"
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["7 jobs were put back into the queue."]
    assert {jobs.get(COMMAND, "alpha", id).status for id in failed} == {JobState.PENDING}


def test_nothing_that_matches_is_said_so(operator: Client, project: Project) -> None:
    assert "No job matches now." in body(operator, "/p/alpha/jobs/bulk/delete/?q=nowhere")
    assert said(operator, "/p/alpha/jobs/bulk/delete/", asked="q=nowhere") == [
        "No job matches any more, so nothing was done."
    ]
    assert operator.get("/p/alpha/jobs/bulk/explode/").status_code == 404
    assert operator.get("/p/alpha/jobs/bulk/retry/?q=status:faled")["Location"] == "/p/alpha/jobs/?q=status%3Afaled"


def test_many_become_an_operation_that_is_watched_and_undone(operator: Client, project: Project) -> None:
    number = AT_ONCE + 20
    jobs.create_many(COMMAND, "alpha", [NewJob(name="one of many", tags=["old"])] * number)
    response = operator.post("/p/alpha/jobs/bulk/delete/", {"asked": "tag=old", "reason": HOSTILE})
    address = response["Location"]
    assert re.fullmatch("/p/alpha/operations/[^/]+/", address)
    waiting = body(operator, address)
    assert f"Delete {number} jobs" in waiting
    assert "Waiting" in waiting
    assert "tag:old" in waiting
    assert HOSTILE not in waiting
    operations.run(Deadline(timedelta(seconds=20)))
    done = body(operator, address)
    assert "Done" in done
    assert job_counts.of(COMMAND, "alpha").trashed == number
    assert done.count('href="/p/alpha/jobs/') >= 100
    following = re.search(r'href="([^"]*)" rel="next"', done)
    assert following
    assert body(operator, following[1].replace("&amp;", "&")).count("badge") > 20, "the rest of the outcomes"
    again = operator.post(f"{address}undo/")
    assert again["Location"] != address
    operations.run(Deadline(timedelta(seconds=20)))
    assert job_counts.of(COMMAND, "alpha").trashed == 0
    listed = body(operator, "/p/alpha/operations/")
    assert f"Bring back {number} jobs" in listed
    assert listed.count("<tr id=") == 2


def test_an_operation_is_stopped_and_says_what_it_left(operator: Client, viewer: Client, project: Project) -> None:
    jobs.create_many(COMMAND, "alpha", [NewJob(name="x")] * (AT_ONCE + 1))
    address = operator.post("/p/alpha/jobs/bulk/retry/", {"asked": "", "reason": ""})["Location"]
    assert viewer.post(f"{address}stop/").status_code == 403
    assert said(operator, f"{address}stop/") == ["Stopped after 0. What is done stays done."]
    assert "Stopped" in body(operator, address)
    assert "ended" in said(operator, f"{address}stop/")[0]
    assert said(operator, f"{address}undo/") == ["Only a delete that has ended can be undone."]
    assert operator.get("/p/alpha/operations/nothing/").status_code == 404


def test_outcomes_are_told_job_by_job(operator: Client, project: Project) -> None:
    jobs.create_many(COMMAND, "alpha", [NewJob(name="x")] * (AT_ONCE + 1))
    address = operator.post("/p/alpha/jobs/bulk/retry/", {"asked": ""})["Location"]
    operations.run(Deadline(timedelta(seconds=20)))
    refused = body(operator, f"{address}?outcome=refused")
    assert "cannot go from pending" in refused
    assert "None." in body(operator, f"{address}?outcome=changed")


def test_failures_of_one_cause_are_one_row_and_retried_together(
    operator: Client, viewer: Client, project: Project
) -> None:
    for number in (17, 18, 19):
        fail(project, f"ValueError: page {number} of {HOSTILE} is damaged")
    fail(project, "OSError: disk is full")
    page = body(operator, "/p/alpha/failures/")
    assert page.count('<tr id="failure-') == 2
    assert HOSTILE not in page
    assert "Retry 3<" in page
    retry = next(
        place
        for place in re.findall(r'action="(/p/alpha/failures/[^"]+/retry/)"', page)
        if failures.get(COMMAND, "alpha", place.split("/")[4]).standing == 3
    )
    assert "/retry/" not in body(viewer, "/p/alpha/failures/")
    assert "failures/" in body(operator, "/p/alpha/")
    listed = body(operator, f"/p/alpha/jobs/?q=cause:{retry.split('/')[4]}")
    assert len(names(listed)) == 3
    assert said(operator, retry) == ["3 jobs were put back into the queue."]
    page = body(operator, "/p/alpha/failures/")
    assert "Cancel 3<" in page, "they are tried again, which can be stopped"
    assert said(operator, retry.replace("retry", "cancel")) == ["3 jobs were cancelled, or their workers are told."]
    assert said(operator, "/p/alpha/failures/0000000000000000/retry/") == [
        "There is no failure '0000000000000000' here."
    ]


def test_failures_are_ordered_by_time_or_number(operator: Client, project: Project) -> None:
    for _ in range(2):
        fail(project, "often")
    fail(project, "last")

    def order(query: str) -> list[str]:
        return re.findall(r'class="job-name__text">(often|last)<', body(operator, f"/p/alpha/failures/{query}"))

    assert order("") == ["last", "often"]
    assert order("?order=-count") == ["often", "last"]
    assert order("?order=nonsense") == ["last", "often"]


def test_exports_lead_to_what_the_list_shows(operator: Client, project: Project) -> None:
    make_job(project, name="a", content_type="pdf")
    make_job(project, name="b", content_type="csv")
    page = body(operator, "/p/alpha/jobs/?type=pdf")
    link = re.search(r'href="(/api/v1/projects/alpha/jobs/export[^"]*csv[^"]*)"', page)
    assert link
    answer = b"".join(operator.get(link[1].replace("&amp;", "&")))
    assert b",a," in answer
    assert b",b," not in answer


def test_the_view_that_is_open_is_named(operator: Client, project: Project) -> None:
    job_in(project, JobState.FAILED)
    saved_views.create(
        make_actor(project, Role.OPERATOR), "alpha", ViewContent("Red ones", "status:failed", shared=True)
    )
    page = body(operator, "/p/alpha/jobs/?q=status%3Afailed")
    assert re.search(r'views-current">Red ones<', page)
