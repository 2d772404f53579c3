"""What `check` looks at and `repair` puts right: files against the index, both ways, and the sums."""

from collections.abc import Iterable
from storage_app.records.base import Progress, Report
from storage_app.records.file.project import Project


def check(projects: Iterable[Project], progress: Progress | None) -> Report:
    raise NotImplementedError


def repair(projects: Iterable[Project], progress: Progress | None) -> Report:
    raise NotImplementedError
