"""The parts that every provider shares: paths, hashes, patterns, ids."""

import fnmatch
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_app import globs, hashes, paths
from storage_app.ulids import Ulids
from tests.storage.hostile_paths import CONTAINED, REFUSED


@pytest.mark.parametrize("path", REFUSED)
def test_a_hostile_path_is_refused_with_a_reason_that_does_not_repeat_it(path: str) -> None:
    with pytest.raises(paths.InvalidPathError) as caught:
        paths.normalised(path)
    assert str(caught.value).isascii()
    assert not paths.is_valid(path)


@pytest.mark.parametrize("path", CONTAINED)
def test_a_path_that_only_looks_hostile_is_itself(path: str) -> None:
    assert paths.normalised(path) == path
    assert paths.is_valid(path)


@given(st.text())
def test_any_text_is_refused_or_stays_inside(text: str) -> None:
    try:
        path = paths.normalised(text)
    except paths.InvalidPathError:
        return
    assert paths.normalised(path) == path
    assert path
    assert not {"", ".", ".."} & {*path.split("/")}
    assert Path("/files", path).is_relative_to("/files")


def test_the_folders_above_a_path() -> None:
    assert paths.parents("a/b/c") == ["a", "a/b"]
    assert paths.parents("a") == []


def test_a_git_hash_is_gits(tmp_path: Path) -> None:
    content = b"some\ncontent\xff"
    (tmp_path / "file").write_bytes(content)
    told = subprocess.run(["git", "hash-object", "--no-filters", "file"], cwd=tmp_path, capture_output=True, check=True)
    assert hashes.git_hash(content) == f"git:{told.stdout.decode().strip()}"


def test_hashes_of_two_kinds_are_compared_by_content() -> None:
    one, other = hashes.git_hash(b"content"), hashes.sha256_hash(b"content")
    assert not hashes.comparable(one, other)
    assert hashes.comparable(one, hashes.git_hash(b""))
    assert hashes.same_content(one, other, b"content")
    assert not hashes.same_content(hashes.git_hash(b"x"), other, b"content")
    assert hashes.same_content(one, one, b"not looked at")


@pytest.mark.parametrize("text", ["", "git:", "sha256:abc", "md5:" + "0" * 32, "git:" + "0" * 64, "GIT:" + "0" * 40])
def test_what_is_no_hash_has_no_kind(text: str) -> None:
    assert hashes.kind_of(text) is None
    assert not hashes.matches(text, b"")
    assert not hashes.comparable(text, text)


def test_ids_grow() -> None:
    new = Ulids()
    made = [new() for _ in range(5000)]
    assert made == sorted(set(made))
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", id) for id in made)


WORDS = st.text(alphabet="ab*?[]!-.", min_size=1, max_size=8)


@given(WORDS, st.text(alphabet="ab.-![]", min_size=1, max_size=8))
def test_within_a_part_a_pattern_means_what_pythons_means(pattern: str, name: str) -> None:
    """But for `[^`, which is `[!` here, and `**` alone."""
    if pattern in ("**", ".", "..") or set(pattern) == {"*"}:
        return
    assert globs.Glob(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


PARTS = st.lists(st.sampled_from(["a", "b", "*", "a*", "**", "?b"]), min_size=1, max_size=5)


@given(PARTS, st.lists(st.sampled_from(["a", "b", "ab", "abb"]), min_size=1, max_size=6))
def test_two_stars_stand_for_any_number_of_folders(pattern: list[str], path: list[str]) -> None:
    assert globs.Glob("/".join(pattern)).matches("/".join(path)) == slowly(pattern, path)


def slowly(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return any(slowly(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and slowly(pattern[1:], path[1:])


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 60 + "b",
        "**/" * 30 + "b",
        "**/a/" * 30 + "b",
        "**/*a*/" * 15 + "b",
        "*[a-b]" * 60 + "c",
        "**/?/" * 30 + "**",
        "*?" * 60 + "/b",
    ],
)
@pytest.mark.parametrize("path", ["a" * 250, "a/" * 60 + "a", "/".join(["a" * 60] * 14)])
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    matcher = globs.Glob(pattern)
    began = time.process_time()
    matcher.matches(path)
    assert time.process_time() - began < 0.1
