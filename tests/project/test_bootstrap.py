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
DEADLINE = 600


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


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an editor makes; taking it spares a test the seconds that making one lasts."""
    folder = tmp_path_factory.mktemp("empty") / ".venv"
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", folder], check=True, timeout=DEADLINE)
    return folder


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


@pytest.fixture
def furnished_clone(clone: Clone, empty_environment: Path) -> Clone:
    # links, as pip changes no file that is there
    shutil.copytree(empty_environment, clone.root / ".venv", symlinks=True, copy_function=os.link)
    return clone


def test_the_first_command_makes_the_environment_and_goes_on_inside_though_one_before_was_killed(clone: Clone) -> None:
    kill_in_the_middle(clone)
    half_made = clone.root / ".venv" / "half-made"
    half_made.touch()

    first = clone.run("up", "--port", "80 81", options=("-W", "error"))
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == {
        "arguments": ["up", "--port", "80 81"],
        "prefix": clone.inside,
        "warnings": ["error"],
        "has": {"pytest": False, "lodger": False},
        "path": None,
    }
    said = [line.split()[0] for line in first.stderr.splitlines()]
    assert said[-3:] == ["Making", "Installing", "Ready"]
    assert said[:-3] in ([], ["Another"]), "the pip of the killed one may hold the lock a moment longer"
    assert not half_made.exists()
    pip = clone.root / ".venv" / "bin" / "pip"
    assert clone.inside in pip.read_text(), "programs name their interpreter by its place"

    downloads = clone.index.downloads.total()
    second = clone.run("seven")
    assert (second.returncode, second.stderr) == (7, "")
    assert clone.index.downloads.total() == downloads


def kill_in_the_middle(clone: Clone) -> None:
    clone.index.open.clear()
    process = clone.start("up")
    assert clone.index.asked.wait(DEADLINE)
    process.kill()
    process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGKILL
    clone.index.open.set()


def test_settings_of_pip_that_would_change_the_result_are_left_out_and_the_rest_is_kept(furnished_clone: Clone) -> None:
    furnished_clone.environ |= {
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_TARGET": str(furnished_clone.root / "elsewhere"),
        "PIP_REQUIREMENT": "absent.txt",
        "PYTHONPATH": str(furnished_clone.root / "mine"),
    }
    assert furnished_clone.answer("up")["path"] == str(furnished_clone.root / "mine")
    assert not (furnished_clone.root / "elsewhere").exists()


def test_what_only_tests_need_comes_with_the_commands_that_need_it_and_stays(furnished_clone: Clone) -> None:
    assert furnished_clone.answer("up")["has"] == {"pytest": False, "lodger": False}
    assert furnished_clone.answer("bench")["has"] == {"pytest": True, "lodger": False}
    quiet = furnished_clone.run("up")
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_a_changed_lock_updates_and_takes_away_what_it_no_longer_names(
    furnished_clone: Clone, index: PackageIndex
) -> None:
    django = index.add("django", "1.0", DJANGO)
    furnished_clone.lock(django, index.add("lodger", "1.0", {"lodger.py": ""}))
    assert furnished_clone.answer("up")["has"] == {"pytest": False, "lodger": True}

    newer = DJANGO["django/core/management/__init__.py"] + "    print('newer', file=sys.stderr)\n"
    furnished_clone.lock(index.add("django", "2.0", DJANGO | {"django/core/management/__init__.py": newer}))
    done = furnished_clone.run("up")
    assert json.loads(done.stdout)["has"] == {"pytest": False, "lodger": False}
    assert done.stderr.endswith("newer\n")


def test_from_the_first_change_on_it_counts_as_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FOLDER", tmp_path)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "holdfast.json")
    monkeypatch.setattr(bootstrap, "_is_sound", lambda stamp: True)
    bootstrap._write_stamp({"finished": True, "packages": ["taken-away"]})
    seen = {}

    def pip(self: object, action: str, *options: str) -> None:
        seen[action] = bootstrap._read_stamp()["finished"]

    monkeypatch.setattr(bootstrap._Work, "_pip", pip)
    bootstrap._Work(bootstrap.RUNTIME_LOCK, keep_open=0).run()
    assert seen == {"download": True, "uninstall": False, "install": False}
    assert bootstrap._read_stamp()["finished"] is True


def test_what_has_a_damaged_stamp_another_place_or_no_python_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not ready is made anew, as after a kill."""

    def is_ready(folder: Path) -> bool:
        monkeypatch.setattr(bootstrap, "FOLDER", folder)
        monkeypatch.setattr(bootstrap, "STAMP", folder / "holdfast.json")
        return bootstrap._is_ready(bootstrap.RUNTIME_LOCK)

    folder, moved = tmp_path / "one", tmp_path / "moved"
    python, stamp = folder / "bin" / "python", folder / "holdfast.json"
    python.parent.mkdir(parents=True)
    assert not is_ready(folder)
    python.symlink_to(sys.executable)
    digest = bootstrap._digest(bootstrap.RUNTIME_LOCK)
    about = {"finished": True, "place": str(folder.resolve()), "python": bootstrap._python_below()}
    bootstrap._write_stamp(about | {bootstrap.RUNTIME_LOCK.name: digest})
    assert is_ready(folder)

    whole = stamp.read_text()
    stamp.write_text(whole[:20])
    assert not is_ready(folder)
    bootstrap._write_stamp({"finished": False})
    assert not is_ready(folder)
    stamp.write_text(whole)
    assert is_ready(folder)

    folder.rename(moved)
    assert not is_ready(moved)
    moved.rename(folder)
    assert is_ready(folder)

    python.unlink()
    python.symlink_to("/nonexistent/python3.11")
    assert not is_ready(folder)


