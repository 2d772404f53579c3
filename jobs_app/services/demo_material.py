"""What the sample data is made of: kinds of work with their files, errors and log lines, and who does it.

Everything is made up. Some names try to be more than text, since somebody will send such names one day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from jobs_app.domain.job_log import LogLevel
from jobs_app.domain.job_transitions import Failure


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail; `{page}`, `{pages}` and the like differ from job to job, so that its cause is what they share."""

    message: str
    kind: str
    place: str
    line: int
    code: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """A content type. `seconds` is how long an attempt takes, `fails` how many of a hundred attempts do."""

    content_type: str
    folder: str
    names: Sequence[str]
    seconds: tuple[int, int]
    fails: int
    faults: Sequence[Fault]
    steps: Sequence[str]
    share: int = 10  # how often it comes in, against the others
    attempt_timeout_seconds: int | None = None
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker of the fleet. `loses` of a hundred jobs it drops without a word."""

    worker_id: str
    content_types: Sequence[str] | None
    version: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    loses: int = 0


NO_TEXT = Fault(
    "page {page} of {pages} has no text layer", "NoTextLayerError", "split.py", 118, "raise NoTextLayerError(page)"
)
BROKEN_XREF = Fault(
    "cross-reference table at byte {offset} is damaged",
    "DamagedFileError",
    "reader.py",
    402,
    "xref = self._read_xref(offset)",
    retryable=False,
)
UNAVAILABLE = Fault(
    "503 Service Unavailable for https://wiki.example.org/export/{page} after 3 tries",
    "UpstreamError",
    "fetch.py",
    57,
    "response.raise_for_status()",
)
OUT_OF_MEMORY = Fault(
    "CUDA out of memory: tried to allocate {pages} MiB on GPU 0",
    "OutOfMemoryError",
    "embed.py",
    203,
    "vectors = model.encode(batch)",
)
WRONG_BYTE = Fault(
    "'utf-8' codec can't decode byte 0xe4 in position {offset}: invalid continuation byte",
    "UnicodeDecodeError",
    "text.py",
    31,
    "return content.decode()",
    retryable=False,
)
SCANNER_FORMAT = Fault(
    "strip {page} is compressed with method 34712, which is not known here",
    "UnknownCompressionError",
    "tiff.py",
    266,
    "decoder = DECODERS[strip.compression]",
    retryable=False,
)
SCANNER_MARKUP = Fault(
    "<b>strip {page}</b> says <img src=x onerror=alert({page})>",
    "StripError",
    "tiff.py",
    281,
    "raise StripError(strip.comment)",
    retryable=False,
)
SILENCE = Fault("no speech found between {page} s and {pages} s", "NoSpeechError", "transcribe.py", 90, "segments[0]")

KINDS: Final = (
    Kind(
        "application/pdf",
        "inbox/contracts",
        ("quarterly-report", "lease-agreement", "invoice", "Prüfbericht", "年度報告", "annex-b-signed"),
        (8, 45),
        9,
        (NO_TEXT, NO_TEXT, BROKEN_XREF),
        ("split into pages", "read text layer", "recognise tables", "write Markdown"),
        share=30,
        tags=("finance", "legal", "q3"),
    ),
    Kind(
        "text/markdown",
        "wiki/pages",
        ("release-notes", "how-we-deploy", "on-call", "glossary"),
        (3, 9),
        3,
        (WRONG_BYTE, UNAVAILABLE),
        ("parse front matter", "split by headings", "embed"),
        share=22,
        tags=("wiki",),
    ),
    Kind(
        "text/html",
        "crawl/2026",
        ("press-release", "product-page", "forum-thread", "changelog"),
        (4, 20),
        14,
        (UNAVAILABLE,),
        ("fetch", "strip navigation", "convert to Markdown"),
        share=16,
        tags=("crawl",),
    ),
    Kind(
        "image/tiff",
        "scans/archive",
        ("scan", "map-sheet", "register-1911"),
        (6, 25),
        62,
        (SCANNER_FORMAT, SCANNER_FORMAT, SCANNER_MARKUP),
        ("read strips", "deskew", "recognise text"),
        share=10,
        tags=("archive",),
    ),
    Kind(
        "audio/flac",
        "calls",
        ("support-call", "board-meeting", "interview"),
        (40, 170),
        8,
        (SILENCE, OUT_OF_MEMORY),
        ("load model", "find speakers", "transcribe", "align"),
        share=8,
        attempt_timeout_seconds=140,
        tags=("slow",),
    ),
    Kind(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "inbox/minutes",
        ("minutes", "offer", "job-description"),
        (4, 16),
        4,
        (WRONG_BYTE,),
        ("unpack", "convert styles", "write Markdown"),
        share=12,
        tags=("legal",),
    ),
)
# Nobody in the fleet takes this one, so its jobs say why they wait.
UNSERVED: Final = Kind("video/mp4", "calls/video", ("all-hands", "site-visit"), (60, 90), 0, (), (), share=2)
BY_TYPE: Final = {kind.content_type: kind for kind in (*KINDS, UNSERVED)}
PAUSED_TYPE: Final = "image/heic"

FLEET: Final = (
    Hand("ocr-01.rack2", ["application/pdf", "image/tiff"], "4.2.0", {"cpus": 16, "languages": ["de", "en", "zh"]}),
    Hand("ocr-02.rack2", ["application/pdf", "image/tiff"], "4.2.0", {"cpus": 16, "languages": ["de", "en"]}),
    Hand("ocr-03.rack5", ["application/pdf"], "4.1.7", {"cpus": 8}),
    Hand("gpu-a100", ["audio/flac", "text/markdown"], "1.19.3", {"gpu": "A100", "memory_bytes": 85899345920}),
    Hand("office-1", [KINDS[5].content_type, "text/html"], "0.9.12", {"libreoffice": "24.8"}),
    Hand(
        "jonas-laptop", ["text/html", "text/markdown", "application/pdf"], "4.3.0-dev", {"on_battery": True}, loses=30
    ),
    Hand('anything "<b>goes"', [kind.content_type for kind in KINDS], "", {"note": "<script>alert(1)</script>"}),
)

# Come in now and then among the others.
HOSTILE_NAMES: Final = (
    "<img src=x onerror=alert(1)>.pdf",
    "'; DROP TABLE jobs; --.pdf",
    "{{ 7 * 7 }} ${7*7} %s %n.pdf",
    "\u202efdp.exe\u202c looks like a PDF",
    "🧾 Rechnung № 4711, Ärztehaus Ömürlü (endgültig, wirklich, v2).pdf",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft-" * 3,
    'javascript:alert("job")',
    "C:\\Users\\ada\\..\\..\\boot.ini",
)
REASONS: Final = {
    "retry": ("the scanner was updated", "wiki is back", "another try with more memory", ""),
    "cancel": ("wrong folder", "came in twice", "customer withdrew it"),
    "delete": ("test upload", "contains personal data"),
}


def name_of(kind: Kind, chance: Random) -> str:
    if kind.content_type == "application/pdf" and chance.random() < 0.06:
        return chance.choice(HOSTILE_NAMES)
    ending = {"application/pdf": "pdf", "image/tiff": "tif", "audio/flac": "flac", "text/markdown": "md"}
    suffix = ending.get(kind.content_type) or {"text/html": "html", "video/mp4": "mp4"}.get(kind.content_type, "docx")
    return f"{chance.choice(kind.names)}-{chance.randrange(1, 9999):04}.{suffix}"


def options_for(kind: Kind, chance: Random) -> dict[str, Any]:
    return {
        "lang": chance.choice(["de", "en", "en", "zh"]),
        "model": {"name": "layout-xl", "revision": 9007199254740993, "temperature": 0.10},
        "steps": list(kind.steps),
        "limits": {"pages": 500, "bytes": 268435456},
    }


def result_of(kind: Kind, chance: Random) -> dict[str, Any]:
    pages = chance.randrange(1, 240)
    return {
        "pages": pages,
        "characters": pages * 1843,
        "fingerprint": chance.randrange(2**64, 2**65),
        "confidence": round(chance.uniform(0.81, 0.999), 3),
        "output": f"out/{chance.randrange(16**8):08x}.md",
        "parts": [{"number": number, "tokens": chance.randrange(90, 900)} for number in range(1, min(pages, 6) + 1)],
    }


def failure_of(fault: Fault, chance: Random) -> Failure:
    message = _filled(fault.message, chance)
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "/srv/worker/main.py", line 64, in work\n'
        "    result = steps.run(job, workspace)\n"
        '  File "/srv/worker/steps/__init__.py", line 29, in run\n'
        "    document = step(document)\n"
        f'  File "/srv/worker/steps/{fault.place}", line {fault.line}, in {fault.place.removesuffix(".py")}\n'
        f"    {fault.code}\n"
        f"{fault.kind}: {message}"
    )
    return Failure(f"{fault.kind}: {message}", traceback, fault.retryable)


def log_line(kind: Kind, share: float, chance: Random) -> tuple[LogLevel, str, dict[str, Any] | None]:
    """Something a worker would say at this share of its work."""
    step = kind.steps[min(int(share * len(kind.steps)), len(kind.steps) - 1)] if kind.steps else "work"
    draw = chance.random()
    if draw < 0.12:
        pixels = chance.randrange(200, 9000)
        return LogLevel.WARNING, f"{step}: low contrast on page {chance.randrange(1, 200)}, used {pixels} px", None
    if draw < 0.3:
        data = {"step": step, "rss_mib": chance.randrange(180, 2400), "queue": [chance.randrange(9) for _ in range(3)]}
        return LogLevel.DEBUG, f"{step}: memory after collection", data
    return LogLevel.INFO, f"{step}: page {chance.randrange(1, 200)} done in {chance.randrange(20, 900)} ms", None


def _filled(message: str, chance: Random) -> str:
    page = chance.randrange(2, 180)
    return message.format(page=page, pages=page + chance.randrange(1, 200), offset=chance.randrange(900, 9_000_000))
