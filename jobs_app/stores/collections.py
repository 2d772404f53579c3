"""Everything that this app keeps in the record store."""

from typing import Final

from jobs_app.stores.artifacts import ARTIFACTS, CONTENTS
from jobs_app.stores.controls import CONTROLS
from jobs_app.stores.departures import DEPARTURES
from jobs_app.stores.documents import DOCUMENTS
from jobs_app.stores.failure_groups import FAILURE_GROUPS
from jobs_app.stores.job_numbers import FACTS, SHEETS
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.operations import OPERATIONS
from jobs_app.stores.runs import RUNS
from jobs_app.stores.saved_views import SAVED_VIEWS
from jobs_app.stores.segments import SEGMENTS
from jobs_app.stores.stashings import STASHINGS
from jobs_app.stores.workers import WORKERS
from storage_app.records.declarations import Collection

COLLECTIONS: Final[tuple[Collection, ...]] = (
    *(JOBS, WORKERS, CONTROLS, DEPARTURES),
    *(FACTS, SHEETS, FAILURE_GROUPS, OPERATIONS, SAVED_VIEWS),
    *(RUNS, DOCUMENTS, ARTIFACTS, CONTENTS),
    *(SEGMENTS, STASHINGS),
)
