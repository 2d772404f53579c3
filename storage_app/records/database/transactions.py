"""Reads, and atomic writes that send what they can together.

A write is BEGIN … COMMIT of our own, by hand, because each trip to a server costs as much as a statement: on PostgreSQL
everything up to the first read goes in one message, everything after the last one in another together with COMMIT.
Inside a transaction of the caller's it is a savepoint, and becomes durable with that transaction.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from django.db import utils
from django.db.backends.base.base import BaseDatabaseWrapper

from storage_app.records.database import faults
from storage_app.records.database.connections import Connections, Session
from storage_app.records.database.dialects import DIALECTS, Dialect
from storage_app.records.errors import InvalidError, LockTimeoutError, RecordStoreError
from storage_app.records.operations import Durability

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Parameters = Sequence[Any]


class Database:
    """One database as the store sees it."""

    def __init__(self, alias: str, lock_timeout: float) -> None:
        self._connections = Connections(alias, lock_timeout)
        self._lock_timeout = lock_timeout
        vendor = self._vendor()
        if vendor not in DIALECTS:
            raise InvalidError(f"{vendor} is not a database for records; SQLite and PostgreSQL are", "alias")
        self.dialect: Dialect = DIALECTS[vendor]

    def close(self) -> None:
        self._connections.close()

    def read(self, sql: str, parameters: Parameters = (), planned: bool = False) -> Rows:
        """One statement, which sees everything acknowledged before. `planned`: along the index, never by sorting."""
        for attempt in range(2):
            session = self._connections.session()
            try:
                return session.sent([(sql, parameters)], planned)
            except utils.Error as error:
                if attempt or not (faults.is_conflict(error) or _was_cut(session.wrapper)):
                    raise faults.mapped(error) from error
        raise AssertionError("two attempts end one way or the other")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Callable[[str, Parameters], Rows]]:
        """Reads that all see the same moment (inside a transaction of the caller's: what that sees)."""
        session = self._connections.session()

        def fetch(sql: str, parameters: Parameters = ()) -> Rows:
            try:
                return session.sent([(sql, parameters)])
            except utils.Error as error:
                raise faults.mapped(error) from error

        if session.wrapper.in_atomic_block:
            yield fetch
            return
        fetch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.dialect.is_postgresql else "BEGIN", ())
        try:
            yield fetch
        finally:
            with contextlib.suppress(RecordStoreError):
                fetch("ROLLBACK", ())

    def write(self, work: Callable[["Transaction"], T], durability: Durability) -> T:
        """The work's answer once it is committed. Work may run again, after a conflict with another transaction: then
        with `careful` set.
        """
        began = time.monotonic()
        for attempt in range(_ATTEMPTS):
            transaction = self._begun(durability)
            transaction.careful = attempt > 0
            try:
                result = work(transaction)
                transaction.commit()
                return result  # noqa: TRY300 - an `else` would stand far from what it belongs to
            except utils.Error as error:
                transaction.rollback()
                again = faults.is_conflict(error) or (transaction.is_harmless and _was_cut(transaction.wrapper))
                if not again or attempt == _ATTEMPTS - 1 or time.monotonic() - began > self._lock_timeout:
                    raise faults.mapped(error) from error
            except RepeatWithCareError:
                transaction.rollback()
            except BaseException:
                transaction.rollback()
                raise
            if attempt:
                time.sleep(random.random() * 0.005 * attempt)  # noqa: S311 - so that two do not meet again
        raise LockTimeoutError("others kept changing the same records")

    def _begun(self, durability: Durability) -> "Transaction":
        session = self._connections.session()
        try:
            return Transaction(session, self.dialect, durability, self._lock_timeout)
        except utils.Error as error:
            if not session.wrapper.in_atomic_block:
                session.wrapper.close()  # it may have begun
            raise faults.mapped(error) from error

    def _vendor(self) -> str:
        from django.db import connections

        return connections[self._connections.alias].vendor