def test_two_at_once_wait_for_each_other(furnished_clone: Clone, index: PackageIndex) -> None:
    index.open.clear()
    first = furnished_clone.start("up")
    assert index.asked.wait(DEADLINE)
    second = furnished_clone.start("up")
    assert second.stderr is not None
    assert "Another process is making" in second.stderr.readline()
    index.open.set()
    for process in (first, second):
        output, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, errors
        assert json.loads(output)["prefix"] == furnished_clone.inside
    assert index.downloads.total() == 1


def test_the_command_gets_the_signals(furnished_clone: Clone) -> None:
    assert furnished_clone.answer("up")
    process = furnished_clone.start("wait")
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


def test_a_wheel_that_does_not_match_its_hash_is_refused(furnished_clone: Clone, index: PackageIndex) -> None:
    index.wheels["django-1.0-py3-none-any.whl"] += b"tampered"
    refused(furnished_clone.run("up"), "does not match its hash")


def test_a_lock_without_hashes_is_refused(furnished_clone: Clone) -> None:
    furnished_clone.lock("django==1.0\n")
    refused(furnished_clone.run("up"), "renew it with `manage.py lock`")


def test_an_index_without_the_package_is_said(furnished_clone: Clone, index: PackageIndex) -> None:
    index.wheels.clear()
    refused(furnished_clone.run("up"), "the index has no django==1.0 for this Python")


def test_without_network_the_network_is_named_and_the_next_command_goes_on(furnished_clone: Clone) -> None:
    clone = furnished_clone
    address = clone.environ.pop("PIP_INDEX_URL")
    clone.environ |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_RETRIES": "1"}
    refused(clone.run("up"), "check network, PIP_INDEX_URL, PIP_PROXY")
    clone.environ["PIP_INDEX_URL"] = address
    assert clone.answer("up")["prefix"] == clone.inside


def test_an_update_that_cannot_be_had_leaves_what_works(furnished_clone: Clone, index: PackageIndex) -> None:
    assert furnished_clone.answer("up")
    lock = index.add("django", "2.0", DJANGO)
    index.wheels.pop("django-2.0-py3-none-any.whl")
    before = (furnished_clone.root / "project" / "requirements.lock").read_text()
    furnished_clone.lock(lock)
    refused(furnished_clone.run("up"), "the index has no django==2.0 for this Python")

    furnished_clone.lock(before)
    as_before = furnished_clone.run("up")
    assert (as_before.returncode, as_before.stderr) == (0, "")
    assert not (furnished_clone.root / ".venv" / "wheels").exists()


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
