"""The locks: what they may hold, and how they are compared with pyproject.toml."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from project.bootstrap import RUNTIME_LOCK, TEST_LOCK
from project.management.commands import lock as lock_command

HASH = "sha256:" + "0" * 64
RUNTIME = f"""\
django==5.2.1 \\
    --hash={HASH}
    # via holdfast (pyproject.toml)
psycopg==3.3.9 \\
    --hash={HASH}
    # via holdfast (pyproject.toml)
psycopg-binary==3.3.9 ; implementation_name != 'pypy' \\
    --hash={HASH}
    # via psycopg
"""
TEST = f"""\
pytest==9.2.0 \\
    --hash={HASH}
    # via holdfast (pyproject.toml:test)
winonly==1.0 ; sys_platform == 'win32' \\
    --hash={HASH}
    # via holdfast (pyproject.toml:test)
"""
PROJECT = """\
[project]
dependencies = ["Django>=5.2,<5.3", "psycopg[binary]>=3.3"]
[dependency-groups]
test = ["pytest>=9", "winonly; sys_platform == 'win32'"]
"""

Faults = Callable[..., list[str]]


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    def find(runtime: str = RUNTIME, test: str = RUNTIME + TEST, project: str = PROJECT) -> list[str]:
        paths = [tmp_path / name for name in ("requirements.lock", "requirements-test.lock", "pyproject.toml")]
        for path, text in zip(paths, (runtime, test, project), strict=True):
            path.write_text(text)
        monkeypatch.setattr(lock_command, "PROJECT", paths[2])
        return list(lock_command.find_faults(paths[0], paths[1]))

    return find


def test_the_locks_of_this_project_agree_with_its_dependencies() -> None:
    assert "django" in lock_command.Lock(RUNTIME_LOCK)
    assert "pytest" in lock_command.Lock(TEST_LOCK)
    output = io.StringIO()
    call_command("lock", "--check", stdout=output)
    assert output.getvalue() == "The locks agree with pyproject.toml.\n"


def test_locks_that_agree_have_no_fault(faults: Faults) -> None:
    assert faults() == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("django==5.2.1", "django==5.1", "requirements.lock has Django 5.1 and pyproject.toml wants <5.3,>=5.2"),
        ("psycopg-binary", "psycopg-other", "requirements.lock lacks psycopg-binary"),
        ("implementation_name != 'pypy'", "sys_platform == 'linux'", "requirements.lock lacks psycopg-binary"),
        ("    # via psycopg\n", "    # from https://example.org/\n", "requirements.lock holds an address"),
        ("django==5.2.1", "https: //example.org", "requirements.lock holds a line that names no package"),
        (f"    --hash={HASH}\n    # via psycopg\n", "    --hash=\n", "requirements.lock has no version or no hash for"),
    ],
)  # fmt: skip
def test_a_lock_that_does_not_fit_is_said(faults: Faults, old: str, new: str, fault: str) -> None:
    assert old in RUNTIME
    changed = RUNTIME.replace(old, new)
    assert fault in "; ".join(faults(changed, changed + TEST))


def test_a_dependency_that_was_added_or_taken_away_is_said(faults: Faults) -> None:
    added = PROJECT.replace('"Django', '"redis>=8", "Django')
    assert faults(project=added) == ["requirements.lock lacks redis", "requirements-test.lock lacks redis"]
    taken_away = PROJECT.replace('"pytest>=9", ', "")
    assert faults(project=taken_away) == ["requirements-test.lock still has pytest"]
    everywhere = PROJECT.replace("; sys_platform == 'win32'", "")
    assert faults(project=everywhere) == ["requirements-test.lock lacks winonly"]


def test_the_two_locks_hold_the_same_versions(faults: Faults) -> None:
    assert faults(test=RUNTIME.replace("5.2.1", "5.2.2") + TEST) == ["django differs between the locks"]


def test_a_renewal_that_went_wrong_keeps_the_old_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    before = RUNTIME_LOCK.read_bytes(), TEST_LOCK.read_bytes()

    def empties(self: object, output: Path, *options: str) -> None:
        output.write_text("")

    monkeypatch.setattr(lock_command.Command, "_compile", empties)
    with pytest.raises(CommandError, match=r"The new locks were not kept: requirements.lock lacks Django; "):
        call_command("lock")
    assert (RUNTIME_LOCK.read_bytes(), TEST_LOCK.read_bytes()) == before
