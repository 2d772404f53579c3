"""Two stores are driven by the same random steps; every answer, order and error must be the same in both.

The left one is a backend of the registry; the right one another backend, or the plain list of `naive.py`.
"""

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from storage_app.records.answers import Page
from storage_app.records.base import RecordStore
from storage_app.records.errors import RecordStoreError
from storage_app.records.operations import REMOVE, Entry
from tests.contracts.backends import BACKENDS, COLLECTIONS, Opening
from tests.contracts.naive import NaiveStore

# Each is driven beside the plain list; a pair of backends is a line more.
PAIRS: list[tuple[str, str]] = [(name, "naive") for name in BACKENDS]
PROJECTS = ("alpha", "beta")
PROJECT = st.sampled_from(["alpha", "alpha", "alpha", "beta"])

TEXTS = st.sampled_from(["", "a", "A", "ab", "b", "é", "%", "ß", "a\\'", "😀", "\uff21"])
TIMES = st.sampled_from(
    ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00.000001Z", "1969-12-31T23:59:59Z"]
)
PLAIN = st.sampled_from([None, True, False, 0, 1, 1.0, -0.0, 10**20, "1", "", [], [1, "a"], {}, {"y": 1}, {"y": True}])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "status": st.none() | TEXTS,
    "kind": st.none() | st.sampled_from(["k", "l"]),
    "priority": st.none() | st.integers(-2, 2),
    "weight": st.none() | st.sampled_from([0, 0.5, 1, -1.5, -0.0]),
    "created_at": st.none() | TIMES,
    "due": st.none() | st.booleans(),
    "tags": st.none() | st.lists(TEXTS, max_size=3),
    "words": st.none() | TEXTS,
    "task": st.none() | st.sampled_from(["t1", "t2", "t3"]),
    "x": PLAIN,
}
WRONG = st.sampled_from([{"status": 1}, {"priority": "x"}, {"id": 1}, {"x": float("nan")}, {"tags": "x"}])
SOUND = st.fixed_dictionaries({}, optional=FIELDS)
DOCUMENTS = st.integers(0, 9).flatmap(lambda dice: SOUND if dice else WRONG)
CHANGES = st.fixed_dictionaries({}, optional={name: values | st.just(REMOVE) for name, values in FIELDS.items()})
ORDERED = ("status", "kind", "priority", "weight", "created_at", "task")
TEXTUAL = ("__contains", "__search", "__startswith")
COMPARED = ("", "__ne", "__lt", "__lte", "__gt", "__gte")


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    return dict(draw(st.lists(_condition(), max_size=3)))


@st.composite
def _condition(draw: st.DrawFn) -> tuple[str, Any]:
    field = draw(st.sampled_from(sorted(FIELDS)))
    suffix = draw(st.sampled_from(_suffixes(field)))
    if suffix == "__isnull":
        return field + suffix, draw(st.booleans())
    if suffix == "__in":
        return field + suffix, draw(st.lists(FIELDS[field], max_size=3))
    return field + suffix, draw(TEXTS if suffix in TEXTUAL else FIELDS[field])


def _suffixes(field: str) -> list[str]:
    suffixes = ["__isnull"]
    if field in ORDERED:
        suffixes += [*COMPARED, "__in"]
    if field in ("due", "x"):
        suffixes += ["", "__ne", "__in"]
    if field in ("status", "words", "x"):
        suffixes += ["__contains", "__search"]
    if field == "status":
        suffixes += ["__startswith"]
    if field == "tags":
        suffixes += ["__contains"]
    return suffixes


ORDERS = st.sampled_from(
    [
        "id",
        "-id",
        *ORDERED,
        *(f"-{name}" for name in ORDERED),
        ("-priority", "id"),
        ("priority", "-id"),
        ("priority", "-created_at"),
        ("-priority", "created_at"),
    ]
)
COLLECTION_NAMES = st.sampled_from(["jobs", "notes", "things"])
GIVEN_IDS = st.sampled_from(["a", "A", "../a", "é", "CON", "z"])
VERSIONS = st.none() | st.integers(1, 3)
ENTRIES = st.lists(
    st.tuples(st.fixed_dictionaries({"n": st.integers(0, 9)}), st.none() | st.integers(0, 6)), max_size=5
)


class Driven(Protocol):
    """What the machine asks of either side; records, plain tuples and numbers come back."""

    def do(self, call: str, *arguments: Any) -> Any: ...


class Naive:
    def __init__(self) -> None:
        self._store = NaiveStore(list(COLLECTIONS))

    def do(self, call: str, *arguments: Any) -> Any:
        return getattr(self._store, call)(*arguments)


