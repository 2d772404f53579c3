"""Named storages, made from plain settings: an alias, its provider, and that provider's options.

A definition is `{"provider": "local", "root_path": "…"}`, with `"project": "slug"` where the storage belongs to one
project. Any other option is the provider's; one that it does not know is refused before anything is opened.
"""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from storage_app import paths
from storage_app.hashes import HashKind
from storage_app.providers.base import StorageProvider
from storage_app.providers.errors import StorageError, StorageErrorCode
from storage_app.providers.scoped import ScopedStorageProvider

Definition = Mapping[str, Any]


class Kind(NamedTuple):
    """A provider by its place, so that what nobody uses is not imported; its options with their types."""

    place: str
    options: Mapping[str, type | tuple[type, ...]]
    needed: tuple[str, ...] = ()
    check: str = ""  # the place of a function that raises ValueError for options that cannot be meant


# A new provider is a module, and one line here.
KINDS: Final[dict[str, Kind]] = {
    "local": Kind(
        "storage_app.providers.local:LocalStorageProvider", {"root_path": str, "create_root": bool}, ("root_path",)
    ),
    "memory": Kind("storage_app.providers.memory:MemoryStorageProvider", {}),
    "github": Kind(
        "storage_app.providers.github:GitHubStorageProvider",
        {
            "repository": str,
            "base_path": str,
            "branch": str,
            "token": (str, type(None)),
            "cache_ttl": (int, float),
            "cache_maxsize": int,
            "timeout": (int, float),
            "api_url": (str, type(None)),
            "token_file": str,
            "app_id": str,
            "app_private_key": str,
            "installation_id": str,
        },
        ("repository",),
        "storage_app.providers.github.options:check",
    ),
    "object": Kind(
        "storage_app.providers.object.provider:ObjectStorageProvider",
        {
            "service": str,
            "bucket": str,
            "prefix": str,
            "endpoint": (str, type(None)),
            "region": (str, type(None)),
            "access_key": (str, type(None)),
            "secret_key": (str, type(None)),
            "anonymous": bool,
            "timeout": (int, float),
        },
        ("bucket",),
        "storage_app.providers.object.addresses:check",
    ),
}
_OURS: Final = ("provider", "project")
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class DefinitionError(ValueError):
    """A storage is defined wrongly; the text names the storage and the option, never a value: it may be a secret."""


class Storages:
    """Opens each storage when it is first asked for; belongs to one event loop, like the providers it opens."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        check_all(definitions)
        self._definitions = {alias: dict(definition) for alias, definition in definitions.items()}
        self._opened: dict[str, StorageProvider] = {}

    def aliases(self, project: str | None = None) -> list[str]:
        """All of them, or those that the project may use: the shared ones and its own."""
        return sorted(alias for alias in self._definitions if project is None or self.owner(alias) in (None, project))

    def owner(self, alias: str) -> str | None:
        """The slug of the project that the storage belongs to, or None: it is shared."""
        return self._definition(alias).get("project")

    def provider_name(self, alias: str) -> str:
        """Without opening it."""
        return str(self._definition(alias)["provider"])

    def hash_kind(self, alias: str) -> HashKind:
        """Without opening it: what is written here has its hash also while the storage is away."""
        provider: type[StorageProvider] = _at(KINDS[self.provider_name(alias)].place)
        return provider.hash_kind

    def root(self, alias: str) -> str | None:
        """The folder of this machine that the storage lies in, if it does; for those who run the server alone."""
        return self._definition(alias).get("root_path")

    def get(self, alias: str) -> StorageProvider:
        """The whole storage; NOT_FOUND for an alias that is not defined, `not_opened` where it cannot be opened now."""
        if alias not in self._opened:
            self._opened[alias] = _made(self._definition(alias))
        return self._opened[alias]

    def for_project(self, alias: str, slug: str) -> StorageProvider:
        """What the project has there: of a shared storage its own folder, which nothing it names can leave. Somebody
        else's storage is NOT_FOUND, like one that never was.
        """
        base = self.base_path(alias, slug)
        return ScopedStorageProvider(self.get(alias), base) if base else self.get(alias)

    def base_path(self, alias: str, slug: str) -> str:
        """Where in the whole storage the project's files are; "" where it has all of it. NOT_FOUND as `for_project`."""
        self.check_allowed(alias, slug)
        return _base_path(slug) if self.owner(alias) is None else ""

    def check_allowed(self, alias: str, slug: str) -> None:
        """NOT_FOUND where `for_project` says so; nothing is opened."""
        if self.owner(alias) not in (None, slug):
            raise _unknown(alias)

    async def close(self) -> None:
        """Each of them, also when one fails to."""
        opened, self._opened = list(self._opened.values()), {}
        failures = []
        for provider in opened:
            try:
                await provider.close()
            except Exception as error:  # noqa: BLE001 - raised below, after the others had their turn
                failures.append(error)
        if failures:
            raise ExceptionGroup("storages did not close", failures)

    def _definition(self, alias: str) -> dict[str, Any]:
        if alias not in self._definitions:
            raise _unknown(alias)
        return self._definitions[alias]


def check_all(definitions: Mapping[str, Definition]) -> None:
    """DefinitionError for the first that could not be opened; looks at nothing outside."""
    for alias, definition in definitions.items():
        _check(alias, definition)


def _check(alias: str, definition: Definition) -> None:
    kind = KINDS.get(definition.get("provider", ""))
    if kind is None:
        raise DefinitionError(f"storage {alias!r} needs a provider: {', '.join(KINDS)}")
    _check_owner(alias, definition.get("project"))
    for option, value in definition.items():
        if option in _OURS:
            continue
        if option not in kind.options:
            known = ", ".join(sorted((*kind.options, "project")))
            raise DefinitionError(f"storage {alias!r} has no option {option!r}; it has {known}")
        types = kind.options[option]
        # To Python a truth value is a number; to whoever writes settings it is not.
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            raise DefinitionError(f"storage {alias!r} has an option {option!r} that is a {type(value).__name__}")
    for option in kind.needed:
        if not definition.get(option):
            raise DefinitionError(f"storage {alias!r} needs the option {option!r}")
    try:
        if kind.check:
            _at(kind.check)(definition)
    except ValueError as error:
        raise DefinitionError(f"storage {alias!r}: {error}") from error


def _check_owner(alias: str, slug: object) -> None:
    if slug is not None and not (isinstance(slug, str) and _SLUG.fullmatch(slug)):
        raise DefinitionError(f"storage {alias!r} has an option 'project' that is no slug")


def _base_path(slug: str) -> str:
    """The slug, but for `con` and the like, which Windows takes for devices; no slug begins with an underscore."""
    if not _SLUG.fullmatch(slug):
        raise ValueError(f"{ascii(slug)[:80]} is no slug")
    return slug if paths.is_valid(slug) else f"_{slug}"


def _made(definition: Definition) -> StorageProvider:
    options = {option: value for option, value in definition.items() if option not in _OURS}
    try:
        provider: StorageProvider = _at(KINDS[definition["provider"]].place)(**options)
    except StorageError as error:
        raise _not_opened(error) from error
    return provider


def _not_opened(error: StorageError) -> StorageError:
    """Whatever it is, no file is to blame for it and it may pass: nothing is known of what the storage has."""
    details = {"reason": "not_opened", **error.details}
    return StorageError(StorageErrorCode.INTERNAL_ERROR, error.message, None, details, retryable=True)


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _unknown(alias: str) -> StorageError:
    details = {"reason": "unknown_storage"}
    return StorageError(StorageErrorCode.NOT_FOUND, f"There is no storage {ascii(alias)[:80]}.", None, details)
