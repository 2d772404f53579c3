"""The mark that asks for a run of a maintenance task; the next tick of any consumer finds it.

Apart from `maintenance`, which knows every task: so a task's own service can ask for it.
"""

from django.db import transaction
from django.utils import timezone

from jobs_app.domain.maintenance import RunOutcome
from jobs_app.models import TaskRun
from jobs_app.services import changes

TOPIC = changes.server_topic("maintenance")


def leave(task: str, asked_by: str) -> tuple[TaskRun, bool]:
    """The run that waits to begin, and whether it is new: what is asked for twice before it began runs once."""
    with transaction.atomic():
        waiting = TaskRun.objects.filter(name=task, outcome=RunOutcome.ASKED).first()
        if waiting is not None:
            return waiting, False
        run = TaskRun.objects.create(name=task, asked_at=timezone.now(), asked_by=asked_by, outcome=RunOutcome.ASKED)
        changes.touch(TOPIC)
    return run, True
