"""One job, carried out by a command of the user's.

The command has the job as JSON on its standard input and in `JOB_…` variables. What it writes to its standard output
and error becomes the job's log; a line `::progress 40 page 4 of 10` becomes its progress. Its exit code decides:
0 completes the job with the JSON in the file that `JOB_RESULT` names, or else with a last line that is a JSON object or
list; anything else fails it. A cancel ends the command and all that it has started.
"""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from jobs_app.domain.job_log import LONGEST_MESSAGE, MOST_ENTRIES
from jobs_app.errors import LeaseLostError, RefusedError
from jobs_app.management.desks import Desk, TransientError, Value
from storage_app import strict_json

PROGRESS: Final = re.compile(r"::progress\s+(\d{1,3})(?:\s+(.*))?\s*", re.ASCII)
LARGEST_RESULT: Final = 8 * 1024 * 1024
LONGEST_TAIL: Final = 60_000  # characters of standard error kept as the traceback
LONGEST_PROGRESS: Final = 1000
WAITING_LINES: Final = 10_000
SENT_EVERY: Final = 0.5
BETWEEN_TRIES: Final = 1.0
LOOK_EVERY: Final = 0.05
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rules:
    """How commands are run. `final` are exit codes after which it is not tried again."""

    command: str
    lease_seconds: int
    grace: float
    final: frozenset[int]
    hidden: Callable[[str], bool]  # variables that the command does not get


