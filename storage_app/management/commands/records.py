"""`manage.py records …`: looking after the record store, whichever it is.

Ends with 0 when all is well, 1 when there are problems or it was refused, 2 when it was asked wrongly.
"""

import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.core.management.base import BaseCommand, CommandError

from storage_app.management.progress import Reporter
from storage_app.records import configured, moving, registry
from storage_app.records.answers import Report
from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError, RecordStoreError, UnknownBackendError

PROBLEMS: Final = 1
USAGE: Final = 2


class Command(BaseCommand):
    help = "Looks after the record store: init, check, repair, reindex, stats, migrate, upgrade, export, import, …"

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, (_, sentence, add) in _ACTIONS.items():
            action = actions.add_parser(name, help=sentence, description=sentence)
            action.add_argument("--json", action="store_true", help="JSON lines, on a terminal too")
            add(action)

    def handle(self, *, action: str, **options: Any) -> None:
        reporter = Reporter(self.stdout, self.stderr, options["json"])
        run = _ACTIONS[action][0]
        try:
            run(configured.record_store(), reporter, options)
        except (InvalidError, UnknownBackendError) as error:
            raise CommandError(str(error), returncode=USAGE) from error
        except RecordStoreError as error:
            raise CommandError(str(error), returncode=PROBLEMS) from error


