"""A file that a run produced from a document, with everything that says where it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs_app.domain.job import By


@dataclass(frozen=True, slots=True)
class Artifact:
    id: str
    version: int
    run_id: str
    document_id: str
    job_id: str | None
    attempt: int | None
    output: str  # which of the run's outputs it is
    storage: str
    path: str
    content_hash: str
    size: int
    source: str | None  # the sha256: hash of the document's content it was made from
    options: Mapping[str, Any]
    fingerprint: str | None
    created_at: datetime
    created_by: By
    deferred: bool = False


def missing_outputs(wanted: Sequence[str], there: Sequence[Artifact]) -> list[str]:
    """The outputs a run asks for that no artifact is; a run that names none is content with any artifact at all."""
    made = {artifact.output for artifact in there}
    if not wanted:
        return [] if made else ["*"]
    return [output for output in wanted if output not in made]
