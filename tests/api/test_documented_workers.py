"""The workers of the guide, taken from its page as a reader would, against a live server."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.live_server import Installation, installed
from tests.project.servers import ROOT, until

PAGE: Final = ROOT / "templates" / "docs" / "30-workers.md"
LONGEST: Final = {"sh": 15, "python": 30}
NEEDED: Final = {"sh": ("bash", "curl", "jq", "setsid"), "python": ()}
# What the tests' `work` does, in either language, by the name of the job.
SHELL_WORK: Final = """#!/bin/sh
job=$(cat)
case $(printf %s "$job" | jq -r .name) in
  good) echo 'on my way' >&2; echo '{"pages": 3}' ;;
  bad) echo 'it broke' >&2; exit 3 ;;
  long) echo started >&2; touch started; sleep 60 ;;
  late) touch started; while [ ! -e go ]; do sleep 0.05; done; echo '{"pages": 0}' ;;
esac
"""
PYTHON_WORK: Final = """
import pathlib, time
def work(job, log, stop):
    if job["name"] == "good":
        log("on my way")
        return {"pages": 3}
    if job["name"] == "bad":
        raise RuntimeError("it broke")
    if job["name"] == "hopeless":
        raise ValueError("it can never be")
    pathlib.Path("started").touch()
    while not (pathlib.Path("go").exists() if job["name"] == "late" else stop.is_set()):
        time.sleep(0.05)
    if stop.is_set():
        raise RuntimeError("stopped")
    return {"pages": 0}
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell and POSIX signals")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("workers") / "data", migrated_database) as one:
        one.serve()
        yield one


