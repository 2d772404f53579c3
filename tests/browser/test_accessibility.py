"""What axe-core finds on made-up pages, and what a reader with a narrow or a wide window meets."""

from tests.browser.conftest import Visitor
from tests.browser.inspection import MEASURED, faults, inspect, width_beyond_window
from tests.browser.preview import SAMPLES

DIALOGS = ("palette", "keys", "confirm")
WRONG = """() => {
    const style = document.createElement("style");
    style.textContent = `
        @media (prefers-color-scheme: dark) { #pale { color: #222; background: #111; } }
        @media (width > 400px) { #unnamed { display: none; } #far { display: none; } }
        #far { inline-size: 700px; }`;
    document.head.append(style);
    document.querySelector("main").insertAdjacentHTML(
        "beforeend", "<p id=pale>Pale</p><button id=unnamed></button><div id=far>Far</div><img src=/favicon.ico>");
}"""


def test_the_styleguide_and_every_sample_are_in_order(visit: Visitor) -> None:
    inspect(visit("/styleguide/", **MEASURED), ["/styleguide/", *(f"/full/{name}/" for name in SAMPLES)])


def test_what_is_wrong_in_one_look_alone_is_found(visit: Visitor) -> None:
    page = visit("/full/403/", **MEASURED).page
    page.evaluate(WRONG)
    found = {said.partition(" (")[0] for said in faults(page)}
    assert found == {
        'light 1440: image-alt: <img src="/favicon.ico">',
        'dark 1440: color-contrast: <p id="pale">Pale</p>',
        'dark 360: color-contrast: <p id="pale">Pale</p>',
        'dark 360: image-alt: <img src="/favicon.ico">',
        'dark 360: button-name: <button id="unnamed"></button>',
        f"dark 360: {width_beyond_window(page)} px wider than the window",
    }


def test_dialogs_are_in_order(visit: Visitor) -> None:
    page = visit("/full/settings/", **MEASURED).page
    found = {}
    for name in DIALOGS:
        page.evaluate("(id) => document.getElementById(id).showModal()", name)
        found[name] = faults(page)
        page.evaluate("(id) => document.getElementById(id).close()", name)
    assert found == {name: [] for name in DIALOGS}


def test_nothing_is_wider_than_a_phone_where_there_is_nothing(visit: Visitor) -> None:
    page = visit("/styleguide/", width=360).page
    for name in SAMPLES:
        page.goto(f"/empty/{name}/")
        assert width_beyond_window(page) <= 0, name


def test_a_wide_window_has_no_sideways_scroll_either(visit: Visitor) -> None:
    page = visit("/full/settings-audit/", width=1920).page
    assert width_beyond_window(page) <= 0
