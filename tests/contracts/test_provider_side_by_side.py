"""Any sequence of calls ends alike on every provider: side by side with the memory provider, by Hypothesis."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_app import hashes
from storage_app.providers import FileChange, FileDelete, FileWrite, StorageError, StorageProvider
from storage_app.providers.memory import MemoryStorageProvider
from tests.contracts.providers import BACKENDS, MESSAGE, Backend

Step: TypeAlias = Callable[[StorageProvider], Coroutine[Any, Any, object]]

# Few names and contents, so that they meet.
PATHS: Final = st.sampled_from(["a", "b", "a/b", "a/b/c", "a/d", "é/\U0001f600 x", "..", "/b", "a\\d"])
CONTENTS: Final = st.sampled_from([b"", b"1", b"2", b"\xff\x00", b"long " * 5000])
HASHES: Final = st.one_of(
    st.none(),
    st.builds(hashes.compute, st.sampled_from(list(hashes.HashKind)), CONTENTS),
    st.just("no hash"),
)
WRITES: Final = st.builds(FileWrite, PATHS, CONTENTS, st.booleans(), HASHES)
DELETES: Final = st.builds(FileDelete, PATHS, HASHES)
CHANGES: Final = st.one_of(
    st.lists(st.one_of(WRITES, DELETES), max_size=1),
    st.lists(
        st.one_of(st.builds(FileWrite, PATHS, CONTENTS), st.builds(FileDelete, PATHS)),
        max_size=5,
        unique_by=lambda change: change.path,
    ),
)
FOLDERS: Final = st.sampled_from(["", "a", "a/b", "b", "missing", ".."])
PATTERNS: Final = st.sampled_from(["*", "**", "a/*", "**/c", "[ab]", "a/**", "?/?", "*/../x"])


def apply(changes: list[FileChange]) -> Step:
    async def step(provider: StorageProvider) -> object:
        return (await provider.apply_batch(changes, MESSAGE)).files

    return step


def read(path: str) -> Step:
    async def step(provider: StorageProvider) -> object:
        file = await provider.read_file(path)
        info = await provider.get_file_info(path)
        return file.path, file.content, file.encoding, file.size, info.size, info.sha == file.sha

    return step


def look(folder: str, pattern: str, recursive: bool) -> Step:
    async def step(provider: StorageProvider) -> object:
        listed = await provider.list_files(folder, recursive=recursive)
        found = await provider.list_files_glob(pattern)
        return [(info.path, info.size, info.is_directory) for info in (*listed, *found)]

    return step


STEPS: Final = st.lists(
    st.one_of(st.builds(apply, CHANGES), st.builds(read, PATHS), st.builds(look, FOLDERS, PATTERNS, st.booleans())),
    max_size=12,
)


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "memory"])
@settings(max_examples=60)
@given(steps=STEPS)
def test_every_step_gives_what_memory_gives(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, steps: list[Step]
) -> None:
    asyncio.run(side_by_side(BACKENDS[name], request, tmp_path / uuid.uuid4().hex, steps))


async def side_by_side(backend: Backend, request: pytest.FixtureRequest, folder: Path, steps: list[Step]) -> None:
    everything = look("", "**", True)
    folder.mkdir()
    async with backend.open(request, folder) as provider, MemoryStorageProvider() as memory:
        for step in steps:
            assert await outcome(step, provider) == await outcome(step, memory)
            assert await outcome(everything, provider) == await outcome(everything, memory)


async def outcome(step: Step, provider: StorageProvider) -> object:
    try:
        return await step(provider)
    except StorageError as error:
        return error.code, error.path, error.reason
