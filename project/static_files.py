"""Static files as they are served: one style sheet, names with hashes, compressed beside.

Sources stay as they are written: `main.css` imports one small file a component, and a development server serves them
so. When files are collected the imports are put in place, each in its layer, and a page asks for one style sheet.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from django.core.files.base import ContentFile
from whitenoise.storage import CompressedManifestStaticFilesStorage

ENTRY = "css/main.css"
IMPORT = re.compile(r'@import url\("(?P<path>[^"]+)"\) layer\((?P<layer>[a-z]+)\);')


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # whitenoise has no types
    """Whitenoise's storage, with the imports of the entry put in place and module imports renamed too."""

    # ours only: in a script of somebody else, an import may stand in a comment
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("js/*.js", CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1]),
    )

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        if ENTRY in paths and not dry_run:
            bundled = bundle(self._text(paths, ENTRY), lambda name: self._text(paths, name))
            self.delete(ENTRY)
            self._save(ENTRY, ContentFile(bundled.encode()))
            # from here on the collected copy is the source
            paths[ENTRY] = (self, ENTRY)
        yield from super().post_process(paths, dry_run, **options)

    def _text(self, paths: dict[str, Any], name: str) -> str:
        storage, path = paths[name]
        with storage.open(path) as file:
            content: bytes = file.read()
        return content.decode()


def bundle(entry: str, read: Any, folder: str = "css") -> str:
    """The entry with each import replaced by the file itself; an import of a file that is not there is an error."""

    def put_in_place(match: re.Match[str]) -> str:
        text = read(str(PurePosixPath(folder) / match["path"]))
        if "@import" in text:
            raise ValueError(f"{match['path']} imports; only {ENTRY} does")
        return f"@layer {match['layer']} {{\n{text}}}\n"

    return IMPORT.sub(put_in_place, entry)
