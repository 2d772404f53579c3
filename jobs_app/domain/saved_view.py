"""A view of the list of jobs that somebody kept: its query, its order and the columns it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs_app.domain.job import By


@dataclass(frozen=True, slots=True)
class SavedView:
    """`owner` tells who made it; a shared one is everybody's to see."""

    id: str
    version: int
    name: str
    query: str
    order: str
    columns: Sequence[str]
    shared: bool
    owner: str
    made_by: By
    created_at: datetime
    updated_at: datetime
