"""The outbox loses no change and sends none twice, wherever a process dies and however many there are.

`OUTBOX_WRITES` makes the runs of several writers longer; `OUTBOX_STRIDE=1` takes every step everywhere.
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
from typing import Any, Self

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
WRITES = int(os.environ.get("OUTBOX_WRITES", "10"))
PATIENCE = 600

pytestmark = [pytest.mark.skipif(os.name == "nt", reason="kills with a signal"), pytest.mark.long]


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
    kind: str, prepared_data: Path, tmp_path: Path, tally: Tally
) -> None:
    with storage(kind, tmp_path) as (definition, _):
        stride = STRIDES[kind]
        first = random.randrange(stride)
        done = run("every_step_of_the_outbox", prepared_data, json.dumps(definition), str(first), str(stride))
    assert done.returncode == 0, f"from step {first} by {stride}: {done.stderr}"
    *lines, last = done.stdout.splitlines()
    assert last == "through"
    found = [(int(line.split()[0]), int(line.split()[1])) for line in lines]
    assert len(found) > 50 // stride
    assert found == sorted(found), "what was acknowledged, and then what was sent, stays so"
    assert {(0, 0), (1, 0), (2, 0), (2, 1)} == set(found)
    tally(f"kills of an outbox on {kind}, one before each step", len(found) - 1)


@pytest.mark.parametrize("kind", STRIDES)
def test_an_outbox_survives_kill_9_at_any_moment(kind: str, prepared_data: Path, tmp_path: Path, tally: Tally) -> None:
    """Killed again and again, while it puts in and while it sends."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    with storage(kind, tmp_path) as (definition, double):
        acknowledged = 0
        with Mortals(prepared_data, definition) as mortals:
            for _ in range(KILLS):
                acknowledged = mortals.run_and_kill(acknowledged + 1, dice.uniform(0, 0.2))
        done = run("outbox_finish", prepared_data, json.dumps(definition))
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
def test_two_processes_write_files_of_their_own_to_one_branch(
    way: str, prepared_data: Path, tmp_path: Path, tally: Tally
) -> None:
    """As fast as they can: every write is in the history once."""
    with storage("github", tmp_path) as (definition, double):
        assert double is not None
        one, two = together(prepared_data, definition, way)
        assert (len(one), len(two)) == (WRITES, WRITES)
        files = double.files()
        changed = changes_by_path(double)
        for path in [*one, *two]:
            assert files[f"{PROJECT}/{path}"] == path.partition("/")[0].encode()
            assert changed[f"{PROJECT}/{path}"] == 1
    tally(f"{way} writes by two processes to one branch", len(one) + len(two))


def test_of_two_processes_that_expect_one_hash_exactly_one_wins(
    prepared_data: Path, tmp_path: Path, tally: Tally
) -> None:
    with storage("github", tmp_path) as (definition, double):
        assert double is not None
        one, two = together(prepared_data, definition, "same")
        assert (len(one), len(two)) == (WRITES, WRITES)
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
    done = run("outbox_writers", folder, json.dumps(definition), str(WRITES), way)
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout)
    return one, two


class Mortals:
    """One process after the other that works until it is killed; see outbox_until_killed."""

    def __init__(self, folder: Path, definition: dict[str, Any]) -> None:
        self._maker = subprocess.Popen(
            command("outbox_until_killed", folder, json.dumps(definition)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._watchdog = threading.Timer(PATIENCE, os.killpg, (self._maker.pid, signal.SIGKILL))

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def run_and_kill(self, first: int, delay: float) -> int:
        """The last change that was acknowledged."""
        assert self._maker.stdin
        self._maker.stdin.write(f"{first}\n")
        self._maker.stdin.flush()
        pid, last = self._number(), first - 1
        assert pid is not None
        while last < first + 2 * FILES:
            number = self._number()
            assert number is not None, "it ended by itself"
            last = number
        threading.Event().wait(delay)  # chance, not synchronisation: where in a round it dies
        os.kill(pid, signal.SIGKILL)
        while (number := self._number()) is not None:
            last = number
        return last

    def __exit__(self, *raised: object) -> None:
        self._watchdog.cancel()
        os.killpg(self._maker.pid, signal.SIGKILL)
        self._maker.communicate()

    def _number(self) -> int | None:
        """None when the one that worked was ended as it had to be."""
        assert self._maker.stdout
        line = self._maker.stdout.readline().strip()
        return None if line == f"ended {-signal.SIGKILL}" else int(line)


def run(module: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(module, folder, *words), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def command(module: str, folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", f"tests.durability.{module}", str(folder), *words]
