"""The services and the API on PostgreSQL: the same tests once more, in a run of their own."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.config import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="PostgreSQL's wheel speaks over a socket file here")
LONGEST = 300


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs grumbles on import where there is no XDG_RUNTIME_DIR
        import pgserver
    server = pgserver.get_server(tmp_path / "postgresql")
    yield server.get_uri()
    server.cleanup()


def test_services_and_api_are_the_same_on_postgresql(database_url: str) -> None:
    environment = {**os.environ, "TEST_DATABASE_URL": database_url}
    environment.pop("PYTEST_XDIST_WORKER", None)
    ask = "from django.db import connection; print(connection.vendor)"
    which = [sys.executable, "manage.py", "shell", "-v0", "-c", ask]
    vendor_environment = {**environment, "HOLDFAST_DATABASE_URL": database_url}
    vendor = subprocess.run(which, cwd=ROOT, env=vendor_environment, capture_output=True, text=True, check=True)
    assert vendor.stdout.strip() == "postgresql"
    command = [sys.executable, "-m", "pytest", "-q", "tests/services", "tests/api", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
