"""Saved views of the list of jobs. Everybody who may see the project keeps their own; shared ones are an operator's to
make and change, and everybody's to see. Nobody sees another's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from jobs_app.domain.access import Actor, Scope
from jobs_app.domain.job import By
from jobs_app.domain.saved_view import SavedView
from jobs_app.errors import (
    AlreadyExistsError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from jobs_app.models import Project
from jobs_app.services import access, audit, job_queries
from jobs_app.services.jobs import ORDERS
from jobs_app.stores import saved_views
from jobs_app.stores.saved_views import SAVED_VIEWS, SHARED, shelf_of
from storage_app.records import errors as store_errors
from storage_app.records.base import RecordStore
from storage_app.records.configured import record_store
from storage_app.records.operations import Record

MOST: Final = 200  # of one person, and of the shared ones
LONGEST_NAME: Final = 100
MOST_COLUMNS: Final = 50
LONGEST_COLUMN: Final = 100


@dataclass(frozen=True, slots=True)
class ViewContent:
    """What somebody keeps. `columns` are the page's own words; empty: as the page has them."""

    name: str
    query: str = ""
    order: str = "-created_at"
    columns: Sequence[str] = ()
    shared: bool = False


def of(actor: Actor, slug: str) -> list[SavedView]:
    """The shared ones and one's own, by name; shared ones first."""
    project = access.project_for(actor, slug, Scope.READ)
    shelves = (SHARED, shelf_of(_owner(actor), shared=False))
    found = [view for shelf in shelves for view in _on_shelf(record_store(), project.slug, shelf)]
    return sorted(found, key=lambda view: (not view.shared, view.name.casefold(), view.id))


def get(actor: Actor, slug: str, id: str) -> SavedView:
    return _visible(actor, access.project_for(actor, slug, Scope.READ), id)


def create(actor: Actor, slug: str, content: ViewContent) -> SavedView:
    project = access.project_for(actor, slug, Scope.READ)
    _check(content)
    if content.shared:
        access.require(actor, project, Scope.WRITE)
    store, owner = record_store(), _owner(actor)
    if store.count(project.slug, SAVED_VIEWS.name, {"shelf": shelf_of(owner, content.shared)}) >= MOST:
        raise InvalidError.at("name", f"there are {MOST} views already; remove one first")
    now = store.now()
    view = SavedView(
        id="",
        version=0,
        name=content.name.strip(),
        query=content.query.strip(),
        order=content.order,
        columns=tuple(content.columns),
        shared=content.shared,
        owner=owner,
        made_by=By.actor(actor),
        created_at=now,
        updated_at=now,
    )
    try:
        made = saved_views.from_record(store.insert(project.slug, SAVED_VIEWS.name, saved_views.to_document(view)))
    except store_errors.AlreadyExistsError as error:
        raise _taken(content) from error
    _audit(actor, "view.create", project, made)
    return made


def change(actor: Actor, slug: str, id: str, content: ViewContent, version: int | None = None) -> SavedView:
    """The whole content anew. Sharing one's own, or taking it back, needs an operator."""
    project = _reached(actor, slug)
    before = _visible(actor, project, id)
    _check(content)
    if before.shared or content.shared:
        access.require(actor, project, Scope.WRITE)
    store = record_store()
    owner = before.owner if content.shared else _owner(actor)

    def changed(record: Record) -> dict[str, object]:
        view = replace(
            saved_views.from_record(record),
            name=content.name.strip(),
            query=content.query.strip(),
            order=content.order,
            columns=tuple(content.columns),
            shared=content.shared,
            owner=owner,
            updated_at=store.now(),
        )
        return saved_views.to_document(view)

    # The guard repeats what was checked: it may have been shared, or taken back, since it was read.
    guard = {"shelf": shelf_of(before.owner, before.shared)}
    try:
        record = store.update(project.slug, SAVED_VIEWS.name, id, changed, expected_version=version, guard=guard)
    except store_errors.AlreadyExistsError as error:
        raise _taken(content) from error
    except (store_errors.RecordNotFoundError, store_errors.GuardFailedError) as error:
        raise _absent(id) from error
    except store_errors.VersionConflictError as error:
        current = error.details["version"]
        raise PreconditionFailedError(
            f"The view was changed meanwhile; it is at version {current} now.", current_version=current
        ) from error
    view = saved_views.from_record(record)
    _audit(actor, "view.change", project, view)
    return view


def delete(actor: Actor, slug: str, id: str) -> None:
    project = _reached(actor, slug)
    view = _visible(actor, project, id)
    if view.shared:
        access.require(actor, project, Scope.WRITE)
    guard = {"shelf": shelf_of(view.owner, view.shared)}
    try:
        record_store().delete(project.slug, SAVED_VIEWS.name, id, guard=guard)
    except (store_errors.RecordNotFoundError, store_errors.GuardFailedError) as error:
        raise _absent(id) from error
    _audit(actor, "view.delete", project, view)


def is_own(view: SavedView, actor: Actor) -> bool:
    return view.owner == _owner(actor)


def _reached(actor: Actor, slug: str) -> Project:
    """To see is enough for one's own; a token that may write and not see still reaches shared ones."""
    try:
        return access.project_for(actor, slug, Scope.READ)
    except PermissionDeniedError:
        return access.project_for(actor, slug, Scope.WRITE)


def _owner(actor: Actor) -> str:
    return f"{actor.kind}:{actor.id}"


def _on_shelf(store: RecordStore, slug: str, shelf: str) -> list[SavedView]:
    page = store.query(slug, SAVED_VIEWS.name, {"shelf": shelf}, order="shelf", limit=MOST * 2)
    return [saved_views.from_record(record) for record in page.records]


def _visible(actor: Actor, project: Project, id: str) -> SavedView:
    try:
        view = saved_views.from_record(record_store().get(project.slug, SAVED_VIEWS.name, id))
    except (store_errors.RecordNotFoundError, store_errors.InvalidError) as error:
        raise _absent(id) from error
    if not view.shared and not is_own(view, actor):
        raise _absent(id)
    return view


def _check(content: ViewContent) -> None:
    name = content.name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidError.at("name", f"must be a line of 1 to {LONGEST_NAME} characters")
    if content.order not in ORDERS:
        raise InvalidError.at("order", f"choose one of {', '.join(ORDERS)}")
    if len(content.columns) > MOST_COLUMNS or any(not 1 <= len(column) <= LONGEST_COLUMN for column in content.columns):
        raise InvalidError.at("columns", f"name at most {MOST_COLUMNS}, each of 1 to {LONGEST_COLUMN} characters")
    job_queries.nodes(content.query)  # a view that finds nothing but an error is not worth keeping


def _taken(content: ViewContent) -> AlreadyExistsError:
    whose = "a shared view" if content.shared else "a view of yours"
    return AlreadyExistsError(f"There is {whose} named {content.name.strip()!r} already.")


def _absent(id: str) -> NotFoundError:
    return NotFoundError(f"There is no view {id[:80]!r} here.")


def _audit(actor: Actor, action: str, project: Project, view: SavedView) -> None:
    detail = {"shared": view.shared, "query": view.query}
    audit.record(actor, action, audit.Target("view", view.id, view.name), project=project, detail=detail)
