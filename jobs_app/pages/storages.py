"""Where records and files live: how much there is, how the storages are, and what had to be set aside."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs_app.domain.access import Scope
from jobs_app.errors import NotFoundError
from jobs_app.pages import storage_rows
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, records_overview
from jobs_app.services import quarantine as quarantine_service
from jobs_app.services import storages as storage_service
from storage_app.records import configured
from storage_app.records.errors import RecordStoreError


@require_safe
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.READ)
    states = storage_service.of_project(actor, slug)
    context = {
        "project": project,
        "storages": [storage_rows.row(state, slug) for state in states],
        "capabilities": storage_rows.capabilities(states),
        "may_test": Scope.WRITE in actor.scopes_in(project.pk),
        "collections": records_overview.collections(actor, slug),
        "backend": configured.backend(),
        "quarantined": quarantine_service.count(project),
        "may_mend": Scope.ADMIN in actor.scopes_in(project.pk),
    }
    return render(request, "storages/index.html", context)


@require_POST
def test(request: PageRequest, slug: str, storage: str) -> HttpResponse:
    """Asks the storage now."""
    state = storage_service.test(actor_of(request), slug, storage)
    assert state.health is not None  # it was just asked
    if state.health.healthy:
        messages.success(request, f"{state.alias} answers.")
    else:
        messages.error(request, f"{state.alias} is down. {state.health.message}")
    return redirect("storages", slug)


@require_safe
def quarantine(request: PageRequest, slug: str) -> HttpResponse:
    found = quarantine_service.of(actor_of(request), slug)
    context = {"project": access.project_for(actor_of(request), slug, Scope.ADMIN), "records": found}
    return render(request, "storages/quarantine.html", context)


@require_POST
def restore(request: PageRequest, slug: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.ADMIN)
    try:
        quarantine_service.restore(actor, f"{slug}.{name}", request.POST.get("text") or None)
    except (RecordStoreError, NotFoundError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The record is back.")
    return redirect("quarantine", slug=slug)


@require_POST
def discard(request: PageRequest, slug: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.ADMIN)
    try:
        quarantine_service.discard(actor, f"{slug}.{name}")
    except NotFoundError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "The record is gone for good.")
    return redirect("quarantine", slug=slug)
