"""The log of every change made by a person or a token, and of every refusal that matters."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import RateLimitedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import access, throttle

LONGEST_NAME = 300
LONGEST_ACTOR = 200
REFUSALS = throttle.Limit("refusals of", 20, timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Conditions on the log; what is not given does not narrow it."""

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    text: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What was changed, where that is no row of the ORM."""

    kind: str
    pk: str
    name: str

    def __str__(self) -> str:
        return self.name


def record(
    actor: Actor,
    action: str,
    target: object = None,
    *,
    project: Project | None = None,
    outcome: str = "done",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Written in the same transaction as the change, so that there is never one without the other."""
    AuditEntry.objects.create(
        project_slug=project.slug if project else "",
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name[:LONGEST_ACTOR],
        address=actor.address,
        action=action,
        target_kind=_kind(target),
        target_id=str(getattr(target, "pk", "")),
        target_name=str(target)[:LONGEST_NAME] if target is not None else "",
        outcome=outcome,
        detail=dict(detail or {}),
        request_id=actor.request_id,
    )


def refused(actor: Actor, what: str, slug: str) -> None:
    """Somebody known asked for what they may not have; whoever keeps asking cannot fill the log with it."""
    with contextlib.suppress(RateLimitedError):
        throttle.count(REFUSALS, f"{actor.kind}:{actor.id}")
        AuditEntry.objects.create(
            project_slug=slug,
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name[:LONGEST_ACTOR],
            address=actor.address,
            action="access",
            target_kind="address",
            target_name=what[:LONGEST_NAME],
            outcome="refused",
            request_id=actor.request_id,
        )


def entries(actor: Actor, slug: str, conditions: AuditFilter) -> QuerySet[AuditEntry]:
    """The log of a project, newest first."""
    project = access.project_for(actor, slug, Scope.ADMIN)
    found = AuditEntry.objects.filter(project_slug=project.slug, at__gte=project.created_at)
    if conditions.actor:
        found = found.filter(actor_name=conditions.actor)
    if conditions.action:
        found = found.filter(action=conditions.action)
    if conditions.target:
        found = found.filter(target_name__icontains=conditions.target)
    if conditions.text:
        found = found.filter(_mentions(conditions.text))
    if conditions.after:
        found = found.filter(at__gte=conditions.after)
    if conditions.before:
        found = found.filter(at__lt=conditions.before)
    return found.order_by("-id")


def _kind(target: object) -> str:
    if target is None:
        return ""
    return target.kind if isinstance(target, Target) else type(target).__name__.lower()


def _mentions(text: str) -> Q:
    return Q(actor_name__icontains=text) | Q(action__icontains=text) | Q(target_name__icontains=text)
