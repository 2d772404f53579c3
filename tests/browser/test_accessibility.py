"""What axe-core finds, and what a reader with a narrow window meets."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Visitor
from tests.browser.preview import SAMPLES

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# preload would ask for style sheets beside the page instead of beside the sheet that imports them
OPTIONS = {"runOnly": {"type": "tag", "values": STANDARDS}, "preload": False}


# axe styles what it measures, which the policy refuses; that the pages obey it is in test_shell.py
MEASURED = {"bypass_csp": True}


def violations(page: Page) -> list[str]:
    result = Axe().run(page, options=OPTIONS).response
    assert len(result["passes"]) > 10, "axe has looked at nothing"
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary']})"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def width_beyond_window(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_styleguide_has_no_violation(visit: Visitor, theme: str, width: int) -> None:
    page = visit("/styleguide/", theme=theme, width=width, **MEASURED).page
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_violation(visit: Visitor, theme: str) -> None:
    page = visit("/styleguide/", theme=theme, **MEASURED).page
    found = {}
    for name in SAMPLES:
        page.goto(f"/full/{name}/")
        found[name] = violations(page)
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize("what", ["palette", "keys", "confirm"])
def test_dialogs_have_no_violation(visit: Visitor, what: str) -> None:
    page = visit("/full/settings/", theme="dark", **MEASURED).page
    page.evaluate("(id) => document.getElementById(id).showModal()", what)
    assert violations(page) == []


def test_nothing_is_wider_than_a_phone(visit: Visitor) -> None:
    page = visit("/styleguide/", width=360).page
    assert width_beyond_window(page) <= 0
    for name in SAMPLES:
        for filling in ("full", "empty"):
            page.goto(f"/{filling}/{name}/")
            assert width_beyond_window(page) <= 0, f"{filling} {name}"


def test_a_wide_window_has_no_sideways_scroll_either(visit: Visitor) -> None:
    page = visit("/full/settings-audit/", width=1920).page
    assert width_beyond_window(page) <= 0
