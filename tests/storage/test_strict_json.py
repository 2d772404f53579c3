"""What the strict reader refuses, where it says the fault is, and that nothing it takes is changed."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_app import strict_json
from storage_app.strict_json import StrictJSONError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children) | st.dictionaries(TEXT, children),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "reason", "line", "column"),
    [
        ("", "Empty text", 1, 1),
        ("  ", "Empty text", 1, 3),
        ("nul", "Expected a value", 1, 1),
        ("NaN", "NaN is not a JSON number", 1, 1),
        ('{"a": [1,\n -Infinity]}', "-Infinity is not a JSON number", 2, 2),
        ('{"a": 1e999}', "Number too large", 1, 7),
        ('{"a": -1E999}', "Number too large", 1, 7),
        ('{"a": 1,\n\n "b": 2, "a": 3}', "Duplicate key 'a'", 3, 10),
        ('{"a": {"b" : 1, "\\u0062" : 2}}', "Duplicate key 'b'", 1, 17),
        ('["NaN", {"a":":", "a" :2}]', "Duplicate key 'a'", 1, 19),
        ('["\\ud800"]', "Lone surrogate", 1, 3),
        ('["\\ud800\\n\\udc00"]', "Lone surrogate", 1, 3),
        ('["\\udc00"]', "Lone surrogate", 1, 3),
        ('{"\\uD83D": 1}', "Lone surrogate", 1, 3),
        ('["\ud800"]', "Lone surrogate", 1, 3),
        ('["a\\u0000"]', "U+0000 is not allowed", 1, 4),
        ('["a\0"]', "Invalid control character", 1, 4),
        ('["a\n"]', "Invalid control character", 1, 4),
        ("[1] 2", "Extra data", 1, 5),
        ("[1,]", "Expected a value", 1, 4),
        ('{"a": 1,}', "", 1, 9),
        ("{'a': 1}", "", 1, 2),
        ("[01]", "", 1, 3),
        ("[+1]", "Expected a value", 1, 2),
        ("[1.]", "", 1, 3),
        ("\ufeff{}", "Byte order mark", 1, 1),
        ("[" * 65 + "]" * 65, "Nested deeper than 64", 1, 65),
        ("[" * 100_000, "Nested deeper than 64", 1, 65),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "Nested deeper than 64", 1, 321),
        (f"[{'9' * 1001}]", "Integer of more than 1000 digits", 1, 2),
        (f"[{' ' * 700}-{'9' * 20_000}]", "Integer of more than 1000 digits", 1, 702),
        ("\u00a0[]", "Expected a value", 1, 1),
    ],
)
def test_a_hostile_text_is_refused_with_its_place(text: str, reason: str, line: int, column: int) -> None:
    with pytest.raises(StrictJSONError) as refusal:
        strict_json.loads(text)
    assert reason in refusal.value.reason
    assert (refusal.value.line, refusal.value.column) == (line, column)


@pytest.mark.parametrize(
    ("raw", "position"),
    [(b'["\xff"]', 2), (b'["\xed\xa0\x80"]', 2), (b'["\xc3\xa9\xc0\x80"]', 3), (b"\xff\xfe[\0]\0", 0)],
)
def test_bytes_that_are_not_utf8_are_refused_with_the_character(raw: bytes, position: int) -> None:
    with pytest.raises(StrictJSONError, match="Not UTF-8") as refusal:
        strict_json.loads(raw)
    assert refusal.value.position == position


def test_a_byte_order_mark_is_refused() -> None:
    with pytest.raises(StrictJSONError, match="Byte order mark"):
        strict_json.loads(b"\xef\xbb\xbf{}")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 64 + "]" * 64,
        '["' + "[{" * 500 + '"]',
        '["\\ud83d\\ude00", "\\\\ud800", "\\\\u0000", "😀"]',
        '{"a":{"a":{"a":1}},"b":["\\":", ":", "NaN", "1e999"]}',
        f"[{'9' * 1000}, {'-' + '9' * 1000}]",
        '[1.0, 1, -0.0, 1e2, 123456789012345678901234567890, "' + "7" * 3000 + '"]',
        ' \t\r\n{"a" : 1 }\n',
        "null",
    ],
)
def test_a_sound_text_is_read_as_the_interpreter_reads_it(text: str) -> None:
    assert repr(strict_json.loads(text)) == repr(strict_json.loads(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [float("inf")],
        {"a": "\0"},
        {"\0": 1},
        ["\ud800"],
        {1: 2},
        [{"a": {None: 1}}],
        {True: 1},
        10**1000,
        [-(10**5000)],
        object(),
        {"a": {1, 2}},
        b"bytes",
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_not_be_read_again_is_not_written(value: object) -> None:
    with pytest.raises(StrictJSONError):
        strict_json.dumps(value)


def test_a_deep_or_circular_value_is_not_written() -> None:
    deep: list[object] = []
    for _ in range(64):
        deep = [deep]
    circle: dict[str, object] = {}
    circle["self"] = circle
    for value in (deep, circle):
        with pytest.raises(StrictJSONError, match="Nested deeper than 64"):
            strict_json.dumps(value)
    assert strict_json.dumps(deep[0]) == "[" * 64 + "]" * 64


def test_text_that_only_looks_like_an_escape_is_written() -> None:
    value = ["\\u0000", "\\ud800", "9" * 3000]
    assert strict_json.loads(strict_json.dumps(value)) == value


def test_written_text_is_compact_and_keeps_the_order_of_keys() -> None:
    assert strict_json.dumps_bytes({"b": [1, 2.5], "a": "é"}) == '{"b":[1,2.5],"a":"é"}'.encode()


def test_only_an_object_is_an_object() -> None:
    assert strict_json.loads_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(StrictJSONError, match="Expected an object, found an array"):
        strict_json.loads_object("[]")


@given(VALUES)
def test_what_is_written_comes_back_the_same(value: Any) -> None:
    assert repr(strict_json.loads(strict_json.dumps(value))) == repr(value)


@given(st.dictionaries(TEXT, VALUES))
def test_what_was_written_here_is_read_the_same_without_being_judged_again(value: Any) -> None:
    text = strict_json.dumps(value)
    assert json.dumps(strict_json.loads_own(text)) == json.dumps(strict_json.loads_object(text))


def test_what_rotted_since_it_was_written_is_refused_with_its_place() -> None:
    for text in ("", "{", '{"a": nonsense}', "]"):
        with pytest.raises(StrictJSONError):
            strict_json.loads_own(text)


@given(st.text() | st.text('{}[]",:\\u0dDc8 \n1e9.-NatI'))
def test_the_reader_never_fails_in_another_way(text: str) -> None:
    with contextlib.suppress(StrictJSONError):
        assert strict_json.loads(text) == json.loads(text)