class Site:
    """A project with a worker of the page, which is ended at the end."""

    def __init__(self, installation: Installation, slug: str, folder: Path) -> None:
        self.server = installation.servers[0]
        self.folder = folder
        token = installation.project(slug)
        self.worker_token = installation.token(slug, ["work"])
        self.api = self.server.api(token, slug)
        self._worker = self.server.api(self.worker_token, slug)

    @contextmanager
    def worker(self, language: str, **changes: str) -> Iterator[None]:
        text = taken_from_the_page(language)
        for change in changes.values():
            old, _, new = change.partition(" => ")
            assert text.count(old) == 1, f"{old} is not in the page"
            text = text.replace(old, new)
        file = self.folder / f"worker.{language}"
        file.write_text(text)
        (self.folder / "my_work.py").write_text(PYTHON_WORK)
        (self.folder / "work").write_text(SHELL_WORK)
        (self.folder / "work").chmod(0o755)
        with (self.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                ["bash" if language == "sh" else sys.executable, str(file)],
                cwd=self.folder,
                env={
                    **os.environ,
                    "PATH": f"{self.folder}:{os.environ['PATH']}",
                    "URL": f"{str(self.api.base_url).rstrip('/')}/jobs",
                    "TOKEN": self.worker_token,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def create(self, name: str, **fields: Any) -> str:
        id: str = self.api.post("/jobs", json={"name": name, **fields}).raise_for_status().json()["id"]
        return id

    def job(self, id: str) -> Any:
        return self.api.get(f"/jobs/{id}").raise_for_status().json()

    def await_job(self, id: str, condition: Callable[[Any], object]) -> Any:
        until(lambda: condition(self.job(id)), f"job {id}: {self.output()}")
        return self.job(id)

    def await_start(self) -> None:
        until((self.folder / "started").exists, f"the work has begun: {self.output()}")

    def log(self, id: str) -> list[str]:
        return [line["message"] for line in self.api.get(f"/jobs/{id}/logs").json()["items"]]

    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def claim_elsewhere(self) -> Any:
        body = {"worker_id": "elsewhere", "wait_seconds": 20}
        (claimed,) = self._worker.post("/jobs/claim", json=body).raise_for_status().json()["jobs"]
        return claimed

    def complete_elsewhere(self, claimed: Any) -> httpx.Response:
        body = {"lease_token": claimed["lease_token"], "result_data": {"by": "the other"}}
        return self._worker.post(f"/jobs/{claimed['id']}/complete", json=body)

    def close(self) -> None:
        self.api.close()
        self._worker.close()


@pytest.fixture(params=["sh", "python"])
def language(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    missing = [program for program in NEEDED[name] if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return name


@pytest.fixture
def site(installation: Installation, tmp_path: Path) -> Iterator[Site]:
    site = Site(installation, f"p-{secrets.token_hex(4)}", tmp_path)
    try:
        yield site
    finally:
        site.close()


def taken_from_the_page(language: str) -> str:
    (text,) = re.findall(rf"```{language} worker\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found: str = text
    return found


def test_it_is_as_short_as_it_says(language: str) -> None:
    lines = [line for line in taken_from_the_page(language).splitlines() if line.strip()]
    assert len(lines) <= LONGEST[language]


def test_it_claims_works_and_completes_one_after_the_other(site: Site, language: str) -> None:
    first = site.create("good")
    with site.worker(language):
        done = site.await_job(first, lambda job: job["status"] == "completed")
        assert (done["result_data"], done["attempt"]) == ({"pages": 3}, 1)
        second = site.create("good")
        site.await_job(second, lambda job: job["status"] == "completed")
    assert site.log(first) == site.log(second) == ["on my way"]


def test_it_fails_a_job_and_goes_on(site: Site, language: str) -> None:
    bad, good = site.create("bad"), site.create("good", priority=-1)
    with site.worker(language):
        site.await_job(good, lambda job: job["status"] == "completed")
        failed = site.job(bad)
    assert (failed["status"], failed["retry_count"]) == ("pending", 1)
    assert "it broke" in failed["error_message"]
    assert failed["not_before"] is not None


def test_it_says_when_another_try_cannot_help(site: Site, language: str) -> None:
    if language == "sh":
        pytest.skip("the shell worker knows one kind of failure")
    job = site.create("hopeless")
    with site.worker(language):
        failed = site.await_job(job, lambda job: job["status"] == "failed")
    assert "it can never be" in failed["error_message"]
    assert "ValueError" in failed["traceback"]


def test_it_beats_while_it_works_and_ends_when_the_job_is_cancelled(site: Site, language: str) -> None:
    job, beat = site.create("long"), {"sh": "sleep 15 => sleep 0.2", "python": "wait(15) => wait(0.2)"}[language]
    with site.worker(language, beat=beat):
        site.await_start()
        taken = site.job(job)
        later = site.await_job(job, lambda job: job["heartbeat_at"] > taken["heartbeat_at"])
        assert later["lease_expires_at"] > taken["lease_expires_at"]
        assert site.api.post(f"/jobs/{job}/cancel", json={"reason": "enough"}).status_code == 202
        site.await_job(job, lambda job: job["status"] == "cancelled")
        good = site.create("good")
        site.await_job(good, lambda job: job["status"] == "completed")


def test_what_it_says_after_its_lease_was_lost_changes_nothing(site: Site, language: str) -> None:
    job = site.create("late")
    lease = '"lease_seconds": 60 => "lease_seconds": 1'
    with site.worker(language, lease=lease):
        site.await_start()
        other = site.claim_elsewhere()
        assert (other["id"], other["attempt"], other["lost_count"]) == (job, 2, 1)
        (site.folder / "go").touch()
        until(lambda: "is lost" in site.output(), "the late call is refused")
        assert site.complete_elsewhere(other).status_code == 200
    ended = site.job(job)
    assert (ended["status"], ended["result_data"]) == ("completed", {"by": "the other"})


def test_it_goes_on_when_the_server_was_away(site: Site, language: str) -> None:
    with site.worker(language):
        first = site.create("good")
        site.await_job(first, lambda job: job["status"] == "completed")
        site.server.kill()
        site.server.start()
        second = site.create("good")
        site.await_job(second, lambda job: job["status"] == "completed")


def test_the_token_is_on_no_command_line() -> None:
    for language in LONGEST:
        for line in taken_from_the_page(language).splitlines():
            assert "$TOKEN" not in line or '@<(echo "Authorization: Bearer $TOKEN")' in line
