"""Files of a storage as Django's `File`: one to read as its stream comes, one to write beside and send when closed."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

from django.core.files.base import File

from storage_app import file_storages
from storage_app.providers.streams import PIECE, StorageStream

if TYPE_CHECKING:
    AnyFile: TypeAlias = File[Any]
else:
    AnyFile = File  # to be subscripted in the types alone

Open = Callable[[int], StorageStream]

_IN_MEMORY: Final = 5 * 1024 * 1024


class StoredFile(AnyFile):
    """For reading. Nothing is opened before the first look; going elsewhere in it opens the stream anew, and finds out
    if the file has changed meanwhile.
    """

    def __init__(self, name: str, mode: str, open_at: Open) -> None:
        self._raw = _Stream(open_at)
        buffered = io.BufferedReader(self._raw, PIECE)
        super().__init__(buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8"), name)
        self.mode = mode

    @property
    def size(self) -> int:
        return self._raw.size


class UnsentFile(AnyFile):
    """For writing. What `close` sends; leaving the `with` block by an error sends nothing."""

    def __init__(self, name: str, mode: str, existing: AnyFile | None, send: Callable[[AnyFile], None]) -> None:
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by close()
        self._send: Callable[[AnyFile], None] | None = send
        try:
            self._fill(existing)
        except BaseException:
            self._spool.close()
            raise
        if "a" not in mode:
            self._spool.seek(0)
        self._file: IO[Any] = (
            self._spool if "b" in mode else io.TextIOWrapper(self._spool, encoding="utf-8", newline="")
        )
        super().__init__(self._file, name)
        self.mode = mode

    def close(self) -> None:
        if self._spool.closed:
            return
        send, self._send = self._send, None
        try:
            if send:
                self._file.flush()
                send(File(self._spool, self.name))
        finally:
            self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._send = None
        self.close()

    def _fill(self, existing: AnyFile | None) -> None:
        if existing:
            with existing:
                shutil.copyfileobj(existing, self._spool)


class _Stream(io.RawIOBase):
    def __init__(self, open_at: Open) -> None:
        super().__init__()
        self._open_at = open_at
        self._stream: StorageStream | None = None
        self._left = b""
        self._position = 0
        self._sha: str | None = None

    @property
    def size(self) -> int:
        return self._opened().info.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        position = (self.size if start is None else start) + offset
        if position < 0:
            raise OSError("a file begins at 0")
        if position != self._position:
            self._close_stream()
            self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        stream = self._opened()
        if not self._left:
            self._left = file_storages.run(lambda _: anext(stream, b""))
        length = min(len(buffer), len(self._left))
        buffer[:length], self._left = self._left[:length], self._left[length:]
        self._position += length
        return length

    def close(self) -> None:
        if not self.closed:
            self._close_stream()
        super().close()

    def _opened(self) -> StorageStream:
        if self.closed:
            raise ValueError("the file is closed")
        if self._stream is None:
            self._stream = stream = self._open_at(self._position)
            if self._sha is not None and stream.info.sha != self._sha:
                raise OSError("the file was changed while it was read")
            self._sha = stream.info.sha
        return self._stream

    def _close_stream(self) -> None:
        stream, self._stream, self._left = self._stream, None, b""
        if stream:
            file_storages.run(lambda _: stream.aclose())
