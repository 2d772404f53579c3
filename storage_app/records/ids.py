"""How ids come about, and which may be given."""

import re
import secrets
import threading
import unicodedata
from typing import Final, TypeAlias

from storage_app.records import times
from storage_app.records.errors import InvalidError

RecordId: TypeAlias = str | int

LONGEST_ID_BYTES: Final = 512
LARGEST_SEQUENCE: Final = 2**53 - 1  # every JSON reader holds it exactly


class TimeOrderedIds:
    """UUIDv7 whose ids grow within one process, also within a millisecond and when the clock steps back.

    The 12 bits after the version count within a millisecond, and borrow from the next one when they run out.
    """

    def __init__(self, clock: times.Clock = times.now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0  # milliseconds and the 12 bits, as one number

    def __call__(self) -> str:
        current = (times.to_instant(self._clock()) // 1000) << 12
        chance = secrets.randbits(73)  # asked for once, since each time is a call of the system
        with self._lock:
            self._last = last = max(current | chance >> 62, self._last + 1)
        number = (last >> 12) << 80 | 0x7 << 76 | (last & 0xFFF) << 64 | 0b10 << 62 | chance & _RANDOM
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def check_uuid(id: object) -> str:
    """A given id of a time-ordered collection: the canonical spelling only, so that no id has two."""
    if not isinstance(id, str) or not _UUID.fullmatch(id):
        raise InvalidError(f"{_shown(id)} is not a UUID in lower case with hyphens", "id")
    return id


def check_sequence(id: object) -> int:
    if isinstance(id, bool) or not isinstance(id, int) or not 1 <= id <= LARGEST_SEQUENCE:
        raise InvalidError(f"{_shown(id)} is not a whole number from 1 to {LARGEST_SEQUENCE}", "id")
    return id


def check_given(id: object) -> str:
    """Any text of 1 to 512 bytes without control characters: `../x`, `CON` and `É` are ids like any other."""
    if not isinstance(id, str) or not id:
        raise InvalidError(f"{_shown(id)} is not a text of at least one character", "id")
    check_plain_text(id, "id", LONGEST_ID_BYTES)
    return id


def check_plain_text(text: str, place: str, most_bytes: int) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidError("has a lone surrogate", place) from error
    if size > most_bytes:
        raise InvalidError(f"is longer than {most_bytes} bytes", place)
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise InvalidError("has a control character", place)


_RANDOM: Final = 2**62 - 1
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _shown(value: object) -> str:
    return ascii(value)[:80]
