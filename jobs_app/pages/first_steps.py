"""The exact commands that begin something, with this server's address and this project's slug."""

import json
from typing import Any

from django.http import HttpRequest

from jobs_app.domain.access import Role

TOKEN_COMMAND = "python3 manage.py tokens create --project {slug} --scope read --scope write --scope work"  # noqa: S105 - a command, not a secret


def first_job_command(request: HttpRequest, slug: str) -> str:
    return _post(request, f"projects/{slug}/jobs", {"name": "first", "content_type": "demo"})


def first_run_command(request: HttpRequest, slug: str) -> str:
    return _post(request, f"projects/{slug}/runs", {"name": "first", "content_type": "demo"})


def attach_command(request: HttpRequest, slug: str, run_id: str) -> str:
    return _post(request, f"projects/{slug}/runs/{run_id}/documents", {"glob": "docs/**/*.md"})


def claim_command(request: HttpRequest, slug: str) -> str:
    return _post(request, f"projects/{slug}/jobs/claim", {"worker_id": "w1", "wait_seconds": 30})


def first_segment_command(request: HttpRequest, slug: str) -> str:
    return _post(request, f"projects/{slug}/segments", {"text": "Remember this.", "type": "note"})


def first_record_command(request: HttpRequest, slug: str) -> str:
    return _post(request, f"projects/{slug}/records/tasks", {"title": "The first one"})


def commands(request: HttpRequest, slug: str) -> dict[str, str]:
    """Of an empty project, in the order in which they are needed."""
    return {
        "token_command": TOKEN_COMMAND.format(slug=slug),
        "job_command": first_job_command(request, slug),
        "claim_command": claim_command(request, slug),
        "member_command": f"python3 manage.py people role NAME --project {slug} {Role.OPERATOR}",
    }


def _post(request: HttpRequest, path: str, body: dict[str, Any]) -> str:
    address = request.build_absolute_uri(f"/api/v1/{path}")
    headers = "-H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json'"
    return f"curl -X POST {address} {headers} -d '{json.dumps(body)}'"
