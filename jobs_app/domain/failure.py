"""Why a job failed, told so that failures of one cause look the same: exception, top frame, and the message with what
differs from one job to the next (ids, numbers) taken out.

Messages come from workers, so every pattern takes linear time and every text is cut before it is looked at.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

LONGEST_MESSAGE: Final = 300
GAP: Final = "#"  # stands where an id or a number was


@dataclass(frozen=True)
class Cause:
    exception: str
    frame: str
    message: str

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same cause, in every process and release."""
        text = f"{self.exception}\0{self.frame}\0{self.message}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=64)  # a job that is tried again is written with the same cause at each beat
def cause_of(message: str | None, traceback: str | None) -> Cause:
    told = (message or "").strip()[:_MOST_MESSAGE]
    trace = (traceback or "").strip()[-_MOST_TRACE:]
    return Cause(_exception(told, trace), _frame(trace), generalised(told))


def generalised(message: str) -> str:
    """The message without ids and numbers, as one line."""
    line = " ".join(_VARYING.sub(GAP, message[:_MOST_MESSAGE]).split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


_MOST_MESSAGE: Final = 2_000
_MOST_TRACE: Final = 20_000
_MOST_WORD: Final = 120
# UUIDs, other words with a digit in them (order-4711, 0x7f3a, sha256:…), and plain hexadecimal of eight signs or more.
_VARYING: Final = re.compile(
    r"(?<![\w-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![\w-])"
    r"|(?<!\w)(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,128}(?!\w)|0[xX][0-9a-fA-F]{1,64}|[0-9]+(?:[.,:][0-9]+)*"
)
_PYTHON_FRAME: Final = re.compile(r'^[ \t]*File "([^"\n]{1,500})", line [0-9]+, in ([^\n]{1,200})$', re.MULTILINE)
_SCRIPT_FRAME: Final = re.compile(r"^[ \t]*at ([^\s()]{1,200})", re.MULTILINE)
_NAMED: Final = re.compile(
    r"([A-Za-z_][\w.]{0,119}?(?:Error|Exception|Timeout|Interrupt|Exit|Warning|Fault))(?=[:\s(]|$)"
)
_LAST_LINE: Final = re.compile(r"([A-Za-z_][\w.]{0,119})(?::|$)")


def _exception(told: str, trace: str) -> str:
    lines = [line for line in trace.splitlines() if line and not line[0].isspace()]
    if _PYTHON_FRAME.search(trace) and lines and (match := _LAST_LINE.match(lines[-1])):
        return match[1][:_MOST_WORD]
    for text in (*lines[:1], told):
        if match := _NAMED.match(text):
            return match[1][:_MOST_WORD]
    return ""


def _frame(trace: str) -> str:
    """The innermost one: Python tells it last, most others first. Without line numbers, which every release moves."""
    if found := _PYTHON_FRAME.findall(trace):
        path, function = found[-1]
        return f"{'/'.join(path.replace(chr(92), '/').split('/')[-2:])} in {function.strip()}"[:_MOST_WORD]
    match = _SCRIPT_FRAME.search(trace)
    return _VARYING.sub(GAP, match[1])[:_MOST_WORD] if match else ""
