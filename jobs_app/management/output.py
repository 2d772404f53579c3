"""How commands speak: a table for people, JSON for scripts, one sentence and exit code 1 for what is refused."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

from jobs_app.errors import RefusedError
from storage_app.providers.errors import StorageError
from storage_app.records.errors import RecordStoreError


class SpeakingCommand(BaseCommand):
    """Subclasses do their work in `perform`."""

    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        raise NotImplementedError  # pragma: no cover

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.perform(options)
        except RefusedError as error:
            raise CommandError(error.detail, returncode=1) from error
        except (RecordStoreError, StorageError) as error:
            raise CommandError(str(error), returncode=1) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(_database_sentence(), returncode=1) from error

    def perform(self, options: dict[str, Any]) -> None:
        raise NotImplementedError  # pragma: no cover

    def say(self, options: Mapping[str, Any], answer: Mapping[str, Any], sentence: str) -> None:
        """The answer as one line of JSON, or the sentence."""
        self.stdout.write(json.dumps(answer, default=str) if options["json"] else sentence)

    def table(self, options: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], empty: str) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(list(rows), default=str))
        elif not rows:
            self.stdout.write(empty)
        else:
            self.stdout.write(_aligned(rows))


def _database_sentence() -> str:
    """A table that is missing, on a first try before `up`, is told apart from a database that does not answer."""
    try:
        executor = MigrationExecutor(connection)
        unready = bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except (OperationalError, ProgrammingError):
        return "The database does not answer; see HOLDFAST_DATABASE_URL."
    if unready:
        return "The database is not set up yet. Run `manage.py up` once, or `manage.py migrate`."
    return "The database refused this; its log says why."


def json_option(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="answer with JSON")


def printable(value: Any) -> str:
    """No text from outside may move the cursor or colour the terminal."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _aligned(rows: Sequence[Mapping[str, Any]]) -> str:
    head = list(rows[0])
    cells = [head, *([printable(row[name]) for name in head] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join(_padded(line, widths) for line in cells)


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
