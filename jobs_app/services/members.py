"""Who belongs to a project, and as what. A project that has an admin always keeps one."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from jobs_app.domain.access import Actor, Role, Scope
from jobs_app.errors import ConflictError, InvalidError, NotFoundError
from jobs_app.models import Membership, Project
from jobs_app.services import access, audit


def of(actor: Actor, slug: str) -> QuerySet[Membership]:
    project = access.project_for(actor, slug, Scope.READ)
    return project.memberships.select_related("user").order_by("user__username")


def set_role(actor: Actor, slug: str, username: str, role: str) -> Membership:
    """Gives somebody a role in the project, or another one than before."""
    project = access.project_for(actor, slug, Scope.ADMIN)
    if role not in list(Role):
        raise InvalidError.at("role", f"choose one of {', '.join(Role)}")
    with transaction.atomic():
        _lock(project)
        user = _person(username)
        membership = Membership.objects.filter(project=project, user=user).first()
        before = membership.role if membership else None
        if membership is None:
            membership = Membership(project=project, user=user)
        elif before == Role.ADMIN and role != Role.ADMIN:
            _refuse_last_admin(project, user)
        membership.role = role
        membership.save()
        detail = {"person": username, "before": before, "after": role}
        audit.record(actor, "member.role", user, project=project, detail=detail)
    return membership


def remove(actor: Actor, slug: str, username: str) -> None:
    project = access.project_for(actor, slug, Scope.ADMIN)
    with transaction.atomic():
        _lock(project)
        membership = Membership.objects.filter(project=project, user__username=username).first()
        if membership is None:
            raise NotFoundError(f"{username} is no member of {slug}.")
        if membership.role == Role.ADMIN:
            _refuse_last_admin(project, membership.user)
        membership.delete()
        audit.record(actor, "member.remove", membership.user, project=project, detail={"before": membership.role})


def _lock(project: Project) -> None:
    """Two admins who take each other's role away at once must not both succeed."""
    Project.objects.select_for_update().get(pk=project.pk)


def _person(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFoundError(f"There is nobody called {username!r}; invite them first.")
    return user


def _refuse_last_admin(project: Project, leaving: User) -> None:
    if not project.memberships.filter(role=Role.ADMIN).exclude(user=leaving).exists():
        raise ConflictError(
            f"{leaving.get_username()} is the last admin of {project.slug}; make somebody else one first."
        )
