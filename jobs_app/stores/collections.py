"""Everything that this app keeps in the record store."""

from typing import Final

from jobs_app.stores.controls import CONTROLS
from jobs_app.stores.jobs import JOBS
from jobs_app.stores.segments import SEGMENTS
from jobs_app.stores.workers import WORKERS
from storage_app.records.declarations import Collection

COLLECTIONS: Final[tuple[Collection, ...]] = (JOBS, WORKERS, CONTROLS, SEGMENTS)
