"""Stopping what workers are given, a content type or everything, and letting it go on."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from jobs_app.domain.access import Scope
from jobs_app.domain.job_states import JobState
from jobs_app.errors import InvalidError, NotFoundError
from jobs_app.pages.forms import tell
from jobs_app.pages.requests import PageRequest, actor_of
from jobs_app.services import access, job_counts, pauses

MOST_TYPES_OFFERED = 100


class PauseForm(forms.Form):
    content_type = forms.CharField(
        label="Content type",
        required=False,
        max_length=128,
        widget=forms.TextInput({"list": "content-types", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Empty: everything of this project.",
    )
    reason = forms.CharField(
        label="Why", max_length=pauses.LONGEST_REASON, help_text="Everybody sees it on every page of the project."
    )


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: PageRequest, slug: str) -> HttpResponse:
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE if request.method == "POST" else Scope.READ)
    form = PauseForm(
        request.POST if request.method == "POST" else None, initial={"content_type": request.GET.get("type", "")}
    )
    if form.is_valid():
        content_type = form.cleaned_data["content_type"] or None
        try:
            pauses.pause(actor, slug, content_type, form.cleaned_data["reason"])
        except InvalidError as error:
            tell(form, error)
        else:
            messages.success(request, f"{content_type or 'Everything'} is paused. What is under way goes on.")
            return redirect("pauses", slug)
    counts = job_counts.of(actor, slug)
    context = {
        "project": project,
        "pauses": [
            (pause, counts.matching([JobState.PENDING], pause.content_type)) for pause in pauses.of(actor, slug)
        ],
        "form": form,
        "content_types": [name for name in counts.by_content_type if name][:MOST_TYPES_OFFERED],
        "may_write": Scope.WRITE in actor.scopes_in(project.pk),
    }
    return render(request, "pauses/index.html", context, status=422 if form.errors else 200)


@require_POST
def resume(request: PageRequest, slug: str) -> HttpResponse:
    content_type = request.POST.get("content_type") or None
    actor = actor_of(request)
    access.project_for(actor, slug, Scope.WRITE)
    try:
        pauses.resume(actor, slug, content_type)
    except NotFoundError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{content_type or 'Everything'} goes on.")
    return redirect("pauses", slug)
