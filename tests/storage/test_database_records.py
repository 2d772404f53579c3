"""What only the database store has: plans, tables from declarations, transactions of the caller's, lost connections."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from storage_app.records import query
from storage_app.records.database import words
from storage_app.records.database.layout import Layout
from storage_app.records.database.store import DatabaseRecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind, Order
from storage_app.records.errors import LockTimeoutError, QuarantinedError, RecordNotFoundError
from storage_app.records.operations import Insert
from storage_app.search.fields import Fields
from storage_app.search.grammar import parse
from storage_app.search.query import search_of
from tests import databases

PLANNED = Collection(
    "planned",
    fields=(
        Field("status", Kind.TEXT),
        Field("kind", Kind.TEXT),
        Field("priority", Kind.INTEGER),
        Field("created_at", Kind.TIME),
        Field("tags", Kind.TEXT_LIST),
        Field("words", Kind.SEARCH),
        Field("task", Kind.TEXT, unique=True),
    ),
    partition="status",
    orders=(Order(("-priority", "id"), within=("status",)), Order(("-priority", "id"), within=("status", "kind"))),
    counters=(("status", "kind"),),
)
COUNTED = Collection("counted_up", ids=Ids.SEQUENCE)
WORDED = Collection(
    "worded",
    ids=Ids.GIVEN,
    fields=(
        Field("shelf", Kind.TEXT),
        Field("at", Kind.TIME),
        Field("text", Kind.WORDS, newest="at", absent_in=("bin",)),
    ),
    partition="shelf",
)
COLLECTIONS = [PLANNED, COUNTED, WORDED]
NO_FIELDS = Fields((), ("text",))
ALWAYS = query.AllOf(())


@pytest.fixture(scope="module")
def postgresql(django_db_blocker: DjangoDbBlocker) -> Iterator[databases.Settings]:
    with databases.postgresql_server() as socket_folder, django_db_blocker.unblock():
        settings = databases.postgresql_settings(socket_folder)
        databases.make(settings, COLLECTIONS)
        yield settings


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> databases.Settings:
    settings = databases.sqlite_settings(tmp_path_factory.mktemp("sqlite") / "records.sqlite3")
    with django_db_blocker.unblock():
        databases.make(settings, COLLECTIONS)
    return settings


@pytest.fixture(params=["sqlite", "postgresql"])
def alias(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        alias = databases.use(request.getfixturevalue(request.param))
        yield alias
        databases.forget(alias)


@pytest.fixture
def record_store(alias: str) -> Iterator[DatabaseRecordStore]:
    with DatabaseRecordStore(COLLECTIONS, alias=alias, lock_timeout=1.0) as store:
        store.delete_project("p")
        yield store
        store.delete_project("p")


@pytest.fixture
def plans(record_store: DatabaseRecordStore, alias: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plans of every read from here on, as the engine tells them."""
    store = record_store
    store.insert_many("p", "planned", [_job(number) for number in range(2000)])
    original = store._database.read

    def explained(sql: str, parameters: Any = (), planned: bool = False) -> list[tuple[Any, ...]]:
        if not sql.startswith("EXPLAIN"):
            told.extend(_plan(alias, sql, parameters, planned))
        return original(sql, parameters, planned)

    told: list[str] = []
    monkeypatch.setattr(store._database, "read", explained)
    return told


def _job(number: int) -> dict[str, Any]:
    return {
        "status": "pending" if number % 2 else "done",
        "kind": f"k{number % 3}",
        "priority": number % 7,
        "created_at": f"2026-01-01T00:00:{number % 60:02}Z",
        "tags": [f"t{number % 400}"],
        "task": f"task {number}",
    }


def _plan(alias: str, sql: str, parameters: Any, planned: bool) -> list[str]:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        if connections[alias].vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            return _without_scans_of_subqueries(cursor.fetchall())
        if planned:
            cursor.execute("SET LOCAL enable_sort=off; SET LOCAL enable_seqscan=off; SET LOCAL enable_bitmapscan=off")
        cursor.execute(f"EXPLAIN {sql}", parameters)
        return [row[0] for row in cursor.fetchall()]


