"""The repeated things of every page as tags; each draws `templates/components/_<name>.html`.

`{% badge state %}` `{% icon "jobs" %}` `{% when moment %}` `{% copy text "Copy the id" %}` `{% code text %}`
`{% json value %}` `{% amount done total %}` `{% level value maximum %}` `{% crumb label url %}` `{% field form.name %}`
`{% columns "Name | Role" %}` `{% navigation as groups %}`
"""

import json as json_text
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms, template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from jobs_app.pages import navigation as pages
from jobs_app.templatetags import wording

register = template.Library()

SHOWN_VALUES = 2000
OPEN_LEVELS = 2
SHORT_TEXT = 4000


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """One drawing of the sprite; without a label it is decoration beside a word."""
    place = f"{static('icons.svg')}#{name}"
    classes = f"icon {css}".strip()
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', classes, label, place)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', classes, place)


@register.simple_tag
def badge(state: object, size: str = "", word: str = "") -> SafeString:
    """A state: mark, word, colour. `word` replaces the usual one, `size="large"` is for the head of a page."""
    return _inline("components/_badge.html", look=wording.state(state), size=size, word=word)


@register.simple_tag
def when(moment: datetime | None, absent: str = wording.ABSENT) -> SafeString:
    """An age that grows, the exact time on hover."""
    return _inline("components/_time.html", moment=moment, absent=absent)


@register.simple_tag
def copy(text: str, label: str = "Copy") -> SafeString:
    """A button that puts `text` on the clipboard; the label says what is copied."""
    return _inline("components/_copy.html", text=text, label=label)


@register.inclusion_tag("components/_code.html")
def code(text: str, label: str = "Command", prompt: bool = False, wrap: bool = False) -> dict[str, Any]:
    """A block to read and copy; `prompt` shows a $ that is not copied."""
    return {"text": text, "label": label, "prompt": prompt, "wrap": wrap}


@register.inclusion_tag("components/_amount.html")
def amount(
    done: float | None, total: float = 100, label: str = "Progress", tone: str = "", wide: bool = False
) -> dict[str, Any]:
    """How much is done; None is "under way, nobody knows how far"."""
    share = None if done is None or total <= 0 else min(max(done / total, 0.0), 1.0)
    return {"done": done, "total": total, "share": share, "label": label, "tone": tone, "wide": wide}


@register.inclusion_tag("components/_level.html")
def level(
    value: float, maximum: float, label: str, said: str = "", warn: float = 0.75, wrong: float = 0.9
) -> dict[str, Any]:
    """How full something is: calm below `warn`, amber below `wrong`, then red."""
    return {
        "value": min(max(value, 0), maximum),
        "maximum": maximum,
        "warn": maximum * warn,
        "wrong": maximum * wrong,
        "label": label,
        "said": said or wording.percent(value / maximum if maximum > 0 else None),
    }


@register.inclusion_tag("components/_crumb.html")
def crumb(label: str, url: str = "") -> dict[str, Any]:
    """One step of where I am; the last has no address."""
    return {"label": label, "url": url}


@register.inclusion_tag("components/_field.html")
def field(bound: forms.BoundField, label: str = "") -> dict[str, Any]:
    """Label, input, help and errors of one form field, joined for those who listen."""
    kind = "check" if bound.widget_type == "checkbox" else "options" if bound.use_fieldset else "line"
    return {"field": bound, "kind": kind, "label": label or bound.label}


@dataclass(frozen=True)
class Column:
    label: str
    css: str = ""
    sort_url: str = ""
    direction: str = ""

    @property
    def heard_only(self) -> bool:
        return "actions" in self.css or "select" in self.css


@register.simple_tag
def columns(spec: str, sorting: Mapping[str, Mapping[str, str]] | None = None) -> list[Column]:
    """`"Name | Since:wide | Actions:actions"`: label and classes; `sorting` maps a label to {"url", "direction"}."""
    result = []
    for part in spec.split("|"):
        label, _, css = part.strip().partition(":")
        order = (sorting or {}).get(label, {})
        result.append(Column(label, css, order.get("url", ""), order.get("direction", "")))
    return result


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> list[pages.Group]:
    """The groups of pages that this project and this person have, with the one that is open marked."""
    return pages.groups(context.get("project"), context.get("request"))


@register.simple_tag
def json(value: Any, label: str = "JSON", open_levels: int = OPEN_LEVELS) -> SafeString:
    """Any JSON value, folded below `open_levels`. Numbers are written as Python holds them: exact, however big."""
    budget = _Budget(SHOWN_VALUES)
    body = _json_value(value, 0, open_levels, budget)
    rest = (
        format_html('<p class="json__size">{} more not shown here</p>', wording.count_of(budget.left_out, "value"))
        if budget.left_out
        else ""
    )
    return format_html('<div class="json" role="group" aria-label="{}" tabindex="0">{}{}</div>', label, body, rest)


def _inline(template_name: str, **context: Any) -> SafeString:
    """A component that stands in a line of text: the end of its file must not become a space before a comma."""
    return mark_safe(render_to_string(template_name, context).strip())  # noqa: S308 - drawn by our own template, escaped there


@dataclass
class _Budget:
    """A document of a million values must not make a page of a million elements."""

    left: int
    left_out: int = 0

    def spend(self, values: int) -> int:
        taken = min(values, self.left)
        self.left -= taken
        self.left_out += values - taken
        return taken


def _json_value(value: Any, depth: int, open_levels: int, budget: _Budget) -> SafeString:
    if isinstance(value, Mapping):
        entries = [(_json_name(str(key)), each) for key, each in value.items()]
        return _json_folded(entries, "{}", "key", depth, open_levels, budget)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _json_folded([(mark_safe(""), each) for each in value], "[]", "item", depth, open_levels, budget)
    return _json_plain(value)


def _json_name(name: str) -> SafeString:
    return format_html('<span class="json__name">{}</span>: ', json_text.dumps(name, ensure_ascii=False))


def _json_folded(
    entries: list[tuple[SafeString, Any]], brackets: str, noun: str, depth: int, open_levels: int, budget: _Budget
) -> SafeString:
    if not entries:
        return format_html("<span>{}</span>", brackets)
    shown = entries[: budget.spend(len(entries))]
    items = format_html_join(
        "", "<li>{}{}</li>", ((name, _json_value(each, depth + 1, open_levels, budget)) for name, each in shown)
    )
    return format_html(
        '<details{}><summary>{}<span class="json__size"> {} {}</span></summary><ul>{}</ul></details>',
        mark_safe(" open") if depth < open_levels else "",
        brackets[0],
        wording.count_of(len(entries), noun),
        brackets[1],
        items,
    )


def _json_plain(value: Any) -> SafeString:
    if isinstance(value, str):
        cut = value if len(value) <= SHORT_TEXT else value[:SHORT_TEXT]
        more = f" … {wording.count_of(len(value) - len(cut), 'more character')}" if len(cut) < len(value) else ""
        return format_html('<span class="json__text">{}</span>{}', json_text.dumps(cut, ensure_ascii=False), more)
    if value is None or isinstance(value, bool):
        return format_html('<span class="json__word">{}</span>', json_text.dumps(value))
    return format_html('<span class="json__number">{}</span>', str(value))
