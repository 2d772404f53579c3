"""The fence round a job: a random token for each attempt, of which only a digest is kept."""

import hashlib
import hmac
import secrets

from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState

TOKEN_BYTES = 24  # 192 bits
LONGEST_LEASE_SECONDS = 24 * 3600
LONGEST_TOKEN = 200


class LeaseLostError(Exception):
    """The caller does not hold the job, or no longer."""

    def __init__(self, job: Job) -> None:
        held = f"attempt {job.attempt} of another lease is under way" if _is_held(job) else f"the job is {job.status}"
        self.detail = f"This lease of job {job.id} is lost: {held}. Nothing was changed."
        super().__init__(self.detail)


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """A plain hash is enough for a secret of this strength."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def is_holder(job: Job, token: str) -> bool:
    """By the token alone: a worker's name says nothing, since a restarted namesake has it too."""
    return _is_held(job) and hmac.compare_digest(job.token_digest or "", digest(token))


def require_holder(job: Job, token: str) -> None:
    if not is_holder(job, token):
        raise LeaseLostError(job)


def has_settled(job: Job, token: str, call: str) -> bool:
    """Whether this token's holder ended its attempt by this very call: its answer was lost, and it asks again."""
    settled = job.settled
    return settled is not None and settled.call == call and hmac.compare_digest(settled.token_digest, digest(token))


def _is_held(job: Job) -> bool:
    return job.status is JobState.PROCESSING and job.trashed is None and job.token_digest is not None
