"""`/styleguide/`: every component in every state, with hostile and overlong content.

For staff, and in debug mode for everybody.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from jobs_app.pages.charting import Chart, Series
from jobs_app.pages.shell import Banner
from jobs_app.templatetags.charts import Run

HOSTILE = "<script>alert('x')</script> & \"quotes\" \u202eright-to-left"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
JOB_STATES = ("pending", "processing", "completed", "failed", "timeout", "cancelled")
OTHER_STATES = (
    "running",
    "succeeded",
    "skipped",
    "never",
    "up",
    "down",
    "degraded",
    "expired",
    "revoked",
    "parked",
    "never_heard_of",
)
COLOURS = [
    "sunken",
    "canvas",
    "surface",
    "raised",
    "line",
    "line-strong",
    "edge",
    "ink",
    "ink-soft",
    "ink-faint",
    "accent",
    "pending",
    "processing",
    "completed",
    "failed",
    "timeout",
    "cancelled",
]
ICONS = [
    "overview",
    "jobs",
    "workers",
    "runs",
    "documents",
    "library",
    "segments",
    "records",
    "maintenance",
    "storages",
    "settings",
    "projects",
    "docs",
    "search",
    "light",
    "dark",
    "system",
    "person",
    "people",
    "sign-out",
    "skipped",
    "menu",
    "fold",
    "down",
    "right",
    "left",
    "updown",
    "up-arrow",
    "down-arrow",
    "first",
    "close",
    "check",
    "copy",
    "plus",
    "warning",
    "info",
    "retry",
    "stop",
    "play",
    "pause",
    "trash",
    "download",
    "upload",
    "filter",
    "key",
    "audit",
    "clock",
    "link",
    "live",
    "offline",
    "edit",
    "keyboard",
    "external",
    "lock",
    "more",
    "pending",
    "processing",
    "completed",
    "failed",
    "timeout",
    "cancelled",
    "neutral",
]


@dataclass(frozen=True)
class SampleRow:
    """A row as a list of jobs will have them."""

    id: str
    name: str
    state: str
    worker: str
    tries: int
    at: datetime


class SampleForm(forms.Form):
    name = forms.CharField(help_text="Shown in lists.", max_length=80)
    note = forms.CharField(widget=forms.Textarea, required=False)
    role = forms.ChoiceField(choices=[("viewer", "Viewer"), ("operator", "Operator"), ("admin", "Admin")])
    scopes = forms.MultipleChoiceField(
        choices=[("read", "read"), ("write", "write"), ("work", "work"), ("admin", "admin")],
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do.",
    )
    wide = forms.BooleanField(label="In every project", required=False, help_text="Rarely needed.")


def show(request: HttpRequest) -> HttpResponse:
    """Nobody else is told that the page exists."""
    if not (settings.DEBUG or request.user.is_staff):
        raise Http404
    return render(request, "styleguide/index.html", sample(datetime.now(UTC)))


def sample(now: datetime) -> dict[str, Any]:
    """Everything the page shows; the same at the same moment."""
    wrong = SampleForm({"name": "", "role": "owner"}, auto_id="wrong_%s")
    wrong.full_clean()
    wrong.add_error(None, "These two do not go together. Change one of them.")
    return {
        "job_states": JOB_STATES,
        "other_states": OTHER_STATES,
        "colours": COLOURS,
        "icons": ICONS,
        "hostile": HOSTILE,
        "long": LONG,
        "now": now,
        "moments": [now, now - timedelta(minutes=3), now - timedelta(days=40), now + timedelta(hours=5)],
        "banners": [
            Banner(
                "No consumer is running: nothing is swept, sent or cleaned until one does.",
                "failed",
                "#banners",
                "How to start it",
            ),
            Banner("The storage archive may be asked again in 12 min.", "timeout"),
            Banner(f"{HOSTILE} {LONG}", "processing", "#banners"),
        ],
        "form": SampleForm(),
        "wrong": wrong,
        "rows": _rows(now),
        "filters": FILTERS,
        "page": {"summary": "50 of 1,204", "first_url": "#", "previous_url": "#", "next_url": "#"},
        "tabs": [
            {"label": "Timeline", "url": "#tabs", "current": True},
            {"label": "Log", "url": "#tabs", "current": False, "count": "12,204"},
            {"label": "Files", "url": "#tabs", "current": False, "count": "3"},
        ],
        "document": DOCUMENT,
        "charts": _charts(now),
        "trend": [3, 5, 4, None, 8, 9, 7, 12],
        "runs": _runs(now),
    }


FILTERS = {
    "action": "",
    "query": "status:failed",
    "placeholder": "status:failed type:pdf worker:w1",
    "count": "1,204 jobs",
    "clear_url": "?",
    "chips": [
        {"name": "status", "value": "failed", "remove_url": "?"},
        {"name": "error", "value": f"{HOSTILE} {LONG}", "remove_url": "?"},
    ],
    "menus": [
        {
            "name": "status",
            "label": "State",
            "options": [
                {"value": "failed", "label": "Failed", "checked": True, "count": "1,204"},
                {"value": "timeout", "label": "Timeout", "checked": False, "count": "0"},
            ],
        }
    ],
}
DOCUMENT: dict[str, Any] = {
    "id": 9007199254740993,
    "ratio": 0.1,
    "missing": None,
    "right": True,
    "text": HOSTILE,
    "<b>key</b>": LONG,
    "empty": {},
    "steps": [
        {"name": "split", "pages": [1, 2, 3]},
        {"name": "embed", "options": {"model": "small", "depth": {"deeper": ["end"]}}},
    ],
}


def _rows(now: datetime) -> list[SampleRow]:
    names = ["quarterly-report.pdf", "minutes/2026-01-31.md", HOSTILE, LONG, "scan_0007.tiff", "contract.docx"]
    return [
        SampleRow(f"0198c{index}f2-7c1e-7a40", name, state, f"worker-{index}", index, now - timedelta(minutes=7**index))
        for index, (name, state) in enumerate(zip(names, JOB_STATES, strict=True))
    ]


def _runs(now: datetime) -> list[Run]:
    ends = ["succeeded"] * 17 + ["failed", "succeeded", "skipped", "succeeded", "timeout", "succeeded", "running"]
    return [
        Run(state, 2 + 1.5 * math.sin(index), now - timedelta(minutes=len(ends) - index))
        for index, state in enumerate(ends)
    ]


def _charts(now: datetime) -> list[Chart]:
    hour = [now.replace(second=0, microsecond=0) - timedelta(minutes=59 - index) for index in range(60)]
    wave = [round(30 + 18 * math.sin(index / 6) + 7 * math.cos(index / 2.3)) for index in range(60)]
    gap: list[float | None] = [value * 0.21 if not 20 <= index < 27 else None for index, value in enumerate(wave)]
    short = hour[-24:]
    return [
        Chart("Queue depth", hour, [Series("waiting", wave)], kind="area", measure="jobs"),
        Chart(
            "Time to wait",
            hour,
            [Series("p50", gap), Series("p95", [None if v is None else v * 2.6 + 1 for v in gap], "timeout")],
            unit="seconds",
        ),
        Chart(
            "Throughput",
            short,
            [
                Series("completed", wave[-24:], "completed"),
                Series("failed", [value // 7 for value in wave[-24:]], "failed"),
                Series("timeout", [value % 5 for value in wave[-24:]], "timeout"),
            ],
            kind="stacked",
            measure="jobs a minute",
        ),
        Chart(
            "Storage",
            ["files", "records", "logs"],
            [Series("used", [4.2e9, 310_000_000, 88_000])],
            kind="bar",
            unit="bytes",
            along="kind",
        ),
        Chart("One value", hour[:1], [Series("waiting", [3])], measure="jobs"),
        Chart("Nothing yet", [], [Series("waiting", [])], measure="jobs"),
    ]
