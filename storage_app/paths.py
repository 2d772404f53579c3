"""What a safe path is: one rule for every provider, so that what one accepts can be copied to any other.

A path is relative, has forward slashes and names a file. Two spellings are taken in and no more: `\\` becomes `/`, and
one leading `/` goes. Everything else is refused, not repaired, with the reason: repairing invents a second name for
the same file. What is refused would leave the root somewhere (`..`, drives, devices), or could not be kept somewhere
(Windows, git, S3), or looks like what it is not.
"""

import re
import unicodedata
from typing import Final

LONGEST_PART_BYTES: Final = 255
LONGEST_PATH_BYTES: Final = 900  # S3 ends a key at 1,024; the rest is for base paths
MOST_PARTS: Final = 64


class InvalidPathError(ValueError):
    """The path breaks the rule; the text says how and never repeats the path, which may be hostile to a terminal."""


def normalised(path: str) -> str:
    """The one spelling of the path of a file, or InvalidPathError."""
    if not isinstance(path, str):
        raise InvalidPathError("must be a text")
    # Lengths first: what follows costs in proportion, and nothing hostile shall be long as well.
    if len(path) > LONGEST_PATH_BYTES:
        raise InvalidPathError(f"is longer than {LONGEST_PATH_BYTES} bytes")
    path = path.replace("\\", "/").removeprefix("/")
    if not path:
        raise InvalidPathError("is empty")
    _check_characters(path)
    parts = path.split("/")
    if len(parts) > MOST_PARTS:
        raise InvalidPathError(f"has more than {MOST_PARTS} parts")
    for part in parts:
        _check_part(part)
    if not path.isascii():
        _check_look_alikes(path)
    return path


def normalised_folder(path: str) -> str:
    """As `normalised` for a folder: the root is `""` (or `/`), and one slash may end it."""
    if not isinstance(path, str):
        raise InvalidPathError("must be a text")
    if path in ("", "/", "\\"):
        return ""
    return normalised(path[:-1] if path[-1] in "/\\" else path)


def is_valid(path: str) -> bool:
    """Whether the path is one, spelled as it is kept: what listings ask of names that others made."""
    try:
        return normalised(path) == path
    except InvalidPathError:
        return False


def parents(path: str) -> list[str]:
    """The folders that the path lies in, outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]


def _check_characters(path: str) -> None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise InvalidPathError("has a lone surrogate") from error
    if size > LONGEST_PATH_BYTES:
        raise InvalidPathError(f"is longer than {LONGEST_PATH_BYTES} bytes")
    if _CONTROLS.search(path):
        raise InvalidPathError("has a control character")
    if ":" in path:
        raise InvalidPathError("has a colon")
    if not unicodedata.is_normalized("NFC", path):
        raise InvalidPathError("is not in Unicode normal form C")


def _check_part(part: str) -> None:
    if part == "":
        raise InvalidPathError("has an empty part")
    if part in (".", ".."):
        raise InvalidPathError(f"has the part {part}")
    if part[-1] in ". ":
        raise InvalidPathError("has a part that ends in a dot or a space")
    if len(part.encode()) > LONGEST_PART_BYTES:
        raise InvalidPathError(f"has a part of more than {LONGEST_PART_BYTES} bytes")
    if _DEVICES.match(part):
        raise InvalidPathError("has the name of a device")
    # What git and the file systems of macOS and Windows take for these names counts as them.
    if _IGNORED.sub("", part).casefold() in _RESERVED:
        raise InvalidPathError("has a reserved name")


def _check_look_alikes(path: str) -> None:
    """Two dots and a slash of full width are harmless to us, and not to whoever folds them into ASCII later."""
    for part in unicodedata.normalize("NFKC", path).replace("\\", "/").split("/"):
        if part in ("", ".", "..") or _DEVICES.match(part) or _IGNORED.sub("", part).casefold() in _RESERVED:
            raise InvalidPathError("looks like what it is not")


# C0, DEL, C1, line and paragraph separators, and the marks that turn the direction of what a person reads.
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Windows knows them with any extension, with spaces before it, and with superscript digits.
_DEVICES: Final = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)
# Code points that HFS+ leaves out of a comparison.
_IGNORED: Final = re.compile("[\u200c-\u200f\u206a-\u206f\ufeff]")
_RESERVED: Final = frozenset({".git", "git~1", ".holdfast", "holdfa~1"})
