"""A run of many documents on the file store and local storage: attached by glob, then started, against what the disk
needs to write as many small files durably, one after the other.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.choices import at_least

ROOT: Final = Path(__file__).resolve().parent.parent.parent
YARDSTICK: Final = 500
BODY: Final = b"x" * 600


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=at_least(1), default=10_000, help="how many a run has (default 10,000)")
    parser.add_argument("--rounds", type=at_least(1), default=3, help="how often all is done anew (default 3)")


def run(documents: int = 10_000, rounds: int = 3, **_: Any) -> Iterator[str]:
    """A line for each round, then medians and ratios."""
    found: list[tuple[float, float, float]] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            yardstick = _durable_writes(Path(folder) / "yardstick") * documents
            attached, started = _round(Path(folder) / "data", documents)
        found.append((attached, started, yardstick))
        yield f"round {number + 1}: attached {attached:.1f} s, started {started:.1f} s, the disk {yardstick:.1f} s"
    attached, started, yardstick = (statistics.median(column) for column in zip(*found, strict=True))
    ratio = (attached + started) / yardstick
    yield f"{documents} documents: {attached + started:.1f} s in all, {ratio:.2f} of the disk's own time"
    yield f"attach {attached / yardstick:.2f}, start {started / yardstick:.2f} (job, event and document of each)"


def _round(folder: Path, documents: int) -> tuple[float, float]:
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.durability.run_until_killed", str(folder), str(documents)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    seconds = {each["what"]: each["seconds"] for each in told if "seconds" in each}  # the last of each kind
    if told[-1]["jobs"] != documents or told[-1]["linked"] != documents:
        raise RuntimeError(f"The run is not whole: {told[-1]}")
    return seconds["attached"], seconds["answered"] + seconds.get("settled", 0.0)


def _durable_writes(folder: Path) -> float:
    """Seconds a small file, written durably."""
    folder.mkdir(parents=True)
    began = time.perf_counter()
    for number in range(YARDSTICK):
        with (folder / str(number)).open("wb") as file:
            file.write(BODY)
            file.flush()
            os.fsync(file.fileno())
    return (time.perf_counter() - began) / YARDSTICK
