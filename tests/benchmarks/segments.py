"""Segments: storing, loading and searching, as ratios to SQLite's FTS5 alone and to a naive scan."""

import contextlib
import gc
import json
import random
import sqlite3
import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from jobs_app.domain import new_segment, segment
from jobs_app.domain.job import By
from jobs_app.domain.new_segment import NewSegment
from jobs_app.domain.segment import Segment, Tier
from jobs_app.domain.token_budget import load
from jobs_app.services.active_segments import active
from jobs_app.services.segment_search import search_in
from jobs_app.services.segments import SegmentFilter
from jobs_app.stores.segment_records import SegmentRecords
from jobs_app.stores.segments import SEGMENTS
from storage_app.records import registry
from tests import databases
from tests.benchmarks.choices import at_least, numbers, some_of

BACKENDS: Final = ("memory", "file", "sqlite", "postgresql")
PROJECT: Final = "bench"
WORDS: Final = 80  # of a segment, on average
VOCABULARY: Final = 20_000
ACTIVE: Final = 1000
BY: Final = By("command", "bench")
Ask = Callable[[str], int]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--backends", type=some_of(BACKENDS), default="file,sqlite,postgresql", help="of " + ", ".join(BACKENDS)
    )
    parser.add_argument("--sizes", type=numbers, default="10000", help="segments: 10000,100000")
    parser.add_argument("--queries", type=at_least(1), default=40, help="of each kind (40)")
    parser.add_argument("--json", action="store_true", help="JSON lines")


def run(*, backends: Sequence[str], sizes: Sequence[int], queries: int, json: bool) -> Iterator[str]:
    """A line for each measure: median and 95th percentile, and the ratio of the medians (below 1: ours is quicker)."""
    for size in sizes:
        corpus = Corpus(size)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-segments-")))
            alone = Fts5Alone(folder / "alone.sqlite3", corpus)
            for name in backends:
                records = _records(stack, folder, name)
                yield shown(name, size, "store", _filled(records, corpus), alone.stored, "FTS5 alone", json)
                gc.collect()
                gc.freeze()  # as the server does before it serves
                yield from _loading(name, size, records, json)
                for kind, asked in corpus.queries(queries).items():
                    ours, theirs, scanned = _searches(records, alone, corpus, asked)
                    yield shown(name, size, kind, ours, theirs, "FTS5 alone", json)
                    yield shown(name, size, kind, ours, scanned, "naive scan", json)
                gc.unfreeze()


