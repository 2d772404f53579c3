"""The consumer's clock: every second it looks for runs that are due, and every few seconds it says it is alive.

Huey's own schedule is by the minute, while the outbox is sent by the second and silence must show within seconds; so
one thread ticks, and claims by conditional writes, whatever the number of consumers.
"""

import logging
import threading
import time

from django.db import close_old_connections, connection
from huey.contrib.djhuey import on_shutdown, on_startup

from jobs_app.services import consumers, maintenance
from jobs_app.tasks.maintenance import CONSUMER, perform

TICK_SECONDS = 1.0
log = logging.getLogger("holdfast.consumer")


class Ticker(threading.Thread):
    """A failing tick is logged and tried again: a database that comes back finds its consumer alive."""

    def __init__(self) -> None:
        super().__init__(name="ticker", daemon=True)
        self._stopped = threading.Event()
        self._beat_due = 0.0

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                close_old_connections()
                self._tick()
            except Exception:
                # also what the queue raises, which is no error of Django's; a clock that stops would stop everything
                log.exception("The consumer cannot look for what is due; trying again.")
            self._stopped.wait(TICK_SECONDS)
        consumers.stopped(CONSUMER)
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=5)

    def _tick(self) -> None:
        if time.monotonic() >= self._beat_due:
            # another process may have had this name before: what that one was at is not this one's
            (consumers.beat if self._beat_due else consumers.started)(CONSUMER)
            self._beat_due = time.monotonic() + consumers.BEAT_EVERY.total_seconds()
        for run_id in maintenance.claim_due():
            perform(run_id)


_ticker: Ticker | None = None
_guard = threading.Lock()


@on_startup()
def start_ticking() -> None:
    """Huey calls this once in each worker thread; the consumer has one clock."""
    global _ticker
    with _guard:
        if _ticker is None:
            _ticker = Ticker()
            _ticker.start()


@on_shutdown()
def stop_ticking() -> None:
    global _ticker
    with _guard:
        if _ticker is not None:
            _ticker.stop()
            _ticker = None
