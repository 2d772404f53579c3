"""Deferred changes: durable, seen at once, sent as one commit, parked where they cannot be."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from storage_app import file_storages, hashes
from storage_app.outbox import batches, flushing, leases, pending
from storage_app.outbox.reading import PendingView
from storage_app.outbox.tables import OutboxLine, PendingChange, PendingState, SentBatch
from storage_app.providers import FileDelete, FileWrite, StorageError, StorageErrorCode
from tests.conftest import Clock
from tests.storage import outbox_places
from tests.storage.outbox_places import ALIAS, NAMES, PROJECT, Place, Trouble
from tests.storage.s3 import S3

pytestmark = pytest.mark.django_db

RESET = "2026-01-31T12:00:00Z"


@pytest.fixture(params=[*NAMES, "object"])
def place(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Iterator[Place]:
    with outbox_places.known_kinds(), contextlib.ExitStack() as stack:
        if request.param == "object":
            s3: S3 = request.getfixturevalue("s3")
            place = Place({"provider": "object", **s3.options(s3.new_bucket())})
        else:
            place = stack.enter_context(outbox_places.place(request.param, tmp_path))
        settings.FILE_STORAGES = {ALIAS: place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def troubled(tmp_path: Path, settings: Settings) -> Iterator[Place]:
    with outbox_places.known_kinds(), outbox_places.place("troubled", tmp_path) as place:
        settings.FILE_STORAGES = {ALIAS: place.definition}
        yield place
        file_storages.close()


@pytest.fixture
def trouble(troubled: Place) -> Trouble:
    assert troubled.trouble is not None
    return troubled.trouble


@pytest.fixture
def view() -> PendingView:
    return PendingView(ALIAS, PROJECT)


def put(path: str, content: bytes | None, **conditions: str | bool | None) -> None:
    change = FileDelete(path, **conditions) if content is None else FileWrite(path, content, **conditions)  # type: ignore[arg-type]  # given as they are
    pending.put(ALIAS, PROJECT, [change], f"Change {path}", "anna")


def flush() -> flushing.Flushed:
    return flushing.flush(ALIAS, PROJECT)


def refused(code: StorageErrorCode, path: str, content: bytes | None, **conditions: str | bool | None) -> StorageError:
    with pytest.raises(StorageError) as caught:
        put(path, content, **conditions)
    assert caught.value.code is code
    return caught.value


def parked() -> dict[str, str]:
    rows = PendingChange.objects.filter(state=PendingState.PARKED)
    return {row.path: row.reason["code"] for row in rows}


def test_what_is_deferred_is_read_back_before_anything_is_sent(place: Place, view: PendingView) -> None:
    place.write("old/a", b"1")
    place.write("old/b", b"2")
    put("new/c", b"3")
    put("old/a", None)
    put("old/b", b"22")
    assert view.read_file("new/c").content == b"3"
    assert view.read_file("old/b").content == b"22"
    assert view.get_file_hash("old/b") == file_storages.run(_hash_of(b"22"))
    assert not view.file_exists("old/a")
    assert view.file_exists("new/c")
    assert view.get_file_info("new").is_directory
    assert [info.path for info in view.list_files()] == ["new", "old"]
    assert [info.path for info in view.list_files("old")] == ["old/b"]
    assert [info.path for info in view.list_files(recursive=True)] == ["new/c", "old/b"]
    assert [info.path for info in view.list_files_glob("**/[bc]")] == ["new/c", "old/b"]
    assert place.files() == {"old/a": b"1", "old/b": b"2"}


def test_all_that_waits_goes_out_as_one_commit_and_what_went_is_kept(place: Place, view: PendingView) -> None:
    place.write("gone", b"0")
    before = place.commits()
    put("a", b"1")
    put("b/c", b"2")
    put("gone", None)
    (batch,) = flush().sent
    assert place.files() == {"a": b"1", "b/c": b"2"}
    if before is not None:
        assert place.commits() == before + 1
    assert batch.commit
    assert [(file["path"], file["action"], file["author"]) for file in batch.files] == [
        ("a", "write", "anna"),
        ("b/c", "write", "anna"),
        ("gone", "delete", "anna"),
    ]
    assert not PendingChange.objects.exists()
    assert view.read_file("a").content == b"1"
    assert flush().sent == []


def test_later_changes_of_a_path_replace_earlier_ones(place: Place) -> None:
    before = place.commits()
    for content in (b"1", b"2", b"3"):
        put("a", content)
    put("b", b"1")
    put("b", None)
    put("b", b"2")
    assert PendingChange.objects.count() == 2
    flush()
    assert place.files() == {"a": b"3", "b": b"2"}
    if before is not None:
        assert place.commits() == before + 1


def test_what_was_made_and_unmade_before_it_was_sent_is_never_sent(place: Place) -> None:
    put("a", b"1", overwrite=False)
    put("a", None)
    assert not PendingChange.objects.exists()
    assert flush().sent == []
    assert place.files() == {}


def test_a_delete_of_what_was_written_over_is_sent_whether_or_not_it_was_there(place: Place) -> None:
    put("a", b"1")
    put("a", None)
    flush()
    assert not PendingChange.objects.exists()
    place.write("b", b"0")
    put("b", b"1")
    put("b", None)
    flush()
    assert place.files() == {}
    assert not PendingChange.objects.exists()


def test_conditions_are_held_against_what_is_pending(place: Place, view: PendingView) -> None:
    put("a", b"1")
    refused(StorageErrorCode.ALREADY_EXISTS, "a", b"2", overwrite=False)
    error = refused(StorageErrorCode.CONFLICT, "a", b"2", expected_sha=file_storages.run(_hash_of(b"other")))
    assert error.details["actual"] is not None
    put("a", b"2", expected_sha=view.get_file_hash("a"))
    put("a", None)
    refused(StorageErrorCode.NOT_FOUND, "a", None)
    put("a", b"3", overwrite=False)
    assert view.read_file("a").content == b"3"


def test_conditions_are_held_against_the_storage(place: Place) -> None:
    place.write("a", b"1")
    refused(StorageErrorCode.ALREADY_EXISTS, "a", b"2", overwrite=False)
    refused(StorageErrorCode.CONFLICT, "a", b"2", expected_sha=file_storages.run(_hash_of(b"other")))
    refused(StorageErrorCode.NOT_FOUND, "b", None)
    refused(StorageErrorCode.INVALID_PATH, "../a", b"2")
    assert not PendingChange.objects.exists()


def test_a_name_is_a_file_or_a_folder_among_what_is_pending_too(place: Place) -> None:
    put("a/b", b"1")
    assert refused(StorageErrorCode.CONFLICT, "a", b"2").reason == "in_the_way"
    assert refused(StorageErrorCode.CONFLICT, "a/b/c", b"2").reason == "in_the_way"


def test_a_conflict_parks_one_change_and_lets_the_others_go(place: Place, view: PendingView) -> None:
    place.write("a", b"1")
    put("a", b"2", expected_sha=view.get_file_hash("a"))
    put("b", b"3")
    put("c", b"4")
    place.write("a", b"theirs")
    flush()
    assert place.files() == {"a": b"theirs", "b": b"3", "c": b"4"}
    assert parked() == {"a": "conflict"}
    assert view.read_file("a").content == b"theirs"


def test_a_parked_change_is_tried_again_or_thrown_away(place: Place, view: PendingView) -> None:
    place.write("a", b"1")
    first = view.get_file_hash("a")
    put("a", b"2", expected_sha=first)
    place.write("a", b"theirs")
    flush()
    row = PendingChange.objects.get()
    assert parked() == {"a": "conflict"}
    place.write("a", b"1")
    pending.retry(row)
    flush()
    assert place.files() == {"a": b"2"}
    put("b", b"1")
    pending.discard(PendingChange.objects.get())
    flush()
    assert "b" not in place.files()


def test_a_parked_change_gives_way_to_a_later_one(place: Place, view: PendingView) -> None:
    place.write("a", b"1")
    put("a", b"2", expected_sha=view.get_file_hash("a"))
    place.write("a", b"theirs")
    flush()
    row = PendingChange.objects.get()
    put("a", b"mine")
    with pytest.raises(StorageError, match="later change"):
        pending.retry(row)
    flush()
    assert place.files() == {"a": b"mine"}
    assert parked() == {"a": "conflict"}


def test_a_file_that_lies_in_the_way_parks_the_change(place: Place) -> None:
    place.write("a", b"1")
    put("a/b", b"2")
    put("c", b"3")
    flush()
    assert parked() == {"a/b": "conflict"}
    assert place.files() == {"a": b"1", "c": b"3"}


def test_what_others_write_meanwhile_elsewhere_is_kept(place: Place) -> None:
    put("a", b"1")
    place.write("theirs", b"x")
    flush()
    assert place.files() == {"a": b"1", "theirs": b"x"}


def test_nothing_is_sent_before_the_window_ends_unless_there_is_much_or_somebody_asks(
    place: Place, clock: Clock
) -> None:
    put("a", b"1")
    assert flushing.flush_due().sent == []
    clock.advance(seconds=31)
    assert len(flushing.flush_due().sent) == 1
    pending.put(ALIAS, PROJECT, [FileWrite(f"many/{n}", b"x") for n in range(100)], "Many")
    assert len(flushing.flush_due().sent) == 1
    pending.put(ALIAS, PROJECT, [FileWrite("large", bytes(batches.limits().bytes))], "Large")
    assert len(flushing.flush_due().sent) == 1
    assert len(place.files()) == 102


def test_settings_say_when_what_waits_goes_out(settings: Settings, clock: Clock) -> None:
    settings.FILE_STORAGES = {ALIAS: {"provider": "memory"}}
    settings.OUTBOX_LIMITS = {"window": 5, "files": 2, "bytes": 10}
    put("a", b"1")
    assert flushing.flush_due().sent == []
    put("b", b"2")
    assert len(flushing.flush_due().sent) == 1
    put("c", b"x" * 10)
    put("d", b"x")
    assert [batch.files[0]["path"] for batch in flushing.flush_due().sent] == ["c"]
    clock.advance(seconds=6)
    assert [batch.files[0]["path"] for batch in flushing.flush_due().sent] == ["d"]
    file_storages.close()


def test_a_batch_holds_no_more_than_a_commit_may(place: Place) -> None:
    before = place.commits()
    pending.put(ALIAS, PROJECT, [FileWrite(f"f/{n:03}", b"%d" % n) for n in range(250)], "Many")
    assert [len(batch.files) for batch in flush().sent] == [100, 100, 50]
    if before is not None:
        assert place.commits() == before + 3
    assert len(place.files()) == 250


def test_projects_do_not_share_commits(place: Place) -> None:
    put("a", b"1")
    pending.put(ALIAS, "beta", [FileWrite("a", b"2")], "Theirs")
    (batch,) = flush().sent
    assert batch.project == PROJECT
    assert place.files() == {"a": b"1"}
    assert place.files("beta") == {}
    assert PendingView(ALIAS, "beta").read_file("a").content == b"2"
    flushing.flush(ALIAS, "beta")
    assert place.files("beta") == {"a": b"2"}


def test_writing_what_is_there_already_leaves_no_commit(place: Place) -> None:
    place.write("a", b"1")
    before = place.commits()
    put("a", b"1")
    flush()
    assert not PendingChange.objects.exists()
    if before is not None:
        assert place.commits() == before


def test_a_change_of_a_path_that_is_being_sent_follows_it(place: Place) -> None:
    put("a", b"1")
    begin()
    put("a", b"2")
    assert PendingView(ALIAS, PROJECT).read_file("a").content == b"2"
    flush()
    assert place.files() == {"a": b"2"}
    assert not PendingChange.objects.exists()


def test_what_is_being_sent_is_not_thrown_away(place: Place) -> None:
    put("a", b"1")
    begin()
    with pytest.raises(StorageError, match="being sent"):
        pending.discard(PendingChange.objects.get())


def test_a_sender_that_lost_its_lease_changes_nothing(place: Place) -> None:
    put("a", b"1")
    with leases.held(ALIAS) as lease:
        assert lease is not None
        batch = batches.form(lease, PROJECT)
        assert batch is not None
        OutboxLine.objects.update(holder="another")
        with pytest.raises(leases.LeaseLostError):
            batches.finish(lease, batch, batches.rows_of(batch), "x")
    assert PendingChange.objects.get().state == PendingState.SENDING
    OutboxLine.objects.update(held_until=None)
    flush()
    assert place.files() == {"a": b"1"}


def test_only_one_sends_at_a_time(place: Place) -> None:
    put("a", b"1")
    with leases.held(ALIAS):
        assert flush().busy
    assert place.files() == {}
    assert PendingChange.objects.get().asked, "for whoever holds it to find"


def test_a_rate_limit_waits_for_its_end_and_says_so(trouble: Trouble, troubled: Place, clock: Clock) -> None:
    reset = (timezone.now() + timedelta(minutes=10)).isoformat()
    trouble.before.append(StorageError(StorageErrorCode.RATE_LIMITED, "Used up.", None, {"reset_at": reset}))
    put("a", b"1")
    flush()
    queue = flushing.queue(ALIAS, PROJECT)
    assert queue.waiting == 1
    assert queue.reason["code"] == "rate_limited"
    assert queue.retry_at is not None
    assert queue.retry_at.isoformat() == reset
    put("a", b"2")
    flush()
    assert trouble.writes == 1, "not even when asked for"
    clock.advance(minutes=11)
    flushing.flush_due()
    assert troubled.files() == {"a": b"2"}


def test_a_network_error_tries_again_with_pauses_that_grow(trouble: Trouble, troubled: Place, clock: Clock) -> None:
    trouble.before += [StorageError(StorageErrorCode.NETWORK_ERROR, "Not reached.") for _ in range(3)]
    put("a", b"1")
    flush()
    pauses = []
    for _ in range(3):
        retry_at = OutboxLine.objects.get().retry_at
        assert retry_at is not None
        pauses.append((retry_at - clock.now).total_seconds())
        assert flushing.flush_due().paused == 1
        clock.now = retry_at
        flushing.flush_due()
    assert pauses == [5, 10, 20]
    assert troubled.files() == {"a": b"1"}
    assert OutboxLine.objects.get().failures == 0


def test_an_answer_that_was_lost_is_looked_for(trouble: Trouble, troubled: Place) -> None:
    trouble.after.append(StorageError(StorageErrorCode.NETWORK_ERROR, "Cut off."))
    put("a", b"1")
    put("b", b"2")
    flush()
    assert SentBatch.objects.get().ended_at is None
    troubled.write("a", b"theirs, later")
    flush()
    assert troubled.files() == {"a": b"theirs, later", "b": b"2"}, "ours was before theirs, and is not written again"
    assert not PendingChange.objects.exists()
    assert trouble.writes == 2, "ours and theirs"


def test_what_nobody_can_tell_any_more_is_parked(trouble: Trouble, troubled: Place) -> None:
    trouble.before.append(StorageError(StorageErrorCode.NETWORK_ERROR, "Cut off."))
    put("a", b"1")
    flush()
    troubled.write("a", b"theirs")
    flush()
    assert parked() == {"a": "conflict"}
    assert troubled.files() == {"a": b"theirs"}


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_refused_file_is_found_among_many_and_parked(trouble: Trouble, troubled: Place, unnamed: bool) -> None:
    trouble.unnamed = unnamed
    trouble.refused = {
        "f/13": StorageError(StorageErrorCode.PERMISSION_DENIED, "Not this one."),
        "f/37": StorageError(StorageErrorCode.CONTENT_TOO_LARGE, "Nor this one."),
    }
    pending.put(ALIAS, PROJECT, [FileWrite(f"f/{n:02}", b"%d" % n) for n in range(50)], "Many")
    flush()
    assert parked() == {"f/13": "permission_denied", "f/37": "content_too_large"}
    assert len(troubled.files()) == 48
    assert PendingChange.objects.count() == 2
    assert trouble.writes < 25


def test_what_no_single_change_is_to_blame_for_waits(trouble: Trouble, troubled: Place, clock: Clock) -> None:
    details = {"reason": "bad_credentials"}
    trouble.before.append(StorageError(StorageErrorCode.PERMISSION_DENIED, "The token expired.", None, details))
    put("a", b"1")
    put("b", b"2")
    flush()
    assert parked() == {}
    queue = flushing.queue(ALIAS, PROJECT)
    assert (queue.waiting, queue.reason["message"]) == (2, "The token expired.")
    clock.advance(minutes=1)
    flushing.flush_due()
    assert troubled.files() == {"a": b"1", "b": b"2"}


def test_what_was_never_sent_can_be_thrown_away(settings: Settings) -> None:
    """The look before the sending found nobody there."""
    keys = {"access_key": "a", "secret_key": "b"}
    away = {"provider": "object", "bucket": "bucket", "endpoint": "http://127.0.0.1:9", "timeout": 0.3, **keys}
    settings.FILE_STORAGES = {ALIAS: away}
    put("a", b"1")
    flush()
    queue = flushing.queue(ALIAS, PROJECT)
    assert (queue.waiting, queue.sending, queue.reason["code"]) == (1, 0, "network_error")
    pending.discard(PendingChange.objects.get())
    file_storages.close()


def test_a_write_that_wins_between_look_and_write_is_written_over(trouble: Trouble, troubled: Place) -> None:
    """Nothing was demanded of what is there, so the last word stays the last word."""
    conflict = StorageError(StorageErrorCode.CONFLICT, "Changed.", f"{PROJECT}/a", {"expected": "x", "actual": "y"})
    trouble.before.append(conflict)
    put("a", b"1")
    flush()
    assert troubled.files() == {"a": b"1"}
    assert trouble.writes == 2


def test_a_storage_that_cannot_be_opened_takes_what_is_deferred(
    tmp_path: Path, settings: Settings, view: PendingView, clock: Clock
) -> None:
    """A disk that is not mounted now: nobody can say what is there, and nothing that was given is refused for it."""
    root = tmp_path / "mount"
    settings.FILE_STORAGES = {ALIAS: {"provider": "local", "root_path": str(root), "create_root": False}}
    put("plain", b"1")
    put("new", b"2", overwrite=False)
    put("gone", None)
    put("changed", b"3", expected_sha=hashes.sha256_hash(b"old"))
    assert view.read_file("plain").content == b"1"
    assert view.get_file_hash("new") == hashes.sha256_hash(b"2")
    flush()
    queue = flushing.queue(ALIAS, PROJECT)
    assert (queue.waiting, queue.parked) == (4, 0)
    assert queue.reason["details"]["reason"] == "root_missing"
    assert str(tmp_path) not in str(queue.reason)
    there = root / PROJECT
    there.mkdir(parents=True)
    for name in ("gone", "changed"):
        (there / name).write_bytes(b"old")
    clock.advance(minutes=1)
    flushing.flush_due()
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {"plain": b"1", "new": b"2", "changed": b"3"}
    file_storages.close()


def test_a_disk_that_goes_while_it_is_sent_to_loses_nothing(
    tmp_path: Path, settings: Settings, view: PendingView, clock: Clock
) -> None:
    """Above all no deletion counts as done because everything is gone."""
    root = tmp_path / "mount"
    settings.FILE_STORAGES = {ALIAS: {"provider": "local", "root_path": str(root)}}
    put("a", b"1")
    flush()
    put("a", None)
    put("b", b"2")
    root.rename(tmp_path / "away")
    flush()
    assert (flushing.queue(ALIAS, PROJECT).waiting, parked()) == (2, {})
    (tmp_path / "away").rename(root)
    clock.advance(minutes=1)
    flushing.flush_due()
    assert [path.name for path in (root / PROJECT).iterdir()] == ["b"]
    file_storages.close()


def test_what_is_deferred_to_nobodys_storage_is_refused(settings: Settings) -> None:
    settings.FILE_STORAGES = {"theirs": {"provider": "memory", "project": "beta"}}
    for alias in ("theirs", "nowhere"):
        with pytest.raises(StorageError) as caught:
            pending.put(alias, PROJECT, [FileWrite("a", b"1")], "m")
        assert caught.value.reason == "unknown_storage"
    assert not PendingChange.objects.exists()


def test_no_more_waits_than_may(monkeypatch: pytest.MonkeyPatch, settings: Settings, view: PendingView) -> None:
    """A storage that stays away must not fill the database."""
    settings.FILE_STORAGES = {ALIAS: {"provider": "memory"}}
    monkeypatch.setattr(pending, "MOST_FILES", 2)
    monkeypatch.setattr(pending, "MOST_BYTES", 10)
    put("a", b"1")
    put("b", b"1")
    for path, content in (("c", b"1"), ("a", b"x" * 10)):
        error = refused(StorageErrorCode.INTERNAL_ERROR, path, content)
        assert error.reason == "outbox_full"
    assert view.read_file("a").content == b"1", "what was refused changed nothing"
    put("a", b"22")
    flush()
    put("c", b"1")
    file_storages.close()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="elsewhere content lies apart from its row")
def test_content_lies_last_in_its_row() -> None:
    """Else each look at what waits would read all of it from the disk."""
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, PendingChange._meta.db_table)
    assert columns[-1].name == "content"


def begin() -> None:
    """As far as a sender comes before it sends."""
    with leases.held(ALIAS) as lease:
        assert lease is not None
        assert batches.form(lease, PROJECT) is not None


def _hash_of(content: bytes):  # type: ignore[no-untyped-def]  # work for the storages' loop
    async def work(storages):  # type: ignore[no-untyped-def]  # as above
        return storages.for_project(ALIAS, PROJECT).compute_hash(content)

    return work