class Real:
    def __init__(self, store: RecordStore) -> None:
        self.store = store
        self._suffix = uuid.uuid4().hex  # a store may be shared by tests

    def do(self, call: str, project: str, *arguments: Any) -> Any:
        return getattr(self, call)(f"{project}-{self._suffix}", *arguments)

    def insert(self, project: str, name: str, document: Any, id: Any) -> Any:
        return self.store.insert(project, name, document, id=id)

    def insert_many(self, project: str, name: str, documents: Any) -> Any:
        return self.store.insert_many(project, name, documents)

    def get(self, project: str, name: str, id: Any) -> Any:
        return self.store.get(project, name, id)

    def update(self, project: str, name: str, id: Any, changes: Any, version: Any, guard: Any) -> Any:
        return self.store.update(project, name, id, changes, expected_version=version, guard=guard)

    def replace(self, project: str, name: str, id: Any, document: Any, version: Any, guard: Any) -> Any:
        return self.store.replace(project, name, id, document, expected_version=version, guard=guard)

    def delete(self, project: str, name: str, id: Any, version: Any, guard: Any) -> Any:
        return self.store.delete(project, name, id, expected_version=version, guard=guard)

    def query(self, project: str, name: str, where: Any, order: Any) -> Any:
        """In pages of three, forwards and backwards: both ways must give the same whole."""
        pages: list[Page] = [self.store.query(project, name, where, order=order, limit=3)]
        while cursor := pages[-1].next_cursor:
            pages.append(self.store.query(project, name, where, order=order, limit=3, cursor=cursor))
        forwards = [record for page in pages for record in page.records]
        backwards = pages[-1].records
        cursor = pages[-1].previous_cursor
        while cursor:
            page = self.store.query(project, name, where, order=order, limit=2, cursor=cursor)
            backwards, cursor = page.records + backwards, page.previous_cursor
        assert backwards == forwards
        return forwards

    def count(self, project: str, name: str, where: Any) -> Any:
        return self.store.count(project, name, where)

    def count_by(self, project: str, name: str, by: Any, where: Any) -> Any:
        return self.store.count_by(project, name, by, where)

    def claim_first(self, project: str, name: str, where: Any, changes: Any, order: Any, limit: int) -> Any:
        return self.store.claim_first(project, name, where, changes, order=order, limit=limit)

    def delete_where(self, project: str, name: str, where: Any, limit: int) -> Any:
        return self.store.delete_where(project, name, where, limit=limit).records

    def append(self, project: str, name: str, id: Any, entries: Any, source: str) -> Any:
        made = [Entry(data, number) for data, number in entries]
        appended = self.store.append(project, name, id, "logs", made, source=source)
        return appended.added, appended.end

    def read_stream(self, project: str, name: str, id: Any) -> Any:
        page = self.store.read_stream(project, name, id, "logs", limit=1000)
        return [(entry.data, entry.source, entry.number) for entry in page.entries]

    def delete_project(self, project: str) -> Any:
        return self.store.delete_project(project)


def answer(call: Callable[[], Any]) -> Any:
    """The answer down to the spelling of numbers, or the error's code and what it must carry."""
    try:
        result = call()
    except RecordStoreError as error:
        return error.code, error.details.get("version")
    return repr(result)


