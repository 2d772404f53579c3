"""`manage.py jobs create|list|show|retry|cancel|logs|work --project SLUG`, here or on a server (`--url`)."""

import json
import os
import platform
import shutil
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError

from jobs_app.domain.job_log import LogLevel
from jobs_app.domain.job_states import JobState
from jobs_app.errors import RefusedError
from jobs_app.management.desks import Desk, Value
from jobs_app.management.desks.here import JobsHere
from jobs_app.management.desks.there import JobsThere
from jobs_app.management.job_run import Rules
from jobs_app.management.job_worker import JobWorker, Plan
from jobs_app.management.output import SpeakingCommand, json_option, printable
from jobs_app.services.jobs import ORDERS
from storage_app import strict_json

TOKEN: Final = "TOKEN"  # noqa: S105 - the name of a variable
FIELDS: Final = {
    "name": "name",
    "type": "content_type",
    "priority": "priority",
    "ingestion_id": "ingestion_task_id",
    "run": "run_id",
    "document": "document_id",
    "path": "source_file_path",
    "not_before": "not_before",
    "timeout_at": "timeout_at",
    "attempt_timeout": "attempt_timeout_seconds",
    "max_retries": "max_retries",
    "tag": "tags",
    "options": "task_options",
}
SHOWN: Final = (
    "id name status content_type priority tags worker_id attempt retry_count max_retries lost_count created_at "
    "not_before started_at completed_at timeout_at ingestion_task_id run_id document_id source_file_path "
    "cancel_requested error_message"
).split()
ATTEMPT: Final = ("number", "worker_id", "started_at", "ended_at", "outcome", "error_message")


