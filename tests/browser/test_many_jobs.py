"""What is done to many jobs, in a browser: a query with suggestions and marked faults, dialogs that count first, an
operation that is watched, failures of one cause.
"""

import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import Failure
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.models import Project
from jobs_app.services import claims, job_counts, jobs, operations
from jobs_app.services.job_actions import AT_ONCE
from tests.browser.conftest import Visitor, eventually
from tests.browser.inspection import MEASURED, faults, inspect
from tests.browser.jobs_world import HOSTILE
from tests.browser.test_jobs_pages import live, say
from tests.factories import claim_job, make_job


def fail(project: Project, message: str, number: int) -> None:
    for _ in range(number):
        make_job(project)
        claimed = claim_job(project)
        claims.fail(COMMAND, project.slug, claimed.job.id, claimed.lease_token, Failure(message, None, False))


def field(page: Page) -> str:
    return page.get_by_role("combobox", name="Search").input_value()


def test_a_query_is_typed_with_suggestions_by_keys_alone(real: Visitor, project: Project) -> None:
    make_job(project, name="a", content_type=f"odd type {HOSTILE}")
    make_job(project, name="b", content_type="pdf")
    page = real("/p/alpha/jobs/", width=360).page
    page.keyboard.press("/")
    page.keyboard.type("ty")
    option = page.get_by_role("option", name="type: content type")
    expect(option).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    assert field(page) == "type:"
    page.keyboard.type("od")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert field(page) == f'type:"odd type {HOSTILE}" '
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    expect(page.locator(".chip")).to_contain_text(HOSTILE)
    page.keyboard.type("st")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    assert field(page).endswith(" st"), "Esc closes the list and leaves the text"


def test_a_pointer_takes_a_suggestion_and_emoji_do_not_shift_it(real: Visitor, project: Project) -> None:
    make_job(project)
    page = real("/p/alpha/jobs/").page
    page.get_by_role("searchbox", name="Search").or_(page.get_by_role("combobox", name="Search")).click()
    page.keyboard.type("🧾🧾 stat")
    page.get_by_role("option", name="status: state").click()
    assert field(page) == "🧾🧾 status:"
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()


def test_a_fault_is_marked_and_what_was_meant_is_one_click_away(real: Visitor, project: Project) -> None:
    make_job(project, name="waits")
    page = real("/p/alpha/jobs/").page
    page.keyboard.press("/")
    page.keyboard.type("status:pendign")
    expect(page.get_by_role("alert").locator("mark")).to_have_text("pendign")
    page.get_by_role("link", name="status:pending").click()
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=status%3Apending"))


def test_all_that_match_are_counted_in_a_dialog_and_deleted_as_an_operation_that_is_watched(
    real: Visitor, project: Project
) -> None:
    number = AT_ONCE + 50
    jobs.create_many(COMMAND, "alpha", [NewJob(name=f"old {HOSTILE}", tags=["old"])] * number)
    make_job(project, name="stays")
    page = live(real, "/p/alpha/jobs/?q=tag:old")
    page.get_by_role("button", name="All that match").click()
    page.get_by_role("link", name="Delete…").click()
    dialog = page.get_by_role("dialog", name=f"Delete {number} jobs?")
    expect(dialog).to_contain_text("tag:old")
    expect(dialog).to_contain_text(HOSTILE)
    expect(dialog.get_by_label("Why")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="All that match").click()
    page.get_by_role("link", name="Delete…").click()
    dialog.get_by_role("button", name=f"Delete {number} jobs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Delete {number} jobs")
    expect(page.locator("#operation-head")).to_contain_text("Waiting")
    eventually(page, "window.stream !== undefined")
    operations.run(Deadline(timedelta(minutes=5)))
    say(page, "operations")
    expect(page.locator("#operation-head")).to_contain_text("Done")
    assert job_counts.of(COMMAND, "alpha").trashed == number
    page.get_by_role("button", name="Bring them back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bring back {number} jobs")
    operations.run(Deadline(timedelta(minutes=5)))
    assert job_counts.of(COMMAND, "alpha").trashed == 0


def test_without_javascript_the_same_is_a_page(real: Visitor, project: Project) -> None:
    fail(project, "broken", 3)
    page = real("/p/alpha/jobs/bulk/retry/?status=failed", java_script_enabled=False).page
    page.get_by_label("Why").fill("again")
    page.get_by_role("button", name="Retry 3 jobs").click()
    expect(page.get_by_text("3 jobs were put back into the queue.")).to_be_visible()


def test_failures_of_one_cause_are_retried_from_the_overview_and_their_page(real: Visitor, project: Project) -> None:
    fail(project, f"ValueError: page 7 of {HOSTILE}", 3)
    page = real("/p/alpha/failures/").page
    expect(page.locator("#failures tbody tr")).to_have_count(1)
    page.goto("/p/alpha/")
    page.get_by_role("button", name="Retry 3").click()
    dialog = page.get_by_role("dialog", name="Retry 3 jobs?")
    expect(dialog).to_contain_text("page # of <img src=x")
    dialog.get_by_role("button", name="Retry 3 jobs").click()
    expect(page.get_by_text("3 jobs were put back into the queue.")).to_be_visible()
    assert job_counts.of(COMMAND, "alpha").matching([JobState.PENDING]) == 3
    expect(page.get_by_role("button", name="Cancel 3")).to_be_visible()


def test_a_view_is_kept_and_found_again(real: Visitor, project: Project) -> None:
    fail(project, "broken", 1)
    page = real("/p/alpha/jobs/?status=failed").page
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Keep this list as").fill(f"red {HOSTILE}")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("button", name=f"red {HOSTILE}")).to_be_visible()
    page.goto("/p/alpha/jobs/")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("link", name=f"red {HOSTILE}").click()
    expect(page.locator(".chip")).to_have_text(re.compile("status:failed"))


def test_every_page_of_many_jobs_is_in_order(real: Visitor, project: Project) -> None:
    fail(project, f"ValueError: {HOSTILE} 7", 2)
    jobs.create_many(COMMAND, "alpha", [NewJob(name=HOSTILE)] * (AT_ONCE + 1))
    opened = real("/p/alpha/jobs/bulk/cancel/", **MEASURED)
    opened.expected.append("422")
    page = opened.page
    page.get_by_role("button", name="Cancel 103 jobs").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Cancel 103 jobs")
    addresses = ["jobs/?q=status:fialed", "jobs/bulk/retry/?status=failed", "jobs/views/", "failures/", "operations/"]
    inspect(opened, [page.url, *(f"/p/alpha/{address}" for address in addresses)])


def test_suggestions_are_in_order(real: Visitor, project: Project) -> None:
    make_job(project)
    page = real("/p/alpha/jobs/", **MEASURED).page
    page.keyboard.press("/")
    page.keyboard.type("st")
    expect(page.get_by_role("option").first).to_be_visible()
    assert faults(page) == []
    expect(page.get_by_role("option").first).to_be_visible()
