"""What the machine and the engines can do at best, and what the obvious program does: the lengths we measure by.

Each has `setup` behind its constructor and operations as methods; none has anything of ours in it.
"""

import json
import os
import sqlite3
import uuid
from pathlib import Path
from typing import Any, Final

import psycopg

BODY: Final = {"name": "scan 0001.pdf", "options": {"lang": "de", "pages": [1, 2, 3]}, "note": "x" * 400}


class FileReplace:
    """The durable replacement of one file: write beside, fsync, rename, fsync the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = json.dumps(BODY).encode()
        self._number = 0

    def replace(self) -> None:
        self._number += 1
        target = self._folder / f"{self._number}.json"
        beside = self._folder / f".{self._number}.tmp"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, self._text)
        os.fsync(descriptor)
        os.close(descriptor)
        beside.replace(target)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


_TABLE: Final = (
    "CREATE TABLE jobs (id text PRIMARY KEY, status text, kind text, priority bigint, version bigint, document text)"
)
_INDEX: Final = "CREATE INDEX jobs_waiting ON jobs (status, priority DESC, id)"


def _row(number: int, status: str = "pending") -> tuple[Any, ...]:
    document = {**BODY, "status": status, "kind": "pdf", "priority": number % 10}
    return (str(uuid.uuid4()), status, "pdf", number % 10, 1, json.dumps(document))


class SQLiteByHand:
    """What one would write by hand: a table with one index, BEGIN IMMEDIATE, two statements a step."""

    def __init__(self, path: Path, waiting: int) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        self._connection.execute(_TABLE)
        self._connection.execute(_INDEX)
        self._connection.execute("CREATE TABLE plain (id integer PRIMARY KEY, document text)")
        self._number = 0
        self.fill(waiting)

    def close(self) -> None:
        self._connection.close()

    def fill(self, count: int) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", map(_row, range(count)))
        self._connection.execute("COMMIT")

    def commit(self) -> None:
        self._connection.execute("INSERT INTO plain (document) VALUES (?)", (json.dumps(BODY),))

    def create(self) -> None:
        self._number += 1
        self._connection.execute("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?)", _row(self._number))

    def claim(self, count: int = 1) -> list[tuple[str, str]]:
        self._connection.execute("BEGIN IMMEDIATE")
        found = self._connection.execute(
            "SELECT id, document FROM jobs WHERE status = 'pending' ORDER BY priority DESC, id LIMIT ?", (count,)
        ).fetchall()
        self._write([(id, {**json.loads(text), "status": "processing"}) for id, text in found])
        self._connection.execute("COMMIT")
        return found

    def claim_and_complete(self, count: int = 1) -> None:
        found = self.claim(count)
        self._connection.execute("BEGIN IMMEDIATE")
        self._write([(id, {**json.loads(text), "status": "completed"}) for id, text in found])
        self._connection.execute("COMMIT")

    def page(self) -> None:
        rows = self._connection.execute(
            "SELECT id, document FROM jobs WHERE status = 'pending' ORDER BY priority DESC, id LIMIT 51"
        ).fetchall()
        for _, text in rows:
            json.loads(text)

    def _write(self, rows: list[tuple[str, dict[str, Any]]]) -> None:
        for id, document in rows:
            self._connection.execute(
                "UPDATE jobs SET status = ?, version = version + 1, document = ? WHERE id = ?",
                (document["status"], json.dumps(document), id),
            )


class PostgreSQLByHand:
    """The same in PostgreSQL's way: the claim is one statement over FOR UPDATE SKIP LOCKED, every step commits."""

    def __init__(self, settings: dict[str, Any], waiting: int) -> None:
        self._connection = psycopg.connect(
            host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"], autocommit=True
        )
        self._schema = f"byhand_{uuid.uuid4().hex}"
        self._connection.execute(f"CREATE SCHEMA {self._schema}")
        self._connection.execute(f"SET search_path TO {self._schema}")
        self._connection.execute(_TABLE)
        self._connection.execute(_INDEX)
        self._connection.execute("CREATE TABLE plain (id bigserial PRIMARY KEY, document text)")
        self._number = 0
        self.fill(waiting)

    def close(self) -> None:
        self._connection.execute(f"DROP SCHEMA {self._schema} CASCADE")
        self._connection.close()

    def fill(self, count: int) -> None:
        with self._connection.cursor().copy("COPY jobs FROM STDIN") as copy:
            for number in range(count):
                copy.write_row(_row(number))
        self._connection.execute("ANALYZE jobs")

    def commit(self) -> None:
        self._connection.execute("INSERT INTO plain (document) VALUES (%s)", (json.dumps(BODY),))

    def create(self) -> None:
        self._number += 1
        self._connection.execute("INSERT INTO jobs VALUES (%s, %s, %s, %s, %s, %s)", _row(self._number))

    def claim(self, count: int = 1) -> list[tuple[Any, ...]]:
        return self._connection.execute(
            "UPDATE jobs SET status = 'processing', version = version + 1 WHERE id IN (SELECT id FROM jobs"
            " WHERE status = 'pending' ORDER BY priority DESC, id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING id, document",
            (count,),
        ).fetchall()

    def claim_and_complete(self, count: int = 1) -> None:
        found = self.claim(count)
        documents = [json.dumps({**json.loads(text), "status": "completed"}) for _, text in found]
        if count == 1:
            self._connection.execute(
                "UPDATE jobs SET status = 'completed', version = version + 1, document = %s WHERE id = %s",
                (documents[0], found[0][0]),
            )
            return
        self._connection.execute(
            "UPDATE jobs SET status = 'completed', version = version + 1, document = v.document"
            " FROM unnest(%s::text[], %s::text[]) AS v (id, document) WHERE jobs.id = v.id",
            ([id for id, _ in found], documents),
        )

    def page(self) -> None:
        rows = self._connection.execute(
            "SELECT id, document FROM jobs WHERE status = 'pending' ORDER BY priority DESC, id LIMIT 51"
        ).fetchall()
        for _, text in rows:
            json.loads(text)


class Naive:
    """A JSON file a job in status folders, and an index in one JSON file, written anew each time; all with fsync."""

    def __init__(self, folder: Path, waiting: int) -> None:
        self._folder = folder
        self._index: dict[str, list[Any]] = {}
        for status in ("pending", "processing", "completed"):
            (folder / status).mkdir(parents=True)
        for number in range(waiting):
            id, *_, text = _row(number)
            (folder / "pending" / f"{id}.json").write_text(text)
            self._index[id] = ["pending", number % 10]
        self._number = waiting

    def create(self) -> None:
        self._number += 1
        id, *_, text = _row(self._number)
        _write_durably(self._folder / "pending" / f"{id}.json", text)
        self._index[id] = ["pending", self._number % 10]
        self._save()

    def claim_and_complete(self, count: int = 1) -> None:
        waiting = sorted((-row[1], id) for id, row in self._index.items() if row[0] == "pending")
        for _, id in waiting[:count]:
            self._move(id, "pending", "processing")
            self._move(id, "processing", "completed")

    def _move(self, id: str, old: str, new: str) -> None:
        document = json.loads((self._folder / old / f"{id}.json").read_text())
        _write_durably(self._folder / new / f"{id}.json", json.dumps({**document, "status": new}))
        (self._folder / old / f"{id}.json").unlink()
        self._index[id][0] = new
        self._save()

    def _save(self) -> None:
        _write_durably(self._folder / "index.json", json.dumps(self._index))


def _write_durably(path: Path, text: str) -> None:
    beside = path.with_suffix(".tmp")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
