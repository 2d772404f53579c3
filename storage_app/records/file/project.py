"""One project on disk: its lock, journal, index and files, and the one way in which anything is changed.

A change is: lock; begin in the index; take in what a killed process left in the journal; change the index; write new
texts to temporary files; append to the journal and sync it; rename; commit the index; unlock. Acknowledged is what
stands in the journal. Where a step fails, the steps before it are taken back; where a process dies, the next one to
come goes on from the journal.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

from storage_app.records.errors import LockTimeoutError, RecordStoreError, UnavailableError
from storage_app.records.file import checkpoint, effects, recovery
from storage_app.records.file.changes import Changes
from storage_app.records.file.checkpoint import Checkpoint
from storage_app.records.file.faults import IndexLostError, IndexReplacedError, translated
from storage_app.records.file.following import Following, Place, Wiping, give_back, waiting, written_ahead
from storage_app.records.file.index import Index
from storage_app.records.file.journal import Journal, Tail
from storage_app.records.file.layer import FileLayer
from storage_app.records.file.locks import ProjectLock
from storage_app.records.file.placing import Placing
from storage_app.records.file.rows import Rows
from storage_app.records.file.tables import Table

log = logging.getLogger(__name__)
T = TypeVar("T")

_TRIES: Final = 3
_MOST_SETTLED: Final = 10
_PLACED_AT_ONCE: Final = 20  # in one go under the lock, so that others wait a few milliseconds at most
_PLACED_WITH_ALL_WAITING: Final = 200
_MANY_WAITING: Final = 5000
_ALL: Final = 1 << 40


class Session:
    """What one holder of the lock changes."""

    def __init__(self, project: "Project", connection: sqlite3.Connection, tail: Tail) -> None:
        self.project = project
        self.connection = connection
        self.tail = tail
        self.rows = Rows(connection)

    def commit(self, changes: Changes, durable: bool) -> None:
        """All of it or nothing; after an error nothing was changed (after UnavailableError: unknown)."""
        project, before = self.project, self.tail
        try:
            changes.describe()
            after = project.append(before, effects.to_bytes(changes.effects), durable, changes.makes_room)
            waiting = changes.prepare(self)
            self.rows.finish(after.lsn)
            self._enter(after)
            if durable:
                project.sync(after)
            changes.place(self, waiting)
            self.rows.finish(after.lsn)  # placing may have counted files
            project.layer.commit(self.connection, project.index.path)
        except BaseException as error:
            self._undo(before, changes, error)
            raise
        self.tail = after
        project.written = True

    def commit_derived(self) -> None:
        """What needs no journal, since it follows from it."""
        self.rows.finish(self.tail.lsn)
        self._enter(self.tail)
        self.project.layer.commit(self.connection, self.project.index.path)

    def _enter(self, tail: Tail) -> None:
        self.connection.execute(
            "UPDATE state SET a = ?, b = ?, c = ?, d = ? WHERE kind = 'here' AND name = '' AND place = 0", tail
        )

    def _undo(self, before: Tail, changes: Changes, cause: BaseException) -> None:
        project = self.project
        project.forget_what_is_durable()
        with suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        try:
            # Files first: where they cannot be taken back, what the journal has stays true and is gone on with.
            project.placing.forget_folders()
            changes.take_back(project)
            project.placing.remove_temporaries()
            project.journal.take_back(before)
        except (OSError, sqlite3.Error, IndexLostError) as error:
            # The disk takes nothing any more. The next one to get the lock settles it from what the journal then has.
            project.distrust()
            raise UnavailableError(f"a write failed ({cause}), and so did taking it back ({error})") from cause


class Project:
    def __init__(
        self,
        layer: FileLayer,
        root: str,
        slug: str,
        timeout: float,
        journal_bytes: int,
        table_of: Callable[[str], Table | None],
        declared: Callable[[], Iterable[Table]],
    ) -> None:
        self.layer = layer
        self.slug = slug
        self.folder = f"{root}/{slug}"
        self.own_folder = f"{self.folder}/.store"
        self.quarantine_folder = f"{self.folder}/.quarantine"
        self.index = Index(layer, f"{self.folder}/.index", timeout)
        self.journal = Journal(layer, self.own_folder, journal_bytes)
        self.placing = Placing(layer, slug, self.folder, self.own_folder)
        self.written = False
        self.table_of = table_of
        self.declared = declared
        self._lock = ProjectLock(layer, f"{self.own_folder}/lock")
        self._settling_lock = ProjectLock(layer, f"{self.own_folder}/settling")
        self._preparing_lock = ProjectLock(layer, f"{self.own_folder}/preparing")
        self._timeout = timeout
        self._loaded = self._readable = False
        self._checkpoint = Checkpoint()
        self._known_tables: tuple[int, set[str]] = (-1, set())
        self._settling = threading.Lock()

    def exists(self) -> bool:
        return os.path.isdir(self.folder)  # noqa: PTH112

    def close(self) -> None:
        self.index.close()
        self.journal.close()
        self._lock.close()
        self._settling_lock.close()
        self._preparing_lock.close()

    # Reading

    def read(self, work: Callable[[sqlite3.Connection], T], missing: T, *tables: Table) -> T:
        """What `work` makes of the index, which is made first where there is none; `missing` without a project."""
        for attempt in range(_TRIES):
            try:
                with translated():
                    if not self._readable or not self.index.exists():
                        if not self.exists():
                            return missing
                        self.load()
                    with self.index.reader() as connection:
                        if all(self._knows(connection, table) for table in tables):
                            return work(connection)
                self.load(*tables)
            except IndexLostError:
                if attempt == _TRIES - 1:
                    raise UnavailableError("the index keeps vanishing") from None
                self.load(*tables)
        return missing

    # Changing

    @contextmanager
    def session(self, *tables: Table) -> Iterator[Session]:
        """The lock and a transaction, which is undone unless `commit` came."""
        self._take_lock()
        try:
            session = self._begin(tables)
            try:
                with translated():
                    yield session
            finally:
                if session.connection.in_transaction:
                    with suppress(sqlite3.Error):
                        session.connection.execute("ROLLBACK")
        finally:
            self._lock.release()

    def change(self, work: Callable[[Session], T], *tables: Table) -> T:
        """What `work` makes of a session. It is done again where the index had to be made anew, or the journal was full
        and had to be settled first, however long a slow disk takes for it.
        """
        deadline = time.monotonic() + self._timeout
        settled = 0
        while True:
            try:
                with self.session(*tables) as session:
                    return work(session)
            except IndexLostError:
                self.distrust()
                if time.monotonic() > deadline:
                    raise UnavailableError("the index keeps breaking") from None
            except JournalFullError:
                if settled == _MOST_SETTLED:
                    raise LockTimeoutError("others fill the journal as fast as its files are written") from None
                settled += 1
                self.settle()

    def load(self, *tables: Table) -> None:
        """Makes sure that the index is there and true."""
        with self.session(*tables):
            pass

    def append(self, tail: Tail, payload: bytes, durable: bool, makes_room: bool) -> Tail:
        if self.journal.is_full(tail, payload):
            if self._has_room(tail):
                tail = self._turned(tail)
            elif not makes_room:
                raise JournalFullError
        return self.journal.append(tail, payload, sync_follows=durable)

    def sync(self, tail: Tail) -> None:
        """All that the journal has up to here survives a loss of power."""
        try:
            self.journal.sync(tail)
        except OSError:
            self._suspect = True
            raise
        self._durable = tail.lsn

    def _turned(self, tail: Tail) -> Tail:
        try:
            return self.journal.turn(tail)
        except OSError:
            self._suspect = True
            raise

    def forget_what_is_durable(self) -> None:
        """The next frame may take a number that one had which was taken back."""
        self._durable = -1

    def distrust(self) -> None:
        """Before the next change all is looked at anew. Reads go on from the index, which has what was acknowledged."""
        self._loaded = False
        self._suspect = True

    # Settling

    def settle(self, gently: bool = False) -> bool:
        """Files follow, become durable, and the journal needs to keep nothing up to here; False without a project.

        Up to here: what is written meanwhile may wait for the next time, so that this comes to an end. Gently: others
        write meanwhile, and should hardly notice.
        """
        at_once = _PLACED_AT_ONCE if gently else _PLACED_WITH_ALL_WAITING
        if not self.exists():
            return False
        with self._settling, translated():
            with self.session() as session:
                target, places = session.tail.lsn, waiting(self, session.connection, _ALL)
            self._place_all(places, at_once)
            with self.session() as session:
                if not waiting(self, session.connection, 1):
                    target = session.tail.lsn
                self.sync(session.tail)
                sequences = recovery.sequences(session.connection)
            if target > self._checkpoint.settled:
                self._sync_files(target)
                with self._locked():
                    self._save(settled=max(target, self._read_checkpoint().settled), sequences=sequences)
        return True

    def settle_alone(self, target: int) -> bool:
        """Unless it is done up to there. False where another process does something in the background: several that
        settle at once would have the lock more often than those who write.
        """
        with _alone(self._settling_lock) as alone, translated():
            if alone and self._read_checkpoint().settled < target:
                self.settle(gently=True)
        return alone

    def prepare_segment(self) -> None:
        """Ahead of time, what would otherwise be done under the lock when the journal goes on to its next segment."""
        with _alone(self._preparing_lock) as alone, translated():
            if not alone:
                return
            with self.session() as session:
                tail = session.tail
            made = self.journal.make_beforehand(tail)
            if made is not None:
                with self.session() as session:
                    self.journal.put_in_place(session.tail, made)

    def make_spares(self) -> None:
        with translated():
            self.placing.make_spares()

    def fold_index(self) -> None:
        """Beforehand, what SQLite would otherwise do within a write, while everybody waits for that. The lock is only
        taken for what was written meanwhile.
        """
        with translated(), suppress(IndexLostError):
            if self.index.fold_some():
                with self._locked():
                    self.index.fold_some()

    def place_some_alone(self) -> bool:
        """Writes a few files of records that were changed without; whether more are waiting. Where another process is
        at it, that one is left to do it.
        """
        with _alone(self._settling_lock) as alone:
            return self._place_some() if alone else True

    def keep_up(self, written: int) -> None:
        """Whoever wrote much in one go writes files too while many wait. Otherwise the journal would be full some time,
        and everybody would wait until all of them are written.
        """
        none: list[Place] = []
        try:
            places = self.read(lambda connection: waiting(self, connection, _MANY_WAITING), none)
            if len(places) == _MANY_WAITING:
                with translated():
                    self._place_all(places[: 2 * written], _PLACED_WITH_ALL_WAITING)
        except RecordStoreError as error:  # what was written is acknowledged, and its files follow later
            log.warning("Files of project %s cannot follow yet: %s", self.slug, error)

    def _place_some(self) -> bool:
        none: list[Place] = []
        with translated():
            places = self.read(lambda connection: waiting(self, connection, _PLACED_AT_ONCE), none)
            self._place(places)
        return len(places) == _PLACED_AT_ONCE

    def _place_all(self, places: Sequence[Place], at_once: int) -> None:
        for start in range(0, len(places), at_once):
            self._place(places[start : start + at_once])

    def _place(self, places: Sequence[Place]) -> None:
        ahead = written_ahead(self, places)
        try:
            with self.session() as session:
                changes = Following(self, session, places, ahead)
                if changes.effects:
                    self._commit_following(session, changes)
        finally:
            give_back(self, ahead)

    def _commit_following(self, session: Session, changes: Following) -> None:
        """Files may only show what the journal cannot lose any more. Of records that never had one, the frames before
        have all there is, and the one that says where their files are may be lost; the files tell as well. Of any
        other, the journal may have the text no more, or the old file may be gone while the new one is not there.
        """
        if changes.all_new:
            self._make_durable(session.tail)
            session.commit(changes, durable=False)
            self._durable = session.tail.lsn
        else:
            session.commit(changes, durable=True)

    def _make_durable(self, tail: Tail) -> None:
        """Asked again and again while files follow, and done once: where the number is the same, nobody has written."""
        if self._durable != tail.lsn:
            self.sync(tail)

    def close_cleanly(self) -> None:
        """So that the index is trusted after a restart of the machine."""
        if self.written and self.settle():
            with self._locked(), translated():
                session = self._begin(())
                if session.tail.lsn == self._checkpoint.settled:
                    session.connection.execute("UPDATE state SET f = 1 WHERE kind = 'here'")
                    session.commit_derived()
                    self.index.fold_log()
                    self.placing.remove_temporaries()
                    self._save(clean=True)
                else:
                    session.connection.execute("ROLLBACK")
            self.written = False

    def rebuild(self, progress: Callable[[int, int | None], None] | None = None) -> int:
        with self._locked(), translated():
            self._load()
            return recovery.build(self, self._checkpoint, progress)

    def erase(self) -> int:
        """Everything but the number where the journal stands, which watchers go by."""
        count = self.change(_wipe)
        try:
            self._erase_journal()
        except (RecordStoreError, OSError) as error:  # it is done; only its traces are still to be overwritten
            log.warning("The journal of the deleted project %s is not erased yet: %s", self.slug, error)
        return count

    def _erase_journal(self) -> None:
        """On in a fresh segment first, so that an interruption leaves a journal that can be gone on with."""
        self.settle()
        with self.session() as session:
            if session.tail.lsn == self._checkpoint.settled:
                session.tail = self.journal.turn(session.tail)
                self.journal.sync(session.tail)
                session.commit_derived()
                self.journal.erase_others(session.tail)
                self.placing.remove_temporaries()

    # The way in

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._take_lock()
        try:
            yield
        finally:
            self._lock.release()

    def _take_lock(self) -> None:
        with translated():
            fresh = self._lock.acquire(self._timeout)
        if fresh:
            self._forget()

    def _forget(self) -> None:
        self._loaded = self._readable = False
        self._durable = -1
        self.index.close()
        self.journal.close()
        self.placing.forget_folders()

    def _begin(self, tables: tuple[Table, ...]) -> Session:
        for _ in range(_TRIES):
            try:
                with translated():
                    if not self._loaded:
                        self._load()
                    return self._began(tables)
            except IndexLostError as error:
                if isinstance(error, IndexReplacedError) and self._is_sound():
                    continue
                log.warning("The index of project %s is made anew: %s", self.slug, error)
                with translated():
                    recovery.build(self, self._read_checkpoint())
        raise UnavailableError("the index keeps vanishing")

    def _is_sound(self) -> bool:
        """Whether the index that somebody put there is one of this journal."""
        try:
            with translated():
                return recovery.is_at(self, self.journal.tail())
        except IndexLostError:
            return False

    def _began(self, tables: tuple[Table, ...]) -> Session:
        connection = self.index.writer()
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        try:
            *place, clean = connection.execute("SELECT lsn, epoch, at, crc, clean FROM here").fetchone()
            session = Session(self, connection, Tail(*place))
            if clean:
                self._save(clean=False)
                connection.execute("UPDATE state SET f = 0 WHERE kind = 'here'")
            recovery.catch_up(self, session)
            for table in tables:
                if not self._knows(connection, table):
                    recovery.add_table(self, session, table)
                    self._known_tables[1].add(table.collection.name)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return session

    def _load(self) -> None:
        """The first time in this process, and whenever the folder is another."""
        self.layer.make_folder(self.own_folder)
        self.layer.make_folder(f"{self.folder}/.index")
        self.placing.remove_temporaries()
        found = checkpoint.load(self.layer, self.own_folder)
        if found is None:
            found = self._start()
            recovery.build(self, found)
        elif not self.journal.exists():
            log.error("The journal of project %s is gone; what was only there is lost", self.slug)
            self.journal.start(max(time.time_ns() // 1000, found.settled))
            self.index.remove()
        self._checkpoint = found
        boot = self.layer.boot_id()
        if found.boot != boot:
            if not found.clean:
                self.index.remove()
            tail = self.journal.tail()
            if not found.clean or not self.index.exists():
                recovery.build(self, found, after_power_loss=True)
                self._sync_files(tail.lsn)
            self._save(boot=boot, settled=tail.lsn, sequences=self._sequences())
        elif self._suspect:
            self.journal.write_again(self.journal.tail())
        self._suspect = False
        if self.index.exists() and not recovery.is_at(self, self.journal.tail()):
            self.index.remove()
        self._loaded = self._readable = True

    def _start(self) -> Checkpoint:
        """A journal's numbers begin with the time, so that those of an earlier life of the project are all smaller."""
        if not self.journal.exists():
            self.journal.start(time.time_ns() // 1000)
        for folder in (self.own_folder, self.folder, os.path.dirname(self.folder)):  # noqa: PTH120
            self.layer.sync_folder(folder)
        found = Checkpoint(boot=self.layer.boot_id())
        checkpoint.save(self.layer, self.own_folder, found)
        return found

    def _read_checkpoint(self) -> Checkpoint:
        return checkpoint.load(self.layer, self.own_folder) or self._checkpoint

    def _sequences(self) -> dict[str, int]:
        with self.index.reader() as connection:
            return recovery.sequences(connection)

    def _save(self, **changes: object) -> None:
        found = self._read_checkpoint()
        for name, value in changes.items():
            setattr(found, name, value)
        checkpoint.save(self.layer, self.own_folder, found)
        self._checkpoint = found

    def _knows(self, connection: sqlite3.Connection, table: Table) -> bool:
        """Whether the index has this collection, as it is declared here."""
        generation, known = self._known_tables
        if generation != self.index.generation:
            self._known_tables = generation, known = self.index.generation, set()
        name = table.collection.name
        if name not in known:
            row = connection.execute("SELECT signature FROM signatures WHERE name = ?", (name,)).fetchone()
            if row is None or row[0] != table.signature:
                return False
            known.add(name)
        return True

    def _has_room(self, tail: Tail) -> bool:
        """The next segment may be used once nothing in it is needed any more. Others settle in time, as a rule."""
        needed = self.journal.oldest_kept_after_turn(tail)
        if needed > self._checkpoint.settled:
            self._checkpoint = self._read_checkpoint()
        return needed <= self._checkpoint.settled

    def _sync_files(self, target: int) -> None:
        if not self.layer.sync_everything(self.folder):
            recovery.sync_one_by_one(self, target)

    _suspect = False
    _durable = -1  # what the journal has up to this number cannot be lost, or stands there twice


@contextmanager
def _alone(lock: ProjectLock) -> Iterator[bool]:
    """Whether no other process does what one does in the background, which it then leaves to this one."""
    try:
        lock.acquire(0)
    except LockTimeoutError:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _wipe(session: Session) -> int:
    count = int(session.connection.execute("SELECT coalesce(sum(records), 0) FROM catalog").fetchone()[0])
    session.commit(Wiping(), durable=True)
    return count


class JournalFullError(Exception):
    """The write must wait until older ones are settled. Never leaves the package."""