class SideBySide(RuleBasedStateMachine):
    """A subclass says who stands on which side."""

    places = Bundle("places")

    def sides(self) -> tuple[Driven, Driven]:
        raise NotImplementedError

    @initialize(documents=st.lists(SOUND, min_size=10, max_size=20), topics=st.lists(TEXTS, max_size=4))
    def open(self, documents: list[Any], topics: list[str]) -> None:
        """Begins with enough records to differ by: an empty store proves little."""
        self.left, self.right = self.sides()
        for number, document in enumerate(documents, 1):
            self.both("insert", PROJECTS[0], "jobs", document, str(uuid.UUID(int=number)))
        self.both("insert_many", PROJECTS[0], "notes", [{"topic": topic} for topic in topics])

    def both(self, call: str, *arguments: Any) -> str | tuple[str, Any]:
        one = answer(lambda: self.left.do(call, *arguments))
        other = answer(lambda: self.right.do(call, *arguments))
        assert one == other, (call, arguments)
        return other  # type: ignore[no-any-return]  # what `answer` gives

    @rule(target=places, project=PROJECT, document=DOCUMENTS, given=GIVEN_IDS)
    def insert_thing(self, project: str, document: Any, given: str) -> Any:
        self.both("insert", project, "things", {**document, "rank": 1}, given)
        return project, "things", given

    @rule(target=places, project=PROJECT, document=DOCUMENTS, id=st.integers(1, 30))
    def insert_job(self, project: str, document: Any, id: int) -> Any:
        given = str(uuid.UUID(int=id))  # small, so that taken ones come too
        self.both("insert", project, "jobs", document, given)
        return project, "jobs", given

    @rule(
        target=places,
        project=PROJECT,
        topics=st.lists(st.none() | TEXTS | st.just(1), max_size=3),
        probe=st.integers(1, 12),
    )
    def insert_notes(self, project: str, topics: list[Any], probe: int) -> Any:
        self.both("insert_many", project, "notes", [{"topic": topic} for topic in topics])
        return multiple((project, "notes", probe))

    @rule(project=PROJECT, id=st.integers(0, 20))
    def insert_numbered_note(self, project: str, id: int) -> None:
        self.both("insert", project, "notes", {"topic": "given"}, id)

    @rule(place=places)
    def get(self, place: Any) -> None:
        self.both("get", *place)

    @rule(place=places, changes=CHANGES, version=VERSIONS, guard=conditions())
    def update(self, place: Any, changes: Any, version: int | None, guard: Any) -> None:
        self.both("update", *place, changes, version, guard if place[1] == "jobs" else {})

    @rule(place=places, document=DOCUMENTS, version=VERSIONS)
    def replace(self, place: Any, document: Any, version: int | None) -> None:
        self.both("replace", *place, document, version, {})

    @rule(place=places, version=VERSIONS, guard=conditions())
    def delete(self, place: Any, version: int | None, guard: Any) -> None:
        self.both("delete", *place, version, guard if place[1] == "jobs" else {})

    @rule(field=st.sampled_from(ORDERED), data=st.data())
    def compare_in_every_way(self, field: str, data: st.DataObject) -> None:
        value = data.draw(FIELDS[field])
        for suffix in COMPARED:
            self.both("count", PROJECTS[0], "jobs", {field + suffix: value})
            self.both("query", PROJECTS[0], "jobs", {field + suffix: value}, data.draw(ORDERS))

    @rule()
    def sort_in_every_way(self) -> None:
        for field in ORDERED:
            for order in (field, f"-{field}", ("-priority", "id"), ("priority", "-created_at")):
                self.both("query", PROJECTS[0], "jobs", {}, order)

    @rule(project=PROJECT, where=conditions(), order=ORDERS)
    def query_jobs(self, project: str, where: Any, order: Any) -> None:
        self.both("query", project, "jobs", where, order)
        self.both("count", project, "jobs", where)

    @rule(
        project=PROJECT,
        by=st.lists(st.sampled_from(["status", "kind", "priority", "due"]), min_size=1, max_size=2, unique=True),
        where=conditions(),
    )
    def count_by(self, project: str, by: Any, where: Any) -> None:
        self.both("count_by", project, "jobs", by, where)

    @rule(project=PROJECT, where=conditions(), changes=CHANGES, order=ORDERS, limit=st.integers(1, 4))
    def claim(self, project: str, where: Any, changes: Any, order: Any, limit: int) -> None:
        self.both("claim_first", project, "jobs", where, changes, order, limit)

    @rule(project=PROJECT, where=conditions(), limit=st.integers(1, 4))
    def delete_where(self, project: str, where: Any, limit: int) -> None:
        self.both("delete_where", project, "jobs", where, limit)

    @rule(place=places, entries=ENTRIES, source=st.sampled_from(["", "w1", "w2"]))
    def append(self, place: Any, entries: Any, source: str) -> None:
        self.both("append", *place, entries, source)
        self.both("read_stream", *place)

    @rule(project=PROJECT, really=st.integers(0, 9))
    def delete_project(self, project: str, really: int) -> None:
        if not really:
            self.both("delete_project", project)

    @invariant()
    def hold_the_same(self) -> None:
        for project in PROJECTS:
            for name in ("jobs", "notes", "things"):
                self.both("query", project, name, {}, "id")


@pytest.mark.long
@pytest.mark.parametrize(("left", "right"), PAIRS, ids=str)
def test_both_answer_alike(left: str, right: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    class Machine(SideBySide):
        def sides(self) -> tuple[Driven, Driven]:
            self.folder = tempfile.TemporaryDirectory(dir=tmp_path)
            return _side(left, request, self.folder), _side(right, request, self.folder)

        def teardown(self) -> None:
            for side in (self.left, self.right):
                if isinstance(side, Real):
                    side.store.close()
            self.folder.cleanup()

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )


def _side(name: str, request: pytest.FixtureRequest, folder: "tempfile.TemporaryDirectory[str]") -> Driven:
    if name == "naive":
        return Naive()
    backend = BACKENDS[name]
    place = Path(folder.name) / name
    place.mkdir()
    return Real(Opening(backend.name, backend.prepare(request, place)).open())
