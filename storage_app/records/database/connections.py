"""Django's connection of the calling thread, and what becomes of those of threads that have ended.

Django keeps one connection a thread; in threads of our own nobody else closes them.
"""

import itertools
import random
import select
import threading
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from django.db import connections, utils
from django.db.backends.base.base import BaseDatabaseWrapper

from storage_app.records.database.faults import mapped

Rows: TypeAlias = list[tuple[Any, ...]]
Statement: TypeAlias = tuple[str, Sequence[Any]]


class Session:
    """A thread's connection, with what the store has found out or set there.

    Statements go to the driver's own cursor: what Django's does for each costs as much as a small statement.
    """

    def __init__(self, wrapper: BaseDatabaseWrapper, lock_timeout: float) -> None:
        self.wrapper = wrapper
        self.number = random.randrange(1 << 16)  # noqa: S311 - spreads writers over the shards of counters
        self.ours = False  # opened by the store, so closed by it
        self.set_to: dict[str, str] = {}
        self._lock_timeout = lock_timeout
        self._raw: Any = None  # the driver's connection that the rest is about
        self._prepared: dict[str, str] = {}
        self._may_prepare = False
        self._is_set_up = False

    def connect(self) -> None:
        if self.wrapper.connection is None:
            self.wrapper.ensure_connection()
            self.ours = True
        if self._raw is not self.wrapper.connection:
            self._raw = self.wrapper.connection
            self._prepared = {}
            self.set_to = {}
            self._is_set_up = False
        if not self._is_set_up:
            self._set_up()
            # What is set in a transaction of the caller's goes if that is rolled back.
            self._is_set_up = not self.wrapper.in_atomic_block

    def sent(self, statements: Sequence[Statement], planned: bool = False) -> Rows:
        """All of them, on PostgreSQL in one message; the rows of the last one. `planned`: it must go along an index
        that gives the order, even while nobody has counted the table's rows yet.
        """
        with self.wrapper.wrap_database_errors:
            if self.wrapper.vendor == "sqlite":
                return self._one_by_one(statements)
            return self._together(statements, planned)

    def _set_up(self) -> None:
        if self.wrapper.vendor == "sqlite":
            # A larger log is copied back less often; each time costs three fsyncs.
            self.sent([("PRAGMA wal_autocheckpoint=4000", ())])
            return
        # Plans are made once, for statements prepared below; that helps only where the server stays the same.
        self._may_prepare = not self.wrapper.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS", False)
        timeout = max(int(self._lock_timeout * 1000), 1)
        ((setting,),) = self.sent(
            [
                (f"SET lock_timeout={timeout}", ()),
                ("SET plan_cache_mode=force_generic_plan", ()),
                # It would compile anew with each execution, for longer than any of these statements runs.
                ("SET jit=off", ()),
                ("SELECT current_setting('synchronous_commit')", ()),
            ]
        )
        self.set_to["synchronous_commit"] = setting

    def _one_by_one(self, statements: Sequence[Statement]) -> Rows:
        rows: Rows = []
        for sql, parameters in statements:
            cursor = self._raw.execute(sql.replace("%s", "?"), parameters)
            rows = cursor.fetchall()
            cursor.close()
        return rows

    def _together(self, statements: Sequence[Statement], planned: bool) -> Rows:
        parts: list[str] = []
        values: list[Any] = []
        prepared: dict[str, str] = {}
        for number, (sql, parameters) in enumerate(statements, 1):
            name = self._prepared.get(sql) or prepared.get(sql)
            if name is None and self._is_worth_preparing(sql, parameters):
                name = prepared[sql] = f"records_{next(_NUMBERS)}"
                parts.append(f"PREPARE {name} AS {_numbered(sql)}")
                if planned and number == len(statements) and not self.wrapper.in_atomic_block:
                    parts.append(_ALONG_THE_INDEX)
            parts.append(f"EXECUTE {name}({', '.join(['%s'] * len(parameters))})" if name else sql)
            values += parameters
        cursor = self._raw.cursor()
        try:
            cursor.execute(";".join(parts), values or None)
        except BaseException:
            self._prepared = {}  # a plan may have become impossible, or a pooler given us another server
            raise
        while cursor.nextset():
            pass
        self._prepared.update(prepared)
        return cursor.fetchall() if cursor.description else []

    def _is_worth_preparing(self, sql: str, parameters: Sequence[Any]) -> bool:
        return self._may_prepare and 0 < len(parameters) <= _FEW and len(self._prepared) < _MOST_PREPARED


class Connections:
    def __init__(self, alias: str, lock_timeout: float) -> None:
        self.alias = alias
        self._lock_timeout = lock_timeout
        self._sessions: dict[threading.Thread, Session] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    def session(self) -> Session:
        """The calling thread's, connected; a raw connection that is new has nothing set."""
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
        if session.wrapper.connection is not None and _was_cut(session.wrapper):
            session.wrapper.close()
        try:
            session.connect()
        except utils.Error as error:
            raise mapped(error) from error
        return session

    def close(self) -> None:
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
            self._local = threading.local()
        for session in sessions:
            _close(session)

    def _new_session(self) -> Session:
        session = Session(connections[self.alias], self._lock_timeout)
        with self._lock:
            ended = [thread for thread in self._sessions if not thread.is_alive()]
            leftover = [self._sessions.pop(thread) for thread in ended]
            self._sessions[threading.current_thread()] = session
        for other in leftover:
            _close(other)
        return session


_FEW: Final = 40
_MOST_PREPARED: Final = 200
_NUMBERS: Final = itertools.count(1)
_ALONG_THE_INDEX: Final = "SET LOCAL enable_sort=off;SET LOCAL enable_seqscan=off;SET LOCAL enable_bitmapscan=off"


def _numbered(sql: str) -> str:
    """With $1, $2 … for the parameters."""
    first, *others = sql.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _was_cut(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether the server ended an idle connection. Then its socket has something to read, which costs nothing to ask;
    found out later, in the middle of a commit, nobody could tell whether the write happened.
    """
    if wrapper.vendor != "postgresql" or wrapper.in_atomic_block:
        return False
    if wrapper.connection.closed:
        return True
    readable = _readable(wrapper.connection.fileno())
    return readable and not wrapper.is_usable()


def _readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _close(session: Session) -> None:
    """Of another thread perhaps, which Django's own `close` refuses."""
    raw = session.wrapper.connection
    if session.ours and raw is not None and not session.wrapper.in_atomic_block:
        session.wrapper.connection = None
        raw.close()
