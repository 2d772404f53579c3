"""A run that is killed while its documents are attached or started goes on, and no document has two jobs."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = 700
KILLS = ("attaching", "attached", "settled", "settled")
PATIENCE = 600

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with a signal")


def run_until(folder: Path, event: str) -> list[dict[str, Any]]:
    """What the process told until it told this, and a moment later was killed; or until it ended."""
    command = [sys.executable, "-m", "tests.durability.run_until_killed", str(folder), str(DOCUMENTS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        last_resort = threading.Timer(PATIENCE, process.kill)
        last_resort.start()
        told = []
        assert process.stdout is not None
        for line in process.stdout:
            told.append(json.loads(line))
            if told[-1]["what"] == event:
                threading.Timer(random.uniform(0, 0.3), process.send_signal, [signal.SIGKILL]).start()
        process.wait()
        last_resort.cancel()
    return told


def test_killed_while_attaching_and_starting_it_goes_on_without_a_second_job(
    tmp_path: Path, migrated_database: Path
) -> None:
    shutil.copy(migrated_database, tmp_path / "holdfast.sqlite3")
    killed = 0
    for event in KILLS:
        told = run_until(tmp_path, event)
        killed += told[-1]["what"] != "done"
    done = run_until(tmp_path, "never")[-1]
    assert killed >= 2
    assert done == {
        "what": "done",
        "documents": DOCUMENTS,
        "jobs": DOCUMENTS,
        "jobs_twice": 0,
        "linked": DOCUMENTS,
    }
