"""Segments and records in a browser: found by a code path, pinned, the rest stashed to a budget after a look, undone,
an older version restored; a record edited against somebody else; what axe finds, and how wide the pages are.
"""

import re

import pytest
from playwright.sync_api import expect

from jobs_app.domain.access import COMMAND
from jobs_app.domain.segment import Source, Tier
from jobs_app.models import Project
from jobs_app.services import free_records, segment_search, segments
from tests.browser.conftest import Visitor
from tests.browser.inspection import MEASURED, inspect
from tests.factories import make_segment

HOSTILE = "<img src=x onerror=alert(1)>" + "wide" * 50


@pytest.fixture
def pages(real: Visitor, project: Project) -> list[str]:
    """Everything that a segment and a record can have, and lists of several pages."""
    for number in range(60):
        make_segment(
            project,
            f"Decision {number}: the queue in src/queue/worker_{number}.py waits for a lease. {'Why? ' * number}",
            type="decision" if number % 3 else "code",
            tags=["queue", f"t{number % 14}"],
            task_id=f"task-{number % 4}",
            file_path=f"src/queue/worker_{number}.py",
            tier=Tier.STASHED if number % 5 == 0 else Tier.ACTIVE,
        )
    odd = make_segment(
        project, HOSTILE, type="x" * 100, tags=[HOSTILE[:60]], task_id=HOSTILE[:100], file_path=HOSTILE[:200],
        metadata={HOSTILE: HOSTILE}, source=Source(job_id="j", document_id=HOSTILE[:50], path=HOSTILE, digest="d"),
    )  # fmt: skip
    segments.change(COMMAND, "alpha", odd.id, {"text": f"{HOSTILE}\nanother line", "pinned": True})
    gone = make_segment(project, f"deleted {HOSTILE}")
    segments.delete_segment(COMMAND, "alpha", gone.id)
    for number in range(60):
        free_records.create(COMMAND, "alpha", "tasks", {"title": HOSTILE if number % 2 else "short", "n": number})
    free_records.create(COMMAND, "alpha", HOSTILE[:120], {})
    base = "/p/alpha/"
    return [
        f"{base}segments/",
        f"{base}segments/?q=lease+sub:worker&tier=active",
        f"{base}segments/?q=lease&budget=300",
        f"{base}segments/?q=%22open",
        f"{base}segments/?q=nothinghasthis",
        f"{base}segments/{odd.id}/",
        f"{base}segments/{odd.id}/?compare=1",
        f"{base}segments/trash/",
        f"{base}records/",
        f"{base}records/tasks/",
        f'{base}records/tasks/?q={{"n__lt": 3}}',
        f"{base}records/tasks/?q={{",
        f"{base}records/tasks/2/",
        f"{base}records/tasks/0/",
    ]


def test_every_page_is_in_order(real: Visitor, pages: list[str], other_project: Project) -> None:
    empty = [f"/p/beta/{address}/" for address in ("segments", "segments/trash", "records")]
    inspect(real("/projects/", **MEASURED), [*pages, *empty])


def test_one_is_found_by_its_path_and_pinned_the_rest_stashed_and_undone(real: Visitor, project: Project) -> None:
    for number in range(30):
        make_segment(project, f"note {number}: see src/other/file_{number}.py", tokens=100)
    wanted = make_segment(project, "The total is rounded in src/billing/roundTotal.py, line 42", type="code", tokens=50)
    page = real("/p/alpha/segments/").page
    search = page.get_by_role("combobox", name="Search")
    search.fill("type:co")
    page.get_by_role("option", name="code").click()
    expect(page.locator("#segments tbody tr")).to_have_count(1)
    search.fill("src/billing/roundTotal.py")
    expect(page.locator("#segments mark").first).to_be_visible()
    expect(page.locator("#segments tbody tr")).to_have_count(1)
    expect(page.locator("#segments mark").first).to_contain_text("src/billing/roundTotal.py")
    page.get_by_role("link", name="The total is rounded").click()
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_text("Pinned: it is loaded first")).to_be_visible()
    page.goto("/p/alpha/segments/")
    page.get_by_role("spinbutton", name="Stash down to").fill("450")
    page.get_by_role("button", name="Show what would go").click()
    preview = page.get_by_role("region", name="Down to 450 tokens")
    expect(preview).to_contain_text("26 segments would be stashed")
    expect(preview).to_contain_text("from 3,050 to 450 tokens")
    expect(preview).not_to_contain_text("The total is rounded")
    assert _active() == 31  # so far it was a look
    preview.get_by_role("button", name="Stash 26").click()
    expect(page.get_by_text("26 segments are stashed.")).to_be_visible()
    assert _active() == 5
    assert segments.get(COMMAND, "alpha", wanted.id).tier is Tier.ACTIVE
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("26 segments are active again.")).to_be_visible()
    assert _active() == 31


def test_an_older_version_is_compared_and_restored(real: Visitor, project: Project) -> None:
    one = make_segment(project, "first\nsame", type="note")
    page = real(f"/p/alpha/segments/{one.id}/").page
    page.get_by_text("Edit", exact=True).click()
    page.get_by_label("Text", exact=True).last.fill("second\nsame")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. What was there before is in the history.")).to_be_visible()
    page.get_by_role("link", name="Compare version 1").click()
    difference = page.get_by_role("region", name="Version 1 and now")
    expect(difference.locator(".difference__removed")).to_contain_text("first")
    expect(difference.locator(".difference__added")).to_contain_text("second")
    difference.get_by_role("button", name="Restore version 1").click()
    expect(page.get_by_text("Version 1 is back, as a new version.")).to_be_visible()
    assert segments.get(COMMAND, "alpha", one.id).text == "first\nsame"
    assert segments.as_of(COMMAND, "alpha", one.id, 2)["text"] == "second\nsame"


def test_a_record_is_checked_and_a_conflict_shows_both(real: Visitor, project: Project) -> None:
    free_records.create(COMMAND, "alpha", "tasks", {"title": "a"})
    opened = real("/p/alpha/records/tasks/1/")
    opened.expected += ["409", "422"]
    page = opened.page
    page.get_by_label("JSON").fill('{"title": }')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="JSON")).to_be_visible()
    free_records.replace(COMMAND, "alpha", "tasks", 1, {"title": "theirs"})
    page.goto("/p/alpha/records/tasks/1/")
    free_records.replace(COMMAND, "alpha", "tasks", 1, {"title": "later"})
    page.get_by_label("JSON").fill('{"title": "mine"}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".difference__removed")).to_contain_text("later")
    expect(page.locator(".difference__added")).to_contain_text("mine")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile("/records/tasks/1/$"))
    assert free_records.get(COMMAND, "alpha", "tasks", 1).data == {"title": "mine"}


def _active() -> int:
    return segment_search.statistics(COMMAND, "alpha")[Tier.ACTIVE].segments
