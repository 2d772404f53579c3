"""What a browser keeps for the moment when it cannot reach us."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@login_not_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "errors/offline.html")


@login_not_required
@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """At the root, since a worker looks after the addresses below its own."""
    return render(request, "offline_worker.js", content_type="text/javascript")


@login_not_required
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """For what has no head of ours, such as an answer in JSON."""
    return HttpResponse(status=301, headers={"Location": static("favicon.svg")})
