"""The library: named texts that jobs use, what they may be called, which variables they declare, and what a job that
uses one must give.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from jobs_app.domain import front_matter
from jobs_app.domain.front_matter import FrontMatterError

LONGEST_NAME: Final = 100
LARGEST_TEXT: Final = 256 * 1024  # bytes
MOST_VARIABLES: Final = 100
MOST_USES: Final = 50  # of one job
LARGEST_VALUES: Final = 64 * 1024  # characters of JSON that a job gives to one text
NAME_SENTENCE: Final = f"letters, digits, dots, hyphens and underscores, {LONGEST_NAME} at most, without .md at the end"


class Kind(StrEnum):
    PROMPTS = "prompts"
    EXERCISES = "exercises"

    @property
    def singular(self) -> str:
        return self.value[:-1]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a text wants to be told. One that is not required may have a default."""

    name: str
    required: bool = True
    default: Any = None
    description: str = ""

    @property
    def default_text(self) -> str:
        return self.default if isinstance(self.default, str) else json.dumps(self.default, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it is understood. `details` is all of its front matter but the variables."""

    body: str
    title: str = ""
    variables: Sequence[Variable] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job is to use, as it is asked for."""

    kind: str
    name: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Use:
    """What a job uses: exactly this content, with every variable that has a value. `version` where the storage of the
    library keeps versions.
    """

    kind: str
    name: str
    hash: str
    version: str | None
    variables: Mapping[str, Any]

    @property
    def references(self) -> tuple[str, str]:
        """What it is found by: the text in any version, and in this one."""
        return reference(self.kind, self.name), reference(self.kind, self.name, self.hash)


def reference(kind: str, name: str, content_hash: str | None = None) -> str:
    return f"{kind}/{name}" if content_hash is None else f"{kind}/{name}@{content_hash}"


def name_fault(name: str) -> str:
    """What keeps a word from being the name of a text."""
    if not _NAME.fullmatch(name):
        return f"use {NAME_SENTENCE}; a letter or digit begins and ends it"
    return "leave out .md, which the file has anyway" if name.lower().endswith(".md") else ""


def content_fault(content: str) -> str:
    """What keeps a text from being stored: characters that nobody sees, or front matter that cannot be read."""
    if any(unicodedata.category(each) in ("Cc", "Cs") and each not in "\t\n\r" for each in content):
        return "has control characters in it"
    try:
        read(content)
    except FrontMatterError as error:
        return str(error)
    return ""


def read(content: str) -> Text:
    """FrontMatterError where its head cannot be read."""
    parts = front_matter.parted(content)
    details = dict(parts.values)
    variables = _variables(details.pop("variables", None))
    title = details.get("title")
    return Text(parts.body, title if isinstance(title, str) else "", variables, details)


def variable_faults(variables: Sequence[Variable], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and reason of each variable that is missing, unknown or without a value."""
    known = {variable.name: variable for variable in variables}
    for name in given:
        if name not in known:
            yield name, f"is no variable of it; it has {', '.join(known) or 'none'}"
        elif given[name] is None:
            yield name, "must have a value"
    for name, variable in known.items():
        if variable.required and name not in given:
            yield name, "is required"
    if len(json.dumps(given, ensure_ascii=False)) > LARGEST_VALUES:
        yield "", f"have more than {LARGEST_VALUES} characters"


def filled(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, and the defaults of the others."""
    defaults = {each.name: each.default for each in variables if each.default is not None}
    return {**defaults, **given}


def _variables(value: Any) -> tuple[Variable, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong("must be a list, each item with a name: `- name: language`")
    if len(value) > MOST_VARIABLES:
        raise _wrong(f"are {len(value)}; {MOST_VARIABLES} is the most")
    found = tuple(_variable(item) for item in value)
    names = [variable.name for variable in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(f"name {twice} twice")
    return found


def _variable(item: Mapping[str, Any]) -> Variable:
    name, default, about = item.get("name"), item.get("default"), item.get("description")
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise _wrong("must each have a name of letters, digits and underscores that begins with a letter")
    if unknown := sorted(set(item) - {"name", "required", "default", "description"}):
        raise _wrong(f"know no {', '.join(unknown)} ({name})")
    required = item.get("required", default is None)
    if not isinstance(required, bool):
        raise _wrong(f"have `required: true` or `required: false` ({name})")
    if required and default is not None:
        raise _wrong(f"have a default or are required, not both ({name})")
    if isinstance(default, dict):
        raise _wrong(f"have a default that is a text, a number, true, false or a list ({name})")
    if about is not None and not isinstance(about, str):
        raise _wrong(f"have a description that is a text ({name})")
    return Variable(name, required, default, about or "")


def _wrong(reason: str) -> FrontMatterError:
    return FrontMatterError(None, f"variables {reason}")


_NAME: Final = re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,{LONGEST_NAME - 2}}}[A-Za-z0-9])?", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
