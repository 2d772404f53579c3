"""Projects and their members."""

from typing import Annotated

from django.http import HttpResponse
from ninja import Path, Query, Router

from jobs_app.api import preconditions
from jobs_app.api.authentication import ApiRequest
from jobs_app.api.creation import created
from jobs_app.api.parameters import Cursor, IdempotencyKey, Limit, problems
from jobs_app.api.schemas import (
    MemberIn,
    MemberOut,
    MemberPage,
    ProjectChange,
    ProjectIn,
    ProjectOut,
    ProjectPage,
)
from jobs_app.models import Membership, Project
from jobs_app.services import members, paging, projects

router = Router(tags=["Projects"])
Slug = Annotated[str, Path(description="The project's slug.")]


@router.get("/projects", response=ProjectPage, summary="List projects")
def list_projects(request: ApiRequest, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT) -> paging.Page:
    """The projects that you have a part in, by slug."""
    return paging.page(projects.visible(request.auth), "slug", cursor, limit)


@router.post(
    "/projects", response={201: ProjectOut}, summary="Create a project", openapi_extra=problems(409, versioned=True)
)
def create_project(request: ApiRequest, body: ProjectIn, key: IdempotencyKey = None) -> HttpResponse:
    """For those who run the server. A person who makes a project becomes its admin."""

    def create() -> tuple[ProjectOut, str]:
        project = projects.create(request.auth, body.slug, body.name, body.description)
        return ProjectOut.from_orm(project), f"{request.path}/{project.slug}"

    return created(request, request.auth, create, key)


@router.get(
    "/projects/{p}",
    response={200: ProjectOut, 304: None},
    summary="Get a project",
    openapi_extra=problems(versioned=True),
)
def get_project(request: ApiRequest, response: HttpResponse, p: Slug) -> Project | HttpResponse:
    project = projects.get(request.auth, p)
    tag = preconditions.etag(project.version)
    if preconditions.is_current(request, tag):
        return preconditions.not_modified(tag)
    response["ETag"] = tag
    return project


@router.patch("/projects/{p}", response=ProjectOut, summary="Change a project", openapi_extra=problems(versioned=True))
def change_project(request: ApiRequest, response: HttpResponse, p: Slug, body: ProjectChange) -> Project:
    """Changes the fields that are sent. `If-Match` makes it conditional on the version."""
    project = projects.change(
        request.auth,
        p,
        name=body.name,
        description=body.description,
        version=preconditions.expected_version(request),
    )
    response["ETag"] = preconditions.etag(project.version)
    return project


@router.delete(
    "/projects/{p}", response={204: None}, summary="Delete a project", openapi_extra=problems(versioned=True)
)
def delete_project(
    request: ApiRequest, p: Slug, confirm: Annotated[str, Query(description="The slug once more.")] = ""
) -> None:
    """Removes everything of the project; there is no way back."""
    projects.delete(request.auth, p, confirm, preconditions.expected_version(request))


@router.get("/projects/{p}/members", response=MemberPage, summary="List members")
def list_members(
    request: ApiRequest, p: Slug, cursor: Cursor = None, limit: Limit = paging.DEFAULT_LIMIT
) -> paging.Page:
    return paging.page(members.of(request.auth, p), "id", cursor, limit)


@router.put("/projects/{p}/members/{username}", response=MemberOut, summary="Give a role", openapi_extra=problems(409))
def put_member(request: ApiRequest, p: Slug, username: str, body: MemberIn) -> Membership:
    return members.set_role(request.auth, p, username, body.role)


@router.delete(
    "/projects/{p}/members/{username}",
    response={204: None},
    summary="Remove a member",
    openapi_extra=problems(409),
)
def delete_member(request: ApiRequest, p: Slug, username: str) -> None:
    members.remove(request.auth, p, username)
