"""What is special about object stores: foreign objects, lost answers, silence, sizes, and what a kill leaves behind."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from obstore import exceptions

from storage_app import hashes
from storage_app.providers import FileChange, FileDelete, FileWrite, StorageError, StorageErrorCode, StorageProvider
from storage_app.providers.object import bodies, bucket, faults, surroundings
from storage_app.providers.object.provider import ObjectStorageProvider
from tests.contracts.providers import MESSAGE, refused
from tests.storage.interference import Interference, interference, wait_until
from tests.storage.s3 import S3
from tests.storage.s3_keys import KEYS

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(s3: S3) -> str:
    return s3.new_bucket()


@pytest.fixture
async def provider(anyio_backend: str, s3: S3, files: str) -> AsyncIterator[ObjectStorageProvider]:
    async with s3.provider(files) as provider:
        yield provider


@pytest.fixture
def between(s3: S3) -> Iterator[Interference]:
    with interference(s3.address) as between:
        yield between


async def pieces(count: int, piece: bytes = b"x" * 1_000_000) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield piece


class TestForeignObjects:
    async def test_their_hash_is_read_from_the_content_once(
        self, s3: S3, files: str, provider: ObjectStorageProvider, between: Interference
    ) -> None:
        s3.put(files, "theirs", b"content")
        async with s3.provider(files, endpoint=between.address) as counted:
            assert await counted.get_file_hash("theirs") == hashes.sha256_hash(b"content")
            assert await counted.get_file_hash("theirs") == hashes.sha256_hash(b"content")
            assert [info.sha for info in await counted.list_files()] == [hashes.sha256_hash(b"content")]
        assert sum(request.startswith("GET") and "/theirs" in request for request in between.seen) == 1
        s3.put(files, "theirs", b"changed")
        assert await provider.get_file_hash("theirs") == hashes.sha256_hash(b"changed")

    async def test_an_etag_is_never_taken_for_a_hash(self, s3: S3, files: str, provider: ObjectStorageProvider) -> None:
        s3.put(files, "theirs", b"content")
        tag = s3.get(files, "theirs")["ETag"].strip('"')
        assert tag == hashlib.md5(b"content").hexdigest()
        for text in (tag, f"md5:{tag}", f'"{tag}"'):
            await refused(provider.write_file("theirs", b"", MESSAGE, expected_sha=text), StorageErrorCode.CONFLICT)
        assert tag not in str(await provider.list_files())

    async def test_a_note_that_is_no_hash_is_not_believed(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        s3.put(files, "theirs", b"content", Metadata={"sha256": "<b>no</b>"})
        assert await provider.get_file_hash("theirs") == hashes.sha256_hash(b"content")

    async def test_reading_tells_the_hash_of_what_came_and_not_what_a_note_says(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        s3.put(files, "theirs", b"content", Metadata={"sha256": "0" * 64})
        assert (await provider.read_file("theirs")).sha == hashes.sha256_hash(b"content")

    async def test_a_folder_that_a_tool_made_is_a_folder(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        s3.put(files, "folder/", b"")
        s3.put(files, "folder/file", b"1")
        assert [(info.path, info.is_directory) for info in await provider.list_files()] == [("folder", True)]
        assert [info.path for info in await provider.list_files("folder")] == ["folder/file"]
        assert [info.path for info in await provider.list_files("folder", recursive=True)] == ["folder/file"]
        assert (await provider.get_file_info("folder")).is_directory
        await provider.delete_file("folder/file", MESSAGE)
        assert await provider.list_files("folder") == []

    async def test_a_name_that_is_no_path_is_said_and_hides_nothing_elsewhere(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        s3.put(files, "a/../b", b"")
        s3.put(files, "c/fine", b"1")
        error = await refused(provider.list_files("a"), StorageErrorCode.INTERNAL_ERROR)
        assert error.reason == "unreadable_name"
        assert [info.path for info in await provider.list_files("c")] == ["c/fine"]
        assert (await provider.read_file("c/fine")).content == b"1"

    async def test_names_of_others_that_break_the_rule_are_not_listed(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        for key in ("con.txt", "a:b", ".git/config", "e\u0301", "fine"):
            s3.put(files, key, b"")
        assert [info.path for info in await provider.list_files(recursive=True)] == ["fine"]
        assert [info.path for info in await provider.list_files()] == ["fine"]


class TestWhatIsWritten:
    async def test_an_object_carries_its_hash_its_commit_and_a_harmless_type(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        commit = await provider.write_file("page.html", b"<script>", MESSAGE)
        answer = s3.get(files, "page.html")
        assert answer["Metadata"] == {"sha256": hashlib.sha256(b"<script>").hexdigest(), "commit": commit.sha}
        assert answer["ContentType"] == "application/octet-stream"

    async def test_a_large_file_goes_in_parts_and_keeps_its_hash(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        await provider.write_stream("big", pieces(20), MESSAGE)
        answer = s3.get(files, "big")
        assert answer["ETag"].strip('"').endswith("-4"), "which is no hash of anything"
        expected = hashes.sha256_hash(b"x" * 20_000_000)
        assert await provider.get_file_hash("big") == expected
        assert f"sha256:{answer['Metadata']['sha256']}" == expected

    async def test_a_large_file_with_a_condition_goes_whole(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        """What goes in parts can have no condition."""
        await provider.write_stream("big", pieces(20), MESSAGE, overwrite=False)
        assert "-" not in s3.get(files, "big")["ETag"]
        await refused(
            provider.write_stream("big", pieces(21), MESSAGE, overwrite=False), StorageErrorCode.ALREADY_EXISTS
        )
        sha = await provider.get_file_hash("big")
        await provider.write_stream("big", pieces(21), MESSAGE, expected_sha=sha)
        await refused(provider.write_stream("big", pieces(22), MESSAGE, expected_sha=sha), StorageErrorCode.CONFLICT)
        assert (await provider.get_file_info("big")).size == 21_000_000

    async def test_too_much_for_one_piece_is_refused_before_it_is_sent(
        self, provider: ObjectStorageProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("storage_app.providers.object.provider.LARGEST_CONDITIONAL", 1_500_000)
        error = await refused(
            provider.write_stream("big", pieces(2), MESSAGE, overwrite=False), StorageErrorCode.CONTENT_TOO_LARGE
        )
        assert error.details["limit"] == 1_500_000
        await provider.write_stream("big", pieces(2), MESSAGE)

    async def test_more_entries_than_one_answer_holds_are_all_listed(
        self, s3: S3, files: str, provider: ObjectStorageProvider
    ) -> None:
        files_there = [f"many/{number:04}" for number in range(600)]
        folders = [f"many/x{number:04}" for number in range(600)]
        for name in (*files_there, *(f"{folder}/x" for folder in folders)):
            s3.put(files, name, b"")
        assert [info.path for info in await provider.list_files("many")] == [*files_there, *folders]
        assert len(await provider.list_files("many", recursive=True)) == 1_200
        assert len(await provider.list_files_glob("**/x")) == 600

    async def test_a_batch_of_deletes_is_one_request(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            names = [f"f{number}" for number in range(30)]
            await provider.write_files_batch([(name, b"") for name in names], MESSAGE)
            await provider.delete_files_batch(names, MESSAGE)
        assert sum(request.startswith("POST") for request in between.seen) == 1
        assert s3.keys(files) == []


class TestRequests:
    """Counted on the way: what a store in a cloud charges and waits for."""

    @pytest.fixture
    async def counted(
        self, anyio_backend: str, s3: S3, files: str, between: Interference
    ) -> AsyncIterator[ObjectStorageProvider]:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.health_check()
            between.seen.clear()
            yield provider

    async def test_a_batch_of_new_files_asks_once_for_their_folder(
        self, counted: ObjectStorageProvider, between: Interference
    ) -> None:
        await counted.write_files_batch([(f"new/{number}", b"1") for number in range(20)], MESSAGE)
        assert Counter(request.split()[0] for request in between.seen) == {"GET": 1, "HEAD": 1, "PUT": 20}

    async def test_of_files_that_are_there_each_is_asked(
        self, counted: ObjectStorageProvider, between: Interference
    ) -> None:
        await counted.write_files_batch([(f"old/{number}", b"1") for number in range(8)], MESSAGE)
        between.seen.clear()
        again = [(f"old/{number}", b"%d" % (number % 2)) for number in range(12)]
        commit = await counted.write_files_batch(again, MESSAGE)
        assert commit.files == [f"old/{number}" for number in (0, 2, 4, 6, 8, 9, 10, 11)]
        assert Counter(request.split()[0] for request in between.seen) == {"GET": 1, "HEAD": 9, "PUT": 8}

    async def test_a_folder_too_large_for_one_answer_is_not_listed_whole(
        self, counted: ObjectStorageProvider, between: Interference, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(surroundings, "MOST_LISTED", 3)
        await counted.write_files_batch([(f"new/{number}", b"1") for number in range(5)], MESSAGE)
        await refused(
            counted.write_files_batch([(f"new/{number}/in", b"1") for number in range(5)], MESSAGE),
            StorageErrorCode.CONFLICT,
        )
        commit = await counted.write_files_batch([(f"new/{number}", b"2") for number in range(6)], MESSAGE)
        assert len(commit.files) == 6

    async def test_a_new_file_takes_four_and_one_that_is_known_two(
        self, counted: ObjectStorageProvider, between: Interference
    ) -> None:
        await counted.write_file("docs/a", b"1", MESSAGE)
        assert len(between.seen) == 4
        between.seen.clear()
        await counted.write_file("docs/a", b"2", MESSAGE)
        assert [request.split()[0] for request in between.seen] == ["HEAD", "PUT"]
        between.seen.clear()
        assert [info.sha for info in await counted.list_files("docs")] == [hashes.sha256_hash(b"2")]
        assert len(between.seen) == 1


class TestWhoeverElseWrites:
    async def test_of_many_processes_that_expect_a_hash_one_wins_each_round(self, s3: S3, files: str) -> None:
        """Providers that share nothing but the bucket, as processes do."""
        providers = [s3.provider(files) for _ in range(6)]
        await providers[0].write_file("a", b"start", MESSAGE)
        for round_ in range(5):
            sha = await providers[0].get_file_hash("a")
            results = await asyncio.gather(
                *(
                    provider.write_file("a", b"%d by %d" % (round_, number), MESSAGE, expected_sha=sha)
                    for number, provider in enumerate(providers)
                ),
                return_exceptions=True,
            )
            losers = [result for result in results if isinstance(result, StorageError)]
            assert len(losers) == len(providers) - 1
            assert {loser.code for loser in losers} == {StorageErrorCode.CONFLICT}
        for provider in providers:
            await provider.close()

    async def test_of_many_processes_that_create_a_file_one_does(self, s3: S3, files: str) -> None:
        providers = [s3.provider(files) for _ in range(6)]
        results = await asyncio.gather(
            *(provider.write_file("a", b"%d" % n, MESSAGE, overwrite=False) for n, provider in enumerate(providers)),
            return_exceptions=True,
        )
        (winner,) = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
        assert s3.get(files, "a")["Body"].read() == b"%d" % winner
        losers = {result.code for result in results if isinstance(result, StorageError)}
        assert losers == {StorageErrorCode.ALREADY_EXISTS}
        for provider in providers:
            await provider.close()

    async def test_the_same_content_under_another_etag_is_what_was_expected(
        self, s3: S3, files: str, provider: ObjectStorageProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody sends the same content in parts between our look and our write."""
        await provider.write_file("a", b"x" * 6_000_000, MESSAGE)
        sha = provider.compute_hash(b"x" * 6_000_000)
        looked, original = 0, bucket.Bucket.find

        async def meanwhile(self: bucket.Bucket, path: str) -> bucket.Found | None:
            nonlocal looked
            found = await original(self, path)
            looked += 1
            if looked == 1:
                upload = s3.client.create_multipart_upload(Bucket=files, Key="a")["UploadId"]
                part = s3.client.upload_part(
                    Bucket=files, Key="a", UploadId=upload, PartNumber=1, Body=b"x" * 6_000_000
                )
                s3.client.complete_multipart_upload(
                    Bucket=files, Key="a", UploadId=upload,
                    MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
                )  # fmt: skip
            return found

        monkeypatch.setattr(bucket.Bucket, "find", meanwhile)
        commit = await provider.write_file("a", b"new", MESSAGE, expected_sha=sha)
        assert commit.files == ["a"]
        assert looked > 1


