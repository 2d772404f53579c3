"""The index check: whether indexes and counters say what the records say. What is derived is made anew where they do
not; what somebody edited or broke by hand is told, and `records repair` takes it in.

Each run begins with another project, so that a very large one keeps none of the others from being looked at.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

from jobs_app.domain.maintenance import Counts, Deadline
from storage_app.records.answers import Problem, Progress
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store

DERIVED: Final = frozenset({"counter", "index_stale"})
MOST_TOLD: Final = 20
log = logging.getLogger("holdfast.index")


def run(deadline: Deadline) -> Counts:
    store = record_store()
    counts: Counter[str] = Counter(projects=0, records=0, faults=0, made_anew=0, unfinished=0)
    for slug in _turns(store):
        try:
            report = store.check(slug, progress=_until(deadline))
        except _TimeIsOverError:
            counts["unfinished"] += 1
            break
        counts.update(projects=1, records=report.records, faults=len(report.problems))
        _tell(report.problems)
        if any(problem.kind in DERIVED for problem in report.problems):
            store.rebuild_index(slug)
            counts["made_anew"] += 1
        if deadline.passed:
            break
    return dict(counts)


class _TimeIsOverError(Exception):
    """The look at a project was broken off; nothing was changed."""


def _turns(store: RecordStore) -> list[str]:
    slugs = sorted(store.projects())
    first = int(store.now().timestamp()) // 3600 % max(len(slugs), 1)
    return slugs[first:] + slugs[:first]


def _until(deadline: Deadline) -> Progress:
    def progress(done: int, total: int | None) -> None:
        if total is None and deadline.passed:
            raise _TimeIsOverError

    return progress


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems[:MOST_TOLD]:
        place = f"{problem.project}/{problem.collection} {problem.record_id or ''}".strip()
        log.warning("The index check found %s in %s: %s", problem.kind, place, problem.detail)
