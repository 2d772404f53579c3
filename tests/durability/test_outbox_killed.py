"""The outbox loses no change and sends none twice, wherever a process dies and however many there are.

`OUTBOX_SECONDS` makes the runs of several writers longer; `OUTBOX_STRIDE=1` takes every step everywhere.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage_app.providers.github import Clock
from tests.durability.conftest import Tally
from tests.durability.outbox_process import PROJECT
from tests.durability.outbox_until_killed import FILES, name
from tests.github_double import GitHubDouble
from tests.github_double.serving import on_a_port
from tests.storage import github
from tests.storage.s3 import s3_server

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = 6
STRIDE = int(os.environ.get("OUTBOX_STRIDE", "3"))
STRIDES = {"local": 1, "github": STRIDE, "object": STRIDE}
SECONDS = float(os.environ.get("OUTBOX_SECONDS", "3"))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills with a signal")


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[tuple[dict[str, Any], GitHubDouble | None]]:
    """Its definition, for a process of its own."""
    if kind == "local":
        yield {"provider": "local", "root_path": str(folder / "files")}, None
        return
    if kind == "object":
        with s3_server() as s3:
            yield {"provider": "object", **s3.options(s3.new_bucket())}, None
        return
    with github.github(folder, Clock()) as double:
        double.commit({"README.md": b"# Files\n", f"{PROJECT}/same": b"0"}, "The start")
        double.limits.enabled = False
        with on_a_port(double) as url:
            yield _definition(double, url), double


def _definition(double: GitHubDouble, url: str) -> dict[str, Any]:
    return {"provider": "github", "repository": github.REPOSITORY, "token": double.TOKEN, "api_url": url}


@pytest.mark.parametrize("kind", STRIDES)
def test_a_process_that_dies_before_any_step_loses_nothing_and_doubles_nothing(
    kind: str, tmp_path: Path, tally: Tally
) -> None:
    with storage(kind, tmp_path) as (definition, _):
        stride = STRIDES[kind]
        first = random.randrange(stride)
        done = run("every_step_of_the_outbox", tmp_path / "steps", json.dumps(definition), str(first), str(stride))
    assert done.returncode == 0, f"from step {first} by {stride}: {done.stderr}"
    *lines, last = done.stdout.splitlines()
    assert last == "through"
    found = [(int(line.split()[0]), int(line.split()[1])) for line in lines]
    assert len(found) > 50 // stride
    assert found == sorted(found), "what was acknowledged, and then what was sent, stays so"
    assert {(0, 0), (1, 0), (2, 0), (2, 1)} == set(found)
    tally(f"kills of an outbox on {kind}, one before each step", len(found) - 1)


@pytest.mark.parametrize("kind", STRIDES)
def test_an_outbox_survives_kill_9_at_any_moment(kind: str, tmp_path: Path, tally: Tally) -> None:
    """Killed again and again, while it puts in and while it sends."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    folder = tmp_path / "data"
    with storage(kind, tmp_path) as (definition, double):
        assert run("outbox_step", folder, json.dumps(definition), "migrate").returncode == 0
        acknowledged = 0
        for _ in range(KILLS):
            acknowledged = run_and_kill(folder, definition, acknowledged + 1, dice.uniform(0, 0.2))
        done = run("outbox_step", folder, json.dumps(definition), "finish")
        assert done.returncode == 0, done.stderr
        files = {path: int(content) for path, content in json.loads(done.stdout).items()}
        assert acknowledged > KILLS * FILES
        for number in range(acknowledged - FILES + 1, acknowledged + 1):
            # The change after the last acknowledged one may have been kept too.
            assert files[name(number)] in (number, number + FILES), f"seed {seed}"
        if double is not None:
            judge_history(double, seed)
    tally(f"kills of an outbox on {kind}, at random", KILLS)


@pytest.mark.parametrize("way", ["deferred", "direct"])
def test_two_processes_write_files_of_their_own_to_one_branch(way: str, tmp_path: Path, tally: Tally) -> None:
    """As fast as they can: every write is in the history once."""
    with storage("github", tmp_path) as (definition, double):
        assert double is not None
        one, two = together(tmp_path / "data", definition, way)
        assert min(len(one), len(two)) > 3
        files = double.files()
        changed = changes_by_path(double)
        for path in [*one, *two]:
            assert files[f"{PROJECT}/{path}"] == path.partition("/")[0].encode()
            assert changed[f"{PROJECT}/{path}"] == 1
    tally(f"{way} writes by two processes to one branch", len(one) + len(two))


def test_of_two_processes_that_expect_one_hash_exactly_one_wins(tmp_path: Path, tally: Tally) -> None:
    with storage("github", tmp_path) as (definition, double):
        assert double is not None
        one, two = together(tmp_path / "data", definition, "same")
        assert min(len(one), len(two)) > 0
        messages = [message for message in double.messages() if message != "The start"]
        assert Counter(messages) == Counter([*one, *two])
    tally("conditional writes of one file by two processes", len(one) + len(two))


def changes_by_path(double: GitHubDouble) -> Counter[str]:
    """How often each path changed in the history."""
    changed: Counter[str] = Counter()
    states = [files_at(double, commit) for commit in double.repository.history(double.head())]
    for newer, older in zip(states, [*states[1:], {}], strict=True):
        changed.update(path for path in newer.keys() | older.keys() if newer.get(path) != older.get(path))
    return changed


def files_at(double: GitHubDouble, commit: str) -> dict[str, bytes]:
    repository = double.repository
    entries = repository.walk(repository.tree_of(commit))
    return {entry.path: repository.blob(entry.sha) for entry in entries if entry.type == "blob"}


def judge_history(double: GitHubDouble, seed: int) -> None:
    """Of each file, newer content after older, and no content twice."""
    states = [files_at(double, commit) for commit in reversed(list(double.repository.history(double.head())))]
    for number in range(FILES):
        path = f"{PROJECT}/{name(number)}"
        contents = [int(state[path]) for state in states if path in state]
        distinct = list(dict.fromkeys(contents))
        assert contents == sorted(contents), f"seed {seed}: {path} went back"
        assert distinct == sorted(set(contents)), f"seed {seed}: {path} came twice"


def together(folder: Path, definition: dict[str, Any], way: str) -> tuple[list[str], list[str]]:
    assert run("outbox_step", folder, json.dumps(definition), "migrate").returncode == 0
    writers = [
        subprocess.Popen(
            command("outbox_writers", folder, json.dumps(definition), who, str(SECONDS), way),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in ("one", "two")
    ]
    found = []
    for writer in writers:
        output, errors = writer.communicate(timeout=SECONDS + 120)
        assert writer.returncode == 0, errors
        found.append(json.loads(output))
    return found[0], found[1]


def run_and_kill(folder: Path, definition: dict[str, Any], first: int, delay: float) -> int:
    """The last change that was acknowledged."""
    process = subprocess.Popen(
        command("outbox_until_killed", folder, json.dumps(definition), str(first)),
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
            if last >= first + 2 * FILES:
                break
        threading.Event().wait(delay)  # chance, not synchronisation: where in a round it dies
        os.kill(process.pid, signal.SIGKILL)
        last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.wait(30)
    watchdog.cancel()
    assert process.returncode == -signal.SIGKILL
    return last


def run(module: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        command(module, folder, *words), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def command(module: str, folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", f"tests.durability.{module}", str(folder), *words]
