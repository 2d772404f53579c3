"""A thread that lets files follow and become durable, so that no caller has to wait for it.

Nothing depends on it: what it did not come to is in the journal, and a caller who finds that full does the work.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from storage_app.records.errors import RecordStoreError

if TYPE_CHECKING:
    from storage_app.records.file.journal import Tail
    from storage_app.records.file.project import Project

log = logging.getLogger(__name__)

_SOON: Final = 0.02
_LATER: Final = 1.0  # a claim that ends within this time has cost no file
_LEAST_PAUSE: Final = 0.005
_PAUSE: Final = 4.0  # times as long as the lock was held, so that callers have it most of the time
_AFTER_FAILURE: Final = 5.0


class Settler:
    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: dict[Project, float] = {}
        self._epochs: dict[Project, int] = {}
        self._full: set[Project] = set()
        self._prepared: dict[Project, int] = {}
        self._ahead: dict[Project, Tail] = {}
        self._short: set[Project] = set()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def soon(self, project: "Project", large: bool) -> None:
        """Files of this project wait to be written."""
        self._put(project, _SOON if large else _LATER)

    def note(self, project: "Project", tail: "Tail") -> None:
        """Once the journal has gone on to another segment, the ones before are to be settled."""
        before = self._epochs.get(project)
        self._epochs[project] = tail.epoch
        if before is not None and before != tail.epoch:
            self._full.add(project)
            self._put(project, 0.0)
        if self._prepared.get(project) != tail.epoch and project.journal.is_half_full(tail):
            self._prepared[project] = tail.epoch
            self._ahead[project] = tail
            self._put(project, 0.0)
        if project not in self._short and project.placing.is_short_of_spares():
            self._short.add(project)
            self._put(project, 0.0)

    def stop(self) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _put(self, project: "Project", delay: float) -> None:
        due = time.monotonic() + delay
        known = self._due.get(project)
        if known is not None and known <= due:
            return
        with self._condition:
            self._due[project] = due
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="record files", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _run(self) -> None:
        while (project := self._next()) is not None:
            try:
                if (tail := self._ahead.pop(project, None)) is not None:
                    project.prepare_segment(tail)
                if project in self._short:
                    self._short.discard(project)
                    project.make_spares()
                if project in self._full:
                    self._full.discard(project)
                    project.settle(gently=True)
                else:
                    started = time.monotonic()
                    if project.place_some_alone():
                        self._put(project, max(_LEAST_PAUSE, (time.monotonic() - started) * _PAUSE))
            except RecordStoreError as error:
                log.warning("Files of project %s cannot follow yet: %s", project.slug, error)
                self._put(project, _AFTER_FAILURE)
            except Exception:
                log.exception("Files of project %s cannot follow", project.slug)
                self._put(project, _AFTER_FAILURE)

    def _next(self) -> "Project | None":
        with self._condition:
            while not self._stopping:
                now = time.monotonic()
                if self._due:
                    project = min(self._due, key=lambda project: self._due[project])
                    if self._due[project] <= now:
                        del self._due[project]
                        return project
                    self._condition.wait(self._due[project] - now)
                else:
                    self._condition.wait()
            return None
