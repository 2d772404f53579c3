"""`manage.py records …` over whichever store is configured."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from storage_app.records import configured, registry
from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection, Field, Ids, Kind
from storage_app.records.memory import MemoryRecordStore
from tests.contracts.example_store import ShelveRecordStore

NOTES = Collection(
    "cmd_notes", ids=Ids.SEQUENCE, fields=(Field("topic", Kind.TEXT), Field("at", Kind.TIME)), partition="topic"
)
Run = Callable[..., list[dict[str, Any]]]


registry.register("example", "tests.contracts.example_store:ShelveRecordStore")


@pytest.fixture
def store() -> Iterator[RecordStore]:
    store = MemoryRecordStore([NOTES])
    store.insert_many(
        "alpha", "cmd_notes", [{"topic": "a", "at": f"20{year}-01-01T00:00:00Z"} for year in range(10, 30)]
    )
    store.append("alpha", "cmd_notes", 1, "logs", [{"n": 1}, {"n": 2}])
    store.insert("beta", "free.tasks", {"x": 10**30})
    with configured.using(store):
        yield store


@pytest.fixture
def records(store: RecordStore) -> Run:
    """Runs the command; the results it told of, as JSON."""

    def run(*words: str) -> list[dict[str, Any]]:
        output = io.StringIO()
        call_command("records", *words, stdout=output, stderr=io.StringIO())
        lines = [json.loads(line) for line in output.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "result"]

    return run


def refusal(run: Callable[[], object]) -> int:
    with pytest.raises(CommandError) as error:
        run()
    return error.value.returncode


def test_init_stats_check_and_reindex_tell_what_is_there(records: Run) -> None:
    assert records("init")[0]["projects"] == 2
    stats = records("stats")
    assert [(line["project"], line["collection"], line["records"], line["entries"]) for line in stats] == [
        ("alpha", "cmd_notes", 20, 2),
        ("beta", "free.tasks", 1, 0),
    ]
    assert records("check", "--project", "alpha")[-1]["records"] == 20
    assert records("reindex")[-1]["records"] == 21
    assert records("upgrade", "--dry-run")[-1]["pending"] == 0


def test_what_check_finds_ends_with_one_and_repair_puts_it_right(records: Run, store: MemoryRecordStore) -> None:
    next(iter(store._shelves("alpha")))[1].indexes.counters["topic",].clear()
    assert refusal(lambda: records("check")) == 1
    assert refusal(lambda: records("repair")) == 1, "nobody was asked"
    assert records("repair", "--yes")[-1]["problems"] == 1
    assert records("check")[-1]["problems"] == 0


def test_everything_moves_to_another_store_and_is_compared(
    records: Run, store: RecordStore, tmp_path: Path, settings: Settings
) -> None:
    settings.RECORD_STORE = {"backend": "memory", "options": {"example": {"path": str(tmp_path / "shelf")}}}
    configured.declare(NOTES)
    moved = records("migrate", "--to", "example")
    assert [(line["collection"], line["copied"], line["same"]) for line in moved[:2]] == [
        ("cmd_notes", 20, True),
        ("free.tasks", 1, True),
    ]
    store.insert("alpha", "cmd_notes", {"topic": "new"})
    again = records("migrate", "--to", "example")
    assert [(line["copied"], line["same"]) for line in again[:2]] == [(1, True), (0, True)]
    with ShelveRecordStore([NOTES], path=str(tmp_path / "shelf")) as target:
        assert target.digest("alpha", "cmd_notes") == store.digest("alpha", "cmd_notes")
        assert target.insert("alpha", "cmd_notes", {}).id == 22
    assert refusal(lambda: records("migrate", "--to", "example")) == 1, "the target has a record of its own"
    assert refusal(lambda: records("migrate", "--to", "memory")) == 2


def test_quarantine_is_not_copied_and_not_passed_over_in_silence(
    records: Run, store: RecordStore, tmp_path: Path, settings: Settings
) -> None:
    settings.RECORD_STORE = {"backend": "memory", "options": {"example": {"path": str(tmp_path / "shelf")}}}
    configured.declare(NOTES)
    store.quarantine("alpha", "cmd_notes", 3, "reason")
    assert refusal(lambda: records("migrate", "--to", "example")) == 1


def test_an_export_is_taken_in_by_an_empty_store_and_exports_the_same(
    records: Run, store: RecordStore, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    assert records("export", str(first))[-1]["lines"] == 20 + 2 + 1 + 1 + 1
    with configured.using(MemoryRecordStore([NOTES])) as other:
        assert records("import", str(first))[-1]["added"] == 21
        assert records("import", str(first))[-1]["added"] == 0
        records("export", str(second))
        assert other.digest("beta", "free.tasks") == store.digest("beta", "free.tasks")
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


@pytest.mark.parametrize("line", ["{", '{"project": "a"}', '{"project": "a", "collection": "cmd_notes", "kind": "x"}'])
def test_a_line_that_is_none_is_named(records: Run, tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.jsonl").write_text("\n" + line)
    with pytest.raises(CommandError, match="line 2") as error:
        records("import", str(tmp_path / "bad.jsonl"))
    assert error.value.returncode == 2


def test_cleanup_removes_what_is_old_and_counts_it_first(records: Run, store: RecordStore) -> None:
    words = ("cleanup", "--older-than", "520w", "--collection", "cmd_notes", "--by", "at")
    old = records(*words, "--dry-run")[-1]["records"]
    assert 0 < old < 20
    assert store.count("alpha", "cmd_notes") == 20
    assert refusal(lambda: records(*words)) == 1
    assert records(*words, "--yes")[-1]["records"] == old
    assert store.count("alpha", "cmd_notes") == 20 - old
    store.quarantine("alpha", "cmd_notes", 20, "reason")
    assert records("cleanup", "--older-than", "1d", "--yes")[-1]["quarantined"] == 0
    assert records("cleanup", "--older-than", "0s", "--yes")[-1]["quarantined"] == 1
    assert refusal(lambda: records("cleanup", "--older-than", "soon")) == 2


def test_reset_deletes_nothing_without_a_yes(records: Run, store: RecordStore) -> None:
    assert refusal(lambda: records("reset")) == 1
    assert store.projects() == ["alpha", "beta"]
    assert records("reset", "--project", "beta", "--yes")[-1]["records"] == 1
    assert store.projects() == ["alpha"]


def test_a_terminal_sees_sentences_and_a_bar(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    output = Terminal()
    call_command("records", "check", stdout=output, stderr=Terminal())
    assert "21 records, 2 entries, 0 problems" in output.getvalue()
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert refusal(lambda: call_command("records", "reset", stdout=output, stderr=Terminal())) == 1
    assert store.projects() == ["alpha", "beta"]


def test_wrong_words_end_with_two(records: Run) -> None:
    assert refusal(lambda: records("stats", "--project", "../x")) == 2
    assert refusal(lambda: records("cleanup", "--older-than", "1d", "--by", "at")) == 2
