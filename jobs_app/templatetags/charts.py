"""Charts in a page, all drawn on the server.

`{% chart chart %}` `{% sparkline values label %}` `{% strip runs label %}`
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template

from jobs_app.pages import charting
from jobs_app.templatetags import wording

register = template.Library()

STRIP_HEIGHT, BAR, STEP, LOWEST = 24.0, 5.0, 7.0, 5.0


@dataclass(frozen=True)
class Run:
    """One bar of a strip: how it ended, how long it took."""

    state: str
    seconds: float | None
    at: datetime


@register.inclusion_tag("components/_chart.html")
def chart(chart: charting.Chart) -> dict[str, Any]:
    """A figure with title, legend, axes, a reading under the pointer and a table of the same numbers."""
    name = hashlib.sha1(f"{chart.title}{chart.places}".encode(), usedforsecurity=False).hexdigest()[:8]
    return {"plot": charting.plot(chart), "id": f"chart-{name}"}


@register.inclusion_tag("components/_sparkline.html")
def sparkline(values: Sequence[float | None], label: str, tone: str = "accent") -> dict[str, Any]:
    """A line as high as a line of text; its label says what it shows, and the last value."""
    drawn = charting.sparkline(values)
    known = [value for value in values if value is not None]
    said = (
        f"{label}: last {wording.number(known[-1])}, highest {wording.number(max(known))}"
        if known
        else f"{label}: no values"
    )
    return {"drawn": drawn, "label": said, "tone": tone}


@register.inclusion_tag("components/_strip.html")
def strip(runs: Sequence[Run], label: str) -> dict[str, Any]:
    """The last runs, oldest first: height by duration against the longest shown, colour and word by outcome."""
    longest = max((run.seconds or 0 for run in runs), default=0) or 1
    bars = []
    for index, run in enumerate(runs):
        height = LOWEST + (STRIP_HEIGHT - LOWEST) * (run.seconds or 0) / longest
        look = wording.state(run.state)
        said = f"{look.word}, {wording.exact(run.at)}, took {wording.duration(run.seconds)}"
        bars.append(
            {
                "x": index * STEP,
                "y": round(STRIP_HEIGHT - height, 2),
                "height": round(height, 2),
                "tone": look.tone,
                "said": said,
            }
        )
    failed = sum(1 for run in runs if wording.state(run.state).tone == "failed")
    summary = f"{label}: {wording.count_of(len(runs), 'run')}, {failed} failed" if runs else f"{label}: never ran"
    return {"bars": bars, "width": max(len(runs) * STEP - (STEP - BAR), BAR), "height": STRIP_HEIGHT, "label": summary}
