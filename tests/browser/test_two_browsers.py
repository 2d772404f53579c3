"""A whole installation as people meet it, started as they start it: somebody finds what failed, by keys alone on a
phone, and watches it come right, while somebody else looks on.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import ANSWERS_WITHIN, leave
from tests.browser.test_jobs_pages import tab_to
from tests.project.servers import ROOT, free_port
from tests.project.test_up import Up, _plain_environment

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="ends by POSIX signals"), pytest.mark.long]
PASSWORD = "a-longer-one-of-my-own"
TRACEBACK = 'Traceback (most recent call last):\n  File "split.py", line 41, in split\nIndexError: page 17 of 16'


class Installation:
    """`up` on a free port, a project, and a program that works in it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.up = Up(data, free_port())
        self.up.await_line("Ctrl-C stops it")
        self._manage("projects", "create", "alpha")
        scopes = [part for scope in ("read", "write", "work") for part in ("--scope", scope)]
        token = json.loads(self._manage("tokens", "create", "--project", "alpha", "--json", *scopes))["token"]
        self.api = httpx.Client(
            base_url=f"{self.up.url}/api/v1/projects/alpha",
            headers={"Authorization": f"Bearer {token}"},
            timeout=ANSWERS_WITHIN / 1000,
        )

    def end(self) -> None:
        self.api.close()
        assert self.up.end() == 0, self.up.text()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.api.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def login(self) -> tuple[str, str]:
        found = re.search(r"Login +(\S+)\s+Password +(\S+)", self.up.text())
        assert found
        return found[1], found[2]

    def _manage(self, *arguments: str) -> str:
        environ = {**_plain_environment(), "HOLDFAST_DATA_DIR": str(self.data)}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data")
    yield made
    made.end()


def test_a_failed_job_is_found_retried_and_seen_to_complete_by_two_people_at_once(
    installation: Installation, browser: Browser
) -> None:
    job = installation.post("/jobs", name="quarterly-report.pdf", content_type="pdf")
    for number in range(3):
        installation.post("/jobs", name=f"other {number}", content_type="docx")
    fail(installation, job["id"])

    desk = browser.new_context(base_url=installation.up.url, reduced_motion="reduce")
    looking_on = desk.new_page()
    log_in(looking_on, installation)
    looking_on.goto("/p/alpha/jobs/?type=pdf")
    phone = browser.new_context(
        base_url=installation.up.url,
        viewport={"width": 360, "height": 740},
        storage_state=desk.storage_state(),
        reduced_motion="reduce",
    )
    page = phone.new_page()
    page.goto("/p/alpha/jobs/")
    for each in (page, looking_on):
        expect(each.locator("[data-live-state=connected]").first).to_be_attached()
    state = looking_on.locator(f"[id='job-{job['id']}'] .job-state")
    expect(state).to_contain_text("Failed")

    find_read_and_retry(page)
    expect(page.locator("#job-head")).to_contain_text("Pending")
    expect(state).to_contain_text("Pending")
    taken = claim(installation)
    both_see(page.locator("#job-head"), state, "Processing")
    installation.post(f"/jobs/{job['id']}/complete", lease_token=taken["lease_token"], result_data={"pages": 16})
    both_see(page.locator("#job-head"), state, "Completed")
    expect(page.locator("#job-body")).to_contain_text('"pages": 16')
    for context in (phone, desk):
        leave(context)


def find_read_and_retry(page: Page) -> None:
    """With the keyboard alone."""
    page.keyboard.press("/")
    page.keyboard.type('error:"page 17"')
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Traceback")).to_contain_text("IndexError: page 17")
    tab_to(page, page.get_by_role("button", name="Retry").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Retry this job?")).to_be_visible()
    page.keyboard.type("the page is there now")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job was put back into the queue.")).to_be_visible()


def both_see(one: Locator, other: Locator, word: str) -> None:
    expect(one).to_contain_text(word)
    expect(other).to_contain_text(word)


def fail(installation: Installation, job_id: str) -> None:
    taken = claim(installation)
    assert taken["id"] == job_id
    told = {"error_message": "page 17 of 16 is not there", "traceback": TRACEBACK, "retryable": False}
    installation.post(f"/jobs/{job_id}/fail", lease_token=taken["lease_token"], **told)


def claim(installation: Installation) -> dict[str, Any]:
    taken = installation.post("/jobs/claim", worker_id="w1", content_types=["pdf"])["jobs"]
    assert len(taken) == 1
    found: dict[str, Any] = taken[0]
    return found


def log_in(page: Page, installation: Installation) -> None:
    name, password = installation.login()
    page.goto("/login/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    expect(page.get_by_role("button", name="My account")).to_be_visible()
