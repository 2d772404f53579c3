"""A storage as its page shows it: what it can do, how it is, what is left of its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jobs_app.pages import document_places as places
from jobs_app.services.storages import Health, StorageState
from jobs_app.templatetags import wording

# What a person reads for a capability, and why it matters.
CAPABILITIES: Final[Mapping[str, tuple[str, str]]] = {
    "atomic_batch_write": ("Whole batches", "Several files change together or not at all, after a crash too."),
    "versioning": ("Versions", "Every state of a file can be looked at and compared."),
    "content_hash_native": ("Hashes in lists", "A listing knows every file's hash without reading it."),
    "rate_limited": ("Counted requests", "Somebody counts the requests, so changes are better sent together."),
    "supports_glob": ("Patterns", "Files are found by patterns such as **/*.md."),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """`used` of `most` until `reset_at`."""

    label: str
    used: int
    most: int
    said: str
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class StorageRow:
    alias: str
    provider: str
    project: str | None
    hash_kind: str
    health: Health | None
    state: str
    facts: Sequence[tuple[str, str]]
    limits: Sequence[Limit]
    blocked_until: datetime | None
    hits: float | None
    requests: Mapping[str, int]
    url: str


@dataclass(frozen=True, slots=True)
class Room:
    """What is left in a storage, in a word and half a sentence: of its limits, else of its space."""

    alias: str
    left: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class Capability:
    """One line of the table: which storages have it; None of one that cannot be opened."""

    name: str
    about: str
    has: Sequence[bool | None]


def row(state: StorageState, slug: str) -> StorageRow:
    statistics = state.statistics
    limits = statistics.get("rate_limits", {})
    cache = statistics.get("cache", {})
    asked = cache.get("hits", 0) + cache.get("misses", 0)
    return StorageRow(
        state.alias,
        state.provider,
        state.project,
        state.hash_kind,
        state.health,
        "unknown" if state.health is None else "up" if state.health.healthy else "down",
        list(_facts(state.health.details if state.health else {}, state.root)),
        [*_windows(limits), *_content(limits)],
        _time(limits.get("blocked_until")),
        cache["hits"] / asked if asked else None,
        statistics.get("requests", {}),
        places.folder_url(slug, state.alias),
    )


def room(state: StorageState, slug: str) -> Room:
    return Room(state.alias, *_left(state, row(state, slug).limits), places.folder_url(slug, state.alias))


def capabilities(states: Sequence[StorageState]) -> list[Capability]:
    return [
        Capability(name, about, [state.can(key) if state.hash_kind else None for state in states])
        for key, (name, about) in CAPABILITIES.items()
    ]


def _left(state: StorageState, limits: Sequence[Limit]) -> tuple[str, str]:
    health = state.health
    if health is None:
        return wording.ABSENT, "not asked yet"
    if not health.healthy:
        return "Down", health.message
    if limits:
        least = min(limits, key=lambda limit: (limit.most - limit.used) / limit.most)
        return wording.short(least.most - least.used), f"of {wording.number(least.most)} left: {least.label}"
    if "free_bytes" in health.details and "total_bytes" in health.details:
        return wording.size(health.details["free_bytes"]), f"free of {wording.size(health.details['total_bytes'])}"
    return "Up", state.provider


def _facts(details: Mapping[str, Any], root: str | None) -> Sequence[tuple[str, str]]:
    """Where it lies, and what a health check said that a person understands, in words."""
    said = {name: value for name, value in details.items() if value is not None}
    found = [("Folder", root)] if root else []
    if "latency_ms" in said and "code" not in said:
        found.append(("Answered in", wording.duration(said["latency_ms"] / 1000)))
    if "free_bytes" in said and "total_bytes" in said:
        found.append(("Free", f"{wording.size(said['free_bytes'])} of {wording.size(said['total_bytes'])}"))
    if "files" in said:
        found.append(("Files", wording.number(said["files"])))
    for name, label in _LABELS.items():
        if name in said:
            found.append((label, str(said[name])))
    return found


def _windows(limits: Mapping[str, Any]) -> list[Limit]:
    return [
        Limit(
            f"Requests ({window['resource']})",
            window["limit"] - window["remaining"],
            window["limit"],
            f"{wording.number(window['remaining'])} of {wording.number(window['limit'])} left",
            _time(window["reset"]),
        )
        for window in limits.get("windows", [])
        if window["limit"] > 0
    ]


def _content(limits: Mapping[str, Any]) -> list[Limit]:
    return [
        Limit(
            f"Writes in {wording.duration(window['seconds'])}",
            window["limit"] - window["remaining"],
            window["limit"],
            f"{wording.number(window['remaining'])} of {wording.number(window['limit'])} left",
            None,
        )
        for window in limits.get("content", [])
    ]


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


_LABELS: Final = {
    "service": "Service",
    "bucket": "Bucket",
    "repository": "Repository",
    "branch": "Branch",
    "head": "Head",
    "token_expires": "Token good until",
    "clock_skew_seconds": "Clock differs by (s)",
}
