"""Prompts and exercises as they come in and go out."""

from typing import Any, Final

from ninja import Schema
from pydantic import Field

from jobs_app.api.schemas import MOMENT, Body, Time, page_of, shown_as
from jobs_app.domain.library import LARGEST_TEXT, LONGEST_NAME, Kind

HASH: Final = f"sha256:{'0f' * 32}"
VARIABLE: Final = {"name": "language", "required": False, "default": "en", "description": "Of the summary."}
CONTENT: Final = """---
title: Summarise
variables:
  - name: language
    default: en
    description: Of the summary.
---
Summarise the document in {{ language }}.
"""
LISTED: Final = {"kind": "prompts", "name": "summarise", "hash": HASH, "size": 152, "last_modified": MOMENT}
ENTRY: Final = {
    "kind": "prompts",
    "name": "summarise",
    "hash": HASH,
    "content": CONTENT,
    "title": "Summarise",
    "variables": [VARIABLE],
    "details": {"title": "Summarise"},
    "fault": None,
    "last_modified": MOMENT,
}


class LibraryEntryIn(Body):
    model_config = shown_as({"content": CONTENT, "message": "Say which language"})
    content: str = Field(max_length=LARGEST_TEXT, description="Markdown, with front matter that may declare variables.")
    message: str = Field("", max_length=2000, description="What is said of the change in the storage's history.")
    deferred: bool = Field(False, description="Send it with the next batch; durable at once, and read by all.")


class LibraryRename(Body):
    model_config = shown_as({"name": "summarise-briefly"})
    name: str = Field(min_length=1, max_length=LONGEST_NAME)


class LibraryListed(Schema):
    model_config = shown_as(LISTED)
    kind: Kind
    name: str
    hash: str | None = Field(description="Null where only reading the content would tell.")
    size: int
    last_modified: Time | None


class LibraryPage(Schema):
    model_config = page_of(LISTED)
    items: list[LibraryListed]
    next_cursor: str | None


class VariableOut(Schema):
    model_config = shown_as(VARIABLE)
    name: str
    required: bool
    default: Any
    description: str


class LibraryEntryOut(Schema):
    model_config = shown_as(ENTRY)
    kind: Kind
    name: str
    hash: str = Field(description="The content's, which in quotes is its `ETag`.")
    content: str
    title: str
    variables: list[VariableOut]
    details: dict[str, Any] = Field(description="The front matter, without the variables.")
    fault: str | None = Field(description="Why no job can use it, where it was put into the storage past this API.")
    last_modified: Time | None
