"""One maintenance run, in a worker of the consumer. The run's row holds the truth; the queue only carries its id."""

import os
import socket

from huey.contrib.djhuey import db_task

from jobs_app.services import maintenance

CONSUMER = f"{socket.gethostname()}:{os.getpid()}"[-100:]


@db_task()
def perform(run_id: int) -> None:
    maintenance.perform(run_id, CONSUMER)
