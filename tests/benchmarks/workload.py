"""The collection that is measured, and what is done to it, over any record store."""

import itertools
from typing import Any, Final

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.operations import Update
from tests.benchmarks.yardsticks import BODY

PROJECT: Final = "bench"
JOBS: Final = Collection(
    "bench_jobs",
    ids=Ids.TIME_ORDERED,
    fields=(Field("status", Kind.TEXT), Field("kind", Kind.TEXT), Field("priority", Kind.INTEGER)),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)),),
    counters=(("status", "kind"),),
)
CLAIM: Final = {"order": ("-priority", "id")}


class Workload:
    def __init__(self, store: RecordStore, size: int) -> None:
        self.store = store
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
                PROJECT, "bench_jobs", [_document(next(self._numbers)) for _ in range(step)]
            )
            self._ids += [record.id for record in records[:50]]
            count -= step

    def create(self) -> None:
        self.store.insert(PROJECT, "bench_jobs", _document(next(self._numbers)))

    def create_many(self) -> None:
        self.store.insert_many(PROJECT, "bench_jobs", [_document(next(self._numbers)) for _ in range(1000)])

    def claim(self, count: int = 1) -> list[Any]:
        taken = self.store.claim_first(
            PROJECT,
            "bench_jobs",
            {"status": "pending"},
            {"status": "processing"},
            order=("-priority", "id"),
            limit=count,
        )
        assert taken, "no record was left to claim"
        return taken

    def claim_and_complete(self) -> None:
        (record,) = self.claim()
        self.store.update(PROJECT, "bench_jobs", record.id, {"status": "completed"}, guard={"status": "processing"})

    def claim_and_complete_ten(self) -> None:
        self.store.apply(
            PROJECT,
            [
                Update("bench_jobs", record.id, {"status": "completed"}, guard={"status": "processing"})
                for record in self.claim(10)
            ],
        )

    def update(self) -> None:
        self.store.update(PROJECT, "bench_jobs", next(self._rotation), {"note": f"note {next(self._numbers)}"})

    def get(self) -> None:
        self.store.get(PROJECT, "bench_jobs", next(self._rotation))

    def page(self) -> None:
        page = self.store.query(PROJECT, "bench_jobs", {"status": "pending"}, order=("-priority", "id"), limit=50)
        assert page.records

    def deep_page(self) -> None:
        assert self.store.query(PROJECT, "bench_jobs", order="id", limit=50, cursor=self._deep).records

    def count(self) -> None:
        assert self.store.count(PROJECT, "bench_jobs", {"status": "pending"})

    def reindex(self) -> None:
        assert self.store.rebuild_index(PROJECT)

    def _deep_cursor(self) -> str | None:
        """Before the middle of what is there, reached as a reader would who followed the pages."""
        if len(self._ids) < 2:
            return None
        middle = self._ids[len(self._ids) // 2]
        page = self.store.query(PROJECT, "bench_jobs", {"id__gte": middle}, order="id", limit=1)
        return page.next_cursor


def _document(number: int) -> dict[str, Any]:
    return {**BODY, "status": "pending", "kind": "pdf" if number % 3 else "html", "priority": number % 10}
