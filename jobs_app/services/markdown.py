"""Markdown to HTML that can be trusted: rendered first, then reduced to an allow-list."""

import re
from functools import cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

TAGS = frozenset(
    "a abbr b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre "
    "s strong sub sup table tbody td th thead tr ul".split()
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "th": {"align"}, "td": {"align"}, "ol": {"start"}}
HEADING = re.compile(r"<h2>([^<]+)</h2>")
SCHEMES = frozenset({"http", "https", "mailto"})


def rendered(text: str) -> SafeString:
    """No script, style, event, id, class or htmx attribute survives; links go nowhere but to http, https and mail."""
    html = nh3.clean(
        _markdown().render(text),
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel="noopener nofollow",
    )
    return mark_safe(html)  # noqa: S308 - reduced to the allow-list in the lines above


def with_anchors(html: SafeString) -> SafeString:
    """Each heading of the second level can be linked to, under its own words."""
    return mark_safe(HEADING.sub(_anchored, html))  # noqa: S308 - adds an id made of letters, digits and hyphens


def _anchored(match: re.Match[str]) -> str:
    name = re.sub(r"[^a-z0-9_]+", "-", match[1].lower()).strip("-")
    return f'<h2 id="{name}">{match[1]}</h2>'


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