class Command(SpeakingCommand):
    help = "Makes, shows, steers and carries out jobs, of this installation or of a server."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_create(verbs.add_parser("create", help="make a job, or many with --from"))
        _add_list(verbs.add_parser("list", help="list jobs, newest first"))
        show = verbs.add_parser("show", help="show a job and the attempts made at it")
        show.add_argument("id")
        for verb, what in (("retry", "put jobs back into the queue"), ("cancel", "end jobs")):
            steer = verbs.add_parser(verb, help=what)
            steer.add_argument("id", nargs="+")
            steer.add_argument("--reason", default="", help="kept with the job and in the audit log")
        _add_logs(verbs.add_parser("logs", help="print a job's log"))
        _add_work(verbs.add_parser("work", help="carry out jobs with a command of yours"))
        for each in verbs.choices.values():
            # `--token=SECRET` must be refused, not taken for the beginning of --token-env and repeated in a message
            each.allow_abbrev = False
            each.add_argument("--project", metavar="SLUG", required=True)
            each.add_argument("--url", help="a server's address; default: this installation, without a server")
            each.add_argument(
                "--token-env",
                default=TOKEN,
                metavar="NAME",
                help=f"the environment variable that holds the token for --url; default {TOKEN}",
            )
            json_option(each)

    def perform(self, options: dict[str, Any]) -> None:
        desk = _desk(options)
        try:
            verb: Callable[[Desk, dict[str, Any]], None] = getattr(self, f"_{options['verb']}")
            verb(desk, options)
        except BrokenPipeError:  # whoever read us has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        finally:
            desk.close()

    def _create(self, desk: Desk, options: dict[str, Any]) -> None:
        if options["from"] is not None:
            new = list(_lines_of(options["from"]))
            if not new:
                raise CommandError(f"{options['from']} has no job in it.", returncode=1)
        else:
            new = [{field: options[name] for name, field in FIELDS.items() if options[name] is not None}]
        for job in desk.create(new):
            self._tell(options, job, job["id"])

    def _list(self, desk: Desk, options: dict[str, Any]) -> None:
        names = {"status": "status", "type": "content_type", "worker": "worker_id", "tag": "tag", "run": "run_id"}
        filters = {field: options[name] for name, field in names.items() if options[name] is not None}
        if options["query"]:
            filters["q"] = " ".join(options["query"])
        found = desk.find(filters, options["order"], None if options["all"] else options["limit"])
        if options["json"]:
            for job in found:
                self._tell(options, job, "")
            return
        self.table(options, [_row(job) for job in found], "No job matches.")

    def _show(self, desk: Desk, options: dict[str, Any]) -> None:
        job = desk.get(options["id"])
        attempts = desk.attempts(options["id"])
        if options["json"]:
            self._tell(options, {**job, "attempts": attempts}, "")
            return
        for name in SHOWN:
            if job[name] not in (None, "", []):
                self.stdout.write(f"{name:<18} {printable(_text(job[name]))}")
        for name in ("task_options", "result_data"):
            if job[name]:
                self.stdout.write(f"{name:<18} {printable(json.dumps(job[name], ensure_ascii=False))}")
        rows = [{name: attempt[name] for name in ATTEMPT} for attempt in attempts]
        if rows:
            self.stdout.write("")
            self.table(options, rows, "")

    def _retry(self, desk: Desk, options: dict[str, Any]) -> None:
        self._steer(desk.retry, options)

    def _cancel(self, desk: Desk, options: dict[str, Any]) -> None:
        self._steer(desk.cancel, options)

    def _steer(self, act: Callable[[str, str], Value], options: dict[str, Any]) -> None:
        """Each by itself; one that is refused keeps none of the others from it."""
        refused = 0
        for id in options["id"]:
            try:
                job = act(id, options["reason"])
            except RefusedError as error:
                refused += 1
                self.stderr.write(f"{printable(id)}: {printable(error.detail)}")
            else:
                asked = job["status"] == JobState.PROCESSING and job["cancel_requested"]
                self._tell(options, job, f"{id} is asked to end" if asked else f"{id} is {job['status']}")
        if refused:
            raise CommandError(f"{refused} of {len(options['id'])} were refused.", returncode=1)

    def _logs(self, desk: Desk, options: dict[str, Any]) -> None:
        after = 0
        id, level, words = options["id"], options["level"], " ".join(options["query"]) or None
        for line in desk.log(id, level, words, options["tail"]):
            after = line["number"]
            self._tell_line(options, line)
        if options["follow"]:
            try:
                for line in desk.follow(id, level, words, after):
                    self._tell_line(options, line)
            except KeyboardInterrupt:
                return

    def _work(self, desk: Desk, options: dict[str, Any]) -> None:
        hidden = _hidden(options)
        rules = Rules(options["exec"], options["lease"], options["grace"], frozenset(options["final"] or ()), hidden)
        plan = Plan(
            options["worker_id"] or f"{platform.node()[:80] or 'worker'}-{os.getpid()}",
            options["type"],
            rules,
            slots=options["slots"],
            most=options["most"],
            until_empty=options["until_empty"],
        )
        worker = JobWorker(desk, plan, lambda *ended: self._tell_end(options, *ended), self._complain)
        with _Signals(worker):
            worker.work()

    def _tell(self, options: Mapping[str, Any], value: Value, sentence: str) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False) if options["json"] else printable(sentence))

    def _tell_line(self, options: Mapping[str, Any], line: Value) -> None:
        self._tell(options, line, f"{line['time'][:23]}Z {line['level']:<7} {line['message']}")
        self.stdout.flush()

    def _tell_end(self, options: Mapping[str, Any], job: Value, outcome: str, seconds: float) -> None:
        value = {"id": job["id"], "name": job["name"], "outcome": outcome, "seconds": round(seconds, 3)}
        self._tell(options, value, f"{job['id']} {outcome} after {seconds:.1f} s  {job['name']}")
        self.stdout.flush()

    def _complain(self, sentence: str) -> None:
        self.stderr.write(printable(sentence))


class _Signals:
    """While it works: the first SIGTERM or Ctrl-C drains, the second ends what runs and gives it back."""

    def __init__(self, worker: JobWorker) -> None:
        self._worker = worker
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, *signalled: object) -> None:
        if self._asked:
            self._worker.hurry()
        else:
            self._worker.drain()
        self._asked = True


