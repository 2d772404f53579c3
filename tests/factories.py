"""The cast: projects, people with roles, tokens."""

import secrets

from django.contrib.auth.models import User

from jobs_app.domain.access import COMMAND, Actor, Role, Scope
from jobs_app.models import Membership, Project
from jobs_app.services import access, tokens

PASSWORD = "correct horse battery"


def make_project(slug: str | None = None) -> Project:
    slug = slug or f"p-{secrets.token_hex(4)}"
    return Project.objects.create(slug=slug, name=f"The {slug} project")


def make_person(
    username: str | None = None, *, runs_the_server: bool = False, roles: dict[Project, Role] | None = None
) -> User:
    """Somebody whose password is PASSWORD."""
    user = User(username=username or f"u{secrets.token_hex(4)}", is_staff=runs_the_server, is_superuser=runs_the_server)
    user.set_password(PASSWORD)
    user.save()
    for project, role in (roles or {}).items():
        Membership.objects.create(project=project, user=user, role=role)
    return user


def make_actor(project: Project, role: Role) -> Actor:
    return access.actor_for_person(make_person(roles={project: role}))


def make_token(project: Project, *scopes: Scope) -> str:
    """The secret of a token with these scopes, or with all."""
    return tokens.create(COMMAND, project.slug, "a program", [scope.value for scope in scopes or tuple(Scope)])[1]
