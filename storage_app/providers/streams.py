"""Content in pieces, for files that should not lie in memory as a whole."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

from storage_app.providers.types import StorageFileInfo

PIECE: Final = 1024 * 1024


class StorageStream(ABC):
    """One state of a file from `start` to before `end`, read once, in order; a later write does not change it.

    `info` is of the whole file. Use it as a context manager, or close it.
    """

    def __init__(self, info: StorageFileInfo, start: int, end: int) -> None:
        self.info = info
        self.start = start
        self.end = end
        self._pieces: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._pieces is None:
            self._pieces = self._read()
        return await anext(self._pieces)

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @abstractmethod
    def _read(self) -> AsyncIterator[bytes]:
        """The pieces from start to end."""

    async def aclose(self) -> None:  # noqa: B027 - not every stream holds anything
        """Gives back what the stream holds; more than once is harmless."""


class BytesStream(StorageStream):
    """Of content that is in memory anyway."""

    def __init__(self, info: StorageFileInfo, content: bytes, start: int, end: int) -> None:
        super().__init__(info, start, end)
        self._content = memoryview(content)

    async def _read(self) -> AsyncIterator[bytes]:
        for position in range(self.start, self.end, PIECE):
            yield bytes(self._content[position : min(position + PIECE, self.end)])


def span(size: int, start: int, length: int | None) -> tuple[int, int]:
    """Start and end within a file of this size; what lies beyond its end is not there."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError("a range begins at 0 or later and has no negative length")
    start = min(start, size)
    return start, size if length is None else min(start + length, size)