class RepeatWithCareError(Exception):
    """Something that was taken for granted turned out not to be; what is wrong will be found by looking."""


class Transaction:
    """Statements of one atomic write. `later` ones may wait until something is fetched, or for the commit."""

    def __init__(self, session: Session, dialect: Dialect, durability: Durability, lock_timeout: float) -> None:
        self.dialect = dialect
        self.careful = False
        self.is_harmless = True  # nothing can have happened yet
        self.wrapper = session.wrapper
        self.shard = session.number % dialect.shards
        self._session = session
        self._lock_timeout = lock_timeout
        self._nested = session.wrapper.in_atomic_block or not session.wrapper.get_autocommit()
        self._waiting: list[tuple[str, Parameters]] = []
        if self._nested:
            self._session.sent([("SAVEPOINT records", ())])
        elif dialect.is_postgresql:
            self._waiting.append((self._beginning(durability), ()))
        else:
            self._begin_immediate(durability)

    def fetch(self, sql: str, parameters: Parameters = (), planned: bool = False) -> Rows:
        waiting, self._waiting = [*self._waiting, (sql, parameters)], []
        return self._session.sent(waiting, planned)

    def later(self, sql: str, parameters: Parameters = ()) -> None:
        self._waiting.append((sql, parameters))

    def commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.is_harmless = False
        self._session.sent([*waiting, ("RELEASE SAVEPOINT records" if self._nested else "COMMIT", ())])

    def rollback(self) -> None:
        """Quietly: the error that led here is the one to be told of. A connection that cannot even do this is closed,
        and the server undoes what was open.
        """
        self._waiting = []
        try:
            if self._nested:
                self._session.sent([("ROLLBACK TO SAVEPOINT records", ()), ("RELEASE SAVEPOINT records", ())])
            elif self._is_open():
                self._session.sent([("ROLLBACK", ())])
        except utils.Error:
            if not self._nested:
                self.wrapper.close()

    def _beginning(self, durability: Durability) -> str:
        if durability is Durability.KILL_SAFE:
            return "BEGIN;SET LOCAL synchronous_commit=off"
        if self._session.set_to["synchronous_commit"] == "off":
            return "BEGIN;SET LOCAL synchronous_commit=on"
        return "BEGIN"

    def _begin_immediate(self, durability: Durability) -> None:
        """Waits in short steps: SQLite's own waiting sleeps up to a tenth of a second at a time."""
        self._set("synchronous", "NORMAL" if durability is Durability.KILL_SAFE else "FULL")
        self._set("busy_timeout", "0")
        deadline = time.monotonic() + self._lock_timeout
        pause = 0.0002
        try:
            while True:
                try:
                    self._session.sent([("BEGIN IMMEDIATE", ())])
                except utils.OperationalError as error:
                    mapped = faults.mapped(error)
                    if not isinstance(mapped, LockTimeoutError) or time.monotonic() > deadline:
                        raise mapped from error
                    time.sleep(pause * (0.5 + random.random()))  # noqa: S311 - so that two do not keep step
                    pause = min(pause * 1.5, 0.003)
                else:
                    return
        finally:
            self._set("busy_timeout", str(int(self._lock_timeout * 1000)))

    def _set(self, pragma: str, value: str) -> None:
        if self._session.set_to.get(pragma) != value:
            self._session.sent([(f"PRAGMA {pragma}={value}", ())])
            self._session.set_to[pragma] = value

    def _is_open(self) -> bool:
        raw = self.wrapper.connection
        if raw is None:
            return False
        if self.dialect.vendor == "sqlite":
            return bool(raw.in_transaction)
        return not raw.closed and bool(raw.info.transaction_status)  # 0 is idle


_ATTEMPTS: Final = 20


def _was_cut(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether the connection is gone; it is closed then, so that the next use makes a new one. A transaction of the
    caller's is gone with it, and cannot be begun again for him.
    """
    if wrapper.in_atomic_block or (wrapper.connection is not None and wrapper.is_usable()):
        return False
    wrapper.close()
    return True
