"""The user's guide: Markdown files beside the templates, rendered by the application itself."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs_app.pages.requests import PageRequest
from jobs_app.services import markdown

FRONT = "index"


@dataclass(frozen=True, slots=True)
class Chapter:
    """`place` orders the table of contents; it is the number that the file's name begins with."""

    name: str
    title: str
    path: Path


@require_safe
def index(request: PageRequest) -> HttpResponse:
    return _page(request, chapters()[0])


@require_safe
def show(request: PageRequest, name: str) -> HttpResponse:
    for chapter in chapters():
        if chapter.name == name:
            return _page(request, chapter)
    raise Http404


@cache
def chapters() -> list[Chapter]:
    """In the order of the numbers that the file names begin with: `10-workers.md` is the chapter `workers`."""
    return [_chapter(path) for path in sorted((settings.ROOT / "templates" / "docs").glob("*.md"))]


def _chapter(path: Path) -> Chapter:
    heading = re.match(r"# (.+)", path.read_text(encoding="utf-8"))
    name = path.stem.partition("-")[2]
    return Chapter(name, heading[1] if heading else name, path)


def _page(request: PageRequest, chapter: Chapter) -> HttpResponse:
    text = chapter.path.read_text(encoding="utf-8")
    # the examples name this very server, so that they can be copied as they stand
    text = text.replace("{{server}}", request.build_absolute_uri("/").rstrip("/"))
    context = {
        "document": {"title": chapter.title, "html": markdown.with_anchors(markdown.rendered(text))},
        "pages": [
            {"title": each.title, "url": reverse("docs-page", args=[each.name]), "current": each is chapter}
            for each in chapters()
        ],
    }
    return render(request, "docs/page.html", context)