def _without_scans_of_subqueries(steps: list[tuple[int, int, int, str]]) -> list[str]:
    """A subquery named as its table is walked under that name, but beside its own step; its table's scan is below."""
    subqueries = {
        (parent, step.removeprefix(word))
        for _, parent, _, step in steps
        for word in ("CO-ROUTINE ", "MATERIALIZE ")
        if step.startswith(word)
    }
    return [step for _, parent, _, step in steps if (parent, step.removeprefix("SCAN ")) not in subqueries]


def _sorts(plan: list[str]) -> list[str]:
    return [line for line in plan if "Sort" in line or "TEMP B-TREE FOR" in line]


def _scans(plan: list[str]) -> list[str]:
    return [line for line in plan if "Seq Scan on records_" in line or line.startswith("SCAN records_")]


@pytest.mark.parametrize(
    ("conditions", "order"),
    [
        ({"status": "pending"}, ("-priority", "id")),
        ({"status": "pending", "kind": "k1"}, ("-priority", "id")),
        ({"status": "pending", "kind__in": ["k1", "k2"]}, ("-priority", "id")),
        ({"status": "pending"}, ("priority", "-id")),
        ({"status": "pending"}, "id"),
        ({}, "id"),
        ({}, "-id"),
        ({}, "-created_at"),
        ({}, "priority"),
    ],
)
def test_a_page_of_a_declared_order_is_neither_sorted_nor_scanned(
    record_store: DatabaseRecordStore, plans: list[str], conditions: dict[str, Any], order: Any
) -> None:
    page = record_store.query("p", "planned", conditions, order=order, limit=20)
    for _ in range(3):
        assert page.next_cursor
        page = record_store.query("p", "planned", conditions, order=order, limit=20, cursor=page.next_cursor)
        assert len(page.records) == 20
    record_store.query("p", "planned", conditions, order=order, limit=20, cursor=page.previous_cursor)
    assert plans
    assert _sorts(plans) == []
    assert _scans(plans) == []


@pytest.mark.parametrize(
    "conditions",
    [{"status": "pending"}, {"task": "task 5"}, {"priority__gte": 6}, {"created_at__lt": "2026-01-01T00:00:02Z"}, {}],
)
def test_counting_by_an_indexed_field_scans_nothing(
    record_store: DatabaseRecordStore, plans: list[str], conditions: dict[str, Any]
) -> None:
    assert record_store.count("p", "planned", conditions) > 0
    assert plans
    assert _scans(plans) == []


