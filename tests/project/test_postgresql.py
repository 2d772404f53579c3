"""The services and the API on PostgreSQL: the tests that reach its tables once more, in a run of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from project.config import ROOT
from tests.databases import postgresql_server

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="PostgreSQL's wheel speaks over a socket file here"),
    pytest.mark.long,
]
LONGEST = 3600
# what services keep in a record store runs on each of them in the tests of the services themselves
RECORDS_IN_MEMORY = "not sqlite and not postgresql and not example and not file"
# programs that bring a server and a database of their own, and what is about the form of answers alone
ELSEWHERE = [
    "tests/api/test_conformance.py",
    "tests/api/test_documented_workers.py",
    "tests/api/test_problem_shape.py",
    "tests/services/test_demo.py",
    "tests/services/test_search_segments.py",
]


@pytest.fixture
def database_url() -> Iterator[str]:
    with postgresql_server() as socket_folder:
        yield f"postgresql://postgres@/postgres?host={socket_folder}"


def test_services_and_api_are_the_same_on_postgresql(database_url: str) -> None:
    environment = {**os.environ, "TEST_DATABASE_URL": database_url}
    environment.pop("PYTEST_XDIST_WORKER", None)
    ask = "from django.db import connection; print(connection.vendor)"
    which = [sys.executable, "manage.py", "shell", "-v0", "-c", ask]
    vendor_environment = {**environment, "HOLDFAST_DATABASE_URL": database_url}
    vendor = subprocess.run(which, cwd=ROOT, env=vendor_environment, capture_output=True, text=True, check=True)
    assert vendor.stdout.strip() == "postgresql"
    tests = ["tests/services", "tests/api", "-k", RECORDS_IN_MEMORY, *(f"--ignore={path}" for path in ELSEWHERE)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