def _init(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    projects = store.projects()
    reporter.result(
        f"The {configured.backend()} store is ready; it holds {len(projects)} projects.",
        backend=configured.backend(),
        projects=len(projects),
    )


def _check(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    report = store.check(options["project"], progress=reporter.progress("check"))
    _tell(reporter, report)
    if report.problems:
        raise CommandError(f"{len(report.problems)} problems; `records repair` puts them right.", returncode=PROBLEMS)


def _repair(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    _ask(options, "Repair the record store? What cannot be read goes to quarantine.")
    report = store.repair(options["project"], progress=reporter.progress("repair"))
    _tell(reporter, report)
    again = store.check(options["project"], progress=reporter.progress("check"))
    if again.problems:
        raise CommandError(f"{len(again.problems)} problems are left.", returncode=PROBLEMS)


def _reindex(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    records = store.rebuild_index(options["project"], progress=reporter.progress("reindex"))
    reporter.result(f"Indexes and counters made anew from {records:,} records.", records=records)


def _stats(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    for project in [options["project"]] if options["project"] else store.projects():
        for name, held in store.statistics(project).items():
            reporter.result(
                f"{project}  {name}: {held.records:,} records, {held.entries:,} entries, {held.bytes:,} bytes",
                project=project,
                collection=name,
                records=held.records,
                entries=held.entries,
                bytes=held.bytes,
            )
        if aside := len(store.quarantined(project)):
            reporter.result(f"{project}  quarantine: {aside:,} records", project=project, quarantined=aside)


def _migrate(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    if options["to"] == configured.backend():
        raise CommandError(f"Records are in the {options['to']} store already.", returncode=USAGE)
    problems = 0
    with configured.open_backend(options["to"]) as target:
        for project, name in moving.places(store, options["project"]):
            moved = moving.move(store, target, project, name, reporter.progress(f"{project}/{name}"))
            problems += not moved.same
            reporter.result(
                f"{project}/{name}: {moved.copied:,} copied; there are {moved.target.records:,} of"
                f" {moved.source.records:,} records and {moved.target.entries:,} of {moved.source.entries:,} entries, "
                + ("the same." if moved.same else "NOT the same."),
                project=project,
                collection=name,
                copied=moved.copied,
                records=moved.target.records,
                entries=moved.target.entries,
                digest=moved.target.hash,
                same=moved.same,
            )
        problems += _quarantine_left(store, reporter, options["project"])
    if problems:
        raise CommandError(
            "Not everything is the same in both. Run it again when nobody writes, or look at what is named above.",
            returncode=PROBLEMS,
        )
    reporter.result(
        f"Everything is in the {options['to']} store too. Set HOLDFAST_RECORD_STORE={options['to']} to use it.",
        migrated_to=options["to"],
    )


def _quarantine_left(store: RecordStore, reporter: Reporter, project: str | None) -> int:
    left = 0
    for owner in [project] if project else store.projects():
        if aside := len(store.quarantined(owner)):
            left += aside
            reporter.result(
                f"{owner}: {aside:,} records in quarantine were not copied; restore or discard them.",
                project=owner,
                left_in_quarantine=aside,
            )
    return left


def _upgrade(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    for step in store.upgrades():
        state = "applied" if step.applied else "pending"
        reporter.result(f"[{'x' if step.applied else ' '}] {step.name}  {step.title}", step=step.name, state=state)
    pending = [step for step in store.upgrades() if not step.applied]
    if options["dry_run"] or not pending:
        reporter.result(f"{len(pending)} steps pending.", pending=len(pending))
        return
    _ask(options, f"Take {len(pending)} steps?")
    taken = store.upgrade(progress=reporter.progress("upgrade"))
    reporter.result(f"{len(taken)} steps taken.", taken=[step.name for step in taken])


def _export(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    written = 0
    with _writing(options["file"]) as output:
        progress = reporter.progress("export") if options["file"] != "-" else lambda done, total: None
        for project, name in moving.places(store, options["project"], options["collection"]):
            for line in moving.lines(store, project, name):
                output.write(line + "\n")
                written += 1
                progress(written, None)
    if options["file"] != "-":
        reporter.result(f"{written:,} lines written to {options['file']}.", lines=written)


def _import(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    with _reading(options["file"]) as source:
        added = moving.take_in(store, source, reporter.progress("import"))
    reporter.result(f"{added:,} records added; what was there and equal was left.", added=added)


def _cleanup(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    """Records by a time of theirs, or else what has been in quarantine for long."""
    before = store.now() - _duration(options["older_than"])
    if bool(options["collection"]) != bool(options["by"]):
        raise CommandError("--collection and --by go together.", returncode=USAGE)
    if options["collection"]:
        _clean_records(store, reporter, options, before.isoformat())
        return
    old = [
        (project, item)
        for project in ([options["project"]] if options["project"] else store.projects())
        for item in store.quarantined(project)
        if item.at < before
    ]
    if old and not options["dry_run"]:
        _ask(options, f"Discard {len(old)} records that were set aside before {before:%Y-%m-%d %H:%M}?")
        for project, item in old:
            store.quarantine_discard(project, item.id)
    reporter.result(
        f"{len(old):,} records in quarantine {'would be' if options['dry_run'] else 'were'} discarded.",
        quarantined=len(old),
        dry_run=options["dry_run"],
    )


def _clean_records(store: RecordStore, reporter: Reporter, options: dict[str, Any], before: str) -> None:
    name, conditions = options["collection"], {f"{options['by']}__lt": before}
    places = moving.places(store, options["project"], name)
    found = sum(store.count(project, name, conditions) for project, _ in places)
    if found and not options["dry_run"]:
        _ask(options, f"Delete {found:,} records of {name} with {options['by']} before {before}?")
    done = 0
    progress = reporter.progress("cleanup")
    for project, _ in places if not options["dry_run"] else []:
        cursor: str | None = None
        while True:
            batch = store.delete_where(project, name, conditions, order=options["by"], cursor=cursor)
            done += len(batch.records)
            progress(done, found)
            if (cursor := batch.cursor) is None:
                break
    reporter.result(
        f"{found if options['dry_run'] else done:,} records {'would be' if options['dry_run'] else 'were'} deleted.",
        records=found if options["dry_run"] else done,
        dry_run=options["dry_run"],
    )


def _reset(store: RecordStore, reporter: Reporter, options: dict[str, Any]) -> None:
    projects = [options["project"]] if options["project"] else store.projects()
    _ask(options, f"Delete EVERY record of {', '.join(projects) or 'no project'}? This cannot be undone.")
    records = sum(store.delete_project(project) for project in projects)
    reporter.result(f"{records:,} records of {len(projects)} projects deleted.", records=records, projects=projects)


def _tell(reporter: Reporter, report: Report) -> None:
    for problem in report.problems:
        reporter.result(
            f"{problem.project}/{problem.collection}/{problem.record_id or ''}: {problem.kind}: {problem.detail}",
            problem=problem.kind,
            project=problem.project,
            collection=problem.collection,
            record_id=problem.record_id,
            detail=problem.detail,
        )
    reporter.result(
        f"{report.records:,} records, {report.entries:,} entries, {len(report.problems)} problems,"
        f" {report.repaired} put right.",
        records=report.records,
        entries=report.entries,
        problems=len(report.problems),
        repaired=report.repaired,
    )


def _ask(options: dict[str, Any], question: str) -> None:
    if options["yes"]:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Say --yes, since nobody is there to ask.", returncode=PROBLEMS)
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was done.", returncode=PROBLEMS)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if match is None:
        raise CommandError(f"{text!r} is not a span of time such as 12h, 30d or 4w.", returncode=USAGE)
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@contextmanager
def _writing(name: str) -> Iterator[IO[str]]:
    """A new file appears under its name when it is complete."""
    if name == "-":
        yield sys.stdout
        return
    path = Path(name)
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror}", returncode=PROBLEMS) from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _reading(name: str) -> Iterator[IO[str]]:
    if name == "-":
        yield sys.stdin
        return
    try:
        with Path(name).open(encoding="utf-8") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {error}", returncode=PROBLEMS) from error


def _with_nothing(parser: ArgumentParser) -> None:
    """No further options."""


def _with_project(parser: ArgumentParser) -> None:
    parser.add_argument("--project", help="this project only")


def _with_question(parser: ArgumentParser) -> None:
    _with_project(parser)
    parser.add_argument("--yes", action="store_true", help="without asking")


def _with_target(parser: ArgumentParser) -> None:
    _with_project(parser)
    parser.add_argument("--to", required=True, choices=registry.names(), help="the store to copy everything to")


def _with_steps(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only list the steps")
    parser.add_argument("--yes", action="store_true", help="without asking")


def _with_output(parser: ArgumentParser) -> None:
    _with_project(parser)
    parser.add_argument("--collection", help="this collection only")
    parser.add_argument("file", help="where to write JSON Lines; - for standard output")


def _with_input(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="JSON Lines that export wrote; - for standard input")


def _with_age(parser: ArgumentParser) -> None:
    _with_question(parser)
    parser.add_argument("--older-than", required=True, help="such as 12h, 30d or 4w")
    parser.add_argument("--collection", help="delete records of this collection, instead of what is in quarantine")
    parser.add_argument("--by", help="the time field of the collection that says how old a record is")
    parser.add_argument("--dry-run", action="store_true", help="only count")


Action = Callable[[RecordStore, Reporter, dict[str, Any]], None]
_ACTIONS: Final[dict[str, tuple[Action, str, Callable[[ArgumentParser], None]]]] = {
    "init": (_init, "makes the store ready and says what it holds", _with_nothing),
    "check": (_check, "looks at every record, index and counter, and changes nothing", _with_project),
    "repair": (_repair, "puts right what check finds", _with_question),
    "reindex": (_reindex, "makes indexes and counters anew from the records", _with_project),
    "stats": (_stats, "records, entries and bytes by project and collection", _with_project),
    "migrate": (_migrate, "copies everything to another store and compares; switches nothing", _with_target),
    "upgrade": (_upgrade, "the steps of the stored form: lists them and takes those pending", _with_steps),
    "export": (_export, "writes records, streams and sequences as JSON Lines", _with_output),
    "import": (_import, "takes in what export wrote", _with_input),
    "cleanup": (_cleanup, "removes what is older than a span of time", _with_age),
    "reset": (_reset, "deletes everything", _with_question),
}
