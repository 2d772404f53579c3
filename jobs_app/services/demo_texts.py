"""The sample data's own writing: pages, prompts, notes of agents, and records. Everything is made up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Text:
    """One of the library."""

    kind: str
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Note:
    """What an agent had in mind."""

    text: str
    type: str
    task: str | None = None
    path: str | None = None
    tags: Sequence[str] = ()
    is_stashed: bool = False
    is_pinned: bool = False


SUMMARISE: Final = """---
description: A summary for somebody who has two minutes.
variables:
  - name: audience
    description: Who reads it.
  - name: words
    required: false
    default: 120
---

Summarise the document for {{ audience }} in at most {{ words }} words.

- Say first what is decided, then what is open.
- Keep every number and every date as it stands.
- Where the document contradicts itself, say so.
"""
EXTRACT: Final = """---
description: Headings and links as JSON.
---

Give each heading with its level and each link with its text. Answer with JSON alone.
"""
GRADE: Final = """---
description: Finds the sentences that a summary must not lose.
variables:
  - name: level
    required: false
    default: medium
---

Mark the three sentences without which a reader would decide wrongly ({{ level }}). Give a reason for each.
"""
TEXTS: Final = (
    Text("prompts", "summarise", SUMMARISE),
    Text("prompts", "extract-links", EXTRACT),
    Text("exercises", "what-matters", GRADE),
)

FILES: Final[Mapping[str, str]] = {
    "README.md": "# Documents of the demonstration\n\nEverything here is made up. `wiki/` feeds the nightly run.\n",
    "inbox/contracts/lease-agreement-0042.md": (
        "# Lease agreement\n\n"
        "| | |\n| --- | --- |\n| Object | Warehouse 7 |\n| From | 2026-04-01 |\n| Rent | 4,200 |\n\n"
        "1. The lease runs for three years.\n2. Either side may end it with six months' notice.\n"
    ),
    "config/pipeline.json": '{\n  "steps": ["split", "read", "embed"],\n  "limits": {"pages": 500}\n}\n',
    "notes/'onload='x.txt": "A name that tries to be more than text, as does this: <script>alert(1)</script>\n",
}

NOTES: Final = (
    Note(
        "The importer reads at most 500 pages of a file; longer ones are split in src/importer/split.py before that.",
        "finding",
        "importer",
        "src/importer/split.py",
        ("pages", "limits"),
        is_pinned=True,
    ),
    Note(
        "def split(path: Path, most: int = 500) -> Iterator[Part]:\n"
        "    reader = PdfReader(path)\n"
        "    for first in range(0, len(reader), most):\n"
        "        yield Part(path, first, min(first + most, len(reader)))",
        "code",
        "importer",
        "src/importer/split.py",
        ("python",),
    ),
    Note(
        "olga wants scans of before 1950 to go to rack 2: only its scanners know the old formats.", "decision", "scans"
    ),
    Note(
        "NoTextLayerError comes from pages that are pictures. Send them to OCR instead of trying again.",
        "finding",
        "scans",
        "steps/split.py",
        ("errors",),
    ),
    Note("Open: does the wiki export keep attachments? Ask when it is back.", "question", "wiki", tags=("open",)),
    Note(
        "年度報告 has its tables as pictures; recognise them with languages=zh,en.",
        "finding",
        "scans",
        "inbox/contracts",
        ("zh",),
    ),
    Note("Certificates of *.example.org end on 2026-03-14; renewal takes two days.", "fact", "operations"),
    Note(
        "Tried 8 workers on one GPU: out of memory at 80 GiB. Four are stable, six are not.",
        "finding",
        "audio",
        "steps/transcribe.py",
        ("gpu",),
        is_stashed=True,
    ),
    Note(
        "Meeting of 2026-01-12: retention stays at seven days, trash included.",
        "decision",
        "operations",
        tags=("retention",),
        is_stashed=True,
    ),
    Note(
        "Names like <img src=x onerror=alert(1)> came in by mail; they are text and stay text. 🧾",
        "observation",
        "importer",
        tags=("odd",),
        is_stashed=True,
    ),
)

RECORDS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "customers": (
        {"name": "Ärztehaus Ömürlü", "city": "Berlin", "contacts": [{"name": "Ms. Weiß", "role": "office"}]},
        {"name": "Porto Maritime", "city": "Lisbon", "contacts": []},
        {"name": "Nordlys <AS>", "city": "Oslo", "credit": 9007199254740993},
    ),
    "tasks": (
        {"title": "Renew the certificate", "status": "open", "due": "2026-03-01", "priority": 5},
        {"title": "Move rack 5", "status": "done", "due": "2026-01-30", "priority": 2},
    ),
}


def page(topic: str, place: str) -> str:
    """One of the wiki."""
    title = f"{topic.replace('-', ' ').capitalize()} in {place.capitalize()}"
    return (
        f"# {title}\n\nHow we keep {topic} working in {place}, and whom to ask.\n\n"
        f"## Every day\n\n- Look at the [overview](../{place}/README.md) before ten.\n- Note what was odd.\n\n"
        f"## When it breaks\n\n1. Say so in the channel of {place}.\n2. Follow the [plan](../plans/{topic}.md).\n"
    )
