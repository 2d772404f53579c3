"""One JSON line a request, written in one go.

Django's and Python's logging would take longer than answering a trivial call does: a record, its caller, two
formatters. The line is put together here, with the same names as `logs.py` uses for all others.
"""

import contextlib
import logging
import os
import re
import time
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from project import metrics

STDERR = 2
# whoever has an invitation's address may choose the password
SECRET_IN_PATH = re.compile(r"(?<=^/invitation/).+", re.DOTALL)
log = logging.getLogger("holdfast.requests")


class Answered(NamedTuple):
    """What is said of a request: `seconds` is how long it took, `code` the problem's code, if it was refused."""

    method: str
    path: str
    status: int
    seconds: float
    code: str
    request_id: str
    actor: str
    project: str


def note(route: str, answered: Answered) -> None:
    """Counts the answer, and writes its line where requests are logged."""
    metrics.count_request(answered.method, route, answered.status, answered.seconds)
    if log.isEnabledFor(logging.INFO):
        _write(answered)


def without_secrets(path: str) -> str:
    return SECRET_IN_PATH.sub("…", path) if path.startswith("/invitation/") else path


def line(answered: Answered) -> str:
    """Quoting escapes line breaks, terminal codes and whatever is not ASCII."""
    method, path, status, seconds, code, request_id, actor, project = answered
    path = without_secrets(path)
    level = "error" if status >= 500 else "info"
    return (
        f'{{"time": "{_now()}", "level": "{level}", "logger": "holdfast.requests", '
        f'"message": {quoted(f"{method} {path} {status}")}, "request_id": {quoted(request_id)}, '
        f'"actor": {quoted(actor)}, "project": {quoted(project)}, "method": {quoted(method)}, '
        f'"path": {quoted(path)}, "status": {status}, "milliseconds": {seconds * 1000:.1f}, "code": {quoted(code)}}}\n'
    )


def _write(answered: Answered) -> None:
    """Shorter than a pipe's atomic size unless the path is very long, so lines of several threads do not mix. A log
    that takes nothing any more (a full disk, a closed pipe) must not turn an answer into a failure."""
    with contextlib.suppress(OSError):
        os.write(STDERR, line(answered).encode("ascii"))


_second = (0, "")


def _now() -> str:
    """RFC 3339; all but the fraction changes once a second, and is kept until then."""
    global _second
    now = time.time_ns() // 1000
    second, fraction = divmod(now, 1_000_000)
    if _second[0] != second:
        _second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
    return f"{_second[1]}.{fraction:06d}Z"
