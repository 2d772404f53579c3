"""The stream of changes: regions fetch themselves, and nothing moves under a reader's hands."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor, eventually

# the stream as static/js/live.js meets it: tests say what the server says
STREAM = """
    window.EventSource = class extends EventTarget {
        constructor(url) { super(); this.url = url; window.stream = this; setTimeout(() => this.onopen()); }
        close() {}
    };
    new MutationObserver((_, me) => {
        if (document.body) { document.body.dataset.liveUrl = "/live/"; me.disconnect(); }
    }).observe(document, {childList: true, subtree: true});
    window.say = (topics) => window.stream.onmessage({data: JSON.stringify({topics})});
    window.asked = 0;
    addEventListener("live", () => { window.asked += 1; }, true);
"""


def _live(visit: Visitor, path: str) -> Page:
    page = visit(path).page
    page.context.add_init_script(STREAM)
    page.reload()
    eventually(page, "window.stream !== undefined")
    return page


def _say(page: Page, topics: str) -> None:
    page.evaluate(f"say({topics})")


def test_a_region_fetches_itself_when_its_topic_changes(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    expect(page.get_by_label("Live state: connected")).to_be_visible()
    with page.expect_request(lambda request: request.headers.get("hx-request") == "true"):
        _say(page, "['maintenance']")
    expect(page.get_by_role("heading", name="Maintenance")).to_be_visible()


def test_another_topic_moves_nothing(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    _say(page, "['jobs']")
    assert page.evaluate("asked") == 0


def test_nothing_is_swapped_while_a_dialog_is_open(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    page.keyboard.press("?")
    _say(page, "['maintenance']")
    assert page.evaluate("asked") == 0
    page.keyboard.press("Escape")
    eventually(page, "asked > 0")


def test_a_region_asks_at_most_once_a_second_and_misses_nothing(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    regions = page.locator("[data-live-topic=maintenance]").count()
    at_once = "() => { for (let time = 0; time < 20; time++) say(['maintenance']); return asked; }"
    assert page.evaluate(at_once) == regions
    eventually(page, f"asked === {2 * regions}")


def test_nothing_is_swapped_while_rows_are_selected(visit: Visitor) -> None:
    page = _live(visit, "/styleguide/")
    page.evaluate("document.getElementById('sample-jobs').setAttribute('data-live-topic', 'jobs')")
    page.locator("#sample-jobs .row-select").first.click()
    _say(page, "['jobs']")
    assert page.evaluate("asked") == 0
    page.keyboard.press("Escape")
    eventually(page, "asked > 0")
