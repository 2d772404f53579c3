"""Addresses of folders and files, and where a person is among them. A path stands in the query, whatever is in it."""

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from django.urls import reverse
from django.utils.http import urlencode

from storage_app import paths


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a path with its address; the last has none."""

    name: str
    url: str


def folder_url(slug: str, storage: str, folder: str = "") -> str:
    return _with(reverse("documents-folder", args=[slug, storage]), folder=folder)


def file_url(slug: str, storage: str, path: str, **more: str) -> str:
    return _with(reverse("documents-show", args=[slug, storage]), path=path, **more)


def image_url(slug: str, storage: str, path: str, version: str = "") -> str:
    return _with(reverse("documents-image", args=[slug, storage]), path=path, version=version)


def edit_url(slug: str, storage: str, path: str) -> str:
    return _with(reverse("documents-edit", args=[slug, storage]), path=path)


def new_url(slug: str, storage: str, folder: str) -> str:
    return _with(reverse("documents-new", args=[slug, storage]), folder=folder)


def files_api(slug: str, storage: str) -> str:
    """Where the API keeps the files; a path follows."""
    return f"/api/v1/projects/{quote(slug)}/storages/{quote(storage)}/files/"


def pending_url(slug: str, storage: str, id: int) -> str:
    """The content of a change that waits or is parked."""
    return f"/api/v1/projects/{quote(slug)}/storages/{quote(storage)}/pending/{id}"


def download_url(slug: str, storage: str, path: str, version: str = "") -> str:
    return _with(files_api(slug, storage) + quote(path, safe="/"), version=version)


def steps(slug: str, storage: str, folder: str, *, last_has_address: bool = False) -> list[Step]:
    """The storage and each folder down to this one."""
    places = ["", *paths.parents(f"{folder}/x")] if folder else [""]
    found = [Step(place.rpartition("/")[2] if place else storage, folder_url(slug, storage, place)) for place in places]
    return found if last_has_address else [*found[:-1], Step(found[-1].name, "")]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def relative_to(path: str, address: str) -> str | None:
    """The file that a relative address in the text of the file `path` names; None for what is no file here."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return None
    found: list[str] = folder_of(path).split("/") if folder_of(path) else []
    for part in unquote(parts.path).split("/"):
        if part == "..":
            if not found:
                return None
            found.pop()
        elif part not in ("", "."):
            found.append(part)
    joined = "/".join(found)
    return joined if paths.is_valid(joined) else None


@dataclass(frozen=True, slots=True)
class Links:
    """What Markdown of a file links to: other files here by our own pages, pictures only from here."""

    slug: str
    storage: str
    path: str

    def __call__(self, tag: str, address: str) -> str | None:
        target = relative_to(self.path, address)
        if tag == "img":
            return image_url(self.slug, self.storage, target) if target else None
        return file_url(self.slug, self.storage, target) if target else address


def _with(address: str, **query: str) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{address}?{urlencode(given)}" if given else address
