"""Each maintenance task with a strip of its last runs, and a button to run it now."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from jobs_app.pages.requests import PageRequest, actor_of, is_partial
from jobs_app.services import consumers, maintenance, paging

PAGE = 50


@require_safe
def index(request: PageRequest) -> HttpResponse:
    context = {
        "states": maintenance.states(),
        "consumers": consumers.alive(),
        "may_run": actor_of(request).runs_the_server,
    }
    template = "maintenance/index/_tasks.html" if is_partial(request) else "maintenance/index.html"
    return render(request, template, context)


@require_safe
def show(request: PageRequest, name: str) -> HttpResponse:
    state = maintenance.state(name)
    page = paging.page(maintenance.history(name), "-id", request.GET.get("cursor") or None, PAGE)
    context = {
        "state": state,
        "runs": page.items,
        "next_cursor": page.next_cursor,
        "may_run": actor_of(request).runs_the_server,
    }
    template = "maintenance/show/_runs.html" if is_partial(request) else "maintenance/show.html"
    return render(request, template, context)


@require_POST
def run(request: PageRequest, name: str) -> HttpResponse:
    maintenance.ask_for_run(actor_of(request), name)
    alive = consumers.alive()
    text = f"{name} will run within seconds." if alive else f"{name} will run as soon as a consumer is back."
    messages.success(request, text)
    return redirect("maintenance")
