# ruff: noqa: RUF001 letters of many scripts are the point here
"""Declarations such as jobs and segments make, and texts and queries of every kind, the same for the same seed."""

from random import Random
from typing import Final

from storage_app.search.fields import Comparison, Field, Fields, Kind

JOBS: Final = Fields(
    (
        Field("status", Kind.CHOICE, choices=("pending", "processing", "completed", "failed", "timeout", "cancelled")),
        Field("type", Kind.WORD, record=("content_type",), help="content type"),
        Field("worker", Kind.WORD, record=("worker_id",), aliases=("worker_id",)),
        Field("tag", Kind.TAG, record=("tags",)),
        Field("id", Kind.WORD),
        Field("name", Kind.TEXT),
        Field("where", Kind.TEXT, record=("name", "path")),
        Field("error", Kind.TEXT, record=("error_message",)),
        Field("created", Kind.TIME, record=("created_at",)),
        Field("started", Kind.TIME, record=("started_at",)),
        Field("when", Kind.TIME, record=("created_at", "started_at")),
        Field("after", Kind.TIME, record=("created_at",), implied=Comparison.GTE),
        Field("before", Kind.TIME, record=("created_at",), implied=Comparison.LT),
        Field("duration", Kind.DURATION, record=("duration_seconds",)),
        Field("priority", Kind.INTEGER),
        Field("weight", Kind.NUMBER),
        Field("options", Kind.VALUE, record=("task_options",), dotted=True, help="what the job was made with"),
    ),
    words=("search",),
)
SEGMENTS: Final = Fields(
    (
        Field("tag", Kind.TAG, record=("tags",)),
        Field("file", Kind.WORD, record=("file_path",)),
        Field("sub", Kind.SUBSTRING),
    )
)

WORDS: Final = (
    "timeout error the quick brown fox parse_config src/foo/bar.py src/x pre-edit 2026-03-14 don't C++ C# .NET a I x "
    "camelCase getUserName HTTPServer UTF8String GitHub github iOS H2O sha256Sum naïve nai\u0308ve Straße STRASSE "
    "2026-03-14T12:00:30Z 12:00 "
    "İstanbul ﬁne fine ½ ㎏ ｱﾞ ﾊﾟ 東京 東京タワー タワー 한국어 국어 ภาษาไทย ไทย नमस्ते שָׁלוֹם "
    " می\u200cخواهم خواهم ❤️ 👨‍👩‍👧 😀 -> => :: "
    "soft\u00adhyphen softhyphen _private __init__ foo(bar) main() 100% 50_50 a\\b it's “quoted” O'Brien Ünï über ς σ "
    "Ⅻ ǅ \U0001d54f \u19b0\u1995 x\u0305y 1️⃣ v1.2.3 192.168.0.1 user@example.org https://example.org/a?b=c#d"
).split()
LONG: Final = "abc" * 90


def make_text(dice: Random) -> str:
    count = dice.choice((0, 1, 3, 8, 25))
    words = [dice.choice(WORDS) if dice.random() < 0.97 else LONG[: dice.randrange(90, 270)] for _ in range(count)]
    return "".join(word + dice.choice((" ", " ", " ", "\n", "/", "")) for word in words)


def make_query(dice: Random, texts: list[str], depth: int = 2) -> str:
    """Mostly pieces of the texts, so that something is found."""
    if depth and dice.random() < 0.5:
        parts = [make_query(dice, texts, depth - 1) for _ in range(dice.randint(2, 3))]
        sign = dice.choice((" ", " ", " OR ", " | "))
        return f"{dice.choice(('', '', '-'))}({sign.join(parts)})"
    piece = _piece(dice, texts)
    shape = dice.randrange(7)
    if shape == 0:
        return f"-{_quoted(piece)}"
    if shape == 1:
        return f"{_quoted(piece[: dice.randint(1, len(piece))])}*"
    if shape == 2:
        return f"sub:{_quoted(piece.swapcase())}"
    if shape == 3:
        return f"file:{dice.choice(('a.py', 'b*', 'src/c.py'))}"
    return _quoted(piece)


def _piece(dice: Random, texts: list[str]) -> str:
    text = dice.choice(texts) if dice.random() < 0.6 else ""
    if not text.strip():
        return dice.choice(WORDS)
    start = dice.randrange(len(text))
    piece = text[start : start + dice.randint(1, 12)]
    return piece.lstrip() or dice.choice(WORDS)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
