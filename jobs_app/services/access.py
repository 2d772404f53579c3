"""The one place that decides who may do what. Every service that a person or program can reach asks here first."""

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from jobs_app.domain.access import EVERY_SCOPE, NO_SCOPE, Actor, ActorKind, Role, Scope
from jobs_app.errors import NotFoundError, PermissionDeniedError, UnauthenticatedError
from jobs_app.models import Membership, Project, Token


def actor_for_person(user: User | AnonymousUser, address: str = "", request_id: str = "") -> Actor:
    """A superuser runs the server and reaches every project; anybody else has the roles they were given."""
    if not isinstance(user, User) or not user.is_active:
        raise UnauthenticatedError("Log in first.")
    roles = Membership.objects.filter(user=user).values_list("project_id", "role")
    return Actor(
        ActorKind.PERSON,
        str(user.pk),
        user.get_username(),
        projects={project_id: Role(role).scopes for project_id, role in roles},
        everywhere=EVERY_SCOPE if user.is_superuser else NO_SCOPE,
        address=address,
        request_id=request_id,
    )


def actor_for_token(token: Token, address: str = "", request_id: str = "") -> Actor:
    """A token reaches its own project, or all of them when it was made for the server."""
    scopes = frozenset(Scope(scope) for scope in token.scopes)
    return Actor(
        ActorKind.TOKEN,
        str(token.pk),
        token.name,
        projects={} if token.project_id is None else {token.project_id: scopes},
        everywhere=scopes if token.project_id is None else NO_SCOPE,
        address=address,
        request_id=request_id,
    )


def project_for(actor: Actor, slug: str, needs: Scope) -> Project:
    """The project, where the actor may do `needs`; one they have no part in is as absent as one that is not there."""
    project = Project.objects.filter(slug=slug).first()
    if project is None or not actor.scopes_in(project.pk):
        raise NotFoundError(f"There is no project {slug!r} here.")
    require(actor, project, needs)
    return project


def project_for_one_of(actor: Actor, slug: str, needs: Sequence[Scope]) -> Project:
    """As `project_for`, where one of several scopes is enough; a refusal names the first."""
    project = Project.objects.filter(slug=slug).first()
    held = actor.scopes_in(project.pk) if project else NO_SCOPE
    return project_for(actor, slug, next((scope for scope in needs if scope in held), needs[0]))


def require(actor: Actor, project: Project, needs: Scope) -> None:
    if needs not in actor.scopes_in(project.pk):
        raise PermissionDeniedError(
            f"{actor.name} may not {needs} in {project.slug}; an admin of the project can change that."
        )


def require_server(actor: Actor) -> None:
    if not actor.runs_the_server:
        raise PermissionDeniedError(f"{actor.name} may not do this; it takes somebody who runs the server.")


def visible_projects(actor: Actor) -> QuerySet[Project]:
    if actor.everywhere:
        return Project.objects.all()
    return Project.objects.filter(pk__in=[key for key, scopes in actor.projects.items() if scopes])