class Corpus:
    """Texts of words as common as words are, a path in each, and queries that find something."""

    def __init__(self, size: int) -> None:
        self.dice = random.Random(1)
        self.vocabulary = ["".join(self.dice.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(VOCABULARY)]
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
        self.texts = [self._text(number) for number in range(size)]
        self.folded = [text.casefold() for text in self.texts]

    def queries(self, count: int) -> dict[str, list[str]]:
        def pieces(length: int) -> list[list[str]]:
            found = []
            for text in self.dice.sample(self.texts, count):
                words = text.split()[1:]
                start = self.dice.randrange(len(words) - length)
                found.append(words[start : start + length])
            return found

        return {
            "one word": [" ".join(words) for words in pieces(1)],
            "two words": [" ".join(words) for words in pieces(2)],
            "three words": [" ".join(words) for words in pieces(3)],
            "phrase": [f'"{" ".join(words)}"' for words in pieces(2)],
            "prefix": [f"{words[0][:5]}*" for words in pieces(1)],
            "path": [f'"src/{self.dice.randrange(1000)}/file"' for _ in range(count)],
            "substring": [f'sub:"{words[0][2:]} {words[1][:3]}"' for words in pieces(2)],
        }

    def _text(self, number: int) -> str:
        length = self.dice.randint(WORDS // 2, WORDS * 3 // 2)
        words = self.dice.choices(self.vocabulary, cum_weights=self.weights, k=length)
        return f"src/{number % 1000}/file{number}.py {' '.join(words)}"


class Fts5Alone:
    """What the engine costs by itself: text in, its own words and its own rank, nothing kept beside."""

    def __init__(self, path: Path, corpus: Corpus) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE VIRTUAL TABLE texts USING fts5(text, tokenize='unicode61')")
        self.stored: list[float] = []
        for start in range(0, len(corpus.texts), 500):
            began = time.perf_counter()
            self.connection.execute("BEGIN")
            chunk = corpus.texts[start : start + 500]
            self.connection.executemany("INSERT INTO texts VALUES (?)", [(text,) for text in chunk])
            self.connection.execute("COMMIT")
            self.stored.append((time.perf_counter() - began) / len(chunk))

    def search(self, text: str) -> int:
        if text.startswith("sub:"):
            needle = text[5:-1]
            sql = "SELECT count(*) FROM (SELECT rowid FROM texts WHERE instr(lower(text), ?) LIMIT 50)"
            return int(self.connection.execute(sql, (needle,)).fetchone()[0])
        quoted = [f'"{word.rstrip("*")}"{" *" * word.endswith("*")}' for word in text.split()]
        asked = (text if text.startswith('"') else " ".join(quoted)).replace("/", " ")
        sql = "SELECT rowid, text FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT 50"
        return len(self.connection.execute(sql, (asked,)).fetchall())


def naive(corpus: Corpus, text: str) -> int:
    needles = [text[5:-1]] if text.startswith("sub:") else [text.strip('"')] if text.startswith('"') else text.split()
    needles = [needle.rstrip("*") for needle in needles]
    return sum(all(needle in folded for needle in needles) for folded in corpus.folded)


def shown(backend: str, size: int, what: str, ours: list[float], theirs: list[float], by: str, as_json: bool) -> str:
    line: dict[str, Any] = {
        "backend": backend,
        "size": size,
        "what": what,
        "ms": round(statistics.median(ours) * 1000, 3),
        "p95_ms": round(_p95(ours) * 1000, 3),
        "by": by,
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 2) if theirs else None,
    }
    if as_json:
        return json.dumps(line)
    ratio = "" if line["ratio"] is None else f"  {line['ratio']:>8} x {by}"
    return f"{backend:<11}{size:>8}  {what:<14}{line['ms']:>9} ms  p95 {line['p95_ms']:>9} ms{ratio}"


def _records(stack: contextlib.ExitStack, folder: Path, name: str) -> SegmentRecords:
    options: dict[str, Any] = {}
    if name == "file":
        options = {"root": str(folder / "records")}
    elif name != "memory":
        if name == "sqlite":
            settings = databases.sqlite_settings(folder / "records.sqlite3")
        else:
            settings = databases.postgresql_settings(stack.enter_context(databases.postgresql_server()))
        databases.make(settings, [SEGMENTS])
        registry.register(name, "tests.databases:open_store")
        options = {"settings": settings}
    return SegmentRecords(stack.enter_context(registry.open_store(name, [SEGMENTS], **options)), PROJECT)


def _filled(records: SegmentRecords, corpus: Corpus) -> list[float]:
    """Seconds a segment, in batches of 500; a thousand of them stay active."""
    seconds, now = [], records.now() - timedelta(days=1)
    for start in range(0, len(corpus.texts), 500):
        made = [
            _made(records, text, number, now + timedelta(milliseconds=number))
            for number, text in enumerate(corpus.texts[start : start + 500], start)
        ]
        began = time.perf_counter()
        records.create(made)
        seconds.append((time.perf_counter() - began) / len(made))
    return seconds


def _made(records: SegmentRecords, text: str, number: int, at: Any) -> Segment:
    tier = Tier.ACTIVE if number < ACTIVE else Tier.STASHED
    new = NewSegment(text, tier=tier, tags=[f"t{number % 20}"], task_id=f"task-{number % 50}")
    return new_segment.make(new, records.new_id(), at, BY)


def _loading(name: str, size: int, records: SegmentRecords, as_json: bool) -> Iterator[str]:
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(7):
        first = next(iter(records.walk({"tier": Tier.ACTIVE.value}, "touched_at")))
        records.change(first.id, lambda one, now: None if one.pinned else _touched(one, now))
        for seconds in (cold, warm):
            began = time.perf_counter()
            assert len(load(active(records), 10**9).segments) == min(ACTIVE, size)
            seconds.append(time.perf_counter() - began)
    yield shown(name, size, "load 1,000", cold, [], "", as_json)
    yield shown(name, size, "load again", warm, [], "", as_json)


def _touched(one: Segment, now: Any) -> Any:
    return segment.change(one, now, BY, {"metadata": {"at": now.isoformat()}})


def _searches(
    records: SegmentRecords, alone: Fts5Alone, corpus: Corpus, asked: list[str]
) -> tuple[list[float], list[float], list[float]]:
    """In turn, so that a busy moment meets all of them."""
    ours, theirs, scanned = [], [], []
    for number, text in enumerate(asked):
        ours.append(_timed(lambda text: len(search_in(records, text, SegmentFilter()).items), text))
        theirs.append(_timed(alone.search, text))
        if number < 5:
            scanned.append(_timed(lambda text: naive(corpus, text), text))
    return ours, theirs, scanned


def _timed(ask: Ask, text: str) -> float:
    began = time.perf_counter()
    ask(text)
    return time.perf_counter() - began


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]
