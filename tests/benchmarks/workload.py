"""The collection that is measured, and what is done to it, over any record store."""

import itertools
from typing import Any, Final

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.file.store import FileRecordStore
from storage_app.records.operations import Update
from tests.benchmarks.yardsticks import BODY

PROJECT: Final = "bench"
SHARED_PROJECT: Final = "bench-shared"  # what several processes claim, and nothing else
JOBS: Final = Collection(
    "bench_jobs",
    ids=Ids.TIME_ORDERED,
    fields=(Field("status", Kind.TEXT), Field("priority", Kind.INTEGER)),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)),),
)
CLAIM: Final = {"order": ("-priority", "id")}


class Workload:
    def __init__(self, store: RecordStore, size: int, project: str = PROJECT) -> None:
        self.store = store
        self.project = project
        self.size = size
        self._numbers = itertools.count()
        self._ids: list[Any] = []
        self.fill(size)
        self._rotation = itertools.cycle(self._ids or [None])
        self._deep = self._deep_cursor()

    def fill(self, count: int) -> None:
        while count > 0:
            step = min(count, 1000)
            records = self.store.insert_many(
                self.project, JOBS.name, [_document(next(self._numbers)) for _ in range(step)]
            )
            self._ids += [record.id for record in records[:50]]
            count -= step

    def ready(self, claims: int) -> None:
        """At least so many wait and a few more."""
        waiting = self.store.count(self.project, JOBS.name, {"status": "pending"})
        self.fill(claims + 100 - waiting)
        self.settle()

    def settle(self) -> None:
        """Nothing that came before is still to be paid for."""
        if isinstance(self.store, FileRecordStore):
            self.store.settle()

    def create(self) -> None:
        self.store.insert(self.project, JOBS.name, _document(next(self._numbers)))

    def create_many(self) -> None:
        self.store.insert_many(self.project, JOBS.name, [_document(next(self._numbers)) for _ in range(1000)])

    def claim(self, count: int = 1) -> list[Any]:
        taken = self.store.claim_first(
            self.project,
            JOBS.name,
            {"status": "pending"},
            {"status": "processing"},
            order=("-priority", "id"),
            limit=count,
        )
        assert taken, "no record was left to claim"
        return taken

    def claim_and_complete(self) -> None:
        (record,) = self.claim()
        self.store.update(self.project, JOBS.name, record.id, {"status": "completed"}, guard={"status": "processing"})

    def claim_and_complete_ten(self) -> None:
        self.store.apply(
            self.project,
            [
                Update(JOBS.name, record.id, {"status": "completed"}, guard={"status": "processing"})
                for record in self.claim(10)
            ],
        )

    def update(self) -> None:
        self.store.update(self.project, JOBS.name, next(self._rotation), {"note": f"note {next(self._numbers)}"})

    def get(self) -> None:
        self.store.get(self.project, JOBS.name, next(self._rotation))

    def page(self) -> None:
        page = self.store.query(self.project, JOBS.name, {"status": "pending"}, order=("-priority", "id"), limit=50)
        assert page.records

    def deep_page(self) -> None:
        assert self.store.query(self.project, JOBS.name, order="id", limit=50, cursor=self._deep).records

    def count(self) -> None:
        assert self.store.count(self.project, JOBS.name, {"status": "pending"})

    def count_by_status(self) -> None:
        assert self.store.count_by(self.project, JOBS.name, ["status"])

    def reindex(self) -> None:
        assert self.store.rebuild_index(self.project)

    def _deep_cursor(self) -> str | None:
        """Before the middle of what is there, reached as a reader would who followed the pages."""
        if len(self._ids) < 2:
            return None
        middle = self._ids[len(self._ids) // 2]
        page = self.store.query(self.project, JOBS.name, {"id__gte": middle}, order="id", limit=1)
        return page.next_cursor


def _document(number: int) -> dict[str, Any]:
    return {**BODY, "status": "pending", "kind": "pdf" if number % 3 else "html", "priority": number % 10}
