"""Views of one's own and shared ones: who may see, make and change which."""

import pytest

from jobs_app.domain.access import Actor, Role
from jobs_app.errors import (
    AlreadyExistsError,
    InvalidError,
    InvalidQueryError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from jobs_app.models import Project
from jobs_app.services import saved_views
from jobs_app.services.saved_views import ViewContent
from tests.factories import make_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("record_store")]
FAILED = ViewContent("Failed", "status:failed -type:pdf", "-completed_at", ("name", "error"))
SHARED = ViewContent("Failed", "status:failed", shared=True)


@pytest.fixture
def viewer(project: Project) -> Actor:
    return make_actor(project, Role.VIEWER)


@pytest.fixture
def operator(project: Project) -> Actor:
    return make_actor(project, Role.OPERATOR)


def names(actor: Actor, project: Project) -> list[tuple[str, bool]]:
    return [(view.name, view.shared) for view in saved_views.of(actor, project.slug)]


def test_everybody_keeps_their_own_and_sees_the_shared_ones(project: Project, viewer: Actor, operator: Actor) -> None:
    mine = saved_views.create(viewer, project.slug, FAILED)
    saved_views.create(operator, project.slug, SHARED)
    saved_views.create(operator, project.slug, ViewContent("Mine", "x"))
    assert names(viewer, project) == [("Failed", True), ("Failed", False)]
    assert names(operator, project) == [("Failed", True), ("Mine", False)]
    kept = saved_views.get(viewer, project.slug, mine.id)
    assert (kept.query, kept.order, list(kept.columns)) == (FAILED.query, FAILED.order, ["name", "error"])


def test_anothers_own_view_is_absent(project: Project, viewer: Actor, operator: Actor) -> None:
    own = saved_views.create(viewer, project.slug, FAILED)
    for refused in (
        lambda: saved_views.get(operator, project.slug, own.id),
        lambda: saved_views.change(operator, project.slug, own.id, SHARED),
        lambda: saved_views.delete(operator, project.slug, own.id),
        lambda: saved_views.get(operator, project.slug, "odd"),
    ):
        with pytest.raises(NotFoundError):
            refused()
    assert saved_views.get(viewer, project.slug, own.id) == own


def test_a_shared_view_takes_an_operator(project: Project, viewer: Actor, operator: Actor) -> None:
    shared = saved_views.create(operator, project.slug, SHARED)
    own = saved_views.create(viewer, project.slug, FAILED)
    for refused in (
        lambda: saved_views.create(viewer, project.slug, ViewContent("New", shared=True)),
        lambda: saved_views.change(viewer, project.slug, shared.id, FAILED),
        lambda: saved_views.change(viewer, project.slug, own.id, ViewContent("New", shared=True)),
        lambda: saved_views.delete(viewer, project.slug, shared.id),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    another = make_actor(project, Role.OPERATOR)
    changed = saved_views.change(another, project.slug, shared.id, ViewContent("Other", "x", shared=True))
    assert (changed.name, saved_views.is_own(changed, operator)) == ("Other", True)
    saved_views.delete(another, project.slug, shared.id)
    assert names(viewer, project) == [("Failed", False)]


def test_a_name_stands_once_on_its_shelf(project: Project, viewer: Actor, operator: Actor) -> None:
    saved_views.create(viewer, project.slug, FAILED)
    other = saved_views.create(viewer, project.slug, ViewContent("Other"))
    for name in ("Failed", "FAILED", " failed "):
        with pytest.raises(AlreadyExistsError):
            saved_views.create(viewer, project.slug, ViewContent(name))
        with pytest.raises(AlreadyExistsError):
            saved_views.change(viewer, project.slug, other.id, ViewContent(name))
    saved_views.create(operator, project.slug, FAILED)


def test_a_stale_version_is_refused(project: Project, viewer: Actor) -> None:
    view = saved_views.create(viewer, project.slug, FAILED)
    saved_views.change(viewer, project.slug, view.id, ViewContent("B"), version=view.version)
    with pytest.raises(PreconditionFailedError):
        saved_views.change(viewer, project.slug, view.id, ViewContent("C"), version=view.version)


def test_what_makes_no_sense_is_refused(project: Project, viewer: Actor) -> None:
    for content in (
        ViewContent(""),
        ViewContent("  "),
        ViewContent("a\nb"),
        ViewContent("x" * 101),
        ViewContent("a", order="name"),
        ViewContent("a", columns=("",)),
        ViewContent("a", columns=("x",) * 51),
    ):
        with pytest.raises(InvalidError):
            saved_views.create(viewer, project.slug, content)
    with pytest.raises(InvalidQueryError):
        saved_views.create(viewer, project.slug, ViewContent("a", "status:"))


def test_there_is_an_end_to_how_many(project: Project, viewer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    for name in "ab":
        saved_views.create(viewer, project.slug, ViewContent(name))
    with pytest.raises(InvalidError):
        saved_views.create(viewer, project.slug, ViewContent("c"))


def test_another_projects_views_are_absent(project: Project, other_project: Project, viewer: Actor) -> None:
    view = saved_views.create(viewer, project.slug, FAILED)
    stranger = make_actor(other_project, Role.ADMIN)
    with pytest.raises(NotFoundError):
        saved_views.of(stranger, project.slug)
    with pytest.raises(NotFoundError):
        saved_views.get(stranger, other_project.slug, view.id)
