"""What is wrong with the configured storages only when taken together; each alone is checked where settings are read.

`manage.py check` prints these and `up` does so at every start. Nothing outside is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

Definition = Mapping[str, Any]


@checks.register(checks.Tags.files)
def check_storages(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    definitions: Mapping[str, Definition] = settings.FILE_STORAGES
    return [
        *_secrets_inside(definitions),
        *_one_in_another(definitions),
        *_forgetful(definitions),
        *_readable_on_the_way(definitions),
    ]


def _secrets_inside(definitions: Mapping[str, Definition]) -> Iterator[checks.CheckMessage]:
    """Whoever may read files could read the signing key and every record."""
    data = Path(settings.CONFIG.data).resolve()
    for alias, definition in definitions.items():
        root = _root(definition)
        if root and (root == data or root in data.parents):
            yield checks.Error(
                f"The storage {alias!r} holds the data folder itself, with keys and records.",
                hint="Give it a folder of its own, such as one inside the data folder.",
                id="storage_app.E001",
            )


def _one_in_another(definitions: Mapping[str, Definition]) -> Iterator[checks.CheckMessage]:
    """The projects of one would see and change the files of the other, past every rule."""
    for (one, first), (other, second) in combinations(definitions.items(), 2):
        if _overlap(first, second):
            yield checks.Error(
                f"The storages {one!r} and {other!r} lie in each other.",
                hint="Give each a root, prefix or base path that does not hold the other's.",
                id="storage_app.E002",
            )


def _forgetful(definitions: Mapping[str, Definition]) -> Iterator[checks.CheckMessage]:
    for alias, definition in definitions.items():
        if definition["provider"] == "memory" and not settings.DEBUG:
            yield checks.Warning(
                f"The storage {alias!r} is in memory: each process has its own, and forgets it when it ends.",
                hint="Use the provider local, github or object for files that matter.",
                id="storage_app.W001",
            )


def _readable_on_the_way(definitions: Mapping[str, Definition]) -> Iterator[checks.CheckMessage]:
    for alias, definition in definitions.items():
        address = urlsplit(definition.get("endpoint") or definition.get("api_url") or "")
        if address.scheme == "http" and not _is_this_machine(address.hostname or ""):
            yield checks.Warning(
                f"The storage {alias!r} is reached without encryption: files, and tokens where there are any, can be "
                "read on the way.",
                hint="Use an address that begins with https, unless nobody else is on that network.",
                id="storage_app.W002",
            )


def _root(definition: Definition) -> Path | None:
    return Path(definition["root_path"]).resolve() if definition["provider"] == "local" else None


def _overlap(one: Definition, other: Definition) -> bool:
    if one["provider"] != other["provider"] or one["provider"] == "memory":
        return False
    first, second = _root(one), _root(other)
    if first and second:
        return first == second or first in second.parents or second in first.parents
    same = all((one.get(name) or default) == (other.get(name) or default) for name, default in _PLACES)
    return same and (_folder(one).startswith(_folder(other)) or _folder(other).startswith(_folder(one)))


def _folder(definition: Definition) -> str:
    """With a slash at the end, so that `a` does not hold `ab`."""
    folder = (definition.get("prefix") or definition.get("base_path") or "").strip("/")
    return f"{folder}/" if folder else ""


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# What makes two repositories, or two buckets, the same one; as they are where nothing is said.
_PLACES: Final = (
    ("repository", None),
    ("branch", "main"),
    ("api_url", "https://api.github.com"),
    ("bucket", None),
    ("service", "s3"),
    ("endpoint", None),
)
