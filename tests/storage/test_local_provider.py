"""What only a folder has: links, other hands, locks, hashes that are kept, disks that end."""

import asyncio
import contextlib
import errno
import itertools
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage_app import hashes
from storage_app.providers import FileDelete, FileWrite, StorageError, StorageErrorCode
from storage_app.providers.folder import hashing, places
from storage_app.providers.folder.locks import FileLock
from storage_app.providers.local import LocalStorageProvider
from tests.contracts.providers import MESSAGE, refused

pytestmark = pytest.mark.anyio
PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
async def provider(anyio_backend: str, root: Path) -> AsyncIterator[LocalStorageProvider]:
    async with LocalStorageProvider(root) as provider:
        yield provider


@pytest.fixture(params=[True, False], ids=["by descriptor", "by path"])
def walking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """As on Linux and macOS, and as on Windows."""
    monkeypatch.setattr(places, "_BY_DESCRIPTOR", request.param)
    made = places.Places.__init__

    def init(self: places.Places, root: Path) -> None:
        made(self, root, by_descriptor=request.param)

    monkeypatch.setattr(places.Places, "__init__", init)
    return bool(request.param)


async def test_a_link_that_leads_out_is_refused_by_every_method(walking: bool, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    async with LocalStorageProvider(root) as provider:
        await provider.write_file("a", b"", MESSAGE)
        (root / "folder").symlink_to(outside)
        (root / "file").symlink_to(outside / "secret")
        (root / "up").symlink_to("..")
        (root / "twice").symlink_to("folder")
        (root / "near").symlink_to(f"{root}-near")
        root.with_name("files-near").mkdir()
        for path in ("folder/secret", "file", "up/outside/secret", "twice/secret", "folder/new", "near/new"):
            for call in (
                provider.read_file(path),
                provider.get_file_info(path),
                provider.write_file(path, b"overwritten", MESSAGE),
                provider.write_files_batch([(path, b"overwritten"), ("b", b"")], MESSAGE),
                provider.delete_file(path, MESSAGE),
                provider.open_stream(path),
            ):
                await refused(call, StorageErrorCode.INVALID_PATH)
        assert [info.path for info in await provider.list_files(recursive=True)] == ["a"]
        assert [info.path for info in await provider.list_files()] == ["a"]
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


async def test_a_link_that_stays_inside_is_followed(walking: bool, root: Path) -> None:
    async with LocalStorageProvider(root) as provider:
        await provider.write_file("real/file", b"content", MESSAGE)
        (root / "link").symlink_to("real")
        (root / "alias").symlink_to("real/file")
        (root / "real" / "circle").symlink_to("..")
        assert (await provider.read_file("link/file")).content == b"content"
        assert (await provider.read_file("alias")).content == b"content"
        assert (await provider.read_file("real/circle/link/file")).content == b"content"
        await provider.write_file("link/new", b"new", MESSAGE)
        assert (root / "real" / "new").read_bytes() == b"new"
        listed = [info.path for info in await provider.list_files(recursive=True)]
        assert listed == ["alias", "real/file", "real/new"]


async def test_no_link_leads_to_what_is_ours(provider: LocalStorageProvider, root: Path) -> None:
    await provider.write_file("a", b"", MESSAGE)
    (root / "link").symlink_to(".holdfast")
    await refused(provider.write_file("link/pending.json", b"{}", MESSAGE), StorageErrorCode.INVALID_PATH)
    assert [info.path for info in await provider.list_files(recursive=True)] == ["a"]


async def test_a_folder_swapped_for_a_link_meanwhile_leads_nowhere(
    provider: LocalStorageProvider, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the use: what is opened is the folder that was looked at, or nothing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    await provider.write_file("folder/file", b"before", MESSAGE)
    replace = os.replace
    swapped: list[bool] = []

    def swap_then_replace(source: Any, target: Any, **rest: Any) -> None:
        if not swapped and rest.get("dst_dir_fd") is not None:
            swapped.append(True)
            (root / "folder").rename(tmp_path / "moved")
            (root / "folder").symlink_to(outside)
        replace(source, target, **rest)

    monkeypatch.setattr(os, "replace", swap_then_replace)
    with contextlib.suppress(StorageError):
        await provider.write_file("folder/file", b"after", MESSAGE)
    assert swapped
    assert list(outside.iterdir()) == []


async def test_what_others_put_there_is_seen(provider: LocalStorageProvider, root: Path) -> None:
    (root / "by hand").mkdir()
    (root / "by hand" / "a.txt").write_text("content")
    (root / "empty" / "folders").mkdir(parents=True)
    os.mkfifo(root / "pipe")
    (root / "bad:name").write_text("")
    (root / os.fsdecode(b"not utf-8 \xff")).write_text("")
    assert [info.path for info in await provider.list_files()] == ["by hand"]
    assert [info.path for info in await provider.list_files(recursive=True)] == ["by hand/a.txt"]
    assert (await provider.read_file("by hand/a.txt")).content == b"content"
    await refused(provider.get_file_info("empty"), StorageErrorCode.NOT_FOUND)
    await refused(provider.read_file("pipe"), StorageErrorCode.NOT_FOUND)
    await provider.write_files_batch([("empty", b"a file by now"), ("pipe", b"too")], MESSAGE)
    assert (await provider.read_file("empty")).content == b"a file by now"


async def test_a_change_by_other_hands_changes_the_hash(
    provider: LocalStorageProvider, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same size, in place, in the same step of the clock as the last look."""
    await provider.write_file("a", b"one", MESSAGE)
    for content in (b"two", b"six", b"ten"):
        with (root / "a").open("r+b") as file:
            file.write(content)
        assert await provider.get_file_hash("a") == hashes.sha256_hash(content)


async def test_the_hash_of_what_has_rested_is_not_computed_again(
    provider: LocalStorageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "SETTLED_AFTER_NS", 0)
    reads: list[int] = []
    original = hashing._hash

    def counted(fd: int, kind: hashes.HashKind, size: int) -> str:
        reads.append(fd)
        return original(fd, kind, size)

    monkeypatch.setattr(hashing, "_hash", counted)
    await provider.write_file("a", b"content", MESSAGE)
    assert (await provider.list_files())[0].sha is None
    for _ in range(3):
        assert await provider.get_file_hash("a") == hashes.sha256_hash(b"content")
    assert len(reads) == 1
    assert (await provider.list_files())[0].sha == hashes.sha256_hash(b"content")
    await provider.write_file("a", b"another", MESSAGE)
    assert await provider.get_file_hash("a") == hashes.sha256_hash(b"another")


async def test_a_lock_that_is_not_had_in_time_is_an_error_and_changes_nothing(root: Path) -> None:
    async with LocalStorageProvider(root, lock_timeout=0.05) as provider:
        await provider.write_file("a", b"before", MESSAGE)
        with FileLock(root / ".holdfast" / "lock").held():
            error = await refused(provider.write_file("a", b"after", MESSAGE), StorageErrorCode.INTERNAL_ERROR)
            assert error.reason == "lock_timeout"
            assert error.retryable
            assert (await provider.read_file("a")).content == b"before", "readers need no lock"
        await provider.write_file("a", b"after", MESSAGE)


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (errno.ENOSPC, StorageErrorCode.INTERNAL_ERROR, "storage_full"),
        (errno.EDQUOT, StorageErrorCode.INTERNAL_ERROR, "storage_full"),
        (errno.EROFS, StorageErrorCode.PERMISSION_DENIED, "read_only"),
        (errno.EACCES, StorageErrorCode.PERMISSION_DENIED, None),
        (errno.EIO, StorageErrorCode.INTERNAL_ERROR, "io_error"),
    ],
)
async def test_what_the_disk_says_is_told_and_leaves_nothing(
    provider: LocalStorageProvider,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: StorageErrorCode,
    reason: str | None,
) -> None:
    """At the first sync, the second, … until it gets through."""
    await provider.write_file("a", b"before", MESSAGE)
    for failing in range(100):
        with failing_sync(monkeypatch, failing, number):
            error = await error_of(provider.apply_batch([FileWrite("a", b"after"), FileWrite("new/b", b"b")], MESSAGE))
        contents = {(await provider.read_file("a")).content, await provider.file_exists("new/b")}
        if error is None:
            assert failing >= 5, "there are that many at least"
            return
        if error.reason == "unfinished":
            assert error.retryable
            assert contents == {b"after", True}, "it is finished by whoever comes next"
            await provider.apply_batch([FileWrite("a", b"before"), FileDelete("new/b")], MESSAGE)
        else:
            assert (error.code, error.reason) == (code, reason)
            assert contents == {b"before", False}
    pytest.fail("it never got through")


async def test_an_unfinished_batch_outlives_its_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when that ends in order and takes its temporary files along."""
    unfinished = 0
    for failing in range(20):
        async with LocalStorageProvider(root) as provider:
            await provider.apply_batch([FileWrite("a", b"before"), FileWrite("b", b"before")], MESSAGE)
            with failing_sync(monkeypatch, failing, errno.EIO):
                error = await error_of(provider.write_files_batch([("a", b"after"), ("b", b"after")], MESSAGE))
        expected = b"before" if error and error.reason != "unfinished" else b"after"
        unfinished += error is not None and error.reason == "unfinished"
        async with LocalStorageProvider(root) as provider:
            assert {(await provider.read_file(path)).content for path in "ab"} == {expected}
            await provider.write_file("another", b"%d" % failing, MESSAGE)
    assert unfinished > 1


@contextlib.contextmanager
def failing_sync(monkeypatch: pytest.MonkeyPatch, which: int, number: int) -> Iterator[None]:
    """The call of that number fails, the ones before and after do not."""
    fsync, left = os.fsync, itertools.count(which, -1)

    def sync(fd: int) -> None:
        if next(left) == 0:
            raise OSError(number, os.strerror(number))
        fsync(fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        yield


async def error_of(call: Awaitable[object]) -> StorageError | None:
    try:
        await call
    except StorageError as error:
        return error
    return None


async def test_a_missing_root_is_made_or_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        LocalStorageProvider(tmp_path / "missing", create_root=False)
    assert caught.value.reason == "root_missing"
    assert str(tmp_path) not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        LocalStorageProvider(tmp_path / "file")


async def test_reading_alone_leaves_no_trace(provider: LocalStorageProvider, root: Path) -> None:
    (root / "a").write_text("")
    await provider.read_file("a")
    await provider.list_files(recursive=True)
    assert [path.name for path in root.iterdir()] == ["a"]


async def test_a_root_that_is_gone_is_not_healthy(provider: LocalStorageProvider, root: Path) -> None:
    root.rmdir()
    health = await provider.health_check()
    assert not health
    assert health.details["reason"] == "root_missing"


async def test_while_the_root_is_gone_no_file_is_said_to_be_missing(walking: bool, tmp_path: Path) -> None:
    """An unmounted disk: whoever took that for absent files would write or skip what is there."""
    root = tmp_path / "files"
    async with LocalStorageProvider(root) as provider:
        await provider.write_file("a/b", b"1", MESSAGE)
        root.rename(tmp_path / "away")
        calls = (
            provider.read_file_if_exists("a/b"),
            provider.file_exists("c"),
            provider.get_file_info("a"),
            provider.list_files(),
            provider.list_files("a", recursive=True),
            provider.list_files_glob("**"),
            provider.open_stream("a/b"),
            provider.delete_file("a/b", MESSAGE),
            provider.write_file("c", b"2", MESSAGE),
            provider.write_file("a/c", b"2", MESSAGE, overwrite=False),
        )
        for call in calls:
            error = await refused(call, StorageErrorCode.INTERNAL_ERROR)
            assert (error.reason, error.retryable) == ("root_missing", True)
        assert not root.exists()
        (tmp_path / "away").rename(root)
        assert (await provider.read_file("a/b")).content == b"1"


async def test_closing_leaves_the_files_and_nothing_half_made(root: Path) -> None:
    async with LocalStorageProvider(root) as provider:
        await provider.write_file("a", b"", MESSAGE)
    assert list((root / ".holdfast" / "tmp").iterdir()) == []
    assert (root / "a").exists()


async def test_other_work_goes_on_while_files_are_hashed(provider: LocalStorageProvider) -> None:
    await provider.write_file("big", bytes(64 * 1024 * 1024), MESSAGE)
    turns = 0
    hashing_it = asyncio.create_task(provider.get_file_hash("big"))
    while not hashing_it.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 3


async def test_memory_stays_flat_for_a_large_file(provider: LocalStorageProvider) -> None:
    piece, count = bytes(1024 * 1024), 128

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    tracemalloc.start()
    try:
        await provider.write_stream("large", pieces(), MESSAGE)
        size = 0
        async with await provider.open_stream("large") as stream:
            async for part in stream:
                size += len(part)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == count * len(piece)
    assert peak < 24 * 1024 * 1024


def test_many_processes_write_one_folder(root: Path) -> None:
    """Each raises a counter as often as told, by expected hashes; none is lost."""
    processes, times = 4, 15
    code = """
import asyncio, sys
from storage_app.providers import StorageError, StorageErrorCode
from storage_app.providers.local import LocalStorageProvider

async def main():
    async with LocalStorageProvider(sys.argv[1], lock_timeout=60) as provider:
        for number in range(int(sys.argv[2])):
            await provider.write_files_batch([(f"of {sys.argv[3]}/{number}/{part}", b"") for part in "ab"], "m")
            while True:
                file = await provider.read_file("counter")
                raised = b"%d" % (int(file.content) + 1)
                try:
                    await provider.write_file("counter", raised, "m", expected_sha=file.sha)
                    break
                except StorageError as error:
                    assert error.code is StorageErrorCode.CONFLICT, error

asyncio.run(main())
"""

    async def prepare() -> None:
        async with LocalStorageProvider(root) as provider:
            await provider.write_file("counter", b"0", MESSAGE)

    async def check() -> None:
        async with LocalStorageProvider(root) as provider:
            assert int((await provider.read_file("counter")).content) == processes * times
            assert len(await provider.list_files_glob("of */*/[ab]")) == processes * times * 2

    asyncio.run(prepare())
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(root), str(times), str(number)], cwd=PROJECT)
        for number in range(processes)
    ]
    deadline = time.monotonic() + 180
    assert [process.wait(deadline - time.monotonic()) for process in started] == [0] * processes
    asyncio.run(check())


async def test_a_listing_shows_no_half_of_a_batch(root: Path) -> None:
    """One provider writes and another, as another process would, lists."""
    names = [f"{folder}/file" for folder in "abcdefgh"]
    async with LocalStorageProvider(root) as writer, LocalStorageProvider(root) as reader:
        writing = asyncio.create_task(_turns(writer, names))
        looks = 0
        while not writing.done():
            found = {info.size for info in await reader.list_files(recursive=True)}
            assert len(found) <= 1
            looks += bool(found)
        await writing
        assert looks > 3


async def _turns(provider: LocalStorageProvider, names: list[str]) -> None:
    for size in range(1, 16):
        await provider.write_files_batch([(name, b"x" * size) for name in names], MESSAGE)
