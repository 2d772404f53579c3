"""Jobs as people meet them: found, read, retried and followed, with the keyboard, on a phone, with names that bite."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_states import JobState
from jobs_app.models import Project
from jobs_app.services import claims, jobs
from jobs_app.services.claims import ClaimRequest
from tests.browser import jobs_world
from tests.browser.conftest import Visit, Visitor, eventually
from tests.browser.inspection import MEASURED, inspect
from tests.browser.jobs_world import HOSTILE, write_log
from tests.browser.test_live import STREAM
from tests.conftest import Clock
from tests.factories import make_job

AT_END = """(() => {
    const box = document.getElementById("log-lines");
    return box.scrollTop > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 40;
})()"""


@pytest.fixture
def world(project: Project, clock: Clock) -> jobs_world.Jobs:
    filled = jobs_world.fill(project, clock)
    write_log(project, filled.failed.id, 620)
    return filled


def pages(world: jobs_world.Jobs) -> Iterator[str]:
    yield from (
        "/p/alpha/",
        "/p/alpha/jobs/",
        "/p/alpha/jobs/?status=failed&q=page&tag=q3",
        "/p/alpha/jobs/?q=status:%3Cimg",
        "/p/alpha/jobs/?q=nowhere",
    )
    for job in (world.failed, world.hostile, world.running, world.completed, world.waiting, world.later):
        yield f"/p/alpha/jobs/{job.id}/"
    yield from (f"/p/alpha/jobs/{world.failed.id}/?tab={tab}" for tab in ("log", "data", "events"))
    yield from ("/p/alpha/jobs/trash/", "/p/alpha/workers/", "/p/alpha/pauses/", "/p/alpha/failures/")
    yield f"/p/alpha/workers/drain/?worker={quote(HOSTILE)}"


def test_every_page_is_in_order(real: Visitor, world: jobs_world.Jobs, other_project: Project) -> None:
    opened = real("/projects/", **MEASURED)
    opened.expected.append("422")  # a query that cannot be read
    inspect(opened, [*pages(world), "/p/beta/", "/p/beta/jobs/", "/p/beta/workers/", "/p/beta/jobs/trash/"])


def test_hostile_names_are_text_everywhere(real: Visitor, world: jobs_world.Jobs) -> None:
    opened = real("/projects/")
    opened.expected.append("422")
    page = opened.page
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for path in pages(world):
        page.goto(path)
        assert page.locator("main img").count() == 0, path
    page.goto(f"/p/alpha/jobs/{world.hostile.id}/")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert said == []


def test_a_failed_job_is_found_by_its_error_read_and_retried_by_keys_on_a_phone(
    real: Visitor, world: jobs_world.Jobs, project: Project
) -> None:
    page = real("/p/alpha/jobs/", width=360).page
    page.keyboard.press("/")
    page.keyboard.type("no such page")
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=no\+such\+page$"))
    page.locator("body").press("Tab")  # out of the field, as a person leaves it
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("quarterly-report.pdf")
    expect(page.get_by_label("Traceback")).to_contain_text("IndexError: page 17")
    tab_to(page, page.get_by_role("button", name="Retry").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Retry this job?")).to_contain_text("quarterly-report.pdf")
    page.keyboard.type("the page is there now")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job was put back into the queue.")).to_be_visible()
    expect(page.locator("#job-head")).to_contain_text("Pending")
    assert jobs.get(COMMAND, project.slug, world.failed.id).status is JobState.PENDING


def test_a_worker_is_drained_with_a_reason_by_keys_on_a_phone(real: Visitor, world: jobs_world.Jobs) -> None:
    page = real("/p/alpha/workers/", width=360).page
    tab_to(page, page.get_by_role("link", name=f"Drain {HOSTILE}"))
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog", name=f"Drain {HOSTILE}?")
    expect(asked.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("a new disk")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{HOSTILE} gets no new jobs.")).to_be_visible()
    row = page.locator("#workers tr", has=page.get_by_role("button", name=f"Resume {HOSTILE}"))
    expect(row).to_contain_text("a new disk")


def test_a_job_is_watched_until_it_is_done(real: Visitor, project: Project) -> None:
    job = make_job(project, name="watched")
    page = live(real, f"/p/alpha/jobs/{job.id}/")
    (claimed,) = claims.claim(COMMAND, project.slug, ClaimRequest("w1"))
    say(page, "jobs")
    expect(page.locator("#job-head")).to_contain_text("Processing")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    claims.complete(COMMAND, project.slug, job.id, claimed.lease_token, {"pages": 3})
    say(page, "jobs")
    expect(page.locator("#job-head")).to_contain_text("Completed")
    expect(page.locator("#job-body")).to_contain_text('"pages": 3')
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)


def test_the_list_changes_in_place_and_announces_what_is_new(real: Visitor, project: Project) -> None:
    made = [make_job(project, name=f"job {number}") for number in range(60)]
    page = live(real, "/p/alpha/jobs/")
    page.evaluate("scrollTo(0, 600)")
    first = page.locator("#jobs tbody tr").first
    expect(first).to_contain_text("job 59")
    for number in range(3):
        make_job(project, name=f"late {number}")
    jobs.cancel(COMMAND, project.slug, made[59].id)
    say(page, "jobs")
    expect(page.get_by_role("button", name="3 new")).to_be_visible()
    expect(first).to_contain_text("job 59")
    expect(first).to_contain_text("Cancelled")
    expect(page.locator("#jobs tbody tr")).to_have_count(50)
    assert page.evaluate("scrollY") == 600
    page.get_by_role("button", name="3 new").click()
    expect(first).to_contain_text("late 2")
    expect(page.locator("[data-news]")).to_have_count(0)
    page.get_by_role("link", name="Next").click()
    expect(first).to_contain_text("job 12")


def test_rows_at_the_top_come_by_themselves_but_not_into_a_selection(real: Visitor, project: Project) -> None:
    make_job(project, name="here before")
    page = live(real, "/p/alpha/jobs/")
    make_job(project, name="second")
    say(page, "jobs")
    expect(page.locator("#jobs tbody tr")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    make_job(project, name="third")
    say(page, "jobs")
    expect(page.locator("#jobs tbody tr")).to_have_count(2)
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#jobs tbody tr")).to_have_count(3)


def test_selected_jobs_are_deleted_after_a_question_that_names_them_and_brought_back(
    real: Visitor, project: Project
) -> None:
    for name in ("first", "second", HOSTILE):
        make_job(project, name=name)
    page = real("/p/alpha/jobs/?status=pending").page
    page.get_by_role("checkbox", name="Select all rows shown").check()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 3 jobs?")
    expect(dialog).to_contain_text(HOSTILE)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("3 jobs were moved to the trash.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/jobs/\?status=pending$"))
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("3 jobs were brought back.")).to_be_visible()
    assert len(jobs.find(COMMAND, project.slug, jobs.JobFilter()).jobs) == 3


def test_a_log_opens_at_its_end_and_is_followed(real: Visitor, world: jobs_world.Jobs, project: Project) -> None:
    page = live(real, f"/p/alpha/jobs/{world.failed.id}/?tab=log")
    last = page.locator(".log__line").last
    expect(last).to_contain_text("line 620")
    eventually(page, AT_END)
    write_log(project, world.failed.id, 5, start=621)
    say(page, "job-logs")
    expect(last).to_contain_text("line 625")
    write_log(project, world.failed.id, 5, start=626)
    say(page, "job-logs")
    expect(last).to_contain_text("line 630")
    expect(page.locator("[id='line-623']")).to_have_count(1)
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator(".log__line").first).to_contain_text("line 1 ")
    expect(page.locator(".log__line")).to_have_count(120)


def test_a_log_is_searched_and_narrowed_as_one_types(real: Visitor, world: jobs_world.Jobs) -> None:
    page = real(f"/p/alpha/jobs/{world.failed.id}/?tab=log").page
    page.keyboard.press("/")
    page.keyboard.type("LINE 619")
    expect(page.locator(".log__line")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=LINE\+619"))
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Level").select_option("error")
    expect(page.locator(".log__line--warning")).to_have_count(0)
    expect(page.locator(".log__line--error").first).to_be_visible()


def test_everything_is_read_without_javascript(real: Visitor, world: jobs_world.Jobs, project: Project) -> None:
    page = real("/p/alpha/jobs/", java_script_enabled=False).page
    page.get_by_role("link", name="quarterly-report.pdf").click()
    expect(page.get_by_text("IndexError: page 17")).to_be_visible()
    page.get_by_role("link", name="Log").click()
    expect(page.get_by_text("line 620")).to_be_visible()
    page.goto(f"/p/alpha/jobs/{world.failed.id}/")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_text("The job was put back into the queue.")).to_be_visible()


def test_a_pause_is_said_on_every_page_and_ended(real: Visitor, project: Project) -> None:
    make_job(project, content_type="pdf")
    page = real("/p/alpha/pauses/").page
    page.get_by_label("Content type").fill("pdf")
    page.get_by_label("Why").fill(f"scanner {HOSTILE}")
    page.get_by_role("button", name="Pause").click()
    page.goto("/p/alpha/jobs/")
    expect(page.locator(".banner", has_text=f"pdf is paused by ada: scanner {HOSTILE}")).to_be_visible()
    page.goto("/p/alpha/pauses/")
    page.get_by_role("button", name="Resume pdf").click()
    expect(page.get_by_text("Nothing is paused")).to_be_visible()


def live(real: Visitor, path: str) -> Page:
    """The page with a stream that the test speaks through."""
    opened: Visit = real(path)
    opened.page.context.add_init_script(STREAM)
    opened.page.reload()
    eventually(opened.page, "window.stream !== undefined")
    return opened.page


def say(page: Page, topic: str) -> None:
    page.evaluate("(topic) => say([topic])", topic)


def tab_to(page: Page, target: Locator) -> None:
    """By keys alone, as far as it takes."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError("the keyboard does not reach it")
