"""Files to look at, with names and contents that bite, and an outbox in every state."""

from dataclasses import dataclass
from typing import Final

from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.models import Project
from jobs_app.services import files, outbox
from storage_app import file_storages

HOSTILE: Final = "<img src=x onerror=alert(1)>.md"
TURNED: Final = "عربي \"quoted\" & 'single'.txt"
PICTURE: Final = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"
)
MARKDOWN: Final = """# Notes of the week

A [link](other.md), one [outside](https://example.org/) and a [bad one](javascript:alert(1)).

![a picture](picture.png) ![from outside](https://evil.example/track.png) ![up](../../../x.png)

<script>alert(1)</script> <img src=x onerror=alert(1)> <b hx-delete="/p/alpha/" hx-trigger="load">bold</b>

| file | state |
| --- | --- |
| a | `done` |

```
code
```
"""
JSON: Final = b'{"name": "scan", "pages": [1, 2, 3], "huge": 123456789012345678901234567890}'
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
PAGE: Final = b"<!doctype html><script>alert(1)</script><h1>I am a page</h1>"


@dataclass(frozen=True)
class Documents:
    """Ids of changes by what can be done to them."""

    waiting: int
    parked: int


def fill(project: Project, settings: Settings) -> Documents:
    """The default storage is in memory, with versions; `archive` is empty."""
    settings.FILE_STORAGES = {"default": {"provider": "memory"}, "archive": {"provider": "memory"}}
    slug = project.slug
    write(project, "docs/notes.md", MARKDOWN.replace("week", "day").encode(), "The first notes")
    write(project, "docs/notes.md", MARKDOWN.encode(), "Notes of a week, not of a day")
    write(project, "docs/picture.png", PICTURE, "A picture")
    write(
        project, "docs/data.json", b'{"name": "scan", "pages": [1, 2, 3], "huge": 123456789012345678901234567890}', "x"
    )
    write(project, "docs/broken.json", b'{"a": NaN}', "x")
    write(project, "docs/deep/deeper/deepest/file.txt", b"deep\n", "x")
    write(project, f"hostile/{HOSTILE}", b"# <script>alert(1)</script>\n", "<script>alert(1)</script>")
    write(project, f"hostile/{TURNED}", b"text\n", "x")
    write(project, "hostile/drawing.svg", SVG, "x")
    write(project, "hostile/page.html", PAGE, "x")
    write(project, "hostile/%2e%2e#a?b=c&d.txt", b"odd\n", "x")
    write(project, "hostile/" + "long-" * 40 + ".txt", b"x" * 3000, "x")
    write(project, "binary.bin", bytes(range(256)), "x")
    write(project, "empty.txt", b"", "x")
    write(project, "large.log", b"a line of a log\n" * 60_000, "x")
    for number in range(130):
        write(project, f"many/{number:03}.txt", b"%d" % number, "x")
    expected = files.info(COMMAND, slug, "default", "binary.bin").sha
    files.write(COMMAND, slug, "default", "binary.bin", b"mine", "Mine", expected_sha=expected, deferred=True)
    file_storages.run(lambda it: it.for_project("default", slug).write_file("binary.bin", b"theirs", "Theirs"))
    files.write(COMMAND, slug, "default", "docs/sent.txt", b"sent", "Sent first", deferred=True)
    outbox.flush(COMMAND, slug, "default")
    files.write(COMMAND, slug, "default", f"docs/{HOSTILE}", b"waits", HOSTILE, deferred=True)
    parked, waiting = outbox.pending(COMMAND, slug, "default")
    return Documents(waiting.pk, parked.pk)


def write(project: Project, path: str, content: bytes, message: str) -> None:
    files.write(COMMAND, project.slug, "default", path, content, message)