class TestLostAnswers:
    @pytest.mark.parametrize("condition", [{}, {"overwrite": False}])
    async def test_a_write_whose_answer_is_lost_happened_once_and_is_no_conflict(
        self, s3: S3, files: str, between: Interference, condition: dict[str, bool]
    ) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            between.plan("PUT", "lose the answer", part="/a")
            commit = await provider.write_file("a", b"content", MESSAGE, **condition)  # type: ignore[arg-type] # one key
        assert commit.files == ["a"]
        assert s3.get(files, "a")["Metadata"]["commit"] == commit.sha

    async def test_parts_that_were_put_together_though_nobody_heard_of_it(
        self, s3: S3, files: str, between: Interference
    ) -> None:
        """The client asks again, and the upload is gone: no missing file, but the very one."""
        async with s3.provider(files, endpoint=between.address) as provider:
            between.plan("POST", "lose the answer", part="uploadId")
            commit = await provider.write_stream("a", pieces(9), MESSAGE)
        assert commit.files == ["a"]
        assert s3.get(files, "a")["Metadata"]["commit"] == commit.sha

    async def test_an_upload_that_somebody_ended_is_told_and_no_missing_file(
        self, s3: S3, files: str, between: Interference
    ) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            between.status = 404
            between.plan("POST", "refuse", part="uploadId")
            error = await refused(provider.write_stream("a", pieces(9), MESSAGE), StorageErrorCode.NETWORK_ERROR)
            assert not error.is_absence
        assert s3.keys(files) == []

    async def test_the_same_with_an_expected_hash(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.write_file("a", b"first", MESSAGE)
            between.plan("PUT", "lose the answer", part="/a", times=3)
            sha = provider.compute_hash(b"first")
            commit = await provider.write_file("a", b"second", MESSAGE, expected_sha=sha)
            assert commit.files == ["a"]
            between.faults.clear()
        assert between.hit
        assert s3.get(files, "a")["Metadata"]["commit"] == commit.sha

    async def test_a_store_that_fails_for_long_is_a_network_error(
        self, s3: S3, files: str, between: Interference
    ) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.list_files()
            between.plan("PUT", "refuse", times=3)
            error = await refused(provider.write_file("a", b"", MESSAGE), StorageErrorCode.NETWORK_ERROR)
            assert error.retryable
            assert "503" in error.message
            assert between.address not in str(error)
        assert s3.keys(files) == []

    async def test_a_store_that_fails_once_is_asked_again(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            between.plan("PUT", "refuse")
            assert (await provider.write_file("a", b"", MESSAGE)).changed

    async def test_too_many_requests_are_said_to_be(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.list_files()
            between.status = 429
            between.plan("PUT", "refuse", times=3)
            error = await refused(provider.write_file("a", b"", MESSAGE), StorageErrorCode.RATE_LIMITED)
            assert error.retryable
            between.faults.clear()

    async def test_silence_ends_in_time(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address, timeout=0.3) as provider:
            between.plan("HEAD", "be silent", times=3)
            async with asyncio.timeout(20):  # seconds; the default is 30
                await refused(provider.file_exists("a"), StorageErrorCode.NETWORK_ERROR)
            between.faults.clear()

    async def test_a_download_that_breaks_off_goes_on_where_it_was(
        self, s3: S3, files: str, between: Interference
    ) -> None:
        content = os.urandom(3_000_000)
        s3.put(files, "a", content)
        async with s3.provider(files, endpoint=between.address) as provider:
            between.plan("GET", "break off", part="/a")
            assert (await provider.read_file("a")).content == content

    async def test_part_of_a_batch_that_was_done_is_named(self, s3: S3, files: str, between: Interference) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.write_file("old", b"", MESSAGE)
            between.plan("PUT", "refuse", part="/bad", times=3)
            changes: list[FileChange] = [FileWrite("good", b"1"), FileWrite("bad", b"2"), FileDelete("old")]
            error = await refused(provider.apply_batch(changes, MESSAGE), StorageErrorCode.NETWORK_ERROR)
        assert error.path == "bad"
        assert error.details["paths"] == ["good"]
        assert s3.keys(files) == ["good", "old"], "deletes come last"

    async def test_an_upload_in_parts_that_fails_leaves_no_parts(
        self, s3: S3, files: str, between: Interference
    ) -> None:
        async with s3.provider(files, endpoint=between.address) as provider:
            await provider.list_files()
            between.plan("PUT", "refuse", part="partNumber=2", times=3)
            await refused(provider.write_stream("a", pieces(20), MESSAGE), StorageErrorCode.NETWORK_ERROR)
        assert s3.keys(files) == []
        wait_until(lambda: s3.unfinished_uploads(files) == [])


class TestWhatIsWrongOutside:
    async def test_a_bucket_that_is_not_there_is_no_missing_file(self, s3: S3) -> None:
        async with s3.provider("no-such-bucket-here") as provider:
            for call in (provider.file_exists("a"), provider.read_file_if_exists("a"), provider.list_files()):
                error = await refused(call, StorageErrorCode.INTERNAL_ERROR)
                assert error.reason == "no_bucket"
            await refused(provider.write_file("a", b"", MESSAGE), StorageErrorCode.INTERNAL_ERROR)
            health = await provider.health_check()
            assert not health
            assert "bucket" in health.message

    async def test_a_server_that_is_not_there_is_a_network_error(self) -> None:
        options = {"endpoint": "http://127.0.0.1:9", "access_key": "canary-key", "secret_key": "canary-secret"}
        async with ObjectStorageProvider("bucket", timeout=0.5, **options) as provider:  # type: ignore[arg-type] # texts
            error = await refused(provider.file_exists("a"), StorageErrorCode.NETWORK_ERROR)
            health = await provider.health_check()
        assert not health
        for text in (str(error), health.message, repr(health.details)):
            assert "canary" not in text
            assert "127.0.0.1" not in text

    def test_every_error_of_the_client_has_a_meaning_of_its_own(self) -> None:
        classes = [value for value in vars(exceptions).values() if isinstance(value, type)]
        classes = [each for each in classes if issubclass(each, Exception)]
        assert len(classes) >= 10
        plain = faults.translated(exceptions.BaseError("?"), "a")
        for each in classes:
            assert issubclass(each, faults.RAISED), each
            error = faults.translated(each("canary"), "a")
            assert "canary" not in str(error)
            if each not in (exceptions.BaseError, exceptions.JoinError, exceptions.UnknownConfigurationKeyError):
                deprecated = each.__name__ == "NotFoundError"
                assert deprecated or (error.code, error.message) != (plain.code, plain.message), each

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (FileNotFoundError("404"), StorageErrorCode.NOT_FOUND),
            (FileNotFoundError("<Code>NoSuchBucket</Code>"), StorageErrorCode.INTERNAL_ERROR),
            (exceptions.GenericError("status code: 413 "), StorageErrorCode.CONTENT_TOO_LARGE),
            (exceptions.GenericError("status code: 429 "), StorageErrorCode.RATE_LIMITED),
            (exceptions.GenericError("status code: 503: <Code>SlowDown"), StorageErrorCode.RATE_LIMITED),
            (exceptions.GenericError("status code: 500 "), StorageErrorCode.NETWORK_ERROR),
            (exceptions.GenericError("status code: 400 "), StorageErrorCode.INTERNAL_ERROR),
            (exceptions.GenericError("error sending request"), StorageErrorCode.NETWORK_ERROR),
            (exceptions.PreconditionError(""), StorageErrorCode.CONFLICT),
            (exceptions.PermissionDeniedError(""), StorageErrorCode.PERMISSION_DENIED),
            (exceptions.UnauthenticatedError(""), StorageErrorCode.PERMISSION_DENIED),
            (NotImplementedError(), StorageErrorCode.INTERNAL_ERROR),
            (TimeoutError(), StorageErrorCode.NETWORK_ERROR),
            (ConnectionResetError(), StorageErrorCode.NETWORK_ERROR),
            (ValueError("a//b"), StorageErrorCode.INTERNAL_ERROR),
        ],
    )
    def test_what_an_error_means(self, error: Exception, code: StorageErrorCode) -> None:
        assert faults.translated(error, "a").code is code

    @pytest.mark.parametrize(
        "error",
        [
            exceptions.UnauthenticatedError("status code: 401 "),
            exceptions.PermissionDeniedError("status code: 403: <Code>SignatureDoesNotMatch</Code>"),
            exceptions.GenericError("status code: 400: <Code>ExpiredToken</Code>"),
        ],
    )
    def test_keys_that_are_not_taken_are_nothing_that_a_file_is_to_blame_for(self, error: Exception) -> None:
        meant = faults.translated(error, "a")
        assert (meant.code, meant.reason) == (StorageErrorCode.PERMISSION_DENIED, "bad_credentials")
        refused_file = faults.translated(exceptions.PermissionDeniedError("<Code>AccessDenied</Code>"), "a")
        assert refused_file.reason is None


class TestSizesAndKills:
    async def test_memory_stays_flat_whatever_the_size(self, s3: S3, files: str) -> None:
        """In a process of its own; the server keeps everything in memory in this one."""
        size = 160 * 1024 * 1024
        done = await asyncio.to_thread(_child, s3, files, "there_and_back", str(size))
        idle, peak, sha = done.stdout.split()
        assert sha == hashes.sha256_hash(bytes(size))
        assert s3.client.head_object(Bucket=files, Key="big")["ContentLength"] == size
        assert int(peak) - int(idle) < 100 * 1024, "KiB over an idle process"

    async def test_a_child_of_a_fork_is_told_so_instead_of_waiting_for_ever(self, s3: S3, files: str) -> None:
        done = await asyncio.to_thread(_child, s3, files, "fork")
        assert done.stdout.strip() == "forked"

    async def test_a_kill_in_an_upload_leaves_nothing_visible(self, s3: S3, files: str, between: Interference) -> None:
        s3.put(files, "kept", b"before")
        for key in ("kept", "new"):
            between.plan("PUT", "be silent", part="partNumber=2")
            process = subprocess.Popen(_command(between.address, files, "upload", key), cwd=ROOT)
            try:
                await asyncio.to_thread(wait_until, lambda: len(between.faults) == 0)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(10)
        async with s3.provider(files) as provider:
            assert [info.path for info in await provider.list_files(recursive=True)] == ["kept"]
            assert (await provider.read_file("kept")).content == b"before"
            assert not await provider.file_exists("new")


def _child(s3: S3, files: str, *what: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _command(s3.address, files, *what), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )


def _command(address: str, files: str, *what: str) -> list[str]:
    definition = {"provider": "object", "bucket": files, "endpoint": address, **KEYS}
    return [sys.executable, "-m", "tests.storage.provider_child", json.dumps(definition), *what]


async def test_a_provider_gives_back_everything_when_closed(s3: S3, files: str) -> None:
    provider: StorageProvider = s3.provider(files)
    await provider.write_file("a", b"", MESSAGE)
    await provider.close()
    with pytest.raises(StorageError) as caught:
        await provider.read_file("a")
    assert caught.value.reason == "closed"


def test_what_is_large_lies_beside_and_goes_when_done() -> None:
    async def filled() -> bodies.Body:
        body = bodies.Body()
        await body.fill(pieces(9))
        return body

    with asyncio.run(filled()) as body:
        assert body.size == 9_000_000
        source = body.source
        assert not isinstance(source, bytes)
    assert source.closed
