"""What front matter says, and everything of YAML that it may not say."""

import time
from typing import Any

import pytest

from jobs_app.domain import library
from jobs_app.domain.front_matter import FrontMatterError, parted
from jobs_app.domain.library import Variable

WHOLE = """---
# of the house
title: Summarise a document
count: 12
ratio: 0.5
draft: false
nothing:
quoted: "a: b # c \\n \\u00fc"
single: 'it''s'
tags: [one, "two, three", 3, ] # as a list
plain: https://example.org/#part # a comment
list:
- a
-   b
nested:
  deeper:
    - name: x
      value: 1
    - name: y
---
The body.
---
goes on
"""


def test_front_matter_is_read_and_the_body_is_what_follows() -> None:
    parts = parted(WHOLE)
    assert parts.body == "The body.\n---\ngoes on\n"
    assert parts.values == {
        "title": "Summarise a document",
        "count": 12,
        "ratio": 0.5,
        "draft": False,
        "nothing": None,
        "quoted": "a: b # c \n ü",
        "single": "it's",
        "tags": ["one", "two, three", 3],
        "plain": "https://example.org/#part",
        "list": ["a", "b"],
        "nested": {"deeper": [{"name": "x", "value": 1}, {"name": "y"}]},
    }


@pytest.mark.parametrize("text", ["", "no head", "--- \nx", "----\na: 1\n---\n", "\n---\na: 1\n---\n"])
def test_a_text_without_front_matter_is_all_body(text: str) -> None:
    if text.startswith("--- "):
        with pytest.raises(FrontMatterError, match="no second ---"):
            parted(text)
    else:
        assert (parted(text).values, parted(text).body) == ({}, text)


def test_lines_may_end_as_on_windows() -> None:
    parts = parted("---\r\na: 1\r\nb:\r\n  - c\r\n---\r\nbody\r\n")
    assert (parts.values, parts.body) == ({"a": 1, "b": ["c"]}, "body\r\n")


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("a: &x 1", 2),
        ("a: *x", 2),
        ("a: !!python/object/apply:os.system [ls]", 2),
        ("a: |\n  text", 2),
        ("a: > \n  text", 2),
        ("a: {b: 1}", 2),
        ("a: [b", 2),
        ("a: [b]]", 2),
        ("a: [[b]]", 2),
        ("a: [b,,c]", 2),
        ('a: "b', 2),
        ('a: "b" c', 2),
        ('a: "\\x"', 2),
        ('a: "\\ud800"', 2),
        ("a: b: c", 2),
        ("a: 1\na: 2", 3),
        ("a: 1\n  b: 2", 3),
        ("a: 1\n- b", 3),
        ("- a", 2),
        ("  a: 1", 2),
        ("\ta: 1", 2),
        ("a:\n  b: 1\n c: 2", 4),
        ("<<: x", 2),
        ("? a\n: b", 2),
        ("a:1", 2),
        ("a:\n  -", 3),
        ("a:\n  b:\n    c:\n      d:\n        e: 1", 5),
        ("a: " + "x" * 5000, 2),
        ("\n".join(f"a{number}: 1" for number in range(600)), 501),
    ],
)
def test_what_is_not_read_is_refused_with_its_line(head: str, line: int) -> None:
    with pytest.raises(FrontMatterError, match=rf"^line {line} "):
        parted(f"---\n{head}\n---\nbody")


def test_hostile_heads_take_no_time() -> None:
    started = time.perf_counter()
    for head in ("[" * 3900, '"' + "\\" * 3901, "'" * 3901, "a: " * 1300, "- " * 1900, "#" * 3900):
        for text in (f"---\na: {head}\n---\n", f"---\n{head}\n---\n", ("---\n" + f"a: {head}\n") * 300):
            try:
                parted(text)
            except FrontMatterError:
                continue
    assert time.perf_counter() - started < 2


def declared(block: str) -> Any:
    return library.read(f"---\nvariables:\n{block}\n---\nx").variables


def test_variables_are_declared() -> None:
    found = declared(
        "  - name: language\n    description: Of the text.\n  - name: length\n    default: 3\n"
        "  - name: tone\n    required: false\n  - name: topics\n    default: [a, b]"
    )
    assert found == (
        Variable("language", True, None, "Of the text."),
        Variable("length", False, 3),
        Variable("tone", False),
        Variable("topics", False, ["a", "b"]),
    )


@pytest.mark.parametrize(
    "block",
    [
        "  name: a",
        "  - a",
        "  - name: 1",
        "  - name: a-b",
        "  - description: x",
        "  - name: a\n  - name: a",
        "  - name: a\n    typ: text",
        "  - name: a\n    required: yes",
        "  - name: a\n    required: true\n    default: 1",
        "  - name: a\n    description: 1",
    ],
)
def test_a_wrong_declaration_is_refused(block: str) -> None:
    with pytest.raises(FrontMatterError, match=r"^variables "):
        declared(block)


def test_values_are_held_against_the_declaration() -> None:
    variables = [Variable("language"), Variable("length", False, 3), Variable("tone", False)]
    assert dict(library.variable_faults(variables, {})) == {"language": "is required"}
    assert dict(library.variable_faults(variables, {"language": None, "typo": 1})) == {
        "language": "must have a value",
        "typo": "is no variable of it; it has language, length, tone",
    }
    assert list(library.variable_faults(variables, {"language": "de", "length": 10**30})) == []
    assert library.filled(variables, {"language": "de"}) == {"length": 3, "language": "de"}
    assert [name for name, _ in library.variable_faults(variables, {"language": "x" * 70_000})] == [""]


@pytest.mark.parametrize("name", ["a", "Summarise", "a.b-c_d", "v1.2", "x" * 100])
def test_a_name_that_can_be_kept_anywhere_is_taken(name: str) -> None:
    assert library.name_fault(name) == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a.", ".a", "-a", "ä", "a b", "x" * 101, "a\n", "a.md"])
def test_any_other_name_is_refused(name: str) -> None:
    assert library.name_fault(name)
