"""`manage.py bench NAME`: measurements by hand; each is a module of tests/benchmarks with `add_arguments` and `run`."""

import importlib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from django.core.management.base import BaseCommand, CommandError

from project.config import ROOT

FOLDER = ROOT / "tests" / "benchmarks"


class Benchmark(Protocol):
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[..., Iterator[str]]


class Command(BaseCommand):
    help = "Measures something against its yardstick and prints ratios."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
        for name, benchmark in _benchmarks().items():
            benchmark.add_arguments(names.add_parser(name, help=(benchmark.__doc__ or "").partition("\n")[0]))

    def handle(self, *, name: str, **options: Any) -> None:
        benchmark = _benchmarks()[name]
        known = {key: value for key, value in options.items() if key not in DJANGO_OPTIONS}
        for line in benchmark.run(**known):
            self.stdout.write(line)


DJANGO_OPTIONS = frozenset(
    {"verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"}
)


def _benchmarks() -> dict[str, Benchmark]:
    if not FOLDER.is_dir():
        raise CommandError("The benchmarks are in the source tree only.", returncode=2)
    modules = {path.stem: importlib.import_module(f"tests.benchmarks.{path.stem}") for path in FOLDER.glob("[a-z]*.py")}
    return {name: cast("Benchmark", module) for name, module in sorted(modules.items()) if hasattr(module, "run")}
