"""The consumer process: Huey's own command, with a lifeline to whoever started it.

python -m project.consumer
"""

import argparse
import logging
import os
import threading

import django
from django.core.management import call_command

from project.serving import lifeline

# tasks mostly wait for storages and the database; claims keep them apart, whatever the number
THREADS = 4
STOP_DEADLINE = 10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lifeline", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from django.conf import settings

    _leave_logging_to_settings()
    if options.lifeline:
        threading.Thread(target=_stop_at_end, daemon=True).start()
    call_command(
        "run_huey",
        workers=THREADS,
        worker_type="thread",
        max_delay=1.0,
        # a killed consumer leaves its locks behind; on a shared queue they may be another consumer's
        flush_locks=settings.CONFIG.queue()[0] == "sqlite",
    )


def _leave_logging_to_settings() -> None:
    """Huey's command brings a second format of its own unless its logger has a handler, and tells every task twice;
    the history of runs is kept by the tasks themselves."""
    logger = logging.getLogger("huey")
    logger.addHandler(logging.NullHandler())
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def _stop_at_end() -> None:
    lifeline.watch_stdin(lifeline.interrupt_main_thread)
    # a daemon thread: it comes to this only while the consumer still has not ended
    threading.Event().wait(STOP_DEADLINE)
    os._exit(1)


if __name__ == "__main__":
    main()
