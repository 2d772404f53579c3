"""Names that every file system keeps apart and gives back: ASCII, lower case, no device names, at most 200 bytes.

Letters outside a-z, and all but `-`, `_` and inner dots, become `%xx` of their UTF-8 bytes, so nothing is folded or
normalised. A name that would be too long is cut and ends in `~` and a digest; what it stood for is in the file.
"""

import hashlib
import re
from functools import lru_cache
from typing import Final

LONGEST: Final = 160

NO_VALUE: Final = "~null"
EMPTY: Final = "~empty"


@lru_cache(maxsize=4096)
def to_name(text: str) -> str:
    """The name for an id, a partition value or a collection; two texts never have the same one."""
    if not text:
        return EMPTY
    name = _escaped(text)
    if len(name) > LONGEST:
        cut = re.sub(r"%[0-9a-f]?$", "", name[:80])
        return f"{cut}~{hashlib.sha256(text.encode()).hexdigest()}"
    return name


def from_name(name: str) -> str | None:
    """The text that a name stands for; None where the name was cut or is none of ours."""
    if name == EMPTY:
        return ""
    try:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name).encode("latin-1").decode()
    except ValueError:
        return None
    return text if to_name(text) == name else None


_PLAIN: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ESCAPE: Final = re.compile(r"%([0-9a-f]{2})")
_UNSAFE: Final = re.compile(rb"[^a-z0-9_.-]")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


def _escaped(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raw = _UNSAFE.sub(lambda match: b"%%%02x" % match[0][0], text.encode())
        text = raw.decode("ascii")
        if text.startswith("."):
            text = "%2e" + text[1:]
        if text.endswith("."):
            text = text[:-1] + "%2e"
    if _DEVICE.fullmatch(text):
        text = f"%{ord(text[0]):02x}{text[1:]}"
    return text
