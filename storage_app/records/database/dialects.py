"""Where SQLite and PostgreSQL say the same thing differently."""

from dataclasses import dataclass
from typing import Final

from storage_app.records.declarations import Kind


@dataclass(frozen=True)
class Dialect:
    vendor: str
    is_distinct: str  # `column <this> value`, which is never unknown
    position: str  # a function of text and part: above 0 where the part is in it
    for_update: str
    for_share: str
    skip_locked: str
    nulls_first: str
    nulls_last: str
    shards: int  # of counters: as many writers as may be at it at once

    @property
    def is_postgresql(self) -> bool:
        return self.vendor == "postgresql"

    def ordered(self, column: str, descending: bool) -> str:
        """The id is never null, and its index says nothing of nulls."""
        if column == "id":
            return "id DESC" if descending else "id"
        return f"{column} DESC{self.nulls_last}" if descending else f"{column}{self.nulls_first}"


DIALECTS: Final = {
    "postgresql": Dialect(
        "postgresql",
        "IS DISTINCT FROM",
        "strpos",
        " FOR NO KEY UPDATE",
        " FOR KEY SHARE",
        " FOR UPDATE SKIP LOCKED",
        " NULLS FIRST",
        " NULLS LAST",
        16,
    ),
    "sqlite": Dialect("sqlite", "IS NOT", "instr", "", "", "", "", "", 1),
}
TYPES: Final = {
    Kind.TEXT: "text",
    Kind.SEARCH: "text",
    Kind.INTEGER: "bigint",
    Kind.TIME: "bigint",
    Kind.NUMBER: "double precision",
    Kind.BOOLEAN: "boolean",
}
