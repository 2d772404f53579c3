"""The pages of the library with made-up content; tests/browser/preview.py draws them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs_app.domain.library import Kind, read
from jobs_app.pages import document_diff, job_rows
from jobs_app.pages.library import UseRow, body_of
from jobs_app.pages.library_edits import NewTextForm, TextForm
from jobs_app.pages.styleguide import HOSTILE
from jobs_app.services.library import Entry, Listed
from storage_app.providers import StorageVersion
from tests.browser import library_world as texts
from tests.browser.preview_jobs import PENDING, RUNNING

Sample = tuple[str, dict[str, Any], dict[str, Any]]

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HASH = f"sha256:{'0f' * 32}"
ENTRY = Entry(Kind.PROMPTS, texts.LONG, texts.BITING, HASH, NOW, read(texts.BITING))
FAULTY = replace(ENTRY, name="broken", fault=f"line 2 has {HOSTILE}")
LISTED = [Listed(Kind.PROMPTS, name, HASH, 1234, NOW) for name in ("summarise", texts.LONG, "x")]
VERSIONS = [
    StorageVersion(f"{number}f" * 20, "library/prompts/x.md", sha, message, author, NOW - timedelta(days=number))
    for number, (sha, message, author) in enumerate(
        [(HASH, HOSTILE, texts.LONG), (None, "Delete the prompt", "ada"), (HASH, texts.LONG * 3, HOSTILE)]
    )
]
ROWS = [
    UseRow(job_rows.row(job, NOW), HASH, version, is_current)
    for job, version, is_current in ((PENDING, None, True), (RUNNING, "0f" * 20, False))
]
PAGE = {"summary": "2 of 2", "first_url": "?", "previous_url": "", "next_url": "?cursor=x"}
TABS = [{"label": label, "url": "?", "current": label == "Text"} for label in ("Text", "History", "Where used")]
COMMAND = "curl -X PUT http://127.0.0.1:8000/api/v1/projects/reports/library/prompts/summarise"


def _shown(tab: str, **more: Any) -> dict[str, Any]:
    common = {"kind": Kind.PROMPTS, "name": texts.LONG, "tabs": TABS, "tab": tab, "may_write": True, "waits": True}
    return {**common, "current": ENTRY, "entry": ENTRY, "html": body_of(ENTRY.text), "deferred": True, **more}


def _preview(content: str, fault: str = "") -> dict[str, Any]:
    text = read(content)
    return {"text": text, "html": body_of(text), "fault": fault}


DIFF = document_diff.between(texts.FIRST, texts.BITING)
SAMPLES: dict[str, Sample] = {
    "library": (
        "library/index.html",
        {"kind": Kind.PROMPTS, "tabs": TABS[:2], "entries": LISTED, "total": 3, "page": PAGE, "may_write": True},
        {"kind": Kind.PROMPTS, "tabs": TABS[:2], "entries": [], "may_write": True, "command": COMMAND},
    ),
    "library-show": (
        "library/show.html",
        _shown("text", is_past=True, since=DIFF),
        _shown("text", entry=FAULTY, current=FAULTY, may_write=False, waits=False),
    ),
    "library-history": (
        "library/show.html",
        _shown("history", versions=VERSIONS, changes=VERSIONS[0].version, title=HOSTILE, diff=DIFF),
        _shown("history", versions=None),
    ),
    "library-uses": (
        "library/show.html",
        _shown("uses", rows=ROWS, of=HASH, page=PAGE),
        _shown("uses", rows=[], command=COMMAND, entry=None, current=None),
    ),
    "library-edit": (
        "library/edit.html",
        {
            "kind": Kind.PROMPTS,
            "name": texts.LONG,
            "form": TextForm({"content": texts.BITING, "message": HOSTILE}),
            "preview": _preview(texts.BITING, HOSTILE),
        },
        {"kind": Kind.PROMPTS, "name": "", "is_new": True, "form": NewTextForm({}), "preview": _preview("")},
    ),
    "library-conflict": (
        "library/conflict.html",
        {
            "kind": Kind.PROMPTS,
            "name": texts.LONG,
            "form": TextForm(initial={"content": texts.BITING}),
            "mine": texts.BITING,
            "theirs": texts.FIRST,
            "diff": DIFF,
            "preview": _preview(texts.BITING),
        },
        {
            "kind": Kind.PROMPTS,
            "name": "summarise",
            "form": TextForm(initial={"content": texts.FIRST}),
            "mine": texts.FIRST,
            "theirs": "",
            "is_gone": True,
            "preview": _preview(texts.FIRST),
        },
    ),
}
