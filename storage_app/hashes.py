"""Content hashes: `git:<blob sha1>` and `sha256:<hex>`, and when two of them can be compared.

Hashes of one kind are compared directly. Two kinds say nothing about each other: then the content is hashed anew, in
the other's algorithm, and never are the two texts compared.
"""

import hashlib
import re
from enum import StrEnum
from typing import Final


class HashKind(StrEnum):
    GIT = "git"
    SHA256 = "sha256"


class Hasher:
    """Hashes content that comes in pieces. Git's begins with the size, so that must be known before."""

    def __init__(self, kind: HashKind, size: int | None = None) -> None:
        self.kind = kind
        if kind is HashKind.GIT:
            if size is None:
                raise ValueError("git hashes the size before the content")
            # What git calls things by, not a protection: collisions are git's to refuse.
            self._hash = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        else:
            self._hash = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        self._hash.update(piece)

    def result(self) -> str:
        return f"{self.kind}:{self._hash.hexdigest()}"


def compute(kind: HashKind, content: bytes) -> str:
    hasher = Hasher(kind, len(content))
    hasher.update(content)
    return hasher.result()


def git_hash(content: bytes) -> str:
    return compute(HashKind.GIT, content)


def sha256_hash(content: bytes) -> str:
    return compute(HashKind.SHA256, content)


def kind_of(text: str) -> HashKind | None:
    """The kind, or None for what is no hash: nothing has it, so it never matches."""
    match = _HASH.fullmatch(text)
    return HashKind(match[1] or match[2]) if match else None


def comparable(one: str, other: str) -> bool:
    """Whether the two can be compared without the content."""
    kind = kind_of(one)
    return kind is not None and kind is kind_of(other)


def matches(wanted: str, content: bytes) -> bool:
    """Whether the content has this hash, in the hash's own algorithm."""
    kind = kind_of(wanted)
    return kind is not None and compute(kind, content) == wanted


def same_content(one: str, other: str, content_of_other: bytes) -> bool:
    """Whether both hashes are of one content; that of the second is at hand for when the kinds differ."""
    return one == other if comparable(one, other) else matches(one, content_of_other)


# Lower case only, so that one content has one text of each kind.
_HASH: Final = re.compile(r"(git):[0-9a-f]{40}|(sha256):[0-9a-f]{64}")
