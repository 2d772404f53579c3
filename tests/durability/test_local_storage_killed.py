"""A batch in a folder is whole or absent, wherever its process died."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage_app.providers.local import LocalStorageProvider
from tests.durability.batches_until_killed import names

KILLS = 12
ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with a signal")


def test_a_batch_survives_kill_9_whole_or_not_at_all(tmp_path: Path) -> None:
    """Killed some rounds in, at a random moment; the next process takes over what the last one left."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    folder = tmp_path / "files"
    acknowledged, in_the_middle = -1, 0
    for _ in range(KILLS):
        acknowledged = run_and_kill(folder, acknowledged + 1, dice.uniform(0, 0.05))
        in_the_middle += (folder / ".holdfast" / "pending.json").exists()
        found = asyncio.run(state(folder))
        assert found in (acknowledged, acknowledged + 1), f"seed {seed}"
        acknowledged = found
    assert acknowledged > KILLS, "each had time for a few rounds"
    print(f"seed {seed}: {in_the_middle} of {KILLS} kills fell between the journal and its end")


def test_a_process_that_dies_before_any_step_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Every single one: absent up to the journal, whole from then on, and nothing left behind."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.durability.every_step_of_a_batch", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *found, last = done.stdout.split()
    assert last == "through"
    assert len(found) > 20
    assert found == sorted(found), "there is one moment from which on the batch is"
    assert {"0", "1"} == set(found)


def run_and_kill(folder: Path, first: int, delay: float) -> int:
    """The last round that was acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.durability.batches_until_killed", str(folder), str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    last = first - 1
    with process.stdout:
        for line in process.stdout:
            last = int(line)
            if last >= first + 1:
                break
        threading.Event().wait(delay)  # chance, not synchronisation: where in a round it dies
        os.kill(process.pid, signal.SIGKILL)
        last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.wait(30)
    watchdog.cancel()
    assert process.returncode == -signal.SIGKILL
    return last


async def state(folder: Path) -> int:
    """The one round that every file is of; anything else is half a batch."""
    async with LocalStorageProvider(folder) as provider:
        found = {info.path for info in await provider.list_files(recursive=True)}
        rounds = {int((await provider.read_file(path)).content) for path in found}
        assert len(rounds) == 1, rounds
        (round_,) = rounds
        assert found == names(round_)
        return round_
