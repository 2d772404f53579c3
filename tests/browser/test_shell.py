"""The frame of every page: policy, theme, navigation, palette, keys, dialogs."""

import re

from playwright.sync_api import Route, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import Visitor

EARLY = """new MutationObserver((_, me) => {
    if (!document.body) return;
    window.early = document.documentElement.dataset.theme;
    me.disconnect();
}).observe(document, {childList: true, subtree: true})"""


def test_the_policy_is_strict_and_obeyed(visit: Visitor) -> None:
    opened = visit("/styleguide/")
    answer = opened.page.reload()
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert opened.page.locator("[style]").count() == 0
    assert opened.page.evaluate("typeof htmx.process") == "function"


def test_the_policy_stops_a_script_that_got_into_a_page(visit: Visitor) -> None:
    opened = visit("/full/settings/")
    opened.page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.taken = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", '<button id="bad" onclick="window.taken = true">x</button>');
        document.getElementById("bad").click();
    }""")
    assert opened.page.evaluate("window.taken") is None
    assert len(opened.complaints) == 2
    opened.complaints.clear()


def test_the_admin_works_under_the_policy(visit: Visitor) -> None:
    page = visit("/admin/auth/user/").page
    page.get_by_role("link", name="ada").click()
    expect(page.get_by_label("Username")).to_have_value("ada")


def test_a_chosen_theme_is_there_before_the_first_paint(visit: Visitor) -> None:
    page = visit("/full/settings/", theme="light").page
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    # the body has not been parsed yet when the blocking script has already run
    page.add_init_script(EARLY)
    page.reload()
    assert page.evaluate("window.early") == "dark"
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_the_folded_navigation_stays_folded(visit: Visitor) -> None:
    page = visit("/full/settings/").page
    wide = page.locator(".nav").bounding_box()
    page.get_by_role("button", name="Fold the navigation").click()
    page.reload()
    narrow = page.locator(".nav").bounding_box()
    assert wide
    assert narrow
    assert narrow["width"] < 60 < wide["width"]
    expect(page.locator(".nav").get_by_role("link", name="Maintenance")).to_be_visible()


def test_on_a_phone_the_navigation_is_a_sheet(visit: Visitor) -> None:
    page = visit("/full/settings/", width=360).page
    expect(page.locator(".nav")).to_be_hidden()
    page.get_by_role("button", name="Open the navigation").click()
    expect(page.locator(".nav")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".nav")).to_be_hidden()


def test_the_palette_leads_to_a_page(visit: Visitor, live_server: LiveServer) -> None:
    page = visit("/full/settings/").page
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("bearer")
    expect(page.locator(".palette__item:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_server.url}/p/reports/settings/tokens/")


def test_the_palette_says_that_nothing_is_found(visit: Visitor) -> None:
    page = visit("/full/settings/").page
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("zzz")
    expect(page.get_by_text("No page has that name.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_g_and_a_letter_go_to_a_page(visit: Visitor, live_server: LiveServer) -> None:
    page = visit("/full/settings/").page
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page).to_have_url(f"{live_server.url}/maintenance/")


def test_rows_are_walked_and_selected_by_keys(visit: Visitor) -> None:
    page = visit("/styleguide/").page
    page.keyboard.press("j")
    expect(page.locator("tr[data-at] .row-link")).to_have_text("quarterly-report.pdf")
    page.keyboard.press("x")
    page.keyboard.press("Shift+J")
    page.keyboard.press("Shift+J")
    expect(page.locator("[data-selected]")).to_have_text("3 selected")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#row-"))
    page.keyboard.press("Escape")
    expect(page.locator("[data-selection]")).to_be_hidden()


def test_shift_click_selects_the_range(visit: Visitor) -> None:
    page = visit("/styleguide/").page
    boxes = page.locator("#sample-jobs .row-select")
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("4 selected")


def test_keys_are_left_alone_while_somebody_types(visit: Visitor) -> None:
    page = visit("/styleguide/").page
    page.keyboard.press("/")
    search = page.locator("[data-filters] input[type=search]")
    expect(search).to_be_focused()
    page.keyboard.type("gmj?")
    expect(search).to_have_value("status:failedgmj?")
    expect(page.locator("#keys")).to_be_hidden()


def test_help_lists_the_keys(visit: Visitor) -> None:
    page = visit("/full/settings/").page
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_a_destructive_form_goes_on_only_after_a_yes(visit: Visitor, live_server: LiveServer) -> None:
    page = visit("/full/settings/").page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_label("Type reports").fill("reports")
    page.get_by_role("button", name="Delete the project").click()
    dialog = page.get_by_role("dialog", name="Delete Quarterly reports?")
    expect(dialog).to_contain_text("312 jobs and 4 members")
    expect(dialog.get_by_role("button", name="Keep it as it is")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert sent == []
    page.get_by_role("button", name="Delete the project").click()
    with page.expect_navigation():
        dialog.get_by_role("button", name="Delete reports").click()
    assert sent == [f"{live_server.url}/p/reports/settings/delete/"]


def test_a_word_is_asked_for(visit: Visitor) -> None:
    page = visit("/styleguide/").page
    page.get_by_role("button", name="Ask for a word").click()
    go = page.get_by_role("button", name="Delete demo")
    expect(go).to_be_disabled()
    page.get_by_label("Type demo to go on").fill("demo")
    expect(go).to_be_enabled()


def test_copying_is_said(visit: Visitor) -> None:
    page = visit("/styleguide/", permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy the id").click()
    expect(page.locator("#voice")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("0198c0f2-")


def test_being_offline_is_shown(visit: Visitor) -> None:
    page = visit("/full/settings/").page
    notice = page.locator(".banner[data-offline]")
    expect(notice).to_be_hidden()
    page.context.set_offline(True)
    expect(notice).to_be_visible()
    page.context.set_offline(False)
    expect(notice).to_be_hidden()


def test_a_refused_answer_is_said_in_the_servers_words(visit: Visitor) -> None:
    opened = visit("/full/settings/")
    page = opened.page
    page.evaluate("htmx.ajax('GET', '/refused/', {target: '#content', swap: 'innerHTML'})")
    expect(page.locator(".toast", has_text="The storage archive is full.")).to_be_visible()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    assert len(opened.complaints) == 1, "the browser notes the status of the answer itself"
    opened.complaints.clear()


def test_everything_that_reads_works_without_javascript(visit: Visitor, live_server: LiveServer) -> None:
    page = visit("/full/settings/", width=360, java_script_enabled=False).page
    page.get_by_role("button", name="Open the navigation").click()
    page.locator(".nav").get_by_role("link", name="Maintenance").click()
    expect(page).to_have_url(f"{live_server.url}/maintenance/")
    expect(page.get_by_role("heading", name="Maintenance")).to_be_visible()
    expect(page.get_by_role("button", name="Theme")).to_have_count(0)


def test_typing_in_a_filter_changes_the_address_and_not_the_page(visit: Visitor) -> None:
    page = visit("/full/settings-audit/").page
    page.evaluate("window.still = true")
    page.get_by_role("searchbox", name="Search").fill("actor:ada")
    expect(page).to_have_url(re.compile(r"\?q=actor%3Aada&status=failed$"))
    assert page.evaluate("window.still") is True
    expect(page.get_by_role("searchbox", name="Search")).to_be_focused()


def test_a_form_that_is_sent_before_the_modules_are_here_still_asks(visit: Visitor) -> None:
    page = visit("/projects/").page
    held: list[Route] = []
    page.route("**/main*.js", lambda route: held.append(route))
    page.goto("/styleguide/", wait_until="commit")
    button = page.get_by_role("button", name="Ask first")
    button.click(no_wait_after=True)
    for route in held:
        route.continue_()
    expect(page.get_by_role("dialog", name="Delete 12 jobs?")).to_be_visible()
    assert held
