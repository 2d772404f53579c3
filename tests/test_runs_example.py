"""The example of the guide, as it is printed there: against a server of its own and GitHub's double."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage_app.providers.github import Clock
from tests.github_double import GitHubDouble
from tests.github_double.serving import on_a_port
from tests.live_server import installed
from tests.storage import github

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "templates/docs/31-runs-example.md"
WORKER, RUN = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
PATIENCE = 300
FILES = {
    "handbook/docs/start.md": b"# Start\n\nSee [the next](next.md).\n",
    "handbook/docs/next.md": b"# Next\n\n## More\n",
    "handbook/docs/deep/far.md": b"# Far\n",
}


@pytest.fixture
def double(tmp_path: Path) -> Iterator[GitHubDouble]:
    with github.github(tmp_path, Clock()) as double:
        double.commit(FILES, "The handbook")
        double.limits.enabled = False
        yield double


@pytest.fixture
def world(double: GitHubDouble, tmp_path: Path, migrated_database: Path) -> Iterator[dict[str, str]]:
    """A server from scratch; the environment of the two programs."""
    with on_a_port(double) as url:
        settings = {
            "HOLDFAST_STORAGE_PROVIDER": "github",
            "HOLDFAST_GITHUB_REPO": github.REPOSITORY,
            "HOLDFAST_GITHUB_TOKEN": double.TOKEN,
            "HOLDFAST_GITHUB_API_URL": url,
        }
        with installed(tmp_path / "data", migrated_database, **settings) as installation:
            token = installation.project("handbook")
            yield {**os.environ, "HOLDFAST": installation.serve().url, "TOKEN": token}


def test_the_second_run_makes_one_job_and_one_commit_for_the_one_changed_file(
    world: dict[str, str], double: GitHubDouble
) -> None:
    before = commits(double)
    assert program(RUN, world)["queued"] == len(FILES)
    program(WORKER, world)
    assert commits(double) == before + 1
    made = double.files()["handbook/outlines/docs/start.md.json"]
    assert ast.literal_eval(made.decode()) == {"headings": ["Start"], "links": ["next.md"]}

    double.commit({"handbook/docs/next.md": b"# Next\n\n## Other\n"}, "One file changes")
    before = commits(double)
    plans = program(RUN, world)
    assert (plans["queued"], plans["skipped"]) == (1, len(FILES) - 1)
    program(WORKER, world)
    assert commits(double) == before + 1
    assert b"Other" in double.files()["handbook/outlines/docs/next.md.json"]
    headers = {"Authorization": f"Bearer {world['TOKEN']}"}
    jobs = httpx.get(f"{world['HOLDFAST']}/api/v1/projects/handbook/jobs", headers=headers).json()["items"]
    assert [job["status"] for job in jobs] == ["completed"] * (len(FILES) + 1)
    assert program(RUN, world)["skipped"] == len(FILES)


def program(text: str, environ: dict[str, str]) -> dict[str, Any]:
    """Run as it is printed; what it printed itself, if anything."""
    done = subprocess.run(
        [sys.executable, "-c", text], env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(ast.literal_eval(done.stdout)) if done.stdout.strip() else {}


def commits(double: GitHubDouble) -> int:
    return len(double.messages())
