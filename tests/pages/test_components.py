"""The repeated things: what they draw, and that nothing a user wrote is ever markup."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.template import Context, Template

from jobs_app.pages import navigation, styleguide
from jobs_app.templatetags import charts, components, wording
from tests.browser.preview import PROJECT

STATIC = Path(settings.ROOT) / "static"
TEMPLATES = Path(settings.ROOT) / "templates"
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def draw(markup: str, **context: Any) -> str:
    return Template("{% load components charts wording %}" + markup).render(Context(context))


def drawn_icons() -> set[str]:
    return set(re.findall(r'<symbol id="([a-z-]+)"', (STATIC / "icons.svg").read_text()))


def test_every_icon_that_is_used_is_drawn() -> None:
    in_templates = {
        name for path in TEMPLATES.rglob("*.html") for name in re.findall(r'\{% icon "([a-z-]+)"', path.read_text())
    }
    in_code = {page.icon for page in navigation.PAGES} | {look.icon for look in wording.STATES.values()}
    assert len(in_templates) > 20
    assert in_templates | in_code | set(styleguide.ICONS) <= drawn_icons()


def test_every_icon_that_is_drawn_is_in_the_styleguide() -> None:
    assert drawn_icons() - {"mark"} == set(styleguide.ICONS)


def test_no_template_or_script_works_round_the_policy() -> None:
    files = [*TEMPLATES.rglob("*.html"), *STATIC.rglob("*.svg"), *STATIC.rglob("*.js")]
    assert len(files) > 60
    forbidden = re.compile(r'[\s"]style="|\son[a-z]+="|<script>|<style|hx-on|\beval\(|new Function|\.innerHTML')
    assert [path.name for path in files if forbidden.search(path.read_text())] == []


def test_every_style_sheet_is_imported_once() -> None:
    css = STATIC / "css"
    imported = re.findall(r'url\("([^"]+)"\)', (css / "main.css").read_text())
    entries = {"main.css", "admin.css"}  # each linked by a page: ours, and the admin site's
    there = sorted(path.relative_to(css).as_posix() for path in css.rglob("*.css") if path.name not in entries)
    assert sorted(imported) == there


def test_a_badge_says_its_state_in_a_word() -> None:
    assert "Processing</span>" in draw("{% badge 'processing' %}")


def test_a_time_in_a_sentence_has_no_space_before_the_comma() -> None:
    assert "</time>, then" in draw("{% when moment %}, then", moment=NOON)


@pytest.mark.parametrize(
    "tag", ["badge text", "copy text", "code text", "crumb text", "json text", "badge 'failed' word=text"]
)
def test_what_somebody_wrote_is_never_markup(tag: str) -> None:
    html = draw("{% " + tag + " %}", text="<img src=x onerror=alert(1)>\"'")
    assert "<img" not in html
    assert "&lt;" in html


def test_json_keeps_numbers_as_they_are() -> None:
    html = draw("{% json value %}", value={"id": 9007199254740993, "ratio": 0.1, "none": None, "yes": True})
    for text in ("9007199254740993", "0.1", "null", "true"):
        assert f">{text}</span>" in html


def test_json_of_many_values_says_what_it_leaves_out() -> None:
    html = components.json(list(range(components.SHOWN_VALUES + 5)))
    assert html.count("<li>") == components.SHOWN_VALUES
    assert "5 values more not shown here" in html


def test_json_at_the_deepest_level_that_is_accepted() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    assert components.json(value).count("<details") == 64


@pytest.mark.parametrize(
    ("done", "total", "share"),
    [(0, 100, 0), (50, 100, 0.5), (120, 100, 1), (-5, 100, 0), (None, 100, None), (1, 0, None)],
)
def test_amounts_stay_between_nothing_and_all(done: float | None, total: float, share: float | None) -> None:
    assert components.amount(done, total)["share"] == share


def test_columns_are_read_from_a_line() -> None:
    sorting = {"Made": {"url": "?order=-made", "direction": "descending"}}
    columns = components.columns("Name | Made:tight end | Actions:actions", sorting)
    assert [column.label for column in columns] == ["Name", "Made", "Actions"]
    assert columns[1].css == "tight end"
    assert columns[1].direction == "descending"
    assert columns[2].heard_only


def test_a_strip_says_how_many_failed() -> None:
    runs = [charts.Run("succeeded", 1, NOON), charts.Run("failed", None, NOON + timedelta(minutes=1))]
    html = draw("{% strip runs 'Outbox' %}", runs=runs)
    assert "Outbox: 2 runs, 1 failed" in html
    assert draw("{% strip runs 'Outbox' %}", runs=[]).count("Never ran") == 1


@pytest.mark.urls("tests.browser.preview")
def test_navigation_without_a_project_has_only_pages_that_need_none() -> None:
    names = {link.name for group in navigation.groups(None, None) for link in group.links}
    assert "Projects" in names
    assert "Settings" not in names
    with_project = {link.name for group in navigation.groups(PROJECT, None) for link in group.links}
    assert {"Settings", "Tokens", "Overview"} <= with_project


def test_no_key_leads_to_two_pages() -> None:
    keys = [page.key for page in navigation.PAGES]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {"j", "k", "x", "g"}