def _add_create(parser: ArgumentParser) -> None:
    parser.add_argument("--from", metavar="FILE", help="a job on each line as JSON, as the API takes it; - is stdin")
    parser.add_argument("--name", help="for people; default: the last part of the path, or another label")
    parser.add_argument("--type", metavar="CONTENT_TYPE", help="which workers may take it")
    parser.add_argument("--options", type=_json_object, metavar="JSON", help="task_options")
    parser.add_argument("--priority", type=int, help="-100 to 100, higher ones first")
    parser.add_argument("--tag", action="append", help="repeatable")
    parser.add_argument("--ingestion-id", metavar="ID", help="the same id with the same content is made once only")
    parser.add_argument("--run", metavar="ID", help="run_id")
    parser.add_argument("--document", metavar="ID", help="document_id")
    parser.add_argument("--path", help="source_file_path")
    parser.add_argument("--not-before", metavar="TIME", help="e.g. 2026-01-31T12:00:00Z")
    parser.add_argument("--timeout-at", metavar="TIME", help="the deadline of the job as a whole")
    parser.add_argument("--attempt-timeout", type=int, metavar="SECONDS", help="the most that one attempt may take")
    parser.add_argument("--max-retries", type=int)


def _add_list(parser: ArgumentParser) -> None:
    parser.add_argument("query", nargs="*", help="a query, as on the jobs page and in the API")
    parser.add_argument("--status", action="append", choices=list(JobState), help="repeatable")
    for name in ("type", "worker", "tag", "run"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--order", choices=ORDERS, default="-created_at")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--limit", type=_positive, default=50)
    many.add_argument("--all", action="store_true", help="every one that matches")


def _add_logs(parser: ArgumentParser) -> None:
    parser.add_argument("id")
    parser.add_argument("query", nargs="*", help="words that are all in the message")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    parser.add_argument("--level", choices=list(LogLevel), help="the least severe level that is shown")
    parser.add_argument("--tail", type=_positive, metavar="N", help="the last lines only")


def _add_work(parser: ArgumentParser) -> None:
    parser.add_argument("--exec", metavar="CMD", required=True, help="what the shell runs for each job")
    parser.add_argument("--type", action="append", metavar="CONTENT_TYPE", help="repeatable; default: any job")
    parser.add_argument("--slots", type=_positive, default=1, help="how many jobs at a time")
    parser.add_argument("--lease", type=_lease, default=60, metavar="SECONDS", help="how long silence is borne")
    parser.add_argument("--grace", type=float, default=10, metavar="SECONDS", help="between SIGTERM and SIGKILL")
    parser.add_argument("--final", type=int, action="append", metavar="CODE", help="exit codes that are not retried")
    parser.add_argument("--worker-id", metavar="ID", help="default: host name and process id")
    parser.add_argument("--most", type=_positive, metavar="N", help="stop after so many jobs")
    parser.add_argument("--until-empty", action="store_true", help="stop when no job is due")


def _desk(options: Mapping[str, Any]) -> Desk:
    if options["url"] is None:
        return JobsHere(options["project"])
    token = os.environ.get(options["token_env"], "")
    if not token:
        raise CommandError(
            f"Put the token into the environment variable {options['token_env']}, or name another one with "
            "--token-env. A token does not belong on a command line, where every process can read it.",
            returncode=2,
        )
    return JobsThere(options["url"], token, options["project"])


def _hidden(options: Mapping[str, Any]) -> Callable[[str], bool]:
    """The token and our own configuration are none of the command's business."""
    ours = {options["token_env"], *settings.CONFIG_NAMES}
    return lambda name: name in ours


def _lines_of(name: str) -> Iterable[Value]:
    try:
        lines = sys.stdin.buffer.read().splitlines() if name == "-" else Path(name).read_bytes().splitlines()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=1) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield strict_json.loads_object(line)
        except ValueError as error:
            raise CommandError(f"Line {number} of {name} is no job: {error}", returncode=1) from error


def _row(job: Value) -> dict[str, Any]:
    return {
        "id": job["id"],
        "status": job["status"],
        "name": _short(job["name"]),
        "type": job["content_type"],
        "priority": job["priority"] or "",
        "created": job["created_at"][:19] + "Z",
        "worker": job["worker_id"] or "",
        "error": _short(job["error_message"] or ""),
    }


def _short(text: str) -> str:
    most = max(20, shutil.get_terminal_size().columns // 4)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _json_object(text: str) -> dict[str, Any]:
    try:
        return dict(strict_json.loads_object(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError("must be a whole number from 1 on")
    return int(text)


def _lease(text: str) -> int:
    seconds = _positive(text)
    if not 3 <= seconds <= 86_400:
        raise ArgumentTypeError("must be from 3 to 86400 seconds")
    return seconds