def test_a_count_of_a_few_values_reads_no_other_counters(
    record_store: DatabaseRecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [{"status": status, "kind": f"k{number}"} for number in range(40) for status in "ab"]
    record_store.insert_many("p", "planned", kinds)
    read, rows = record_store._database.read, []

    def noted(sql: str, parameters: Any = (), planned: bool = False) -> list[tuple[Any, ...]]:
        rows.extend(read(sql, parameters, planned))
        return rows

    monkeypatch.setattr(record_store._database, "read", noted)
    assert record_store.count("p", "planned", {"status__in": ["a", "b", "c"], "kind": "k7"}) == 2
    assert len(rows) == 2


def test_a_few_among_many_are_found_by_their_index(record_store: DatabaseRecordStore, plans: list[str]) -> None:
    record_store.insert("p", "planned", {"status": "rare", "created_at": "2026-01-01T00:00:00Z"})
    connections[record_store._database._connections.alias].cursor().execute("ANALYZE")
    assert len(record_store.query("p", "planned", {"status": "rare"}, order="-created_at").records) == 1
    assert len(record_store.query("p", "planned", {"tags__contains": "t5"}).records) == 5
    assert _scans(plans) == []


def test_a_search_reads_no_text_that_it_need_not_and_no_record(
    record_store: DatabaseRecordStore, plans: list[str], alias: str
) -> None:
    texts = ["common and more", "common", "common rare"]
    rows = [(f"w{number}", texts[0 if number % 3 else 1 + (number % 40 == 0)]) for number in range(1200)]
    for start in range(0, len(rows), 400):
        record_store.apply(
            "p", [Insert("worded", _worded(number, text), number) for number, text in rows[start : start + 400]]
        )
    for asked, found in (("rare", 10), ("common -more", 400), ("common", 1200)):
        plans.clear()
        search = search_of(parse(asked, NO_FIELDS), NO_FIELDS)
        hits = record_store.find_words("p", "worded", search, {"shelf__in": ["a", "b"]}, meaning=lambda _: ALWAYS)
        assert len(hits.hits) == found
        assert plans
        assert not [line for line in plans if "records_worded" in line], asked
        if connections[alias].vendor == "sqlite":  # PostgreSQL looks through a small table as it is
            assert [line for line in plans if "t USING COVERING INDEX" in line], asked


def _worded(id: str, text: str) -> dict[str, Any]:
    return {"shelf": "a" if int(id[1:]) % 2 else "b", "at": "2026-01-01T00:00:00Z", "text": text}


def test_texts_indexed_before_their_partition_was_are_marked_or_removed(
    record_store: DatabaseRecordStore, alias: str
) -> None:
    for id, shelf in (("a", "open"), ("b", "bin"), ("c", None)):
        record_store.insert("p", "worded", {"shelf": shelf, "at": None, "text": "word"}, id=id)
    with connections[alias].cursor() as cursor:
        copied = "project, collection, newest, length, form, scope, tokens, folded"
        cursor.execute(f"UPDATE {words.TABLE} SET part = NULL")
        cursor.execute(
            f"INSERT INTO {words.TABLE} (record, {copied}) SELECT 'b', {copied} FROM {words.TABLE} WHERE record = 'a'"
        )
    assert len(record_store.check("p").problems) == 2
    with connections[alias].schema_editor() as editor:
        words.enter_parts(editor, "worded", Layout(WORDED).table, "key_shelf", ["bin"])
    assert record_store.check("p").problems == []


def test_a_claim_walks_the_index_of_its_order(record_store: DatabaseRecordStore, alias: str) -> None:
    record_store.insert_many("p", "planned", [_job(number) for number in range(2000)])
    declared = record_store.collection("planned")
    where = query.compiled(declared, {"status": "pending"})
    terms = (("priority", True), ("id", True))
    search = record_store._search("p", declared, where, (("priority", True), ("id", False)))
    assert terms != search.terms
    (sql,) = search.statements(1)
    plan = _plan(alias, sql, ["p", "pending"], True)
    assert _sorts(plan) + _scans(plan) == []
    first = record_store.claim_first("p", "planned", {"status": "pending"}, {"status": "x"}, order=("-priority", "id"))
    assert first[0].document["priority"] == 6


def test_a_write_belongs_to_the_transaction_around_it(record_store: DatabaseRecordStore, alias: str) -> None:
    with transaction.atomic(using=alias):
        record_store.insert("p", "planned", {"task": "a"})
        with pytest.raises(RecordNotFoundError):
            record_store.update("p", "planned", "01890000-0000-7000-8000-000000000000", {})
        assert record_store.count("p", "planned") == 1
        transaction.set_rollback(True, using=alias)
    assert record_store.count("p", "planned") == 0
    with transaction.atomic(using=alias):
        record_store.insert("p", "planned", {"task": "b"})
    assert record_store.count("p", "planned") == 1
    assert record_store.check("p").problems == []


def test_a_lock_that_is_not_had_in_time_is_an_error(record_store: DatabaseRecordStore, alias: str) -> None:
    record = record_store.insert("p", "planned", {"n": 1})
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with DatabaseRecordStore(COLLECTIONS, alias=alias) as other, transaction.atomic(using=alias):
            other.update("p", "planned", record.id, {"n": 2})
            held.set()
            free.wait(20)
        connections[alias].close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    with pytest.raises(LockTimeoutError):
        record_store.update("p", "planned", record.id, lambda record: {"n": 3})
    free.set()
    holder.join()
    assert record_store.get("p", "planned", record.id).document == {"n": 2}


def test_a_connection_that_the_server_closed_is_opened_again(
    postgresql: databases.Settings, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        alias = databases.use(postgresql)
        with DatabaseRecordStore(COLLECTIONS, alias=alias) as store:
            other = connections[alias].copy(alias)
            for number in range(3):
                store.insert("p", "planned", {"n": number})
                with other.cursor() as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                    )
                assert store.count("p", "planned") == number + 1 if number % 2 else store.projects() == ["p"]
            assert store.count("p", "planned") == 3
            other.close()
            store.delete_project("p")
        databases.forget(alias)


def test_a_row_that_holds_no_record_is_set_aside_and_the_rest_goes_on(
    record_store: DatabaseRecordStore, alias: str
) -> None:
    bad, edited, good = record_store.insert_many("p", "planned", [{"status": "a", "n": n} for n in range(3)])
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE records_planned SET document = '{\"n\": NaN}' WHERE id = %s", [bad.id])
        cursor.execute('UPDATE records_planned SET document = \'{"status": "b"}\' WHERE id = %s', [edited.id])
    assert {problem.kind for problem in record_store.check("p").problems} >= {"unreadable", "index_stale"}
    assert [record.id for record in record_store.query("p", "planned").records] == [edited.id, good.id]
    with pytest.raises(QuarantinedError):
        record_store.update("p", "planned", bad.id, {"n": 1})
    assert record_store.repair("p").problems
    assert record_store.check("p").problems == []
    assert record_store.get("p", "planned", edited.id).version == 2
    assert record_store.count_by("p", "planned", ["status"]) == {("a",): 1, ("b",): 1}
    (item,) = record_store.quarantined("p")
    assert record_store.quarantine_restore("p", item.id, '{"n": 1}').version == 2
    assert record_store.check("p").problems == []


def test_counters_and_streams_that_were_tampered_with_are_put_right(
    record_store: DatabaseRecordStore, alias: str
) -> None:
    record_store.insert_many("p", "planned", [_job(number) for number in range(20)])
    number = record_store.insert("p", "counted_up", {}).id
    record_store.append("p", "counted_up", number, "logs", [{"n": n} for n in range(5)])
    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE storage_app_recordcount SET number = number + 1")
        cursor.execute("UPDATE storage_app_recordtally SET records = records + 1")
        cursor.execute("UPDATE storage_app_recordsequence SET last = 0")
        cursor.execute("DELETE FROM storage_app_recordentry WHERE position = 2")
        cursor.execute("UPDATE records_planned SET key_priority = 99 WHERE key_priority = 3")
    assert {problem.kind for problem in record_store.check("p").problems} == {
        "counter",
        "sequence",
        "stream",
        "index_stale",
    }
    record_store.repair("p")
    assert record_store.check("p").problems == []
    entries = record_store.read_stream("p", "counted_up", number, "logs").entries
    assert [(entry.position, entry.data["n"]) for entry in entries] == [(1, 0), (2, 2), (3, 3), (4, 4)]
    assert record_store.insert("p", "counted_up", {}).id == 2
    assert record_store.count("p", "planned", {"priority": 3}) == 3


def test_counts_of_values_that_come_and_go_leave_no_rows_behind(record_store: DatabaseRecordStore, alias: str) -> None:
    record = record_store.insert("p", "planned", {"priority": 0})
    for number in range(450):
        record_store.update("p", "planned", record.id, {"priority": number})
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM storage_app_recordcount WHERE project = 'p' AND counter = 'priority'")
        assert cursor.fetchone()[0] < 250
    assert record_store.count("p", "planned", {"priority": 449}) == 1
    assert record_store.check("p").problems == []


@pytest.mark.django_db
def test_nothing_is_missing_from_the_migrations() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "storage_app", check=True, dry_run=True, verbosity=0)
    assert apps.get_model("storage_app", "RecordStream")
