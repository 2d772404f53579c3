"""`manage.py lock` renews both locks from pyproject.toml; `--check` says, without network, whether they agree."""

import itertools
import re
import subprocess
import sys
import tempfile
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from project.bootstrap import RUNTIME_LOCK, TEST_LOCK
from project.config import ROOT

PROJECT = ROOT / "pyproject.toml"
COMPILE = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
SYSTEMS, PROCESSORS = ("linux", "darwin", "win32"), ("x86_64", "aarch64")
MACHINES = [  # every kind that a marker may tell apart
    {"sys_platform": system, "platform_machine": processor}
    | {"python_version": version, "python_full_version": f"{version}.9"}
    for system, processor, version in itertools.product(SYSTEMS, PROCESSORS, ("3.11", "3.12", "3.13", "3.14"))
]


class Lock(dict[str, list[Requirement]]):
    """What a lock names: each package with the versions it pins, one for each kind of machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.unreadable: list[str] = []
        for entry in self.entries():
            self._take_in(re.split(r"\\| --hash", entry, maxsplit=1)[0].strip())

    def _take_in(self, line: str) -> None:
        try:
            pin = Requirement(line)
        except InvalidRequirement:
            self.unreadable.append(line)
        else:
            self.setdefault(canonicalize_name(pin.name), []).append(pin)

    def entries(self) -> list[str]:
        lines = (line for line in self.text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
        return "\n".join(lines).replace("\\\n", "\\ ").splitlines()

    def pinned(self, name: str, machine: dict[str, str]) -> Requirement | None:
        pins = self.get(canonicalize_name(name), [])
        return next((pin for pin in pins if pin.marker is None or pin.marker.evaluate(machine)), None)


class Command(BaseCommand):
    help = "Renews project/requirements*.lock from pyproject.toml; the versions stay where they can."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say whether the locks agree with pyproject.toml")
        parser.add_argument("--upgrade", nargs="?", const="", metavar="NAME", help="newest versions, of all or of one")

    def handle(self, *args: Any, check: bool, upgrade: str | None, **options: Any) -> None:
        if check:
            faults = list(find_faults(RUNTIME_LOCK, TEST_LOCK))
            if faults:
                raise CommandError("; ".join(faults) + ". Renew them with: manage.py lock", returncode=1)
            self.stdout.write("The locks agree with pyproject.toml.")
        else:
            self._renew(upgrade)

    def _renew(self, upgrade: str | None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            test, runtime = Path(folder, TEST_LOCK.name), Path(folder, RUNTIME_LOCK.name)
            test.write_bytes(TEST_LOCK.read_bytes())  # what is pinned there is what uv keeps to
            self._compile(test, "--group", "test", *_upgrade_options(upgrade))
            runtime.write_bytes(test.read_bytes())  # the same versions in both
            self._compile(runtime)
            faults = list(find_faults(runtime, test))
            if faults:
                raise CommandError(f"The new locks were not kept: {'; '.join(faults)}.")
            for new, old in ((test, TEST_LOCK), (runtime, RUNTIME_LOCK)):
                self._report(Lock(old), Lock(new))
                old.write_bytes(new.read_bytes())

    def _compile(self, output: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "pyproject.toml",
            *COMPILE,
            *options,
            "-o",
            str(output),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise CommandError(f"uv could not resolve pyproject.toml: {done.stderr.strip()}")

    def _report(self, old: Lock, new: Lock) -> None:
        for name in sorted(old.keys() | new.keys()):
            before, after = (", ".join(str(pin.specifier) for pin in lock.get(name, [])) for lock in (old, new))
            if before != after:
                self.stdout.write(f"{new.path.name}: {name} {before or 'new'} -> {after or 'gone'}")


def find_faults(runtime_path: Path, test_path: Path) -> Iterator[str]:
    """What is wrong with the locks, each in a few words; nothing where all is well."""
    runtime, test = Lock(runtime_path), Lock(test_path)
    wanted = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    dependencies = [Requirement(line) for line in wanted["project"]["dependencies"]]
    test_dependencies = [Requirement(line) for line in wanted["dependency-groups"]["test"]]
    for lock in (runtime, test):
        yield from _unsafe_lines(lock)
    yield from _disagreements(runtime, dependencies)
    yield from _disagreements(test, dependencies + test_dependencies)
    yield from (f"{name} differs between the locks" for name in runtime if runtime[name] != test.get(name))


def _upgrade_options(upgrade: str | None) -> list[str]:
    if upgrade is None:
        return []
    return ["--upgrade-package", upgrade] if upgrade else ["--upgrade"]


def _unsafe_lines(lock: Lock) -> Iterator[str]:
    if "://" in lock.text:
        yield f"{lock.path.name} holds an address"
    for line in lock.unreadable:
        yield f"{lock.path.name} holds a line that names no package: {line!r}"
    for entry in lock.entries():
        if "--hash=sha256:" not in entry or "==" not in entry:
            yield f"{lock.path.name} has no version or no hash for {entry.split(maxsplit=1)[0]}"


def _disagreements(lock: Lock, dependencies: list[Requirement]) -> Iterator[str]:
    named = {canonicalize_name(dependency.name) for dependency in dependencies}
    for dependency in [*dependencies, *_of_extras(dependencies)]:
        missing = next((fault for machine in MACHINES if (fault := _fault(lock, dependency, machine))), None)
        if missing:
            yield missing
    for name in sorted(_named_by_the_project(lock) - named):
        yield f"{lock.path.name} still has {name}"


def _fault(lock: Lock, dependency: Requirement, machine: dict[str, str]) -> str | None:
    if dependency.marker is not None and not dependency.marker.evaluate(machine):
        return None
    pin = lock.pinned(dependency.name, machine)
    if pin is None:
        return f"{lock.path.name} lacks {dependency.name}"
    version = str(pin.specifier).removeprefix("==")
    if not dependency.specifier.contains(version, prereleases=True):
        return f"{lock.path.name} has {dependency.name} {version} and pyproject.toml wants {dependency.specifier}"
    return None


def _of_extras(dependencies: list[Requirement]) -> Iterator[Requirement]:
    """`psycopg[binary]` asks for psycopg-binary; what is installed knows it."""
    for dependency in dependencies:
        for line in (metadata.requires(dependency.name) or []) if dependency.extras else []:
            inner = Requirement(line)
            if inner.marker and any(_only_with(inner.marker, extra) for extra in dependency.extras):
                yield Requirement(inner.name)


def _only_with(marker: Marker, extra: str) -> bool:
    return marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _named_by_the_project(lock: Lock) -> set[str]:
    """uv writes under each package what asked for it."""
    found, name = set(), ""
    for line in lock.text.splitlines():
        if line and not line.startswith((" ", "#")):
            name = canonicalize_name(line.split("==")[0])
        elif "(pyproject.toml" in line:
            found.add(name)
    return found
