"""Projects: made by those who run the server, looked after by their admins, deleted with everything in them."""

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from jobs_app.domain import project as project_rules
from jobs_app.domain.access import Actor, ActorKind, Role, Scope
from jobs_app.errors import AlreadyExistsError, InvalidError, PreconditionFailedError
from jobs_app.models import Membership, Project
from jobs_app.services import access, audit, files
from storage_app.records.configured import record_store

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 2000

# What else belongs to a project and must go with it; each entry takes the slug and may run twice.
# Files first: a storage that does not answer then leaves the project whole, to be deleted again.
BELONGINGS: list[Callable[[str], object]] = [files.remove_all, lambda slug: record_store().delete_project(slug)]


def visible(actor: Actor) -> QuerySet[Project]:
    return access.visible_projects(actor)


def get(actor: Actor, slug: str) -> Project:
    return access.project_for(actor, slug, Scope.READ)


def create(actor: Actor, slug: str, name: str = "", description: str = "") -> Project:
    """Whoever makes a project in person becomes its admin."""
    access.require_server(actor)
    if not project_rules.is_slug(slug):
        raise InvalidError.at("slug", f"use {project_rules.SLUG_SENTENCE}")
    name = _checked(name or slug, "name", LONGEST_NAME)
    description = _checked(description, "description", LONGEST_DESCRIPTION)
    try:
        with transaction.atomic():
            project = Project.objects.create(slug=slug, name=name, description=description)
            if actor.kind is ActorKind.PERSON:
                Membership.objects.create(project=project, user_id=int(actor.id), role=Role.ADMIN)
            audit.record(actor, "project.create", project, project=project)
    except IntegrityError:
        raise AlreadyExistsError(f"There is a project {slug!r} already.") from None
    return project


def change(
    actor: Actor, slug: str, *, name: str | None = None, description: str | None = None, version: int | None = None
) -> Project:
    """Changes what is given; with `version`, only while that is still the current one."""
    access.project_for(actor, slug, Scope.ADMIN)
    with transaction.atomic():
        project = _locked(actor, slug, version)
        before = {"name": project.name, "description": project.description}
        if name is not None:
            project.name = _checked(name, "name", LONGEST_NAME)
        if description is not None:
            project.description = _checked(description, "description", LONGEST_DESCRIPTION)
        after = {"name": project.name, "description": project.description}
        if after != before:
            project.version += 1
            project.save()
            audit.record(actor, "project.change", project, project=project, detail={"before": before, "after": after})
    return project


def delete(actor: Actor, slug: str, confirm: str, version: int | None = None) -> None:
    """Removes the project and everything of it; `confirm` must repeat the slug."""
    access.project_for(actor, slug, Scope.ADMIN)
    if confirm != slug:
        raise InvalidError.at("confirm", f"repeat the project's slug, {slug}, to delete everything of it")
    with transaction.atomic():
        project = _locked(actor, slug, version)
        audit.record(actor, "project.delete", project, project=project, detail={"name": project.name})
        for remove in BELONGINGS:
            remove(slug)
        project.delete()


def _locked(actor: Actor, slug: str, version: int | None) -> Project:
    project = access.project_for(actor, slug, Scope.ADMIN)
    project = Project.objects.select_for_update().get(pk=project.pk)
    if version is not None and version != project.version:
        raise PreconditionFailedError(
            f"Project {slug} was changed meanwhile; it is at version {project.version} now.",
            current_version=project.version,
        )
    return project


def _checked(text: str, place: str, longest: int) -> str:
    text = text.strip()
    if place == "name" and not text:
        raise InvalidError.at(place, "must not be empty")
    if len(text) > longest:
        raise InvalidError.at(place, f"has {len(text)} characters; {longest} is the most")
    if any(ord(character) < 32 and character not in "\n\t" for character in text):
        raise InvalidError.at(place, "has control characters in it")
    return text