class JobRun:
    """Made with a claimed job; `carry_out` says how it ended. `stop` gives the job back instead."""

    def __init__(self, desk: Desk, job: Value, rules: Rules) -> None:
        self._desk = desk
        self._job = job
        self._id: str = job["id"]
        self._token: str = job["lease_token"]
        self._rules = rules
        self._lines: queue.Queue[Value] = queue.Queue(WAITING_LINES)
        self._numbers = iter(range(1, 2**53))
        self._numbering = threading.Lock()
        self._progress: tuple[float, str] | None = None
        self._last_line = ""
        self._errors: deque[str] = deque()
        self._stopping = threading.Event()
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        self._over = threading.Event()
        self._lease_ends_at = time.monotonic() + rules.lease_seconds

    def stop(self) -> None:
        self._stopping.set()

    def carry_out(self) -> str:
        """`completed`, `failed`, `cancelled`, `released`, or `lost`; never raises what the server or command does."""
        helpers = [threading.Thread(target=self._with_own_line, args=(work,)) for work in (self._beat, self._send_log)]
        for helper in helpers:
            helper.start()
        try:
            with tempfile.TemporaryDirectory(prefix="job-") as folder:
                result = Path(folder) / "result.json"
                code = None if self._stopping.is_set() else self._run(result)
                self._over.set()
                for helper in helpers:
                    helper.join()
                return self._end(code, result)
        finally:
            self._over.set()
            for helper in helpers:
                helper.join()

    def _run(self, result: Path) -> int | None:
        """The exit code; None where the command was ended by us."""
        with tempfile.TemporaryFile() as told:
            told.write(json.dumps({name: value for name, value in self._job.items() if name != "lease_token"}).encode())
            told.seek(0)
            process = subprocess.Popen(  # noqa: S602 - the user's own command line; nothing of the job is put into it
                self._rules.command,
                shell=True,
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(result),
                start_new_session=True,
            )
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            threading.Thread(target=self._read, args=(process.stdout, "info")),
            threading.Thread(target=self._read, args=(process.stderr, "warning")),
        ]
        for reader in readers:
            reader.start()
        try:
            ended_by_us = self._wait(process)
        finally:
            _signal(process, KILL)  # what the command has left behind would hold the pipes, and go on unseen
            process.wait()
            for reader in readers:
                reader.join()
        return None if ended_by_us else process.returncode

    def _wait(self, process: "subprocess.Popen[bytes]") -> bool:
        while process.poll() is None:
            if any(event.is_set() for event in (self._stopping, self._cancelled, self._lost)):
                self._end_gently(process)
                return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_EVERY)
        return False

    def _end_gently(self, process: "subprocess.Popen[bytes]") -> None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self._rules.grace)

    def _environment(self, result: Path) -> dict[str, str]:
        job = self._job
        told = {
            "JOB_ID": self._id,
            "JOB_PROJECT": job["project"],
            "JOB_NAME": job["name"],
            "JOB_CONTENT_TYPE": job["content_type"],
            "JOB_SOURCE_FILE_PATH": job["source_file_path"],
            "JOB_INGESTION_TASK_ID": job["ingestion_task_id"],
            "JOB_RUN_ID": job["run_id"],
            "JOB_DOCUMENT_ID": job["document_id"],
            "JOB_ATTEMPT": job["attempt"],
            "JOB_WORKER_ID": job["worker_id"],
            "JOB_LEASE_TOKEN": self._token,
            "JOB_RESULT": result,
        }
        kept = {name: value for name, value in os.environ.items() if not self._rules.hidden(name)}
        return {**kept, **{name: "" if value is None else str(value) for name, value in told.items()}}

    def _read(self, pipe: IO[bytes], level: str) -> None:
        with pipe:
            while raw := pipe.readline(LONGEST_MESSAGE // 2):
                line = raw.decode(errors="replace").rstrip("\r\n").replace("\0", "\ufffd")
                if level == "info" and (progress := PROGRESS.fullmatch(line)):
                    self._progress = (min(float(progress[1]), 100), (progress[2] or "")[:LONGEST_PROGRESS])
                    continue
                self._remember(line, level)
                if not line:
                    continue
                with self._numbering:  # the order of the numbers is that of the queue
                    entry = {"message": line, "level": level, "time": _now(), "sequence": next(self._numbers)}
                    self._queue(entry)

    def _queue(self, entry: Value) -> None:
        """A command that writes faster than the log is taken waits, until nobody takes it any more."""
        while not self._lost.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(entry, timeout=SENT_EVERY)
                return

    def _remember(self, line: str, level: str) -> None:
        if level == "info":
            self._last_line = line or self._last_line
            return
        self._errors.append(line)
        while sum(map(len, self._errors)) > LONGEST_TAIL and len(self._errors) > 1:
            self._errors.popleft()

    def _with_own_line(self, work: Callable[[], None]) -> None:
        """Whoever loses the lease on the way says so to all."""
        try:
            work()
        except LeaseLostError:
            self._lost.set()
        except RefusedError as error:
            self._errors.append(str(error))
            self._lost.set()
        finally:
            self._desk.leave()

    def _beat(self) -> None:
        told: tuple[float, str] | None = None
        while not self._over.wait(self._rules.lease_seconds / 3) and not self._lost.is_set():
            progress = self._progress
            percent, message = progress if progress is not None and progress != told else (None, None)
            if self._again(lambda p=percent, m=message: self._desk.heartbeat(self._id, self._token, p, m)):  # type: ignore[misc]  # bound now
                self._cancelled.set()
            self._lease_ends_at = time.monotonic() + self._rules.lease_seconds
            told = progress

    def _send_log(self) -> None:
        for batch in self._batches():
            self._again(lambda batch=batch: self._desk.append_log(self._id, self._token, batch))  # type: ignore[misc]

    def _batches(self) -> Iterator[list[Value]]:
        """What has come, twice a second; all that is left once the command has ended."""
        while True:
            over = self._over.wait(SENT_EVERY)
            while batch := self._next_batch():
                yield batch
            if over or self._lost.is_set():
                return

    def _next_batch(self) -> list[Value]:
        batch: list[Value] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            while len(batch) < MOST_ENTRIES and size < 1024 * 1024:
                batch.append(self._lines.get_nowait())
                size += len(batch[-1]["message"])
        return batch

    def _again(self, call: Callable[[], T]) -> T:
        """Until it is answered; once the lease must have ended, it is lost."""
        while True:
            try:
                return call()
            except TransientError as error:
                if time.monotonic() > self._lease_ends_at or self._lost.is_set():
                    raise LeaseLostError(f"The server was not reached until the lease had ended: {error}") from error
                time.sleep(BETWEEN_TRIES)

    def _end(self, code: int | None, result: Path) -> str:
        try:
            if self._lost.is_set():
                return "lost"
            if code is None and not self._cancelled.is_set():
                self._again(lambda: self._desk.release(self._id, self._token))
                return "released"
            ended = self._again(lambda: self._outcome(code, result))
        except LeaseLostError:
            return "lost"
        status: str = ended["status"]
        return "failed" if status == "pending" else status

    def _outcome(self, code: int | None, result: Path) -> Value:
        if code is None:
            return self._desk.fail(self._id, self._token, "The command was ended, as asked.", None, False)
        if code:
            return self._fail(_reason(code), code not in self._rules.final)
        try:
            data = _result(result, self._last_line)
        except ValueError as error:
            return self._fail(f"The result cannot be used: {error}", True)
        return self._desk.complete(self._id, self._token, data)

    def _fail(self, message: str, retryable: bool) -> Value:
        errors = "\n".join(self._errors)[-LONGEST_TAIL:]
        last = next((line for line in reversed(self._errors) if line.strip()), "")
        told = f"{message}: {last.strip()[:2000]}" if last else message
        return self._desk.fail(self._id, self._token, told, errors or None, retryable)


KILL: Final = signal.SIGKILL if os.name == "posix" else signal.SIGTERM


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """To the command and all that it has started; elsewhere than on POSIX, to the command alone."""
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.terminate()


def _reason(code: int) -> str:
    if code > 0:
        return f"The command ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"The command was ended by {signal.Signals(-code).name}"
    return f"The command was ended by signal {-code}"


def _result(path: Path, last_line: str) -> Any:
    if path.exists() and (size := path.stat().st_size):
        if size > LARGEST_RESULT:
            raise ValueError(f"the file has {size:,} bytes, and {LARGEST_RESULT:,} are the most")
        return strict_json.loads(path.read_bytes())
    if last_line.strip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return strict_json.loads(last_line)
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat()
