"""What `manage.py` does before Django is there: a clone of two files, a short lock, an index on this machine."""

import ast
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from project import bootstrap
from tests.project.package_index import PackageIndex

DJANGO = {
    "django/__init__.py": "",
    "django/core/__init__.py": "",
    "django/core/management/__init__.py": """
import importlib.util, json, os, signal, sys
def execute_from_command_line(arguments):
    here = {name: importlib.util.find_spec(name) is not None for name in ("pytest", "lodger")}
    answer = {"arguments": arguments[1:], "prefix": sys.prefix, "warnings": sys.warnoptions, "has": here}
    answer["path"] = os.environ.get("PYTHONPATH")
    print(json.dumps(answer), flush=True)
    if arguments[1:] == ["seven"]:
        raise SystemExit(7)
    if arguments[1:] == ["wait"]:
        signal.pause()
""",
    **{f"{name}.py": "" for name in bootstrap.PARTS if name != "django"},
}
DEADLINE = 120


@dataclass
class Clone:
    root: Path
    outer: Path
    index: PackageIndex
    environ: dict[str, str] = field(default_factory=dict)

    def lock(self, *lines: str, test: tuple[str, ...] = ()) -> None:
        (self.root / "project" / "requirements.lock").write_text("".join(lines))
        (self.root / "project" / "requirements-test.lock").write_text("".join((*lines, *test)))

    def start(self, *arguments: str, options: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.outer, *options, self.root / "manage.py", *arguments],
            cwd=self.root.parent,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str, options: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, options=options)
        output, errors = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def answer(self, *arguments: str) -> dict[str, object]:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    @property
    def inside(self) -> str:
        return str(self.root / ".venv")


@pytest.fixture(scope="session")
def python_without_anything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands for the machine's Python, where this one may have Django."""
    folder = tmp_path_factory.mktemp("machine")
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True, timeout=DEADLINE)
    return folder / "bin" / "python"


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with PackageIndex() as index:
        yield index


