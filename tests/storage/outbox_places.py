"""Storages for the outbox to send to: their state as others see it, and what can go wrong there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from storage_app import file_storages
from storage_app.providers import FileChange, StorageCommit, StorageError
from storage_app.providers.factory import KINDS, Kind
from storage_app.providers.github import GitHubStorageProvider
from storage_app.providers.memory import MemoryStorageProvider
from tests.github_double import GitHubDouble
from tests.github_double.transport import DoubleTransport
from tests.storage import github

ALIAS: Final = "files"
PROJECT: Final = "alpha"
NAMES: Final = ("memory", "local", "github")


@dataclass
class Trouble:
    """What happens to the next writes: an error before or after they are done, or something in between."""

    before: list[StorageError] = field(default_factory=list)
    after: list[StorageError] = field(default_factory=list)
    refused: dict[str, StorageError] = field(default_factory=dict)  # by path, as often as it is tried
    unnamed: bool = False  # whether the refusal names the path
    writes: int = 0


class TroubledProvider(MemoryStorageProvider):
    """A memory storage to which things happen as planned."""

    def __init__(self, trouble: object) -> None:
        super().__init__()
        assert isinstance(trouble, Trouble)
        self._trouble = trouble

    async def _apply(self, changes: Sequence[FileChange], message: str) -> StorageCommit:
        trouble = self._trouble
        trouble.writes += 1
        if trouble.before:
            raise trouble.before.pop(0)
        for change in changes:
            name = change.path.partition("/")[2]
            if name in trouble.refused:
                error = trouble.refused[name]
                raise StorageError(error.code, error.message, None if trouble.unnamed else change.path, error.details)
        commit = await super()._apply(changes, message)
        if trouble.after:
            raise trouble.after.pop(0)
        return commit


class DoubledProvider(GitHubStorageProvider):
    """GitHub's double, in this process."""

    def __init__(self, double: object, clock: object) -> None:
        assert isinstance(double, GitHubDouble)
        assert isinstance(clock, github.QuickClock)
        transport = DoubleTransport(double)
        super().__init__(github.REPOSITORY, token=double.TOKEN, transport=transport, clock=clock)


@dataclass
class Place:
    """A storage as the rest of the world sees it; paths are those of the project."""

    definition: dict[str, Any]
    double: GitHubDouble | None = None
    clock: github.QuickClock | None = None
    trouble: Trouble | None = None

    def files(self, project: str = PROJECT) -> dict[str, bytes]:
        async def read(storages: Any) -> dict[str, bytes]:
            provider = storages.for_project(ALIAS, project)
            provider.refresh()
            infos = await provider.list_files(recursive=True)
            return {info.path: (await provider.read_file(info.path)).content for info in infos}

        return file_storages.run(read)

    def write(self, path: str, content: bytes | None) -> None:
        """By somebody else, past the outbox; None deletes."""

        async def elsewhere(storages: Any) -> None:
            provider = storages.for_project(ALIAS, PROJECT)
            if content is None:
                await provider.delete_file(path, "From elsewhere")
            else:
                await provider.write_file(path, content, "From elsewhere")

        file_storages.run(elsewhere)

    def commits(self) -> int | None:
        """How many the storage's history has; None where it keeps none."""
        if self.double is not None:
            return len(self.double.messages()) - 1
        return None


@contextmanager
def place(name: str, folder: Path) -> Iterator[Place]:
    if name == "memory":
        yield Place({"provider": "memory"})
    elif name == "local":
        yield Place({"provider": "local", "root_path": str(folder / "files")})
    elif name == "troubled":
        trouble = Trouble()
        yield Place({"provider": "troubled", "trouble": trouble}, trouble=trouble)
    else:
        clock = github.QuickClock()
        with github.github(folder, clock) as double:
            double.commit({"README.md": b"# Files\n"}, "The start")
            yield Place({"provider": "doubled", "double": double, "clock": clock}, double, clock)


@contextmanager
def known_kinds() -> Iterator[None]:
    KINDS["troubled"] = Kind(f"{__name__}:TroubledProvider", {"trouble": Trouble})
    KINDS["doubled"] = Kind(f"{__name__}:DoubledProvider", {"double": GitHubDouble, "clock": github.QuickClock})
    try:
        yield
    finally:
        del KINDS["troubled"], KINDS["doubled"]
