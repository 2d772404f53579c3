"""Putting records right by hand, for those who run the server: found, read as JSON, corrected, moved, removed and
brought back, whichever record store is configured.

A kind of record joins by a class with the methods of `Fixable`, registered in `jobs_app/admin/records.py`. Each method
asks for the scope `admin`, goes the way every change of that record goes, and leaves before and after in the audit log.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from jobs_app.domain.access import Actor
from jobs_app.errors import InvalidError
from storage_app import strict_json

LONGEST_REASON: Final = 1000
LONGEST_KEPT: Final = 2000
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a list; `id` as an address has it."""

    id: str
    title: str
    state: str
    at: datetime | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Not `is_complete`: the search went so far and no further, and goes on from `next_cursor`."""

    rows: Sequence[Row]
    next_cursor: str | None
    previous_cursor: str | None
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose among: a state to move to, a part of the records to list."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One record: `document` is everything it holds, `correctable` the names of what may be changed by hand."""

    id: str
    title: str
    state: str
    version: int
    document: Mapping[str, Any]
    correctable: frozenset[str]
    is_removed: bool = False
    moves: Sequence[Choice] = field(default=())
    page_url_name: str = ""  # its own page for people, taking project and id


class Fixable(Protocol):
    """What a kind of record can do here. `name` stands in addresses; `hint` says what a search takes; `parts` are what
    the records are listed by; `holds` tells whose collection it is. Without a trash `erase` is what removes.
    """

    @property
    def name(self) -> str: ...
    @property
    def noun(self) -> str: ...
    @property
    def hint(self) -> str: ...
    @property
    def has_trash(self) -> bool: ...

    def parts(self, actor: Actor, slug: str) -> Sequence[Choice]: ...
    def holds(self, collection: str) -> bool: ...

    def find(self, actor: Actor, slug: str, text: str, part: str, cursor: str | None) -> Found: ...
    def get(self, actor: Actor, slug: str, id: str) -> Shown: ...
    def correct(
        self, actor: Actor, slug: str, id: str, changes: Mapping[str, Any], version: int, reason: str
    ) -> None: ...
    def move(self, actor: Actor, slug: str, id: str, target: str, version: int, reason: str) -> None: ...
    def remove(self, actor: Actor, slug: str, id: str, version: int, reason: str) -> None: ...
    def bring_back(self, actor: Actor, slug: str, id: str, reason: str) -> None: ...
    def erase(self, actor: Actor, slug: str, id: str, reason: str) -> None: ...


def changes_in(shown: Shown, text: str) -> dict[str, Any]:
    """What an edited document changes. What may not be changed by hand must stand there as it was, or be left out."""
    try:
        edited = strict_json.loads_object(text)
    except strict_json.StrictJSONError as error:
        raise InvalidError.at("document", str(error)) from error
    differing = {
        name: value
        for name, value in edited.items()
        if name not in shown.document or not _same(value, shown.document[name])
    }
    refused = sorted(differing.keys() - shown.correctable)
    if refused:
        reasons = [(name, "cannot be changed by hand" if name in shown.document else "is no field") for name in refused]
        raise InvalidError(
            "; ".join(f"{name} {reason}" for name, reason in reasons),
            [{"place": name, "reason": reason} for name, reason in reasons],
        )
    if not differing:
        raise InvalidError.at("document", "is as it was; nothing is changed")
    return differing


def as_text(document: Mapping[str, Any]) -> str:
    """To read and edit; numbers are exact."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def checked_reason(reason: str) -> str:
    """Whoever changes data by hand says why."""
    told = reason.strip()
    if not told:
        raise InvalidError.at("reason", "say why, for whoever reads the audit log")
    if len(told) > LONGEST_REASON:
        raise InvalidError.at("reason", f"has {len(told)} characters; {LONGEST_REASON} is the most")
    return told


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit log: the fields that are others now, as they were and as they are."""
    names = [name for name in {**before, **after} if not _same(before.get(name), after.get(name))]
    return {"before": kept({n: before.get(n) for n in names}), "after": kept({n: after.get(n) for n in names})}


def kept(document: Mapping[str, Any]) -> dict[str, Any]:
    """As the audit log keeps it: of a very long value its size and digest."""
    return {name: _told(value) for name, value in document.items()}


def _told(value: Any) -> Any:
    text = strict_json.dumps(value)
    if len(text) <= LONGEST_KEPT:
        return value
    return {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest(), "begin": text[:200]}


def _same(one: Any, other: Any) -> bool:
    """As JSON: 1 and 1.0 are two things, the order of keys is none."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
