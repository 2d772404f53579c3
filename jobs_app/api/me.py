"""Who this token or session is."""

from ninja import Router

from jobs_app.api.authentication import ApiRequest
from jobs_app.api.schemas import Me, ProjectAccess
from jobs_app.domain.access import ActorKind
from jobs_app.services import access

router = Router(tags=["Access"])


@router.get("/me", response=Me, summary="Who am I?")
def me(request: ApiRequest) -> Me:
    """Who this token or session is, its scopes, its projects."""
    actor = request.auth
    projects = [
        ProjectAccess(slug=project.slug, name=project.name, scopes=sorted(actor.scopes_in(project.pk)))
        for project in access.visible_projects(actor)
    ]
    return Me(
        kind="token" if actor.kind is ActorKind.TOKEN else "person",
        id=actor.id,
        name=actor.name,
        runs_the_server=actor.runs_the_server,
        projects=projects,
    )
