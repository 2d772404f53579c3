"""The process in which the sample fleet works, with a lifeline to whoever started it.

python -m project.demo_fleet
"""

import argparse
import logging
import os
import signal
import threading

import django

from project.serving import lifeline

LONGEST_REST = 1.0
# the project was deleted, or others are at it: looked at again after this
AFTER_REFUSAL = 5.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lifeline", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda _number, _frame: stopped.set())
    if options.lifeline:
        threading.Thread(target=lifeline.watch_stdin, args=(stopped.set,), daemon=True).start()
    work(stopped)


def work(stopped: threading.Event) -> None:
    """Until told to stop; then everything in hand is given back."""
    from django.db import close_old_connections

    from jobs_app.errors import BusyError, NotFoundError
    from jobs_app.services import demo, demo_fleet
    from storage_app.records.errors import LockTimeoutError

    log = logging.getLogger("holdfast.demo")
    fleet: demo_fleet.Fleet | None = None
    while not stopped.is_set():
        close_old_connections()
        try:
            fleet = fleet or demo.fleet()
            fleet.step()
            rest = min(fleet.rest().total_seconds(), LONGEST_REST)
        except NotFoundError as error:
            log.info("The sample fleet rests: %s", error.detail)
            fleet, rest = None, AFTER_REFUSAL
        except (BusyError, LockTimeoutError) as error:
            log.info("The sample fleet waits: %s", error)
            rest = AFTER_REFUSAL
        stopped.wait(max(rest, 0.05))
    if fleet is not None:
        fleet.stop()


if __name__ == "__main__":
    main()
