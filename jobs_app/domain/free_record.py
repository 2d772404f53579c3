"""A free record: any JSON object in a collection that its users named, under a number that is never given out twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FreeRecord:
    """`created_at` and `updated_at` are None for a record that came in by another way."""

    id: int
    version: int
    data: Mapping[str, Any]
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FreeCollection:
    name: str
    records: int
    bytes: int
