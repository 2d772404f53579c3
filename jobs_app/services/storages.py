"""Storages: which there are, what they can do, how they are."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.utils import timezone

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.errors import NotFoundError
from jobs_app.models import Project
from jobs_app.services import access, audit, changes
from jobs_app.services.health import Report
from storage_app import file_storages
from storage_app.file_storages import Defined
from storage_app.models import StorageCheck
from storage_app.providers import StorageError, StorageHealth
from storage_app.providers.factory import Storages

log = logging.getLogger("holdfast.storages")
TOPIC: Final = changes.server_topic("storages")
CHECK_SECONDS: Final = 10.0
STALE_AFTER: Final = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Health:
    """How it was when last asked, and since when it is so."""

    healthy: bool
    message: str
    details: dict[str, Any]
    checked_at: datetime
    since: datetime


@dataclass(frozen=True, slots=True)
class StorageState:
    """`health` is None before the first look. `statistics` are this process's: requests, cache, rate limits. `root`,
    where a local one lies, is told to those who run the server.
    """

    alias: str
    provider: str
    project: str | None
    capabilities: tuple[str, ...]
    hash_kind: str
    health: Health | None
    statistics: dict[str, Any] = field(default_factory=dict)
    root: str | None = None

    def can(self, capability: str) -> bool:
        return capability in self.capabilities


def of_server(actor: Actor) -> list[StorageState]:
    """The shared ones, and those of projects that the actor has a part in."""
    slugs = set(access.visible_projects(actor).values_list("slug", flat=True))
    if not slugs and not actor.everywhere:
        return []
    return _states(actor, [each for each in file_storages.defined() if each.project is None or each.project in slugs])


def of_project(actor: Actor, slug: str) -> list[StorageState]:
    project = access.project_for(actor, slug, Scope.READ)
    return _states(actor, file_storages.defined(project.slug))


def aliases_of(actor: Actor, slug: str) -> list[str]:
    """The names of those that the project may use."""
    project = access.project_for(actor, slug, Scope.READ)
    return [each.alias for each in file_storages.defined(project.slug)]


def get(actor: Actor, slug: str, storage: str) -> StorageState:
    project = access.project_for(actor, slug, Scope.READ)
    return _states(actor, [defined_for(project, storage)])[0]


def test(actor: Actor, slug: str, storage: str) -> StorageState:
    """Asks the storage now, for whoever pressed the button; what it says is kept."""
    project = access.project_for(actor, slug, Scope.WRITE)
    found = defined_for(project, storage)
    _keep({found.alias: file_storages.run(lambda storages: _health_of(storages, found.alias))})
    return _states(actor, [found])[0]


def defined_for(project: Project, storage: str) -> Defined:
    """The storage, where the project may use it; another's is as absent as one that is not there."""
    for each in file_storages.defined(project.slug):
        if each.alias == storage:
            return each
    raise NotFoundError(f"There is no storage {storage[:80]!r} here.")


def check_all(deadline: Deadline) -> Counts:
    """What the clock calls: asks every storage, and keeps what they say."""
    found = file_storages.health(CHECK_SECONDS)
    _keep(found)
    failing = {alias: health for alias, health in found.items() if not health}
    roots = {each.alias: each.root for each in file_storages.defined()}
    for alias, health in failing.items():
        log.warning("The storage %s is not healthy: %s %s", alias, health.message, roots.get(alias) or "")
    return {"checked": len(found), "failing": len(failing)}


def report() -> Report:
    """For `/readyz`: from the last look while that is young, else asked now. Says to anybody no more than which."""
    aliases = [each.alias for each in file_storages.defined()]
    try:
        known = _known(aliases)
    except DatabaseError:  # which its own report tells
        known = {alias: bool(health) for alias, health in file_storages.health(CHECK_SECONDS).items()}
    failing = sorted(alias for alias, healthy in known.items() if not healthy)
    if not failing:
        return Report("storages")
    return Report("storages", f"{', '.join(failing)}: not reachable, or no writes are taken; the log says why.")


def unhealthy(actor: Actor, slug: str) -> list[StorageState]:
    """Those of the project that did not answer when last asked; asks none of them."""
    return [state for state in of_project(actor, slug) if state.health is not None and not state.health.healthy]


def statistics() -> dict[str, dict[str, Any]]:
    """Of every storage that this process has open, for metrics."""
    return file_storages.run(_statistics)


def _states(actor: Actor, storages: list[Defined]) -> list[StorageState]:
    checks = _kept([each.alias for each in storages])
    facts = file_storages.run(lambda opened: _facts(opened, [each.alias for each in storages]))
    return [
        StorageState(
            each.alias, each.provider, each.project, *facts.get(each.alias, _UNKNOWN)[:2],
            checks.get(each.alias), facts.get(each.alias, _UNKNOWN)[2], each.root if actor.runs_the_server else None,
        )
        for each in storages
    ]  # fmt: skip


_Facts = tuple[tuple[str, ...], str, dict[str, Any]]
_UNKNOWN: Final[_Facts] = ((), "", {})  # of a storage that cannot be opened; its health says why


async def _facts(storages: Storages, aliases: list[str]) -> dict[str, _Facts]:
    found = {}
    for alias in aliases:
        try:
            provider = storages.get(alias)
        except StorageError:
            continue
        names = tuple(flag.name.lower() for flag in provider.capabilities if flag.name)
        found[alias] = (names, str(provider.hash_kind), provider.statistics())
    return found


async def _statistics(storages: Storages) -> dict[str, dict[str, Any]]:
    facts = await _facts(storages, storages.aliases())
    return {alias: statistics for alias, (_, _, statistics) in facts.items() if statistics}


async def _health_of(storages: Storages, alias: str) -> StorageHealth:
    return await file_storages.health_of(storages, alias, CHECK_SECONDS)


def _keep(found: dict[str, StorageHealth]) -> None:
    now = timezone.now()
    with transaction.atomic():
        before = {check.alias: check for check in StorageCheck.objects.filter(alias__in=found)}
        turned = False
        for alias, health in found.items():
            known = before.get(alias)
            same = known is not None and known.healthy == health.healthy and known.message == health.message
            turned = turned or not same
            StorageCheck.objects.update_or_create(
                alias=alias,
                defaults={
                    "healthy": health.healthy,
                    "message": health.message,
                    "details": dict(health.details),
                    "checked_at": now,
                    "since": known.since if known and same else now,
                },
            )
        if turned:
            changes.touch(TOPIC)


def _kept(aliases: list[str]) -> dict[str, Health]:
    return {
        check.alias: Health(check.healthy, check.message, check.details, check.checked_at, check.since)
        for check in StorageCheck.objects.filter(alias__in=aliases)
    }


def _known(aliases: list[str]) -> dict[str, bool]:
    kept = _kept(aliases)
    now = timezone.now()
    known = {alias: health.healthy for alias, health in kept.items() if abs(now - health.checked_at) < STALE_AFTER}
    if missing := [alias for alias in aliases if alias not in known]:
        asked = file_storages.health(CHECK_SECONDS)
        _keep({alias: asked[alias] for alias in missing})
        known |= {alias: bool(asked[alias]) for alias in missing}
    return known


def audit_target(storage: str, path: str) -> audit.Target:
    """How the audit log names a file."""
    return audit.Target("file", f"{storage}:{path}"[:200], f"{storage}:{path}")
