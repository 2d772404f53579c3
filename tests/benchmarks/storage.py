"""Storages: GitHub's requests counted, a folder against pathlib, a bucket against obstore and boto3, memory of 1 GB."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence

from tests.benchmarks.choices import at_least, some_of
from tests.benchmarks.storages import github, large, local, objects

PARTS = ("github", "local", "object", "large")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--only", type=some_of(PARTS), default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that GitHub's answers take (0.1)")
    parser.add_argument("--rounds", type=at_least(2), default=9, help="how often each is measured in turn (9)")
    parser.add_argument("--mebibytes", type=at_least(1), default=1024, help="size of the large file (1024)")


def run(*, only: Sequence[str], latency: float, rounds: int, mebibytes: int) -> Iterator[str]:
    if "github" in only:
        yield from github.lines(latency)
    if "local" in only:
        yield from local.lines(rounds)
    if "object" in only:
        yield from objects.lines(rounds)
    if "large" in only:
        yield from large.lines(mebibytes)
