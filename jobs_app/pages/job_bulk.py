"""One thing done to all jobs that match: how many and some of them first, then a reason, then at once or as an
operation. A page of its own, which the list opens as a dialog."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from jobs_app.domain.access import Scope
from jobs_app.domain.operation import Action
from jobs_app.errors import InvalidError, InvalidQueryError, NotFoundError
from jobs_app.pages import job_filters, job_rows
from jobs_app.pages.job_outcomes import tell_done
from jobs_app.pages.requests import PageRequest, actor_of, is_partial
from jobs_app.services import access, job_actions
from jobs_app.services.job_actions import Choice, Preview
from jobs_app.services.project_jobs import now
from jobs_app.templatetags import wording


@dataclass(frozen=True, slots=True)
class Verb:
    """How an action is asked for."""

    action: Action
    label: str
    icon: str
    about: str
    is_dangerous: bool = False


VERBS: Mapping[str, Verb] = {
    verb.action.value: verb
    for verb in (
        Verb(Action.RETRY, "Retry", "retry", "Those that did not fail are left as they are."),
        Verb(
            Action.CANCEL,
            "Cancel",
            "stop",
            "Waiting ones end at once; workers are told with their next heartbeat. What has ended is left as it is.",
        ),
        Verb(
            Action.DELETE,
            "Delete",
            "trash",
            "They go to the trash and can be brought back. What a worker holds is left as it is.",
            is_dangerous=True,
        ),
    )
}


@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: PageRequest, slug: str, action: str) -> HttpResponse:
    """`asked` is the rest of the list's address."""
    actor = actor_of(request)
    project = access.project_for(actor, slug, Scope.WRITE)
    if action not in VERBS:
        raise NotFoundError(f"There is no action {action!r} on jobs.")
    verb = VERBS[action]
    given = QueryDict(request.POST.get("asked", "")) if request.method == "POST" else request.GET
    asked = job_filters.read(given)
    choice = Choice(filter=asked.filter)
    back = f"{reverse('jobs', args=[slug])}?{given.urlencode()}"
    try:
        if request.method == "POST":
            done = job_actions.act(actor, slug, verb.action, choice, request.POST.get("reason", ""))
            if done.operation is not None:
                messages.success(request, "It is under way in the background, and goes on without you.")
                return redirect("operation", slug, done.operation.id)
            tell_done(request, slug, verb.action, done)
            return redirect(back)
        preview = job_actions.preview(actor, slug, choice)
    except (InvalidQueryError, InvalidError) as error:
        messages.error(request, error.detail)
        return redirect(back)
    moment = now()
    context = {
        "project": project,
        "verb": verb,
        "preview": preview,
        "number": _number(preview),
        "rows": [job_rows.row(job, moment) for job in preview.sample],
        "asked": given.urlencode(),
        "query": asked.as_query,
        "back": back,
    }
    return render(request, "jobs/bulk/_form.html" if is_partial(request) else "jobs/bulk.html", context)


def _number(preview: Preview) -> str:
    said = wording.count_of(preview.matched, "job")
    return said if preview.exact else f"at least {said}"
