"""Stopping the claims of a content type or of a whole project, and saying who did it and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.new_job import word_fault
from jobs_app.domain.worker import Controls, Stop
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.services import access, audit
from jobs_app.stores import controls as control_records
from storage_app.records.configured import record_store

LONGEST_REASON: Final = 1000
MOST_TYPES: Final = 500


@dataclass(frozen=True, slots=True)
class Pause:
    """`content_type` None: the whole project."""

    content_type: str | None
    stop: Stop


def of(actor: Actor, slug: str) -> list[Pause]:
    """The whole project first, then content types by name."""
    project = access.project_for(actor, slug, Scope.READ)
    return _pauses(control_records.read(record_store(), project.slug))


def pause(actor: Actor, slug: str, content_type: str | None, reason: str) -> Pause:
    """Claims stop at once; what is under way goes on. Said again, it takes the new reason."""
    _check(content_type, reason)
    stopped: dict[str, Stop] = {}

    def change(controls: Controls) -> Controls:
        stopped["now"] = stop = Stop(record_store().now(), By.actor(actor), reason.strip())
        if content_type is None:
            return replace(controls, project=stop)
        if len(controls.content_types.keys() | {content_type}) > MOST_TYPES:
            raise InvalidError.at("content_type", f"{MOST_TYPES} are paused already; pause the project instead")
        return replace(controls, content_types={**controls.content_types, content_type: stop})

    _changed(actor, slug, "pause", content_type, {"reason": reason.strip()}, change)
    return Pause(content_type, stopped["now"])


def resume(actor: Actor, slug: str, content_type: str | None) -> None:
    def change(controls: Controls) -> Controls:
        if content_type is None:
            if controls.project is None:
                raise NotFoundError(f"Project {slug} is not paused.")
            return replace(controls, project=None)
        if content_type not in controls.content_types:
            raise NotFoundError(f"{content_type[:80]!r} is not paused.")
        left = {name: stop for name, stop in controls.content_types.items() if name != content_type}
        return replace(controls, content_types=left)

    _changed(actor, slug, "resume", content_type, {}, change)


def _changed(
    actor: Actor,
    slug: str,
    verb: str,
    content_type: str | None,
    detail: Mapping[str, Any],
    change: Callable[[Controls], Controls],
) -> None:
    project = access.project_for(actor, slug, Scope.WRITE)
    control_records.change(record_store(), project.slug, change)
    name = project.slug if content_type is None else content_type
    kind = "project" if content_type is None else "content_type"
    audit.record(actor, f"{kind}.{verb}", audit.Target(kind, name, name), project=project, detail=detail)


def _check(content_type: str | None, reason: str) -> None:
    if content_type is not None and (fault := word_fault(content_type)):
        raise InvalidError.at("content_type", fault)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidError.at("reason", f"say in 1 to {LONGEST_REASON} characters why")


def _pauses(controls: Controls) -> list[Pause]:
    whole = [Pause(None, controls.project)] if controls.project else []
    return whole + [Pause(name, stop) for name, stop in sorted(controls.content_types.items())]
