"""`manage.py segments import|export|search|stats --project SLUG`."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from jobs_app.domain.access import COMMAND
from jobs_app.management.output import SpeakingCommand, json_option
from jobs_app.services import segment_files, segment_search
from jobs_app.services.segment_files import FileForm, Imported, OnConflict
from jobs_app.services.segments import SegmentFilter
from jobs_app.stores.segment_files import Contents

MOST_SHOWN = 20


class Command(SpeakingCommand):
    help = "Takes segments in from files and out into files, searches and counts them."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        import_ = verbs.add_parser("import", help="read a file of segments, as far as it is whole")
        import_.add_argument("path", nargs="?", type=Path, help="default: HOLDFAST_SEGMENTS_IMPORT")
        import_.add_argument("--from", dest="entry", metavar="NAME", help="which of several projects in the file")
        import_.add_argument("--form", choices=list(FileForm), help="default: by the file's name")
        import_.add_argument(
            "--replace", action="store_true", help="segments that are there and differ become as in the file"
        )
        import_.add_argument(
            "--leave", action="store_true", help="leave a broken file where it is; otherwise it is set aside"
        )
        export = verbs.add_parser("export", help="write all segments to standard output, or to a file")
        export.add_argument("--output", type=Path, metavar="PATH")
        export.add_argument("--form", choices=[FileForm.SINGLE, FileForm.LINES], default=FileForm.SINGLE)
        search = verbs.add_parser("search", help="find segments, the best first")
        search.add_argument("query")
        search.add_argument("--limit", type=int, choices=range(1, 501), default=10, metavar="N")
        stats = verbs.add_parser("stats", help="how much each tier holds")
        for verb in (import_, export, search, stats):
            verb.add_argument("--project", metavar="SLUG", required=True)
            json_option(verb)

    def perform(self, options: dict[str, Any]) -> None:
        {"import": self._import, "export": self._export, "search": self._search, "stats": self._stats}[options["verb"]](
            options
        )

    def _import(self, options: dict[str, Any]) -> None:
        path = options["path"] or settings.CONFIG.segments_import
        contents, used = _contents(path.expanduser(), options["form"])
        on_conflict = OnConflict.REPLACE if options["replace"] else OnConflict.KEEP
        done = segment_files.import_(
            COMMAND, options["project"], contents, entry=options["entry"], on_conflict=on_conflict
        )
        aside = None if done.whole or options["leave"] else _set_aside(used)
        self.say(options, _told(done, used, aside), _sentence(done, used, aside))
        if not done.whole:
            for fault in done.faults[:MOST_SHOWN]:
                self.stderr.write(f"line {fault.line}, column {fault.column}: {fault.reason}")

    def _export(self, options: dict[str, Any]) -> None:
        pieces = segment_files.export(COMMAND, options["project"], FileForm(options["form"]))
        if options["output"] is None:
            for piece in pieces:
                self.stdout.write(piece.decode(), ending="")
            return
        target: Path = options["output"]
        unfinished = target.with_name(f"{target.name}.tmp")
        with unfinished.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        unfinished.replace(target)
        self.say(options, {"path": str(target)}, f"Written to {target}.")

    def _search(self, options: dict[str, Any]) -> None:
        found = segment_search.search(
            COMMAND, options["project"], options["query"], SegmentFilter(), limit=options["limit"]
        )
        rows = [
            {
                "score": round(item.score, 2),
                "tier": item.segment.tier.value,
                "type": item.segment.type,
                "tokens": item.segment.tokens,
                "id": item.segment.id,
                "text": " ".join(item.segment.text[item.excerpt.start : item.excerpt.end].split())[:100],
            }
            for item in found.items
        ]
        self.table(options, rows, "Nothing matches.")

    def _stats(self, options: dict[str, Any]) -> None:
        rows = [
            {"tier": tier.value, "segments": one.segments, "tokens": one.tokens, "pinned": one.pinned}
            for tier, one in segment_search.statistics(COMMAND, options["project"]).items()
        ]
        self.table(options, rows, "")


def _contents(path: Path, form: str | None) -> tuple[Contents, Path]:
    """What the file holds. A whole `.tmp` beside it, left by a writer that was killed before it could put it in place,
    is newer and is taken instead; a broken one adds what the file does not have.
    """
    leftover = path.with_name(f"{path.name}.tmp")
    main, beside = _read(path, form), _read(leftover, form)
    if main is None and beside is None:
        raise CommandError(f"There is no file {path}.", returncode=1)
    if main is None or (beside is not None and beside.whole and (not main.whole or _is_newer(leftover, path))):
        assert beside is not None
        return beside, leftover
    if beside is not None:
        known = {one.value.get("segment_id") for one in main.found}
        main.found += [one for one in beside.found if one.value.get("segment_id") not in known]
    return main, path


def _read(path: Path, form: str | None) -> Contents | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=1) from error
    name = path.name.removesuffix(".tmp")
    return segment_files.read(data, FileForm(form) if form else segment_files.form_of(name, data))


def _is_newer(one: Path, other: Path) -> bool:
    return one.stat().st_mtime_ns >= other.stat().st_mtime_ns


def _set_aside(path: Path) -> Path:
    """Nothing is overwritten: the name says when."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    return path.rename(path.with_name(f"{path.name}.corrupt-{stamp}"))


def _told(done: Imported, path: Path, aside: Path | None) -> dict[str, Any]:
    return {
        "path": str(path),
        "from": done.project,
        "created": done.created,
        "replaced": done.replaced,
        "unchanged": done.unchanged,
        "kept": done.kept,
        "duplicates": done.duplicates,
        "faults": [{"line": one.line, "column": one.column, "reason": one.reason} for one in done.faults],
        "set_aside": None if aside is None else str(aside),
    }


def _sentence(done: Imported, path: Path, aside: Path | None) -> str:
    counts = f"{done.created} new, {done.replaced} replaced, {done.unchanged} unchanged, {done.kept} kept as they were"
    text = f"From {path}: {counts}; {done.duplicates} duplicates."
    if not done.whole:
        text += f" {len(done.faults)} faults."
    return text if aside is None else f"{text} The broken file is {aside} now."
