"""`/healthz`, `/readyz` and `/metrics`: for load balancers and Prometheus, outside the API."""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from jobs_app.domain.access import Scope
from jobs_app.errors import PermissionDeniedError, UnauthenticatedError
from jobs_app.services import access, consumers, health, maintenance, storages, tokens
from jobs_app.services.health import Report
from project import metrics, problems, storage_metrics
from project.metrics import Sample

log = logging.getLogger("holdfast.health")


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Everything that is needed answers; what does not is named with its reason."""
    reports = health.needed()
    ready = all(report.ok for report in reports)
    checks = {report.name: report.reason or "ok" for report in (*reports, health.consumer())}
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


@login_not_required
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """For a server-wide token that may read, or somebody who runs the server."""
    try:
        _require_reader(request)
    except (UnauthenticatedError, PermissionDeniedError) as error:
        return problems.response(error.code, error.detail)
    return HttpResponse(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def queue() -> Report:
    try:
        settings.HUEY.pending_count()
    except Exception:
        log.exception("The queue does not answer.")
        return Report("queue", "The queue does not answer.")
    return Report("queue")


def wire() -> None:
    """Called once, when the app is ready: the consumer asks after the queue too, and never loads a URL."""
    health.NEEDED.append(queue)
    health.NEEDED.append(storages.report)
    metrics.GAUGES.extend((_gauges, storage_metrics.gauges))


def _require_reader(request: HttpRequest) -> None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = tokens.authenticate(secret.strip())
        if token is None:
            raise UnauthenticatedError("This token is unknown, expired or revoked.")
        actor = access.actor_for_token(token)
    else:
        actor = access.actor_for_person(request.user)
    if Scope.READ not in actor.everywhere:
        raise PermissionDeniedError("The metrics speak of every project; use a server-wide token that may read.")


def _gauges() -> Iterable[Sample]:
    yield Sample("holdfast_consumers_alive", len(consumers.alive()))
    yield Sample("holdfast_queue_depth", settings.HUEY.pending_count())
    for report in health.needed():
        yield Sample("holdfast_ready", float(report.ok), {"check": report.name})
    for state in maintenance.states():
        if state.last is not None:
            labels = {"task": state.task.name, "outcome": state.last.outcome}
            yield Sample("holdfast_maintenance_last_run", state.last.asked_at.timestamp(), labels)
