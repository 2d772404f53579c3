"""What goes in and out of a storage provider: plain values."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Flag, auto
from typing import Any, Literal, TypeAlias

Encoding: TypeAlias = Literal["utf-8", "base64"]


class StorageCapability(Flag):
    """In what providers differ; callers ask before they offer, the contract suite reads the same flags."""

    ATOMIC_BATCH_WRITE = auto()  # a batch is whole or absent, after a crash too
    VERSIONING = auto()  # `list_versions` and `read_version`
    CONTENT_HASH_NATIVE = auto()  # listings know every hash without reading content
    RATE_LIMITED = auto()  # somebody counts the requests
    SUPPORTS_GLOB = auto()


@dataclass(frozen=True)
class StorageFile:
    path: str
    content: bytes = field(repr=False)
    sha: str
    size: int
    encoding: Encoding
    last_modified: datetime | None = None

    @classmethod
    def of(cls, path: str, content: bytes, sha: str, last_modified: datetime | None = None) -> "StorageFile":
        return cls(path, content, sha, len(content), encoding_of(content), last_modified)

    @property
    def content_text(self) -> str:
        """The content as text in `encoding`: itself where it is UTF-8, else in base64."""
        return self.content.decode() if self.encoding == "utf-8" else base64.b64encode(self.content).decode()


@dataclass(frozen=True)
class StorageFileInfo:
    """A file, or a folder (size 0, no hash).

    `sha` is None where only reading the content would tell, in listings of providers without CONTENT_HASH_NATIVE;
    `get_file_info` always knows it for a file.
    """

    path: str
    sha: str | None
    size: int
    is_directory: bool = False
    last_modified: datetime | None = None


@dataclass(frozen=True)
class StorageCommit:
    """What a write did. `files` are the paths that really changed, in the order given; when everything was already as
    asked there is no commit: `files` is empty and `sha` is "".
    """

    sha: str
    message: str
    author: str
    timestamp: datetime
    files: list[str]

    @property
    def changed(self) -> bool:
        return bool(self.files)


@dataclass(frozen=True)
class StorageVersion:
    """One state of a file in the history; `version` is what `read_version` takes. A deletion has no hash."""

    version: str
    path: str
    sha: str | None
    message: str
    author: str
    timestamp: datetime

    @property
    def deleted(self) -> bool:
        return self.sha is None


@dataclass(frozen=True)
class StorageHealth:
    """`message` is for people and names no secret; `details` are JSON values (rate limits, expiry, latency)."""

    healthy: bool
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.healthy


@dataclass(frozen=True)
class FileWrite:
    path: str
    content: bytes = field(repr=False)
    overwrite: bool = True
    expected_sha: str | None = None


@dataclass(frozen=True)
class FileDelete:
    path: str
    expected_sha: str | None = None


FileChange: TypeAlias = FileWrite | FileDelete


def encoding_of(content: bytes) -> Encoding:
    if content.isascii():
        return "utf-8"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "base64"
    return "utf-8"
