"""Django's connection of the calling thread, and what becomes of those of threads that have ended.

Django keeps one connection a thread; in threads of our own nobody else closes them.
"""

import select
import threading
from dataclasses import dataclass, field

from django.db import connections, utils
from django.db.backends.base.base import BaseDatabaseWrapper

from storage_app.records.database.faults import mapped


@dataclass
class Session:
    """A thread's connection, with what the store has found out or set there."""

    wrapper: BaseDatabaseWrapper
    raw: object = None  # the driver's connection that `set_to` is about
    ours: bool = False  # opened by the store, so closed by it
    set_to: dict[str, str] = field(default_factory=dict)


class Connections:
    def __init__(self, alias: str) -> None:
        self.alias = alias
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
        if session.wrapper.connection is None:
            try:
                session.wrapper.ensure_connection()
            except utils.Error as error:
                raise mapped(error) from error
            session.ours = True
        if session.raw is not session.wrapper.connection:
            session.raw = session.wrapper.connection
            session.set_to = {}
        return session

    def close(self) -> None:
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
            self._local = threading.local()
        for session in sessions:
            _close(session)

    def _new_session(self) -> Session:
        session = Session(connections[self.alias])
        with self._lock:
            ended = [thread for thread in self._sessions if not thread.is_alive()]
            leftover = [self._sessions.pop(thread) for thread in ended]
            self._sessions[threading.current_thread()] = session
        for other in leftover:
            _close(other)
        return session


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