@pytest.fixture
def clone(tmp_path: Path, python_without_anything: Path, index: PackageIndex) -> Clone:
    root = tmp_path / "a clöne"
    (root / "project").mkdir(parents=True)
    for file in ("manage.py", "project/__init__.py", "project/bootstrap.py"):
        shutil.copy(bootstrap.ROOT / file, root / file)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    environ |= {"PIP_INDEX_URL": index.url, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    clone = Clone(root, python_without_anything, index, environ)
    clone.lock(index.add("django", "1.0", DJANGO), test=(index.add("pytest", "1.0", {"pytest.py": ""}),))
    return clone


def test_the_first_command_makes_the_environment_and_goes_on_inside(clone: Clone) -> None:
    first = clone.run("up", "--port", "80 81", options=("-W", "error"))
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {
        "arguments": ["up", "--port", "80 81"],
        "prefix": clone.inside,
        "warnings": ["error"],
        "has": {"pytest": False, "lodger": False},
        "path": None,
    }
    said = first.stderr.splitlines()
    assert [line.split()[0] for line in said] == ["Making", "Installing", "Ready"]

    second = clone.run("seven")
    assert (second.returncode, second.stderr) == (7, "")
    assert clone.index.downloads.total() == 1


def test_settings_of_pip_that_would_change_the_result_are_left_out_and_the_rest_is_kept(clone: Clone) -> None:
    clone.environ |= {
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_TARGET": str(clone.root / "elsewhere"),
        "PIP_REQUIREMENT": "absent.txt",
        "PYTHONPATH": str(clone.root / "mine"),
    }
    assert clone.answer("up")["path"] == str(clone.root / "mine")
    assert not (clone.root / "elsewhere").exists()


def test_what_only_tests_need_comes_with_the_commands_that_need_it_and_stays(clone: Clone) -> None:
    assert clone.answer("up")["has"] == {"pytest": False, "lodger": False}
    assert clone.answer("test")["has"] == {"pytest": True, "lodger": False}
    quiet = clone.run("up")
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_a_changed_lock_updates_and_takes_away_what_it_no_longer_names(clone: Clone, index: PackageIndex) -> None:
    django = index.add("django", "1.0", DJANGO)
    clone.lock(django, index.add("lodger", "1.0", {"lodger.py": ""}))
    assert clone.answer("up")["has"] == {"pytest": False, "lodger": True}

    newer = DJANGO["django/core/management/__init__.py"] + "    print('newer', file=sys.stderr)\n"
    clone.lock(index.add("django", "2.0", DJANGO | {"django/core/management/__init__.py": newer}))
    done = clone.run("up")
    assert json.loads(done.stdout)["has"] == {"pytest": False, "lodger": False}
    assert done.stderr.endswith("newer\n")


def test_killed_in_the_middle_is_made_anew_by_the_next_command(clone: Clone, index: PackageIndex) -> None:
    index.open.clear()
    process = clone.start("up")
    assert index.asked.wait(DEADLINE)
    process.kill()
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    half_made = clone.root / ".venv" / "half-made"
    half_made.touch()

    index.open.set()
    assert clone.answer("up")["prefix"] == clone.inside
    assert not half_made.exists()


def test_a_damaged_stamp_is_no_stamp(clone: Clone) -> None:
    assert clone.answer("up")
    stamp = clone.root / ".venv" / "holdfast.json"
    stamp.write_text(stamp.read_text()[:20])
    assert clone.answer("up")["prefix"] == clone.inside
    assert json.loads(stamp.read_text())["finished"] is True


def test_two_at_once_wait_for_each_other(clone: Clone, index: PackageIndex) -> None:
    index.open.clear()
    first = clone.start("up")
    assert index.asked.wait(DEADLINE)
    second = clone.start("up")
    assert second.stderr is not None
    assert "Another process is making" in second.stderr.readline()
    index.open.set()
    for process in (first, second):
        output, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, errors
        assert json.loads(output)["prefix"] == clone.inside
    assert index.downloads.total() == 1


def test_a_moved_folder_and_a_removed_python_are_repaired(clone: Clone) -> None:
    assert clone.answer("up")
    clone.root = clone.root.rename(clone.root.with_name("moved"))
    assert clone.answer("up")["prefix"] == clone.inside

    python = clone.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3.11")
    assert clone.answer("up")["prefix"] == clone.inside


def test_the_command_gets_the_signals(clone: Clone) -> None:
    assert clone.answer("up")
    process = clone.start("wait")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["arguments"] == ["wait"]
    process.terminate()
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGTERM


def refused(done: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    """Exit code 2, one sentence as the last line, no traceback."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    *progress, last = done.stderr.splitlines()
    assert last.startswith("Holdfast cannot start: ")
    assert sentence in last
    assert all(line.endswith("…") for line in progress)


def test_a_wheel_that_does_not_match_its_hash_is_refused(clone: Clone, index: PackageIndex) -> None:
    index.wheels["django-1.0-py3-none-any.whl"] += b"tampered"
    refused(clone.run("up"), "does not match its hash")


def test_a_lock_without_hashes_is_refused(clone: Clone) -> None:
    clone.lock("django==1.0\n")
    refused(clone.run("up"), "renew it with `manage.py lock`")


def test_an_index_without_the_package_is_said(clone: Clone, index: PackageIndex) -> None:
    index.wheels.clear()
    refused(clone.run("up"), "the package index has none for this Python")


def test_without_network_the_network_is_named_and_the_next_command_goes_on(clone: Clone) -> None:
    address = clone.environ.pop("PIP_INDEX_URL")
    clone.environ |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_RETRIES": "1"}
    refused(clone.run("up"), "check network, PIP_INDEX_URL, PIP_PROXY")
    clone.environ["PIP_INDEX_URL"] = address
    assert clone.answer("up")["prefix"] == clone.inside


def test_a_folder_that_cannot_be_written_is_named(clone: Clone) -> None:
    (clone.root / ".venv.lock").mkdir()
    refused(clone.run("up"), f"{clone.inside} cannot be made ({clone.root / '.venv.lock'}: Is a directory)")


def test_a_python_without_its_venv_module_names_the_package(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None")
    clone.environ["PYTHONPATH"] = str(tmp_path)
    refused(clone.run("up"), "apt-get install python3-venv")


def test_an_environment_of_ones_own_is_left_alone(clone: Clone, tmp_path: Path) -> None:
    own = tmp_path / "own"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", own], check=True, timeout=DEADLINE)
    library = next(own.glob("lib/python*/site-packages"))
    for path, text in DJANGO.items():
        (library / path).parent.mkdir(parents=True, exist_ok=True)
        (library / path).write_text(text)
    clone.outer = own / "bin" / "python"

    assert clone.answer("up")["prefix"] == str(own)
    refused(clone.run("test"), "has no pytest; install it with: ")
    assert not (clone.root / ".venv").exists()

    own.rename(clone.root / ".venv")
    clone.outer = clone.root / ".venv" / "bin" / "python"
    assert clone.answer("up")["prefix"] == clone.inside
    assert not (clone.root / ".venv" / "holdfast.json").exists()


def test_an_old_python_can_read_the_sentence_it_gets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("manage.py", "project/bootstrap.py"):
        ast.parse((bootstrap.ROOT / file).read_text(encoding="utf-8"), feature_version=(3, 6))
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (4, 0))
    with pytest.raises(SystemExit, match="2"):
        bootstrap.enter_environment(["manage.py", "up"])
    assert "it needs Python 4.0 or newer and this is 3." in capsys.readouterr().err


def test_a_full_disk_is_said_with_the_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def no_room(lock: Path) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "pyvenv.cfg")

    monkeypatch.setattr(bootstrap, "_is_the_users_own", lambda: False)
    monkeypatch.setattr(bootstrap, "_prepare", no_room)
    with pytest.raises(SystemExit, match="2"):
        bootstrap.enter_environment(["manage.py", "up"])
    assert "(pyvenv.cfg: No space left on device)" in capsys.readouterr().err


def test_the_parts_that_stand_for_the_lock_are_in_it() -> None:
    import importlib.util

    assert all(importlib.util.find_spec(name) for name in bootstrap.PARTS)
    packages = bootstrap._names(bootstrap._packages(bootstrap.RUNTIME_LOCK))
    assert {"django", "django-ninja", "huey", "granian", "pydantic-settings"} <= packages
