"""Living sample data for a first look: `up --demo`. Running it again adds nothing twice."""

from django.contrib.auth.models import User

from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.models import Membership, Project
from jobs_app.services import members, projects, tokens

SLUG = "demo"
CAST = {"olga": Role.OPERATOR, "victor": Role.VIEWER}


def seed() -> Project:
    """A project with people in each role and a program that comes in."""
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        description = "Sample data to look at. Delete it under Settings whenever you like."
        project = projects.create(COMMAND, SLUG, "Demonstration", description)
        tokens.create(COMMAND, SLUG, "sample worker", [Scope.READ, Scope.WORK])
    for name, role in CAST.items():
        _member(project, name, role)
    for administrator in User.objects.filter(is_superuser=True):
        Membership.objects.get_or_create(project=project, user=administrator, defaults={"role": Role.ADMIN})
    return project


def _member(project: Project, name: str, role: Role) -> None:
    """Nobody logs in as the cast: they have no password."""
    user, made = User.objects.get_or_create(username=name)
    if made:
        user.set_unusable_password()
        user.save()
    if not Membership.objects.filter(project=project, user=user).exists():
        members.set_role(COMMAND, project.slug, name, role)
