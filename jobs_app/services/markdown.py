"""Markdown to HTML that can be trusted: rendered first, then reduced to an allow-list."""

import re
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

TAGS = frozenset(
    "a abbr b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre "
    "s strong sub sup table tbody td th thead tr ul".split()
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "th": {"align"}, "td": {"align"}, "ol": {"start"}}
HEADING = re.compile(r"<h2>([^<]+)</h2>")
SCHEMES = frozenset({"http", "https", "mailto"})


AddressOf: TypeAlias = Callable[[str, str], str | None]


def rendered(text: str, address_of: AddressOf | None = None) -> SafeString:
    """No script, style, event, id, class or htmx attribute survives; links go nowhere but to http, https and mail.

    `address_of(tag, address)` may put another address in place of that of a link or an image; None takes it out.
    """

    def filtered(tag: str, attribute: str, value: str) -> str | None:
        return address_of(tag, value) if address_of and attribute in ("href", "src") else value

    html = nh3.clean(
        _markdown().render(text, {"address_of": address_of}),
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel="noopener nofollow",
        attribute_filter=filtered,
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
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made.add_render_rule("image", _image)
    return made


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """A picture that may not be fetched leaves the words that stand for it."""
    address_of, token = env.get("address_of"), tokens[place]
    if address_of and address_of("img", str(token.attrs.get("src", ""))) is None:
        return escapeHtml(renderer.renderInlineAsText(token.children, options, env))
    return renderer.image(tokens, place, options, env)
