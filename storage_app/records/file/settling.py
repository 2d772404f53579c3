"""A thread that lets files follow and become durable, so that no caller has to wait for it.

Nothing depends on it: what it did not come to is in the journal, and a caller who finds that full does the work.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from storage_app.records.errors import RecordStoreError

if TYPE_CHECKING:
    from storage_app.records.file.journal import Tail
    from storage_app.records.file.project import Project

log = logging.getLogger(__name__)
Work: TypeAlias = "Callable[[Project], float | None]"  # after so many seconds once more

_SOON: Final = 0.02
_LATER: Final = 1.0  # a claim that ends within this time has cost no file
_LEAST_PAUSE: Final = 0.005
_PAUSE: Final = 4.0  # times as long as the lock was held, so that callers have it most of the time
_OTHERS_PAUSE: Final = 0.05
_AFTER_FAILURE: Final = 5.0
_FOLDED_AFTER: Final = 400  # writes, each of some ten pages of the index


@dataclass(slots=True)
class _Seen:
    """What was done for a project, by where its journal stood then."""

    epoch: int
    to_settle: int
    prepared: int
    folded: int


class Settler:
    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: dict[tuple[Project, Work], float] = {}
        self._seen: dict[Project, _Seen] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False

    def soon(self, project: "Project", large: bool) -> None:
        """Files of this project wait to be written."""
        self._put(project, _place, _SOON if large else _LATER)

    def note(self, project: "Project", tail: "Tail") -> None:
        """Each write passes here: is there anything to be done beforehand?"""
        if (seen := self._seen.get(project)) is None:
            seen = self._seen[project] = _Seen(tail.epoch, 0, -1, tail.lsn)
        if seen.epoch != tail.epoch:
            # Once the journal has gone on to another segment, the ones before are to be settled.
            seen.epoch, seen.to_settle = tail.epoch, project.journal.last_before_segment(tail)
            self._put(project, self._settle, 0.0)
        if seen.prepared != tail.epoch and project.journal.is_half_full(tail):
            seen.prepared = tail.epoch
            self._put(project, _prepare_segment, 0.0)
        if tail.lsn - seen.folded >= _FOLDED_AFTER:
            seen.folded = tail.lsn
            self._put(project, _fold_index, 0.0)
        if project.placing.is_short_of_spares():
            self._put(project, _make_spares, 0.0)

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _settle(self, project: "Project") -> float | None:
        return None if project.settle_alone(self._seen[project].to_settle) else _OTHERS_PAUSE

    def _put(self, project: "Project", work: Work, delay: float) -> None:
        due = time.monotonic() + delay
        known = self._due.get((project, work))
        if known is not None and known <= due:
            return
        with self._condition:
            self._due[project, work] = due
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="record files", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _run(self) -> None:
        while (following := self._next()) is not None:
            project, work = following
            try:
                pause = work(project)
            except RecordStoreError as error:
                log.warning("Files of project %s cannot follow yet: %s", project.slug, error)
                pause = _AFTER_FAILURE
            except Exception:
                log.exception("Files of project %s cannot follow", project.slug)
                pause = _AFTER_FAILURE
            if pause is not None:
                self._put(project, work, pause)

    def _next(self) -> "tuple[Project, Work] | None":
        with self._condition:
            while not self._stopping:
                now = time.monotonic()
                if self._due:
                    first = min(self._due, key=lambda key: self._due[key])
                    if self._due[first] <= now:
                        del self._due[first]
                        return first
                    self._condition.wait(self._due[first] - now)
                else:
                    self._condition.wait()
            return None


def _place(project: "Project") -> float | None:
    started = time.monotonic()
    if not project.place_some_alone():
        return None
    return max(_LEAST_PAUSE, (time.monotonic() - started) * _PAUSE)


def _prepare_segment(project: "Project") -> None:
    project.prepare_segment()


def _fold_index(project: "Project") -> None:
    project.fold_index()


def _make_spares(project: "Project") -> None:
    project.make_spares()
