"""One commit to read from: what it tells never disagrees with itself, whatever happens to the branch."""

import posixpath
from typing import Final

from storage_app.providers import errors
from storage_app.providers.github import tree
from storage_app.providers.github.mirror import Mirror, View
from storage_app.providers.github.tree import Entry, Folder
from storage_app.providers.types import StorageFile, StorageFileInfo

MOST_LINKS: Final = 8


class GitHubSnapshot:
    """Paths are those of the storage, normalised; `prefix` leads to its base from the root of the repository."""

    def __init__(self, mirror: Mirror, view: View, prefix: str) -> None:
        assert view.root is not None
        self._mirror, self._prefix = mirror, prefix
        self._root = view.root
        self.commit = view.commit

    async def read_file(self, path: str) -> StorageFile:
        entry = self._file(path)
        if entry is None:
            raise errors.not_found(path)
        return StorageFile.of(path, await self._mirror.blob(entry.sha, path), f"git:{entry.sha}")

    def get_file_info(self, path: str) -> StorageFileInfo:
        if isinstance(self._root.find(self._prefix + path), Folder):
            return StorageFileInfo(path, None, 0, is_directory=True)
        entry = self._file(path)
        if entry is None:
            raise errors.not_found(path)
        return StorageFileInfo(path, f"git:{entry.sha}", entry.size)

    def file_exists(self, path: str) -> bool:
        return self._file(path) is not None

    def list_files(self, folder: str = "", *, recursive: bool = False) -> list[StorageFileInfo]:
        there = self._root.find((self._prefix + folder).rstrip("/"))
        if not isinstance(there, Folder):
            return []
        start = f"{folder}/" if folder else ""
        paths = [path for path, _ in there.walk(start)] if recursive else [start + name for name in there.entries]
        files = [self.get_file_info(path) for path in paths if self.file_exists(path)]
        folders = [] if recursive else [StorageFileInfo(start + name, None, 0, True) for name in there.folders]
        return files + folders

    def _file(self, path: str) -> Entry | None:
        """The file at a path, or where a link leads that stays within the storage."""
        for _ in range(MOST_LINKS):
            found = self._root.find(self._prefix + path)
            if not isinstance(found, Entry) or found.mode == tree.SUBMODULE:
                return None
            if found.mode != tree.SYMLINK:
                return found
            target = self._mirror.links.get(found.sha)
            if target is None or target.startswith("/"):
                return None
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if path == ".." or path.startswith("../"):
                return None
        return None
