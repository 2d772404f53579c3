"""The charts of the overview as people meet them: at every width, in both themes, by pointer and by screen reader."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from jobs_app.domain.maintenance import Deadline
from jobs_app.models import Project
from jobs_app.services import job_numbers
from storage_app.records.base import RecordStore
from tests.browser import jobs_world, numbers_world
from tests.browser.conftest import Visitor, eventually
from tests.browser.inspection import MEASURED, inspect
from tests.browser.numbers_world import HOSTILE
from tests.browser.test_live import STREAM
from tests.conftest import Clock

CHARTS = (
    "Throughput",
    "Queue depth",
    "Time to wait",
    "Time to process",
    "Age of the oldest waiting job",
    "Storage of records",
)
EVER = Deadline(timedelta(days=1))


@pytest.fixture
def real(real: Visitor, project: Project, memory_store: RecordStore, clock: Clock) -> Visitor:
    """In a project that was at work for a day."""
    jobs_world.fill(project, clock)
    numbers_world.fill(memory_store, project.slug, clock.now, each=300)
    job_numbers.run(EVER)
    return real


def test_charts_of_every_span_are_in_order(real: Visitor) -> None:
    inspect(real("/projects/", **MEASURED), (f"/p/alpha/?window={window}" for window in ("1h", "24h", "30d")))


def test_each_chart_has_a_title_a_reading_and_a_table(real: Visitor) -> None:
    page = real("/p/alpha/?window=24h").page
    numbers = page.get_by_role("region", name="Numbers of the last 24 hours")
    for title in CHARTS:
        chart = numbers.get_by_role("figure").filter(has_text=title).first
        expect(chart.get_by_role("img")).to_be_visible()
        chart.get_by_text("Numbers", exact=True).click()
        expect(chart.get_by_role("table", name=title).get_by_role("row")).to_have_count(49)
    slot = numbers.get_by_role("figure").filter(has_text="Queue depth").first.locator(".slot").nth(45)
    slot.locator(".reach").hover(position={"x": 2, "y": 60})  # beside the rule, which stands in the middle
    expect(slot.locator(".reading")).to_have_css("opacity", "1")
    expect(slot.locator(".reading")).to_contain_text("waiting")
    assert HOSTILE in numbers.get_by_role("table", name="By content type").inner_text()


def test_a_window_is_a_link_that_can_be_sent(real: Visitor) -> None:
    page = real("/p/alpha/", java_script_enabled=False).page
    page.get_by_role("navigation", name="Time shown").get_by_role("link", name="7d").click()
    expect(page).to_have_url("/p/alpha/?window=7d#numbers")
    expect(page.get_by_role("region", name="Numbers of the last 7 days")).to_be_visible()
    assert page.get_by_role("link", name="7d").get_attribute("aria-current") == "true"


def test_what_is_counted_anew_appears_by_itself_and_keeps_the_window(
    real: Visitor, project: Project, memory_store: RecordStore, clock: Clock
) -> None:
    opened = real("/p/alpha/")
    opened.page.context.add_init_script(STREAM)
    page = opened.page
    page.goto("/p/alpha/?window=6h")
    eventually(page, "window.stream !== undefined")
    ended = page.locator("#numbers dd.figure__value").first
    before = ended.get_attribute("title")
    numbers_world.fill(memory_store, project.slug, clock.now, hours=1, each=10)
    page.evaluate("say(['job-numbers'])")
    expect(ended).not_to_have_attribute("title", before or "")
    expect(page.locator("#numbers .windows [aria-current]")).to_have_text("6h")
    expect(page.locator("#overview .figures--six")).to_have_count(1)
