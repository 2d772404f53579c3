"""What is to be written: small content in memory, large content in a file beside, since its hash goes ahead of it.

Nothing is sent before the last piece has come: what breaks off, or is killed, has never been visible anywhere.
"""

import asyncio
import mmap
import tempfile
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Final, Self

from storage_app import hashes
from storage_app.hashes import Hasher, HashKind
from storage_app.providers.streams import PIECE

# Above this content comes in several parts.
LARGE: Final = 8 * 1024 * 1024


class Body:
    """Content with its size and hash. Use it as a context manager: it may hold a file."""

    def __init__(self) -> None:
        self.size = 0
        self.sha = ""
        self._memory: bytes | bytearray = bytearray()
        self._file: IO[bytes] | None = None
        self._hasher = Hasher(HashKind.SHA256)

    @classmethod
    async def of(cls, content: bytes) -> "Body":
        """Of what is in memory anyway, and stays there."""
        body = cls()
        body.size, body._memory = len(content), content
        small = body.size < PIECE
        body.sha = hashes.sha256_hash(content) if small else await asyncio.to_thread(hashes.sha256_hash, content)
        return body

    async def fill(self, pieces: AsyncIterable[bytes]) -> None:
        """Joined before they go to a thread, as each way there and back costs as much as a small piece."""
        waiting = bytearray()
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= PIECE:
                await asyncio.to_thread(self._take, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(self._take, bytes(waiting))
        self.sha = self._hasher.result()

    @property
    def source(self) -> bytes | IO[bytes]:
        """To be read in parts, from the beginning."""
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        return self._file

    @contextmanager
    def buffer(self) -> Iterator[bytes | mmap.mmap]:
        """In one piece; what lies beside as pages that the system may drop again."""
        if self._file is None:
            yield bytes(self._memory)
            return
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def _take(self, piece: bytes) -> None:
        self._hasher.update(piece)
        self.size += len(piece)
        if self._file is None and self.size > LARGE:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
            self._file.write(self._memory)
            self._memory = b""
        if self._file:
            self._file.write(piece)
            self._file.flush()
        else:
            self._memory += piece
