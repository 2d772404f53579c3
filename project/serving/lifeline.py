"""A child hears of its parent's end by a pipe that only the parent holds open: the one way that works on every system,
for an orderly stop (the parent closes it) and for a parent that was killed (its system does)."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection


def watch_stdin(at_end: Callable[[], None]) -> None:
    """Blocks until standard input ends, then calls. Runs in a thread of its own."""
    descriptor = sys.stdin.fileno()
    while _read(descriptor):
        pass
    at_end()


def watch_pipe(pipe: Connection, at_end: Callable[[], None], deadline: float) -> None:
    """In a thread: when the pipe closes, calls, asks this process to stop, and sees that it does by the deadline."""

    def wait() -> None:
        try:
            pipe.recv_bytes()
        except (EOFError, OSError):
            at_end()
        _stop_this_process(deadline)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def interrupt_main_thread() -> None:
    """As Ctrl-C does, and so that a wait without end notices."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        ident = threading.main_thread().ident
        assert ident is not None
        signal.pthread_kill(ident, signal.SIGINT)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024)
    except OSError:
        return b""


def _stop_this_process(deadline: float) -> None:
    signal.raise_signal(signal.SIGTERM)
    # the thread dies with the process; alive after the deadline, it ends what did not end
    threading.Event().wait(deadline)
    os._exit(1)
