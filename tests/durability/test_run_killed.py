"""A run whose process is killed after each of its writes goes on with the next one, and no document has two jobs."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = 700
MOST_WRITES = 60  # where each process does one
PATIENCE = 600

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with a signal")


def test_killed_after_each_write_it_goes_on_without_a_second_job(tmp_path: Path, migrated_database: Path) -> None:
    shutil.copy(migrated_database, tmp_path / "holdfast.sqlite3")
    killed = 0
    while (done := told_by_one_that_dies_after_a_write(tmp_path)) is None:
        killed += 1
        assert killed < MOST_WRITES
    assert killed >= 5, "attached in steps, planned, and started in steps"
    assert done == {
        "what": "done",
        "documents": DOCUMENTS,
        "jobs": DOCUMENTS,
        "jobs_twice": 0,
        "linked": DOCUMENTS,
    }


def told_by_one_that_dies_after_a_write(folder: Path) -> dict[str, Any] | None:
    """What there is in the end; None where it did not come to that."""
    command = [sys.executable, "-m", "tests.durability.run_until_killed", str(folder), str(DOCUMENTS), "1"]
    process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, process.stdout
    told: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return told
