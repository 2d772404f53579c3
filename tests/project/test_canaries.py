"""Secrets with a mark are put in wherever one can stand; the mark must come out nowhere but where it is shown once."""

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.project.servers import PATIENCE, free_port
from tests.project.test_up import Up

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="up is ended by POSIX signals in these tests"),
    pytest.mark.long,
]

CANARY = "canary7f3a9"
SECRET_KEY = f"{CANARY}-QwErTyUiOpAsDfGhJkLzXcVbNm-0123456789-abcdefghijklm"
ENVIRON = {
    "HOLDFAST_SECRET_KEY": SECRET_KEY,
    "HOLDFAST_SECRET_KEY_FALLBACKS": json.dumps([SECRET_KEY[::-1] + CANARY]),
    "HOLDFAST_GITHUB_TOKEN": f"ghp_{CANARY}",
    "HOLDFAST_STORAGES": json.dumps(
        {
            "archive": {
                "provider": "github",
                "repository": "o/r",
                "token": f"{CANARY}-archive",
                "api_url": "http://127.0.0.1:9",  # where nobody is: what is said of that must not say the token either
            }
        }
    ),
    "HOLDFAST_LOG_LEVEL": "debug",
}
PASSWORD = f"{CANARY} is a long password"


class Visitor:
    """Keeps everything that was answered, to be looked through at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._line = httpx.Client(base_url=url, timeout=PATIENCE)
        self.answers: list[str] = []

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._kept(self._line.get(path, headers=headers))

    def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        form = self._line.get(path).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        assert token, f"{path} has no form"
        return self._kept(self._line.post(path, data={**fields, "csrfmiddlewaretoken": token[1]}))

    def call(self, method: str, path: str, token: str, body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"{CANARY}-key"}
        return self._kept(
            httpx.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers, timeout=PATIENCE)
        )

    def cookies(self) -> list[str]:
        """Those that are a login or help to one; the CSRF token stands in each page by design."""
        return [cookie.value or "" for cookie in self._line.cookies.jar if "csrf" not in cookie.name]

    def close(self) -> None:
        self._line.close()

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append(f"{answer.status_code} {answer.headers.get('location', '')} {answer.text}")
        return answer


@pytest.fixture(params=["false", "true"], ids=["production", "debug"])
def up(request: pytest.FixtureRequest, tmp_path: Path, migrated_database: Path) -> Iterator[Up]:
    (tmp_path / "data").mkdir()
    shutil.copy(migrated_database, tmp_path / "data" / "holdfast.sqlite3")
    one = Up(tmp_path / "data", free_port(), HOLDFAST_DEBUG=request.param, **ENVIRON)
    try:
        yield one
    finally:
        one.end()


def test_no_secret_is_in_a_log_a_page_an_error_the_audit_log_or_the_database(up: Up, tmp_path: Path) -> None:
    up.await_line("Ctrl-C stops it")
    first = re.search(r"Password\s+(\S+)", up.text())
    assert first
    database, visitor = tmp_path / "data" / "holdfast.sqlite3", Visitor(up.url)

    visitor.post("/login/", username="admin", password=f"{CANARY} wrong")
    visitor.post("/login/", username=f"{CANARY} in the wrong field", password="x")
    visitor.answers.pop()  # whoever typed it gets the name back to put right
    assert visitor.post("/login/", username="admin", password=first[1]).headers["location"] == "/account/password/"
    assert visitor.post("/account/password/", password=PASSWORD, again=PASSWORD).status_code == 302
    visitor.post("/projects/new/", slug="alpha", name="Alpha")
    # what is shown once is not kept among the answers
    made = visitor.post("/p/alpha/settings/tokens/", name="w", scopes=["read", "admin"])
    visitor.answers.pop()
    found = re.search(r"hf_[0-9A-Za-z]{44}", made.text)
    assert found
    token = found[0]
    second = visitor.call("POST", "/projects/alpha/tokens", token, {"name": "x", "scopes": ["read"]})
    visitor.answers.pop()
    secrets = [CANARY, token, second.json()["token"], *visitor.cookies()]

    visitor.call("POST", "/projects/alpha/tokens", token, {"name": "y", "scopes": ["read"]})
    visitor.call("GET", f"/me?token={CANARY}", token)
    visitor.answers.pop()  # a parameter that is not known is refused by its name, which is no secret
    visitor.call("GET", "/me", f"hf_{CANARY}")
    for path in "openapi.json me projects/alpha/tokens projects/alpha/audit projects/alpha maintenance/history".split():
        assert visitor.call("GET", f"/{path}", token).status_code == 200
    for path in (
        "/p/alpha/settings/tokens/ /p/alpha/settings/audit/ /account/sessions/ /maintenance/ /readyz /metrics "
        "/admin/jobs_app/token/ /admin/jobs_app/auditentry/ /admin/jobs_app/personsession/ /admin/auth/user/ /docs/"
    ).split():
        assert visitor.get(path).status_code == (503 if path == "/readyz" else 200), path
    with sqlite3.connect(database) as broken:
        broken.execute("ALTER TABLE jobs_app_taskrun RENAME TO away")
    broken.close()
    assert visitor.get("/maintenance/").status_code == 500
    assert visitor.call("GET", "/maintenance/history", token).status_code == 500

    visitor.close()
    up.end()
    log = up.text().replace(first[1], "", 1)
    assert "no such table" in log
    everything = {"the log": log, "an answer": "\n".join(visitor.answers)}
    with sqlite3.connect(database) as kept:
        everything["the database"] = "\n".join(
            line for line in kept.iterdump() if not line.startswith('INSERT INTO "jobs_app_personsession"')
        )
    kept.close()
    for place, text in everything.items():
        for secret in [*secrets, first[1]]:
            assert secret not in text, f"{secret} stands in {place}"
