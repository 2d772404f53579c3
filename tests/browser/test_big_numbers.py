"""Numbers that JavaScript would round, in a browser: shown, copied and edited just as they were sent."""

from playwright.sync_api import expect

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job_log import LogLevel, NewLogEntry
from jobs_app.models import Project
from jobs_app.services import claims, free_records, logs
from tests.browser.conftest import Visitor
from tests.factories import claim_job, make_job

ABOVE = 2**53 + 1  # the first whole number that JavaScript does not have
HUGE = 123456789012345678901234567890
NUMBERS = {"above": ABOVE, "below": -ABOVE, "huge": HUGE, "one": 1.0, "price": 0.1, "list": [ABOVE]}
WRITTEN = (str(ABOVE), str(-ABOVE), str(HUGE), "1.0", "0.1")


def test_what_a_job_was_given_and_made_is_shown_and_copied_exactly(real: Visitor, project: Project) -> None:
    job = make_job(project, name=str(ABOVE), task_options=NUMBERS, tags=[str(HUGE)], ingestion_task_id=str(ABOVE))
    token = claim_job(project, str(HUGE)).lease_token
    entry = NewLogEntry("counted", LogLevel.INFO, data={"bytes": ABOVE})
    logs.append(COMMAND, project.slug, job.id, [entry], token)
    claims.complete(COMMAND, project.slug, job.id, token, NUMBERS)
    allowed = ["clipboard-read", "clipboard-write"]
    page = real(f"/p/alpha/jobs/{job.id}/?tab=data", permissions=allowed).page
    for title in ("options-title", "data-result-title"):
        for number in WRITTEN:
            expect(page.locator(f"[aria-labelledby={title}]")).to_contain_text(number)
    page.get_by_role("button", name="Copy the options").click()
    expect(page.locator("#voice")).to_have_text("Copied")
    assert str(HUGE) in page.evaluate("navigator.clipboard.readText()")
    page.goto(f"/p/alpha/jobs/{job.id}/?tab=log")
    expect(page.locator("#log-lines")).to_contain_text(str(ABOVE))
    page.goto(f"/p/alpha/jobs/?q={ABOVE}")
    expect(page.locator("tbody")).to_contain_text(str(ABOVE))


def test_a_record_that_is_edited_keeps_every_digit(real: Visitor, project: Project) -> None:
    free_records.create(COMMAND, "alpha", "tasks", NUMBERS)
    page = real("/p/alpha/records/tasks/1/").page
    text = page.get_by_label("JSON")
    for number in WRITTEN:
        assert number in text.input_value()
    text.fill(text.input_value().replace('"price": 0.1', '"price": 0.2'))
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name="Save").click()
    assert repr(free_records.get(COMMAND, "alpha", "tasks", 1).data) == repr({**NUMBERS, "price": 0.2})
