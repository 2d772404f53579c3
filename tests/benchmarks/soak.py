"""Killed workers and servers, a mixed load, and waiting claims, for as long as one likes, with counts.

Ends with an error where anything was lost, given twice or answered with a 5xx.
"""

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.choices import at_least, some_of
from tests.durability import live_load
from tests.durability.live_load import Report
from tests.live_server import DATABASE_STORE, FILE_STORE, Installation, installed

STORES = {"file": FILE_STORE, "database": DATABASE_STORE}
KINDS = ("killed", "mixed", "wait")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--stores", type=some_of(STORES), default="file,database", help=f"of {', '.join(STORES)}")
    parser.add_argument("--kinds", type=some_of(KINDS), default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--jobs", type=at_least(1), default=10_000, help="for killed (10,000)")
    parser.add_argument("--crew", type=at_least(1), default=8, help="workers at a time, for killed (8)")
    parser.add_argument(
        "--kills", type=at_least(0), default=20, help="workers killed; a quarter as often the server (20)"
    )
    parser.add_argument("--seconds", type=float, default=60, help="for mixed (60)")
    parser.add_argument("--workers", type=at_least(1), default=64, help="for mixed (64)")
    parser.add_argument("--rounds", type=at_least(1), default=200, help="for wait (200)")
    parser.add_argument("--seed", type=int, default=1)


def run(*, stores: Sequence[str], kinds: Sequence[str], **options: int | float) -> Iterator[str]:
    """A line for each store and kind."""
    for store in stores:
        for kind in kinds:
            with _installed(store) as installation:
                yield f"{store} {kind}: {_told(kind, installation, options)}"


@contextmanager
def _installed(store: str) -> Iterator[Installation]:
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        installed(Path(folder) / "data", **STORES[store]) as one,
    ):
        yield one


def _told(kind: str, installation: Installation, options: dict[str, int | float]) -> str:
    if kind == "wait":
        return live_load.percentiles(live_load.long_poll_latencies(installation, rounds=int(options["rounds"])))
    report = _report(kind, installation, options)
    if report.faults:
        raise SystemExit(f"{kind}, seed {options['seed']}: {report}")
    return str(report)


def _report(kind: str, installation: Installation, options: dict[str, int | float]) -> Report:
    seed = int(options["seed"])
    if kind == "mixed":
        return live_load.mixed(
            installation, seconds=float(options["seconds"]), workers=int(options["workers"]), seed=seed
        )
    kills = int(options["kills"])
    return live_load.killed(
        installation,
        jobs=int(options["jobs"]),
        workers=int(options["crew"]),
        worker_kills=kills,
        server_kills=kills // 4,
        seed=seed,
    )
