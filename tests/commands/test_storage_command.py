"""`manage.py storage …` over whichever storages are configured."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from storage_app import file_storages
from storage_app.outbox import pending
from storage_app.providers import FileWrite
from tests.storage import outbox_places

pytestmark = pytest.mark.django_db
Run = Callable[..., list[dict[str, Any]]]
LARGE = bytes(range(256)) * 4096 * 3


@pytest.fixture(autouse=True)
def storages(tmp_path: Path, settings: Settings) -> Any:
    """Three of three kinds; hashes of two kinds."""
    with outbox_places.known_kinds(), outbox_places.place("github", tmp_path) as place:
        settings.FILE_STORAGES = {
            "default": {"provider": "local", "root_path": str(tmp_path / "default")},
            "archive": {"provider": "memory"},
            "git": place.definition,
        }
        yield place
        file_storages.close()


@pytest.fixture
def run() -> Run:
    """Runs the command; the results it told of, as JSON."""

    def run(*words: str) -> list[dict[str, Any]]:
        output = io.StringIO()
        call_command("storage", *words, stdout=output, stderr=io.StringIO())
        lines = [json.loads(line) for line in output.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "result"]

    return run


def refused(run: Run, status: int, *words: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert caught.value.returncode == status, caught.value
    return str(caught.value)


def write(place: str, content: bytes) -> None:
    alias, _, path = place.partition(":")
    file_storages.run(lambda storages: storages.get(alias).write_file(path, content, "m"))


def files(alias: str) -> dict[str, bytes]:
    async def read(storages: Any) -> dict[str, bytes]:
        provider = storages.get(alias)
        infos = await provider.list_files(recursive=True)
        return {info.path: (await provider.read_file(info.path)).content for info in infos}

    return file_storages.run(read)


def test_storages_and_files_are_listed(run: Run) -> None:
    assert [(line["alias"], line["provider"]) for line in run("ls")] == [
        ("archive", "memory"),
        ("default", "local"),
        ("git", "doubled"),
    ]
    for path in ("a.md", "b/c.md", "b/d.txt"):
        write(f"default:{path}", b"x")
    assert [line["path"] for line in run("ls", "default:")] == ["a.md", "b"]
    assert [line["path"] for line in run("ls", "default:b")] == ["b/c.md", "b/d.txt"]
    assert [line["path"] for line in run("ls", "default:", "--glob", "**/*.md")] == ["a.md", "b/c.md"]


def test_a_file_goes_in_and_out_and_away(run: Run, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    (line,) = run("put", str(tmp_path / "large"), "default:in/large")
    assert line["changed"]
    assert "already" in refused(run, 1, "put", str(tmp_path / "large"), "default:in/large", "--new")
    assert not run("put", str(tmp_path / "large"), "default:in/large")[0]["changed"]
    capfdbinary.readouterr()
    run("cat", "default:in/large")
    assert capfdbinary.readouterr().out == LARGE
    run("rm", "default:in/large")
    assert files("default") == {}
    assert "no such file" in refused(run, 1, "rm", "default:in/large")


@pytest.mark.parametrize("source", ["default", "archive", "git"])
@pytest.mark.parametrize("target", ["default", "archive", "git"])
def test_a_copy_is_verified_between_any_two_storages(run: Run, source: str, target: str) -> None:
    write(f"{source}:a/large", LARGE)
    (line,) = run("cp", f"{source}:a/large", f"{target}:copies/")
    assert line["changed"]
    assert line["sha"] == file_storages.run(lambda it: it.get(target).get_file_hash("copies/large"))
    assert files(target)["copies/large"] == LARGE
    assert not run("cp", f"{source}:a/large", f"{target}:copies/large")[0]["changed"]


def test_a_file_that_is_not_what_its_storage_says_is_not_copied(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("archive:a", b"good")
    write("archive:b", b"sound")
    kept = file_storages.run(_kept_by_memory)
    kept.files["a"] = type(kept.files["a"])("a", b"evil", kept.files["a"].sha, 4, "utf-8")
    assert "not what the storage says" in refused(run, 1, "cp", "archive:a", "default:a")
    assert files("default") == {}
    assert run("check", "archive")[0]["healthy"]
    refused(run, 1, "check", "archive", "--files")


async def _kept_by_memory(storages: Any) -> Any:
    return storages.get("archive")._kept


@pytest.mark.parametrize("target", ["archive", "git"])
def test_what_differs_is_copied_and_the_rest_left_alone(run: Run, target: str) -> None:
    for path, content in {"a": b"1", "b/c": b"2", "same": b"3"}.items():
        write(f"default:docs/{path}", content)
    write(f"{target}:mirror/same", b"3")
    write(f"{target}:mirror/b/c", b"old")
    write(f"{target}:mirror/extra", b"x")
    *would, last = run("sync", "default:docs", f"{target}:mirror", "--delete", "--dry-run")
    assert [line["action"] for line in would] == ["copy", "copy", "delete"]
    assert files(target)["mirror/b/c"] == b"old"
    *_, last = run("sync", "default:docs", f"{target}:mirror", "--delete")
    assert (last["files"], last["copied"], last["deleted"]) == (3, 2, 1)
    mirrored = {path: content for path, content in files(target).items() if path.startswith("mirror/")}
    assert mirrored == {"mirror/a": b"1", "mirror/b/c": b"2", "mirror/same": b"3"}
    assert run("sync", "default:docs", f"{target}:mirror")[-1]["copied"] == 0


def test_a_folder_is_copied_whole(run: Run) -> None:
    write("default:docs/a", b"1")
    write("default:docs/b/c", b"2")
    run("cp", "--recursive", "default:docs", "archive:")
    assert files("archive") == {"a": b"1", "b/c": b"2"}


def test_what_waits_is_seen_and_sent(run: Run) -> None:
    pending.put("default", "alpha", [FileWrite("a", b"1")], "m")
    assert run("ls", "default:", "--project", "alpha")[0]["path"] == "a"
    assert run("ls", "default:") == []
    assert "waits" in refused(run, 1, "rm", "default:a", "--project", "alpha")
    sent, nothing = run("flush")
    assert (sent["project"], sent["files"]) == ("alpha", 1)
    assert nothing["waiting"] == 0
    assert files("default") == {"alpha/a": b"1"}


def test_what_cannot_be_sent_is_told(run: Run) -> None:
    write("default:alpha/a", b"1")
    pending.put("default", "alpha", [FileWrite("a/b", b"2")], "m")
    assert "not sent" in refused(run, 1, "flush", "default")
    assert "not sent" in refused(run, 1, "flush"), "what was parked before waits for a person still"


def test_what_waits_is_in_the_way_of_a_copy_from_there_and_of_a_write_past_it(run: Run, tmp_path: Path) -> None:
    """A copy would lack it, and what is written past it would later be written over."""
    write("default:alpha/b", b"1")
    pending.put("default", "alpha", [FileWrite("docs/a", b"2")], "m")
    for words in (
        ("cp", "default:docs/a", "archive:", "--project", "alpha"),
        ("cp", "default:alpha/docs/a", "archive:"),
        ("cp", "--recursive", "default:", "archive:"),
        ("sync", "default:docs", "archive:docs", "--project", "alpha"),
        ("rm", "default:alpha/docs/a"),
    ):
        assert "waits" in refused(run, 1, *words), words
    run("cp", "default:alpha/b", "archive:")
    run("flush")
    run("cp", "default:alpha/docs/a", "archive:")
    assert files("archive") == {"a": b"2", "b": b"1"}


def test_a_storage_that_is_away_says_where_it_should_be(run: Run, settings: Settings, tmp_path: Path) -> None:
    settings.FILE_STORAGES = {"away": {"provider": "local", "root_path": f"{tmp_path}/none", "create_root": False}}
    output = io.StringIO()
    with pytest.raises(CommandError):
        call_command("storage", "check", stdout=output, stderr=io.StringIO())
    assert f"The root folder of the storage is not there. ({tmp_path}/none)" in output.getvalue()


def test_storages_are_asked_how_they_are(run: Run) -> None:
    assert {line["alias"]: line["healthy"] for line in run("check")} == {"archive": True, "default": True, "git": True}
    assert run("check", "default", "--files")[-1]["damaged"] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("ls", "nothing:"),
        ("ls", "default"),
        ("cat", "default:"),
        ("cat", "default:../x"),
        ("put", "/nowhere/at/all", "default:a"),
        ("cp", "default:a", "default:.git/config"),
    ],
)
def test_what_is_asked_wrongly_is_refused_as_that(run: Run, words: tuple[str, ...]) -> None:
    refused(run, 2, *words)
