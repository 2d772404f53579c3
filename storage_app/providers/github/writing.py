"""From a job to a commit, whoever else writes: lost races are rebased path by path, and an answer that was lost is
looked for instead of asked for again.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from storage_app.providers import errors
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.github import api as github
from storage_app.providers.github import engines, plans, refusals
from storage_app.providers.github.api import RETRY_DELAYS, GitHubApi
from storage_app.providers.github.engines import Made
from storage_app.providers.github.lookups import State
from storage_app.providers.github.mirror import Mirror, View
from storage_app.providers.github.plans import Job, Plan
from storage_app.providers.github.refusals import GitHubError, Kind
from storage_app.providers.types import FileWrite

# A loser asks again and then writes, a winner only writes, so two busy writers need more than a handful of rounds.
MOST_LOST_RACES: Final = 20
MOST_LOST_ANSWERS: Final = len(RETRY_DELAYS)
OLDEST_BASE: Final = 5.0  # seconds: on an older head nearly every batch would be refused first
MOST_LOOKED_UP: Final = 500  # paths: beyond, the whole tree is less to ask for
HISTORY_PAGES: Final = 10

_LOST: Final = frozenset({Kind.MOVED, Kind.MISMATCH, Kind.EXISTS, Kind.LAGGING, Kind.EMPTY})
_log: Final = logging.getLogger(__name__)

Engine = Callable[[GitHubApi, str, Plan], Coroutine[Any, Any, Made]]


@dataclass
class Attempts:
    """How a job has gone so far. `uncertain`: an answer was lost, so that a commit may be ours."""

    lost_races: int = 0
    lost_answers: int = 0
    too_much_at_once: bool = False

    @property
    def uncertain(self) -> bool:
        return self.lost_answers > 0


@dataclass(frozen=True)
class Outcome:
    made: Made
    paths: list[str] = field(default_factory=list)


class Writer:
    """One job at a time: GitHub wants writes to a branch one after the other."""

    def __init__(self, api: GitHubApi, mirror: Mirror) -> None:
        self._api, self._mirror = api, mirror
        self._turn = asyncio.Lock()

    async def write(self, job: Job) -> Outcome | None:
        """None where everything is as it should be already."""
        async with self._turn:
            return await self._write(job)

    async def write_once(self, job: Job, since: datetime) -> Outcome | None:
        """As `write`, where the job may have been done by somebody who lived to start it and not to tell the end."""
        try:
            return await self._written_once(job, since)
        except GitHubError as error:
            if error.code is StorageErrorCode.NETWORK_ERROR:
                error.details["nothing_sent"] = True  # else it would be no GitHubError, but of an unknown outcome
            raise

    async def _written_once(self, job: Job, since: datetime) -> Outcome | None:
        async with self._turn:
            _, state = await self._mirror.look(job.needed())
            commit = _marked(job, state.messages)
            if not commit and state.commit:
                commit = await self._in_history(job, {"sha": state.commit, "since": since.isoformat()})
            if commit:
                return Outcome(_unseen(commit), [change.path for change in job.changes])
            return await self._write(job)

    async def _write(self, job: Job) -> Outcome | None:
        attempts = Attempts()
        try:
            return await self._written(job, attempts)
        except GitHubError as error:
            if not attempts.uncertain:
                raise
            # Whatever stopped us: a commit may still come of the request whose answer was lost.
            details = {**error.details, "reason": "outcome_unknown"}
            message = "Nobody knows whether GitHub made the change."
            raise StorageError(StorageErrorCode.NETWORK_ERROR, message, job.path, details) from error

    async def _written(self, job: Job, attempts: Attempts) -> Outcome | None:
        base = await self._created_blindly(job, attempts) or await self._base(job)
        if isinstance(base, Outcome):
            return base
        while True:
            plan = await self._plan(job, base)
            if not plan.steps:
                return None
            if not base.commit and len(plan.steps) > 1:
                return await self._found_repository(plan)
            try:
                return self._done(plan, await self._engine(plan, attempts)(self._api, self._mirror.branch, plan))
            except GitHubError as error:
                after = await self._after(error, plan, attempts)
            if isinstance(after, Outcome):
                return after
            base = after

    async def _created_blindly(self, job: Job, attempts: Attempts) -> View | Outcome | None:
        """A file that must not exist needs no look at what is there: the write itself refuses, in one request."""
        if not job.is_plain_create or self._mirror.head.commit is not None:
            return None
        nothing = View("", None, dict.fromkeys(job.needed()))
        plan = plans.make(job, nothing, {})
        try:
            return self._done(plan, await engines.by_contents(self._api, self._mirror.branch, plan))
        except GitHubError as error:
            if error.kind is Kind.EXISTS:
                raise errors.already_exists(job.changes[0].path) from error
            if error.kind is Kind.UNKNOWN:
                return await self._after(error, plan, attempts)
            # Why a path is refused can be told better by who knows what is there.
            if error.code in (StorageErrorCode.INVALID_PATH, StorageErrorCode.CONFLICT):
                return None
            raise self._refused(error, nothing) from error

    async def _base(self, job: Job) -> View:
        max_age = min(self._mirror.ttl, OLDEST_BASE)
        wanted = job.needed()
        if len(wanted) > MOST_LOOKED_UP:
            return await self._mirror.whole(max_age)
        return await self._completed(job, await self._mirror.some(wanted, max_age))

    async def _completed(self, job: Job, base: View) -> View:
        """Where a folder has the name of a file to write, what lies in it has to be known."""
        writes = [change for change in job.changes if isinstance(change, FileWrite)]
        if base.root is None and any(base.at(job.full(change.path)) == "folder" for change in writes):
            return replace(base, root=await self._mirror.tree_of(base.commit))
        return base

    async def _plan(self, job: Job, base: View) -> Plan:
        contents = {sha: await self._mirror.blob(sha, job.path or "") for sha in plans.asked_about(job, base)}
        return plans.make(job, base, contents)

    def _engine(self, plan: Plan, attempts: Attempts) -> Engine:
        if not plan.base.commit:
            return engines.by_contents
        if len(plan.job.changes) == 1 and engines.fits_contents(plan):
            return engines.by_contents
        if engines.fits_mutation(plan) and not attempts.too_much_at_once:
            return engines.by_mutation
        return engines.by_git_data

    def _done(self, plan: Plan, made: Made) -> Outcome:
        """What the commit leaves is predicted, and believed where the hash of the tree agrees."""
        for step in plan.steps:
            if step.new is not None and step.content is not None:
                self._mirror.blobs.put(step.new.sha, step.content)
        builds_on_base = made.parent == plan.base.commit
        root = plan.root_after() if builds_on_base else None
        if root is not None and root.sha != made.tree:
            _log.warning("GitHub's tree of an own commit is not the one predicted", extra={"commit": made.commit})
            root, builds_on_base = None, False
        found = plan.found_after() if builds_on_base else {step.path: step.new for step in plan.steps}
        self._mirror.made(made.commit, made.parent, root, found)
        return Outcome(made, [step.change.path for step in plan.steps])

    async def _found_repository(self, plan: Plan) -> Outcome:
        """An empty repository takes its first commit by the contents endpoint only, which takes one file."""
        first, *rest = plan.job.changes
        start = await self._write(replace(plan.job, changes=[first], batch_id=f"{plan.job.batch_id}-1"))
        try:
            end = await self._write(replace(plan.job, changes=rest))
        except StorageError as error:
            error.details["paths"] = [first.path]
            raise
        assert end is not None, "what was missing is there now"
        return Outcome(end.made, [*(start.paths if start else []), *end.paths])

    # After a refusal

    async def _after(self, error: GitHubError, plan: Plan, attempts: Attempts) -> View | Outcome:
        """The base to try on next, or the commit that was made after all; raises what is final."""
        if error.kind is Kind.TOO_MUCH and not attempts.too_much_at_once:
            attempts.too_much_at_once = True
            return plan.base
        if error.kind is Kind.UNKNOWN:
            if attempts.lost_answers >= MOST_LOST_ANSWERS:
                raise error
            await self._pause(RETRY_DELAYS[attempts.lost_answers])
            attempts.lost_answers += 1
        elif error.kind in _LOST:
            if attempts.lost_races >= MOST_LOST_RACES:
                raise error
            attempts.lost_races += 1
            await self._pause(min(0.02 * 2**attempts.lost_races, 1.0))
        else:
            raise self._refused(error, plan.base) from error
        return await self._rebased(plan, attempts)

    async def _rebased(self, plan: Plan, attempts: Attempts) -> View | Outcome:
        base, state = await self._mirror.look(plan.job.needed())
        if attempts.uncertain:
            commit = await self._own_commit(plan, state)
            if commit:
                return self._found_again(plan, commit)
        base = await self._completed(plan.job, base)
        self._refuse_overwriting(plan, base)
        return base

    def _refuse_overwriting(self, plan: Plan, base: View) -> None:
        """Of a batch no file is written over what somebody else wrote meanwhile. A single file without a condition is
        the last word on itself, as on every other storage; conditions are decided when the plan is made anew.
        """
        for step in plan.steps:
            found = base.at(step.path)
            if found == (step.old or None) or found == step.new or step.change.expected_sha is not None:
                continue
            if isinstance(step.change, FileWrite) and not step.change.overwrite:
                continue
            if len(plan.job.changes) > 1:
                old, new = (f"git:{each.sha}" if each and each != "folder" else None for each in (step.old, found))
                raise errors.conflict(step.change.path, old, new)
            _log.warning("Written over what somebody else wrote meanwhile", extra={"path": step.change.path})

    async def _own_commit(self, plan: Plan, state: State) -> str | None:
        """The commit with our mark among those made since the base."""
        commit = _marked(plan.job, state.messages)
        if commit or plan.base.commit in state.messages or not state.commit:
            return commit
        return await self._in_history(plan.job, {"sha": state.commit}, plan.base.commit)

    async def _in_history(self, job: Job, params: dict[str, str], base: str = "") -> str | None:
        """More than a few commits were made since: page by page back to the base, or to the time given."""
        pages = HISTORY_PAGES if base or "since" in params else 1
        for page in range(1, pages + 1):
            paged = {**params, "per_page": "100", "page": str(page)}
            response = await self._api.rest("GET", "/commits", params=paged)
            try:
                listed = {item["sha"]: item["commit"]["message"] for item in github.decoded(response)}
            except (KeyError, TypeError) as error:
                raise refusals.not_understood(job.path) from error
            commit = _marked(job, listed)
            if commit or base in listed or len(listed) < 100:
                return commit
        return None

    def _found_again(self, plan: Plan, commit: str) -> Outcome:
        return Outcome(_unseen(commit), [step.change.path for step in plan.steps])

    def _refused(self, error: GitHubError, base: View) -> GitHubError:
        """A branch that can be read and not written is shown as one that is not there."""
        is_hidden = error.details.get("status") == 404 and base.commit and not error.reason
        if not is_hidden:
            return error
        message = "The token may read the repository, not write to it."
        details = {**error.details, "reason": "read_only_token"}
        return GitHubError(StorageErrorCode.PERMISSION_DENIED, message, error.path, details)

    async def _pause(self, seconds: float) -> None:
        await self._api.clock.sleep(seconds * (0.5 + self._api.clock.chance()))


def _marked(job: Job, messages: Mapping[str, str]) -> str | None:
    return next((commit for commit, message in messages.items() if job.trailer in message.splitlines()), None)


def _unseen(commit: str) -> Made:
    """A commit of ours whose answer was lost: when it was made and in whose name nobody told us."""
    return Made(commit, "", "", "", datetime.now(UTC))


def without_trailer(message: str) -> str:
    """The message as it was given."""
    return _TRAILER.sub("", message)


_TRAILER: Final = re.compile(r"\n\nBatch-Id: [0-9A-Za-z-]+\s*\Z")
