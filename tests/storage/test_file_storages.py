"""Streams over the border between the loop of the storages and everybody else's."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from storage_app import file_storages
from storage_app.providers import StorageStream
from storage_app.providers.factory import Storages

CONTENT = bytes(range(256)) * 12_000


@pytest.fixture(params=["local", "memory"])
def storages(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[None]:
    options: dict[str, Any] = {"root_path": str(tmp_path)} if request.param == "local" else {}
    settings.FILE_STORAGES = {"default": {"provider": request.param, **options}}
    yield
    file_storages.close()


async def opened(storages: Storages) -> StorageStream:
    await storages.get("default").write_file("a", CONTENT, "m")
    return await storages.get("default").open_stream("a")


def closings(stream: StorageStream) -> list[str]:
    """The names of the threads in which the stream was closed."""
    seen: list[str] = []
    close = stream.aclose

    async def noted() -> None:
        seen.append(threading.current_thread().name)
        await close()

    stream.aclose = noted  # type: ignore[method-assign] # to look on
    return seen


async def in_thirds(content: bytes, seen: list[str]) -> AsyncIterator[bytes]:
    third = len(content) // 3
    for start in range(0, len(content), third):
        seen.append(threading.current_thread().name)
        await asyncio.sleep(0)
        yield content[start : start + third]


def read_back() -> bytes:
    return file_storages.run(lambda storages: storages.get("default").read_file("a")).content


@pytest.mark.usefixtures("storages")
class TestPiecesOf:
    def test_sync_code_reads_all_of_a_stream_and_closes_it(self) -> None:
        stream = file_storages.run(opened)
        closed = closings(stream)
        pieces = list(file_storages.pieces_of(stream))
        assert len(pieces) > 1
        assert b"".join(pieces) == CONTENT
        assert closed == ["storages"]

    def test_a_reader_that_stops_early_closes_it_too(self) -> None:
        stream = file_storages.run(opened)
        closed = closings(stream)
        reading = file_storages.pieces_of(stream)
        assert next(reading)
        reading.close()  # type: ignore[attr-defined] # what a server does when the client goes away
        assert closed == ["storages"]

    def test_async_code_reads_all_of_a_stream_and_closes_it(self) -> None:
        async def read() -> tuple[bytes, list[str]]:
            stream = await file_storages.arun(opened)
            closed = closings(stream)
            return b"".join([piece async for piece in file_storages.apieces_of(stream)]), closed

        assert asyncio.run(read()) == (CONTENT, ["storages"])

    def test_async_code_that_fails_while_reading_closes_it(self) -> None:
        async def read() -> list[str]:
            stream = await file_storages.arun(opened)
            closed = closings(stream)
            pieces = file_storages.apieces_of(stream)
            assert await anext(pieces)
            with pytest.raises(ConnectionError):
                await pieces.athrow(ConnectionError("the reader is gone"))  # type: ignore[attr-defined] # a generator
            return closed

        assert asyncio.run(read()) == ["storages"]

    def test_an_error_of_the_stream_reaches_the_reader(self) -> None:
        stream = file_storages.run(opened)

        async def broken() -> AsyncIterator[bytes]:
            yield b"first"
            raise OSError("the disk is gone")

        stream._pieces = broken()
        reading = file_storages.pieces_of(stream)
        assert next(reading) == b"first"
        with pytest.raises(OSError, match="disk"):
            next(reading)


@pytest.mark.usefixtures("storages")
class TestAsent:
    def test_pieces_that_come_on_another_loop_are_asked_for_there(self) -> None:
        seen: list[str] = []

        async def write() -> None:
            pieces = file_storages.asent(in_thirds(CONTENT, seen), asyncio.get_running_loop())
            await file_storages.arun(lambda storages: storages.get("default").write_stream("a", pieces, "m"))

        asyncio.run(write())
        assert read_back() == CONTENT
        assert set(seen) == {threading.current_thread().name}

    def test_a_sender_that_breaks_off_leaves_nothing(self) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield CONTENT
            raise ConnectionError("the sender is gone")

        async def write() -> None:
            pieces = file_storages.asent(broken(), asyncio.get_running_loop())
            await file_storages.arun(lambda storages: storages.get("default").write_stream("a", pieces, "m"))

        with pytest.raises(ConnectionError):
            asyncio.run(write())
        assert file_storages.run(lambda storages: storages.get("default").list_files()) == []

    def test_pieces_of_sync_code_are_asked_for_in_a_thread(self) -> None:
        seen: list[str] = []

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(CONTENT), 1_000_000):
                seen.append(threading.current_thread().name)
                yield CONTENT[start : start + 1_000_000]

        file_storages.run(lambda storages: storages.get("default").write_stream("a", file_storages.sent(pieces()), "m"))
        assert read_back() == CONTENT
        assert "storages" not in seen
        assert len(seen) > 1
