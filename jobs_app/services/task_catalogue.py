"""Every maintenance task on one line of thought: its name, its sentence, how often, how long at most, what it calls."""

from datetime import timedelta

from jobs_app.domain.maintenance import MaintenanceTask
from jobs_app.services import (
    clean_up,
    expiry,
    health,
    index_checks,
    job_numbers,
    operations,
    outbox,
    retention,
    run_steps,
    segment_upkeep,
    storages,
)

TASKS: dict[str, MaintenanceTask] = {
    task.name: task
    for task in (
        MaintenanceTask(
            "clean-up",
            "Removes ended sessions and tokens, kept answers, old history, and copies of texts no job uses any more.",
            every=timedelta(days=1),
            limit=timedelta(minutes=5),
            run=clean_up.run,
        ),
        MaintenanceTask(
            "expiry",
            "Settles the clocks of jobs: due times, leases, attempts that take too long, deadlines.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=50),
            run=expiry.run,
        ),
        MaintenanceTask(
            "index-check",
            "Looks whether indexes and counters say what the records say, and makes them anew where they do not.",
            every=timedelta(hours=1),
            limit=timedelta(minutes=10),
            run=index_checks.run,
        ),
        MaintenanceTask(
            "operations",
            "Goes on with operations on many jobs, such as retrying all that failed.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=20),
            run=operations.run,
        ),
        MaintenanceTask(
            "retention",
            "Removes jobs that ended long ago, with events and logs, and empties the trash.",
            every=timedelta(days=1),
            limit=timedelta(minutes=15),
            run=retention.run,
        ),
        MaintenanceTask(
            "segments",
            "Stashes segments that nobody touched, takes out expired ones, empties their trash, reports duplicates.",
            every=timedelta(hours=1),
            limit=timedelta(minutes=10),
            run=segment_upkeep.run,
        ),
        MaintenanceTask(
            "statistics",
            "Counts what came to an end into minutes, hours and days, and notes how deep the queues are.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=50),
            run=job_numbers.run,
        ),
        MaintenanceTask(
            "runs",
            "Goes on with runs that are being started, and cancels the jobs of those that were cancelled.",
            every=timedelta(seconds=2),
            limit=timedelta(seconds=20),
            run=run_steps.run,
        ),
        MaintenanceTask(
            "run-ends",
            "Writes down how the jobs of each run ended, before they are deleted.",
            every=timedelta(hours=1),
            limit=timedelta(minutes=5),
            run=run_steps.remember_ends,
        ),
        MaintenanceTask(
            "health",
            "Looks whether the database, the queue and every storage answer.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=30),
            run=health.run,
        ),
        MaintenanceTask(
            "outbox",
            "Sends the file changes that wait, as one commit for each storage and project.",
            every=timedelta(seconds=10),
            limit=timedelta(seconds=60),
            run=outbox.run,
        ),
        MaintenanceTask(
            "storages",
            "Asks every file storage whether it answers and takes writes.",
            every=timedelta(minutes=1),
            limit=timedelta(seconds=30),
            run=storages.check_all,
        ),
    )
}
