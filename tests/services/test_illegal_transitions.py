"""Every state, every actor, every call: what may not be is refused with both states, and nothing is changed by it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from jobs_app.domain.access import COMMAND
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.maintenance import Deadline
from jobs_app.domain.new_job import NewJob
from jobs_app.errors import ConflictError, InvalidTransitionError, LeaseLostError, RefusedError
from jobs_app.models import Project
from jobs_app.services import claims, expiry, jobs
from jobs_app.services.claims import ClaimRequest
from jobs_app.services.job_fixes import JobFixes
from jobs_app.stores.job_records import JobRecords
from storage_app.records.configured import record_store
from tests.api.client import Api
from tests.conftest import Clock
from tests.factories import job_in, make_person, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
PENDING, PROCESSING, COMPLETED, FAILED, TIMEOUT, CANCELLED = JobState
LEASE = {"lease_token": "a token that is not the one"}
LOST = (409, "lease_lost")
REFUSED = (409, "invalid_transition")
CONFLICT = (409, "conflict")


@dataclass(frozen=True)
class Call:
    """What one may ask for; `leads_to` says from where it is granted, everything else is refused as `refused`."""

    name: str
    method: str
    body: Any
    leads_to: dict[JobState, JobState]
    refused: tuple[int, str]


OF_THE_API = [
    Call("cancel", "POST", {}, {PENDING: CANCELLED, PROCESSING: PROCESSING}, REFUSED),
    Call("retry", "POST", {}, {FAILED: PENDING, TIMEOUT: PENDING}, REFUSED),
    Call("heartbeat", "POST", LEASE, {}, LOST),
    Call("complete", "POST", LEASE, {}, LOST),
    Call("fail", "POST", {**LEASE, "error_message": "x"}, {}, LOST),
    Call("release", "POST", LEASE, {}, LOST),
    Call("logs", "POST", {**LEASE, "entries": [{"message": "x"}]}, {}, LOST),
    Call("", "PATCH", {"priority": 1}, {PENDING: PENDING}, CONFLICT),
    Call("", "DELETE", None, {state: state for state in JobState if state is not PROCESSING}, CONFLICT),
]
OF_THE_PAGE = {
    "cancel": {PENDING: CANCELLED, PROCESSING: PROCESSING},
    "retry": {FAILED: PENDING, TIMEOUT: PENDING},
    "release": {PROCESSING: PENDING},
    "delete": {state: state for state in JobState if state is not PROCESSING},
}
SERVICES: dict[str, tuple[Callable[[str], object], dict[JobState, JobState]]] = {
    "cancel": (lambda id: jobs.cancel(COMMAND, "alpha", id), OF_THE_PAGE["cancel"]),
    "retry": (lambda id: jobs.retry(COMMAND, "alpha", id), OF_THE_PAGE["retry"]),
    "take back": (lambda id: jobs.take_back(COMMAND, "alpha", id), OF_THE_PAGE["release"]),
    "delete": (lambda id: jobs.delete(COMMAND, "alpha", id), OF_THE_PAGE["delete"]),
    "change": (lambda id: jobs.change(COMMAND, "alpha", id, {"priority": 1}), {PENDING: PENDING}),
    "complete": (lambda id: claims.complete(COMMAND, "alpha", id, "guessed"), {}),
    "release": (lambda id: claims.release(COMMAND, "alpha", id, "guessed"), {}),
}
# Where a data fix may bring a job to. It goes beyond a worker's word, and never beyond the state machine.
OF_THE_ADMIN = {
    PENDING: {CANCELLED, TIMEOUT},
    PROCESSING: {PENDING, COMPLETED, FAILED, TIMEOUT, CANCELLED},
    COMPLETED: set[JobState](),
    FAILED: {PENDING},
    TIMEOUT: {PENDING},
    CANCELLED: set[JobState](),
}
each_state = pytest.mark.parametrize("state", list(JobState), ids=str)


@dataclass(frozen=True)
class Before:
    """The job as it was, to be compared with what is left of it."""

    job: Job
    events: int

    @classmethod
    def of(cls, id: str) -> "Before":
        records = JobRecords(record_store(), "alpha")
        return cls(records.get(id), len(records.events(id, 0, 100)[0]))


def is_unchanged(before: Before) -> bool:
    return Before.of(before.job.id) == before


@each_state
@pytest.mark.parametrize("call", OF_THE_API, ids=lambda call: f"{call.method} {call.name}")
def test_by_the_api(call: Call, state: JobState, project: Project) -> None:
    before = Before.of(job_in(project, state).id)
    path = f"/projects/alpha/jobs/{before.job.id}" + (f"/{call.name}" if call.name else "")
    answer = Api(make_token(project)).call(call.method, path, call.body)
    if state in call.leads_to:
        assert answer.status_code < 300, answer.content
        assert not is_unchanged(before) if call.method != "DELETE" else True
        return
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == call.refused
    assert state.value in problem["detail"] or call.refused == CONFLICT or state is PROCESSING
    assert is_unchanged(before)


@each_state
@pytest.mark.parametrize("action", list(OF_THE_PAGE))
def test_by_the_page(action: str, state: JobState, project: Project, admin_client: Client) -> None:
    before = Before.of(job_in(project, state).id)
    answer = admin_client.post(f"/p/alpha/jobs/{before.job.id}/{action}/", follow=True)
    assert answer.status_code == 200
    if state not in OF_THE_PAGE[action]:
        assert is_unchanged(before)
        assert state.value in answer.content.decode()
    elif action != "delete":
        assert Before.of(before.job.id).job.status is OF_THE_PAGE[action][state]
        assert not is_unchanged(before)


@each_state
@pytest.mark.parametrize("name", list(SERVICES))
def test_by_a_command(name: str, state: JobState, project: Project) -> None:
    act, leads_to = SERVICES[name]
    before = Before.of(job_in(project, state).id)
    if state in leads_to:
        act(before.job.id)
        return
    with pytest.raises(RefusedError) as refused:
        act(before.job.id)
    assert isinstance(refused.value, InvalidTransitionError | ConflictError | LeaseLostError)
    assert is_unchanged(before)


@each_state
def test_by_the_sweep_whose_time_has_not_come(state: JobState, project: Project) -> None:
    before = Before.of(job_in(project, state).id)
    expiry.run(Deadline(timedelta(minutes=1)))
    assert is_unchanged(before)


@each_state
def test_by_the_sweep_however_late_it_comes(state: JobState, project: Project, clock: Clock) -> None:
    before = Before.of(job_in(project, state).id)
    clock.advance(days=400)
    expiry.run(Deadline(timedelta(minutes=1)))
    assert is_unchanged(before) == (state is not PROCESSING)
    assert Before.of(before.job.id).job.status is (PENDING if state is PROCESSING else state)


class TestByTheAdmin:
    """Pages of the admin site, and the service behind them."""

    @each_state
    def test_a_move_that_may_not_be_is_refused(self, state: JobState, project: Project) -> None:
        before = Before.of(job_in(project, state).id)
        page = self._page(before)
        for target in set(JobState) - OF_THE_ADMIN[state]:
            with pytest.raises(InvalidTransitionError) as refused:
                JobFixes().move(COMMAND, "alpha", before.job.id, target, before.job.version, "why")
            assert (refused.value.extra["from"], refused.value.extra["to"]) == (state.value, target.value)
            assert page("move", target=target.value) in (404, 422)
            assert is_unchanged(before)

    @pytest.mark.parametrize(
        ("state", "target"), [(state, target) for state in JobState for target in sorted(OF_THE_ADMIN[state])], ids=str
    )
    def test_a_move_that_may_be_is_made(self, state: JobState, target: JobState, project: Project) -> None:
        before = Before.of(job_in(project, state).id)
        assert self._page(before)("move", target=target.value) == 302
        after = Before.of(before.job.id)
        assert (after.job.status, after.events) == (target, before.events + 1)

    @each_state
    def test_what_a_worker_holds_is_not_deleted_and_what_is_not_deleted_not_brought_back(
        self, state: JobState, project: Project
    ) -> None:
        before = Before.of(job_in(project, state).id)
        page = self._page(before)
        assert [page("bring_back"), page("erase", sure="on"), page("nothing")] == [404, 404, 404]
        assert is_unchanged(before)
        if state is PROCESSING:
            with pytest.raises(ConflictError):
                JobFixes().remove(COMMAND, "alpha", before.job.id, before.job.version, "why")
            assert page("remove") == 422
            assert is_unchanged(before)
        else:
            assert page("remove") == 302

    @staticmethod
    def _page(before: Before) -> Callable[..., int]:
        client = Client()
        client.force_login(make_person(runs_the_server=True))

        def do(action: str, **fields: str) -> int:
            told = {"reason": "it was wrong", "version": str(before.job.version), **fields}
            data = {f"{action}-{name}": value for name, value in told.items()}
            path = f"/admin/records/jobs/alpha/{before.job.id}/"
            return client.post(path, {"action": action, **data}).status_code

        return do


@each_state
def test_by_a_claim(state: JobState, project: Project) -> None:
    before = Before.of(job_in(project, state).id)
    found = claims.claim(COMMAND, "alpha", ClaimRequest("another"))
    assert bool(found) == (state is PENDING)
    assert is_unchanged(before) == (state is not PENDING)


class TestAFrozenWorker:
    """It stood still past its lease while another took the job, or finished it; then it wakes up and goes on."""

    LATE = [call for call in OF_THE_API if call.refused == LOST]

    @pytest.mark.parametrize("finished", [False, True], ids=["while another works", "after another finished"])
    @pytest.mark.parametrize("call", LATE, ids=lambda call: call.name)
    def test_every_late_call_is_refused_and_changes_nothing(
        self, call: Call, finished: bool, project: Project, clock: Clock
    ) -> None:
        jobs.create(COMMAND, "alpha", NewJob())
        (frozen,) = claims.claim(COMMAND, "alpha", ClaimRequest("w1", lease_seconds=30))
        clock.advance(seconds=31)
        # a namesake: the name says nothing, the token everything
        (other,) = claims.claim(COMMAND, "alpha", ClaimRequest("w1", lease_seconds=30))
        assert other.job.id == frozen.job.id
        if finished:
            claims.complete(COMMAND, "alpha", other.job.id, other.lease_token, {"by": "the other"})
        before = Before.of(other.job.id)
        body = {**call.body, "lease_token": frozen.lease_token}
        late = Api(make_token(project)).post(f"/projects/alpha/jobs/{other.job.id}/{call.name}", body)
        assert (late.status_code, late.json()["code"]) == LOST
        assert is_unchanged(before)
        if not finished:
            ended = claims.complete(COMMAND, "alpha", other.job.id, other.lease_token, {"by": "the other"})
            assert (ended.status, ended.result_data) == (COMPLETED, {"by": "the other"})

    def test_one_that_beats_but_hangs_is_timed_out(self, project: Project, clock: Clock) -> None:
        jobs.create(COMMAND, "alpha", NewJob(attempt_timeout_seconds=60))
        (hangs,) = claims.claim(COMMAND, "alpha", ClaimRequest("w1", lease_seconds=30))
        for _ in range(5):
            clock.advance(seconds=11)
            claims.heartbeat(COMMAND, "alpha", hangs.job.id, hangs.lease_token)
        clock.advance(seconds=11)
        with pytest.raises(LeaseLostError):
            claims.heartbeat(COMMAND, "alpha", hangs.job.id, hangs.lease_token)
        assert jobs.get(COMMAND, "alpha", hangs.job.id).status is TIMEOUT
