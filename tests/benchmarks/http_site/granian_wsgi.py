"""The yardstick: granian's WSGI interface over Django's own handler, with the threads and limits of our server.

python -m tests.benchmarks.http_site.granian_wsgi PORT
"""

import sys

import django
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from project.serving.server import CONNECTIONS, THREADS


def load() -> WSGIHandler:
    django.setup()
    return get_wsgi_application()


if __name__ == "__main__":
    MPServer(
        "bench",
        "127.0.0.1",
        int(sys.argv[1]),
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
    ).serve(target_loader=load, wrap_loader=False)
