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
        _say(page, "{maintenance: 0}")
    expect(page.get_by_role("heading", name="Maintenance")).to_be_visible()


def test_another_topic_moves_nothing(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    _say(page, "{jobs: 3}")
    assert page.evaluate("asked") == 0


def test_nothing_is_swapped_while_a_dialog_is_open(visit: Visitor) -> None:
    page = _live(visit, "/full/maintenance/")
    page.keyboard.press("?")
    _say(page, "{maintenance: 0}")
    assert page.evaluate("asked") == 0
    page.keyboard.press("Escape")
    eventually(page, "asked > 0")


def test_new_rows_are_announced_to_a_reader_further_down(visit: Visitor) -> None:
    page = _live(visit, "/styleguide/")
    page.evaluate("document.getElementById('sample-jobs').setAttribute('data-live-topic', 'jobs')")
    page.evaluate("document.getElementById('sample-jobs').setAttribute('data-live-announce', '')")
    page.evaluate("scrollTo(0, 900)")
    _say(page, "{jobs: 5}")
    _say(page, "{jobs: 7}")
    assert page.evaluate("asked") == 0
    news = page.get_by_role("button", name="12 new")
    expect(news).to_be_visible()
    news.click()
    eventually(page, "asked > 0 && scrollY === 0")
    expect(news).to_be_hidden()


def test_nothing_is_swapped_while_rows_are_selected(visit: Visitor) -> None:
    page = _live(visit, "/styleguide/")
    page.evaluate("document.getElementById('sample-jobs').setAttribute('data-live-topic', 'jobs')")
    page.locator("#sample-jobs .row-select").first.click()
    _say(page, "{jobs: 0}")
    assert page.evaluate("asked") == 0
    page.keyboard.press("Escape")
    eventually(page, "asked > 0")
