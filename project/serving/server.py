"""The server process: granian with our front, its limits, and a lifeline to whoever started it.

python -m project.serving.server --host 127.0.0.1 --port 8000 --workers 1
"""

import argparse
import asyncio
import gc
import sys
import threading
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from project.serving import lifeline

# threads that Django runs in. Storages far away take seconds, so more than the processor has cores
THREADS = 16
CONNECTIONS = 16384
STOP_DEADLINE = 10
# where granian itself stops reading; what a head may really have is said in environs.py
LARGEST_BUFFER = 64 * 1024
SLOWEST_HEAD_MILLISECONDS = 30_000


class Server(MPServer):
    """Workers hang on a pipe: closed by `shutdown`, or by the death of this process, it tells them to wind down."""

    def __init__(self, host: str, port: int, workers: int, stop_deadline: int = STOP_DEADLINE) -> None:
        super().__init__(
            "project.serving",
            host,
            port,
            # without ASGI's lifespan: `_load` has set up everything before
            interface=Interfaces.ASGINL,
            workers=workers,
            loop=Loops.asyncio,
            http=HTTPModes.http1,
            websockets=False,
            backlog=2048,
            backpressure=CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=SLOWEST_HEAD_MILLISECONDS, max_buffer_size=LARGEST_BUFFER),
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=stop_deadline,
            blocking_threads_idle_timeout=600,
        )
        self._stop_deadline = stop_deadline
        self._workers_end, self._our_end = Pipe(duplex=False)

    def run(self) -> None:
        self.serve(
            target_loader=partial(_load, self._workers_end, self._our_end, self._stop_deadline), wrap_loader=False
        )

    def stop(self) -> None:
        """From any thread."""
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call] # granian's own

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        # granian asks for one thread under ASGI, since the loop does the work there; with the shortcut threads do it
        self.blocking_threads = THREADS
        super()._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call] # granian's own

    def shutdown(self, exit_code: int = 0) -> None:
        self._our_end.close()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call] # granian's own


def _load(workers_end: Connection, our_end: Connection, stop_deadline: int) -> Any:
    """In each worker, before it serves: Django, the front, the shortcut, the lifeline."""
    # under fork the worker holds the writing end too, and would never see it close
    our_end.close()
    from project.asgi import application
    from project.serving.shortcut import install

    front = application(asyncio.get_event_loop(), THREADS)
    install(front)
    lifeline.watch_pipe(workers_end, front.stop, stop_deadline)
    _spare_what_stays()
    return front


def _spare_what_stays() -> None:
    """What is loaded by now stays for good. A search for unreachable objects among all of it holds everybody up for 50
    milliseconds, again and again.
    """
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    """Every waiting caller is an open file, and shells start with a limit of 1,024."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--stop-deadline", type=int, default=STOP_DEADLINE, help="seconds for what runs to finish")
    parser.add_argument("--lifeline", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    _raise_file_limit()
    server = Server(options.host, options.port, options.workers, options.stop_deadline)
    if options.lifeline:
        threading.Thread(target=lifeline.watch_stdin, args=(server.stop,), daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
