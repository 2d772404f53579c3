"""Texts to look at: with history, with a body that bites, broken, gone, and jobs that use them in several versions."""

from dataclasses import dataclass
from typing import Final

from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.library import Kind, Wanted
from jobs_app.models import Project
from jobs_app.services import files, library
from jobs_app.services.library import Entry
from tests.factories import make_job

SCRIPT: Final = "<img src=x onerror=alert(1)>"
LONG: Final = "a" * 49 + "-" + "b" * 50
FIRST: Final = """---
title: Summarise a report
variables:
  - name: language
    default: en
    description: Of the summary.
  - name: audience
---
# Summary

Summarise the document in {{ language }} for {{ audience }}.
"""
SECOND: Final = FIRST.replace("for {{ audience }}.", "for {{ audience }}, in at most five sentences.")
THIRD: Final = SECOND + "\nLeave out all names.\n"
BITING: Final = f"""---
title: "{SCRIPT}"
note: "{SCRIPT} {"w" * 300}"
variables:
  - name: target
    description: "{SCRIPT} {"d" * 300}"
---
<script>alert(1)</script> {SCRIPT} [x](javascript:alert(1)) <b hx-delete="/p/alpha/" hx-trigger="load">bold</b>

![t](https://evil.example/t.png) {"unbroken" * 60}
"""


@dataclass(frozen=True)
class Library:
    """The states of `summarise`, oldest first, and a job for each."""

    states: list[Entry]
    jobs: list[Job]


def fill(project: Project, settings: Settings) -> Library:
    """The storage is in memory, with versions."""
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    states: list[Entry] = []
    used: list[Job] = []
    for content, message in ((FIRST, "The first one"), (SECOND, "Shorter"), (THIRD, f"{SCRIPT} {'m' * 200}")):
        states.append(write(project, "summarise", content, message))
        used.append(make_job(project, name=f"report {len(used) + 1}", uses=[wanted("summarise", audience="us")]))
    write(project, "biting", BITING, SCRIPT)
    write(project, LONG, "Long names wrap.\n")
    write(project, "gone", "Once here.\n")
    make_job(project, name=SCRIPT, uses=[wanted("gone"), wanted("biting", target=SCRIPT)])
    library.delete(COMMAND, project.slug, Kind.PROMPTS, "gone")
    files.write(COMMAND, project.slug, "default", "library/prompts/broken.md", b"---\na: *b\n---\nBroken.\n")
    for number in range(130):
        library.write(COMMAND, project.slug, Kind.EXERCISES, f"exercise-{number:03}", f"Exercise {number}\n")
    return Library(states, used)


def write(project: Project, name: str, content: str, message: str = "") -> Entry:
    return library.write(COMMAND, project.slug, Kind.PROMPTS, name, content, message)[0]


def wanted(name: str, **variables: object) -> Wanted:
    return Wanted(Kind.PROMPTS, name, variables)
