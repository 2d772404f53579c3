"""How a file's content is shown: never as what it claims to be, but as what it turns out to be.

Text is escaped, Markdown reduced to an allow-list, JSON drawn value by value, a picture recognised by its first bytes.
Everything else, and all that is large, is for download.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.safestring import SafeString

from jobs_app.domain.access import Actor
from jobs_app.pages import document_places as places
from jobs_app.services import files, markdown
from storage_app import file_storages, strict_json
from storage_app.providers import StorageFileInfo

Kind = Literal["text", "markdown", "json", "image", "empty", "binary", "large"]

LARGEST_TEXT: Final = 512 * 1024
LARGEST_PICTURE: Final = 10 * 1024 * 1024
SNIFFED: Final = 16
MARKDOWN: Final = (".md", ".markdown")
JSON: Final = (".json",)


@dataclass(frozen=True, slots=True)
class Preview:
    """`text` is the content as it is, where it is text; `html` is Markdown made safe, `value` what JSON says, `fault`
    why it is not shown as what its name says.
    """

    kind: Kind
    text: str = ""
    html: SafeString | None = None
    value: Any = None
    fault: str = ""
    image_url: str = ""

    @property
    def is_text(self) -> bool:
        return self.kind in ("text", "markdown", "json", "empty")


def of(actor: Actor, slug: str, storage: str, info: StorageFileInfo, version: str | None = None) -> Preview:
    if info.size == 0:
        return Preview("empty")
    if info.size > LARGEST_TEXT:
        return _picture_or("large", actor, slug, storage, info, version)
    content = content_of(actor, slug, storage, info.path, version)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:
        return _picture_or("binary", actor, slug, storage, info, version, content)
    return _text(slug, storage, info.path, text)


def picture_type(start: bytes) -> str | None:
    """By what every such file begins with; SVG is no picture here but a program."""
    for signature, place, kind in _SIGNATURES:
        if start[place : place + len(signature)] == signature:
            return kind
    return None


def content_of(
    actor: Actor, slug: str, storage: str, path: str, version: str | None = None, length: int | None = None
) -> bytes:
    stream = files.opened(actor, slug, storage, path, length=length, version=version)
    return b"".join(file_storages.pieces_of(stream))


def _text(slug: str, storage: str, path: str, text: str) -> Preview:
    name = path.lower()
    if name.endswith(MARKDOWN):
        return Preview("markdown", text, html=markdown.rendered(text, places.Links(slug, storage, path)))
    if name.endswith(JSON):
        try:
            return Preview("json", text, value=strict_json.loads(text))
        except strict_json.StrictJSONError as error:
            return Preview("text", text, fault=f"This is not JSON as it is read here: {error}")
    return Preview("text", text)


def _picture_or(
    kind: Kind,
    actor: Actor,
    slug: str,
    storage: str,
    info: StorageFileInfo,
    version: str | None,
    content: bytes | None = None,
) -> Preview:
    if content is None:
        content = content_of(actor, slug, storage, info.path, version, SNIFFED)
    if info.size > LARGEST_PICTURE or picture_type(content) is None:
        return Preview(kind)
    return Preview("image", image_url=places.image_url(slug, storage, info.path, version or ""))


_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)
