"""Whether pages are in order: what axe-core finds, and whether anything is wider than the window, in both themes.

A page is opened once and looked at as a person would who turns the light off and takes the phone out: everything is
asked on a wide light window and on a narrow dark one, and in between only what the theme can change.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Visit, eventually

# axe styles what it measures, which the policy refuses; that the pages obey it is in test_shell.py
MEASURED: Final = {"bypass_csp": True}
EVERYTHING: Final = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
COLOURS: Final = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# preload would ask for style sheets beside the page instead of beside the sheet that imports them; what is in order
# is counted and not described, which would take three times as long as finding what is not
OPTIONS: Final = {"preload": False, "resultTypes": ["violations"], "selectors": False}
ASK: Final = """async (options) => {
    const {passes, violations} = await axe.run(options);
    const sentence = (rule, node) => `${rule.id}: ${node.html.slice(0, 160)} (${node.failureSummary})`;
    return [passes.length, violations.flatMap((rule) => rule.nodes.map((node) => sentence(rule, node)))];
}"""


@dataclass(frozen=True)
class Look:
    """How a page is shown, and what is asked about it then."""

    theme: Literal["light", "dark"]
    width: int
    rules: dict[str, Any]
    least: int  # as many rules find something to be in order; fewer would mean that axe has looked at nothing


LOOKS: Final = (
    Look("light", 1440, EVERYTHING, 11),
    Look("dark", 1440, COLOURS, 1),
    Look("dark", 360, EVERYTHING, 11),
)


def inspect(opened: Visit, paths: Iterable[str]) -> None:
    """Each of the pages is in order; the visit was opened with `MEASURED`."""
    found = {}
    for path in paths:
        _show(opened.page, LOOKS[0])
        opened.page.goto(path)
        found[path] = faults(opened.page)
    assert found, "no page was looked at"
    assert {path: said for path, said in found.items() if said} == {}


def faults(page: Page) -> list[str]:
    """Of the page as it stands, in each look; it is left in the last one."""
    page.evaluate(Axe().axe_script)
    found = []
    for look in LOOKS:
        _show(page, look)
        _keep(page, look)
        found += [f"{look.theme} {look.width}: {said}" for said in _faults_now(page, look)]
    return found


def width_beyond_window(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _show(page: Page, look: Look) -> None:
    page.emulate_media(color_scheme=look.theme)
    page.set_viewport_size({"width": look.width, "height": 900})


def _faults_now(page: Page, look: Look) -> list[str]:
    eventually(page, f"innerWidth === {look.width} && matchMedia('(prefers-color-scheme: {look.theme})').matches")
    in_order, found = page.evaluate(ASK, {**OPTIONS, "runOnly": look.rules})
    assert in_order >= look.least, "axe has looked at nothing"
    beyond = width_beyond_window(page)
    return [*found, f"{beyond} px wider than the window"] if beyond > 0 else list(found)


def _keep(page: Page, look: Look) -> None:
    """A picture of it, for people who look through them."""
    if folder := os.environ.get("SCREENSHOTS"):
        name = re.sub(r"[^\w.-]+", "_", page.url.partition("//")[2].partition("/")[2])
        page.screenshot(path=Path(folder) / f"{name[:150]}-{look.theme}-{look.width}.png", full_page=True)
