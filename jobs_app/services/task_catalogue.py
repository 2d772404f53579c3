"""Every maintenance task on one line of thought: its name, its sentence, how often, how long at most, what it calls."""

from datetime import timedelta

from jobs_app.domain.maintenance import MaintenanceTask
from jobs_app.services import clean_up, health

TASKS: dict[str, MaintenanceTask] = {
    task.name: task
    for task in (
        MaintenanceTask(
            "clean-up",
            "Removes ended sessions and tokens, kept answers and the history of old runs.",
            every=timedelta(days=1),
            limit=timedelta(minutes=5),
            run=clean_up.run,
        ),
        MaintenanceTask(
            "health",
            "Asks the database, the queue and every storage whether they answer.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=30),
            run=health.run,
        ),
    )
}
